import { expect } from 'chai'
import fc from 'fast-check'
import { enforcement, GRACE_MS, refreshStands } from '../../src/organisations/enforcement.ts'

const START = Date.UTC(2026, 4, 14, 9, 31)
const time = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) })

describe('enforcement', () => {
  it('gives one day from the start of the subscription', () => {
    expect(GRACE_MS).to.equal(86_400_000)
    expect(enforcement(START, START)).to.deep.equal({ state: 'grace', until: START + 86_400_000 })
  })

  it('is in force from the very millisecond that the day is over, and not one before', () => {
    expect(enforcement(START, START + GRACE_MS - 1).state).to.equal('grace')
    expect(enforcement(START, START + GRACE_MS)).to.deep.equal({ state: 'enforced' })
    expect(enforcement(START, START + GRACE_MS + 1).state).to.equal('enforced')
  })

  it('names no end of the grace while there is no subscription', () => {
    expect(enforcement(null, START)).to.deep.equal({ state: 'grace', until: undefined })
  })

  it('counts the day from a start that is yet to come', () => {
    const future = START + 7 * GRACE_MS
    expect(enforcement(future, START)).to.deep.equal({ state: 'grace', until: future + GRACE_MS })
  })

  it('takes a subscription from the first moment of 1970 for one', () => {
    expect(enforcement(0, GRACE_MS).state).to.equal('enforced')
    expect(enforcement(0, GRACE_MS - 1)).to.deep.equal({ state: 'grace', until: GRACE_MS })
  })

  it('stays in force as time goes: nothing reopens the day', () => {
    let enforced = 0
    fc.assert(
      fc.property(time, time, fc.nat({ max: 10 * 365 * GRACE_MS }), (subscribedAt, now, later) => {
        if (enforcement(subscribedAt, now).state !== 'enforced') return
        enforced += 1
        expect(enforcement(subscribedAt, now + later).state).to.equal('enforced')
      }),
      { numRuns: 1000 },
    )
    expect(enforced).to.be.greaterThan(100)
  })

  it('says until when the day lasts, and means it', () => {
    let inGrace = 0
    fc.assert(
      fc.property(time, fc.nat({ max: 2 * GRACE_MS }), (subscribedAt, passed) => {
        const due = enforcement(subscribedAt, subscribedAt + passed)
        if (due.state !== 'grace') return
        inGrace += 1
        expect(due.until).to.be.greaterThan(subscribedAt + passed)
        expect(enforcement(subscribedAt, due.until ?? 0).state).to.equal('enforced')
        expect(enforcement(subscribedAt, (due.until ?? 0) - 1).state).to.equal('grace')
      }),
      { numRuns: 1000 },
    )
    expect(inGrace).to.be.greaterThan(100)
  })
})

describe('a refresh token', () => {
  const over = START + GRACE_MS
  const inTheDay = { iiat: Math.floor(START / 1000) + 60, amr: ['pwd'] }

  it('of one factor, first issued in the day of grace, ends with the day', () => {
    expect(refreshStands(START, inTheDay, over - 1)).to.equal(true)
    expect(refreshStands(START, inTheDay, over)).to.equal(false)
    expect(refreshStands(START, { amr: ['pwd'] }, over)).to.equal(false)
    expect(refreshStands(START, {}, over)).to.equal(false)
  })

  it('of two factors, or issued past the gate, goes on', () => {
    expect(refreshStands(START, { ...inTheDay, amr: ['pwd', 'otp', 'mfa'] }, over)).to.equal(true)
    // By a recovery code: the gate let them through, and the token says no more than the password.
    expect(refreshStands(START, { iiat: over / 1000, amr: ['pwd'] }, over + 1)).to.equal(true)
    expect(refreshStands(null, inTheDay, over)).to.equal(true)
  })
})
