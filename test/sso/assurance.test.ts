// What an upstream's word is worth: X9, what is not said is taken for the weakest.

import { expect } from 'chai'
import { provenBy } from '../../src/flow/assurance.ts'
import { factOf, trustedIn } from '../../src/sso/assurance.ts'

const NOW = 1_800_000_000_000
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const connection = { id: 'sso_1', twoFactor: { acr: ['gold'], amr: ['mfa'] } }
const answer = { acr: undefined, amr: [], authenticatedAt: NOW - 5_000, session: undefined }

describe('what an upstream’s word is worth', () => {
  it('X9: is one factor, unless the connection trusts a value of acr or amr that came', () => {
    const kindOf = (change: object, twoFactor = connection.twoFactor) =>
      factOf({ ...answer, ...change }, { ...connection, twoFactor }, NOW - MINUTE, NOW)?.kind
    expect(kindOf({})).to.equal('1fa')
    expect(kindOf({ acr: 'gold' })).to.equal('2fa')
    expect(kindOf({ amr: ['pwd', 'mfa'] })).to.equal('2fa')
    expect(kindOf({ acr: 'mfa', amr: ['gold'] }), 'each among its own').to.equal('1fa')
    expect(kindOf({ acr: 'gold', amr: ['mfa'] }, { acr: [], amr: [] })).to.equal('1fa')
  })

  it('says by which value, and of what, two factors were proven', () => {
    const by = (change: object) => trustedIn({ ...answer, ...change }, connection.twoFactor)
    expect(by({ acr: 'gold', amr: ['mfa'] })).to.equal('acr gold')
    expect(by({ acr: 'mfa', amr: ['pwd', 'mfa'] })).to.equal('amr mfa')
    expect(by({ acr: 'mfa', amr: ['gold'] })).to.equal(undefined)
  })

  it('X9: is as old as the upstream says, and a year old where it does not say', () => {
    const of = (authenticatedAt: number | undefined) =>
      factOf({ ...answer, authenticatedAt }, connection, NOW - MINUTE, NOW)
    expect(of(NOW - 5_000))
      .to.deep.include({ verifiedAt: NOW - 5_000 })
      .and.not.have.property('earlier')
    expect(of(NOW - DAY)).to.include({ verifiedAt: NOW - DAY, earlier: true })
    expect(of(undefined)).to.include({ verifiedAt: NOW - 365 * DAY, earlier: true })
  })

  it('is of no time to come, but for clocks that differ by a minute', () => {
    expect(factOf({ ...answer, authenticatedAt: NOW + 30_000 }, connection, NOW, NOW)?.verifiedAt).to.equal(
      NOW,
    )
    expect(factOf({ ...answer, authenticatedAt: NOW + 2 * MINUTE }, connection, NOW, NOW)).to.equal(undefined)
  })

  it('X9: proves nothing for a request, where it was proven before it', () => {
    const earlier = factOf(
      { ...answer, acr: 'gold', authenticatedAt: NOW - DAY },
      connection,
      NOW - MINUTE,
      NOW,
    )
    const here = factOf({ ...answer, acr: 'gold' }, connection, NOW - MINUTE, NOW)
    expect(earlier && provenBy('2fa', [earlier], [earlier])).to.equal(false)
    expect(here && provenBy('2fa', [here], [here])).to.equal(true)
  })
})
