import { expect } from 'chai'
import {
  END_DAYS,
  INACTIVE_HOURS,
  inRange,
  LONGEST_INACTIVE_MS,
  LONGEST_LIFE_MS,
  sessionIsOver,
  sessionPolicy,
} from '../../src/organisations/session-policy.ts'

const NOW = Date.UTC(2026, 4, 14, 9, 31)
const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR
const SPECIAL = ['Enterprise', 'Superpower']
const STANDARD = { inactiveHours: 24, endDays: 7 }

describe('how long a session lasts', () => {
  const cases: readonly [what: string, stored: Parameters<typeof sessionPolicy>[0], held: typeof STANDARD][] =
    [
      ['nobody', undefined, STANDARD],
      [
        'an organisation that chose nothing',
        { plan: 'Enterprise', inactiveHours: null, endDays: null },
        STANDARD,
      ],
      [
        'a special plan',
        { plan: 'Enterprise', inactiveHours: 1, endDays: 30 },
        { inactiveHours: 1, endDays: 30 },
      ],
      [
        'a special plan in another spelling',
        { plan: ' enterprise ', inactiveHours: 8, endDays: 2 },
        { inactiveHours: 8, endDays: 2 },
      ],
      [
        'a special plan with one value',
        { plan: 'Superpower', inactiveHours: null, endDays: 2 },
        { inactiveHours: 24, endDays: 2 },
      ],
      ['another plan, whatever is stored', { plan: 'Team', inactiveHours: 1, endDays: 30 }, STANDARD],
      ['a host’s organisation', { plan: '', inactiveHours: 1, endDays: 30 }, STANDARD],
      [
        'values that nobody may choose, written behind our back',
        { plan: 'Enterprise', inactiveHours: 0, endDays: 31 },
        STANDARD,
      ],
      ['more of them', { plan: 'Enterprise', inactiveHours: 25, endDays: 1 }, STANDARD],
    ]
  for (const [what, stored, held] of cases) {
    it(`of ${what}: ${held.inactiveHours} h, ${held.endDays} days`, () => {
      expect(sessionPolicy(stored, SPECIAL)).to.deep.equal(held)
    })
  }

  it('is the standard for everybody where the operator names no special plan', () => {
    expect(sessionPolicy({ plan: 'Enterprise', inactiveHours: 1, endDays: 2 }, [])).to.deep.equal(STANDARD)
  })

  it('ends at the hour without use, and not a millisecond before', () => {
    for (const inactiveHours of [1, 8, 24]) {
      const over = (now: number) =>
        sessionIsOver({ loggedInAt: NOW, lastSeenAt: NOW }, { inactiveHours, endDays: 7 }, now)
      expect(over(NOW + inactiveHours * HOUR - 1)).to.equal(false)
      expect(over(NOW + inactiveHours * HOUR)).to.equal(true)
    }
  })

  it('ends at the day after the login, however much it is used, and not a millisecond before', () => {
    for (const endDays of [2, 7, 30]) {
      const over = (now: number) =>
        sessionIsOver({ loggedInAt: NOW, lastSeenAt: now }, { inactiveHours: 24, endDays }, now)
      expect(over(NOW + endDays * DAY - 1)).to.equal(false)
      expect(over(NOW + endDays * DAY)).to.equal(true)
    }
  })

  it('takes whole hours from 1 to 24, and whole days from 2 to 30', () => {
    for (const good of [1, 2, 24]) expect(inRange(good, INACTIVE_HOURS), `${good}`).to.equal(true)
    for (const good of [2, 7, 30]) expect(inRange(good, END_DAYS), `${good}`).to.equal(true)
    for (const bad of [0, -1, 25, 1.5, Number.NaN, Number.POSITIVE_INFINITY, null])
      expect(inRange(bad, INACTIVE_HOURS), `${bad}`).to.equal(false)
    for (const bad of [0, 1, 31, 2.5, Number.NaN, null])
      expect(inRange(bad, END_DAYS), `${bad}`).to.equal(false)
  })

  it('is bounded, for what sweeps and for the cookie, by the longest that can be chosen', () => {
    expect([LONGEST_INACTIVE_MS, LONGEST_LIFE_MS]).to.deep.equal([24 * HOUR, 30 * DAY])
  })
})
