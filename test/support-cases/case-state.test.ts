import { expect } from 'chai'
import {
  type CaseActor,
  type CaseFacts,
  type CaseState,
  caseActions,
  caseState,
  type Help,
  helpFor,
  type LockedOut,
} from '../../src/support/case-state.ts'

const NOW = Date.UTC(2026, 4, 14, 9, 31)
const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR

const NEW: CaseFacts = {
  accountId: 'owner',
  needsSecond: false,
  openedAt: NOW - 10 * HOUR,
  waitUntil: NOW + 14 * HOUR,
  firstAgent: null,
  secondAgent: null,
  approvedAt: null,
  linkUntil: null,
  usedAt: null,
  closedAt: null,
  closedWhy: null,
  accountUnchanged: true,
  provenAt: NOW - 30 * DAY,
}
const WAITED: CaseFacts = { ...NEW, openedAt: NOW - 25 * HOUR, waitUntil: NOW - HOUR }
const ONCE: CaseFacts = { ...WAITED, needsSecond: true, firstAgent: 'sam' }
const SENT: CaseFacts = { ...WAITED, firstAgent: 'sam', approvedAt: NOW - HOUR, linkUntil: NOW + 23 * HOUR }
const SENT_TWICE: CaseFacts = { ...SENT, needsSecond: true, secondAgent: 'ria' }

describe('a support case', () => {
  const sam: CaseActor = { kind: 'agent', id: 'sam' }
  const ria: CaseActor = { kind: 'agent', id: 'ria' }
  const owner: CaseActor = { kind: 'agent', id: 'owner' }
  const told: CaseActor = { kind: 'told' }
  const linked: CaseActor = { kind: 'linked' }
  const stranger: CaseActor = { kind: 'stranger' }
  const actors = { sam, ria, owner, told, linked, stranger }
  type May = Partial<Record<keyof typeof actors, string>>
  const OVER: May = {}

  // Of each actor, what they may do; who is left out may do nothing.
  // biome-ignore format: one case a line reads as a table
  const table: [name: string, facts: CaseFacts, state: CaseState, may: May][] = [
    ['that waits', NEW, 'waiting', { sam: 'close', ria: 'close', told: 'stop' }],
    ['of an admin that waits', { ...NEW, needsSecond: true }, 'waiting', { sam: 'close', ria: 'close', told: 'stop' }],
    ['a moment before the wait is over', { ...NEW, waitUntil: NOW + 1 }, 'waiting', { sam: 'close', ria: 'close', told: 'stop' }],
    ['whose wait is over this moment', { ...NEW, waitUntil: NOW }, 'evidence', { sam: 'approve close', ria: 'approve close', told: 'stop' }],
    ['that needs evidence', WAITED, 'evidence', { sam: 'approve close', ria: 'approve close', told: 'stop' }],
    ['that was approved once, by Sam', ONCE, 'second', { sam: 'close', ria: 'approve close', told: 'stop' }],
    ['whose link was sent', SENT, 'link', { sam: 'close', ria: 'close', told: 'stop', linked: 'use' }],
    ['whose link was sent, of an admin', SENT_TWICE, 'link', { sam: 'close', ria: 'close', told: 'stop', linked: 'use' }],
    ['whose link runs out this moment', { ...SENT, linkUntil: NOW }, 'expired', OVER],
    ['that was used', { ...SENT, usedAt: NOW - 1 }, 'used', OVER],
    ['that was used, and whose owner logged in by it', { ...SENT, usedAt: NOW - 2, provenAt: NOW - 1, accountUnchanged: false }, 'used', OVER],
    ['that was stopped', { ...NEW, closedAt: NOW, closedWhy: 'stopped' }, 'stopped', OVER],
    ['that was stopped after the link was sent', { ...SENT, closedAt: NOW, closedWhy: 'stopped' }, 'stopped', OVER],
    ['that an agent closed', { ...ONCE, closedAt: NOW, closedWhy: 'closed' }, 'closed', OVER],
    ['whose owner logged in while it waits', { ...NEW, provenAt: NOW - 1 }, 'logged_in', OVER],
    ['whose owner logged in after the link was sent', { ...SENT, provenAt: NOW - 1 }, 'logged_in', OVER],
    ['whose owner never logged in', { ...WAITED, provenAt: null }, 'evidence', { sam: 'approve close', ria: 'approve close', told: 'stop' }],
    ['whose owner logged in the moment that it was opened', { ...NEW, provenAt: NEW.openedAt }, 'waiting', { sam: 'close', ria: 'close', told: 'stop' }],
    ['whose account was reset meanwhile', { ...WAITED, accountUnchanged: false }, 'account_changed', OVER],
    ['whose account was reset after the link was sent', { ...SENT, accountUnchanged: false }, 'account_changed', OVER],
  ]
  for (const [name, facts, state, may] of table) {
    it(`${name}: is "${state}", and each may do what they may`, () => {
      expect(caseState(facts, NOW)).to.equal(state)
      const allowed = Object.entries(actors).map(([who, actor]) => [
        who,
        caseActions(facts, actor, NOW).join(' '),
      ])
      expect(Object.fromEntries(allowed)).to.deep.equal({
        ...Object.fromEntries(Object.keys(actors).map(who => [who, ''])),
        ...may,
      })
    })
  }

  it('lets nobody but two different agents, none of them the owner, approve', () => {
    for (const [name, facts] of table) {
      expect(caseActions(facts, owner, NOW), name).to.deep.equal([])
      if (facts.firstAgent === 'sam') expect(caseActions(facts, sam, NOW), name).not.to.include('approve')
    }
  })
})

describe('who is locked out', () => {
  const ALONE: LockedOut = {
    otherAdmins: false,
    askedSince: null,
    askedAt: null,
    openCase: undefined,
    stoppedAt: null,
  }
  const HELPED: LockedOut = { ...ALONE, otherAdmins: true }
  const asked = (since: number, at = since): LockedOut => ({
    ...HELPED,
    askedSince: NOW - since,
    askedAt: NOW - at,
  })
  // biome-ignore format: one case a line reads as a table
  const table: [name: string, facts: LockedOut, after: number, help: Help][] = [
    ['without another admin: a case', ALONE, DAY, 'case'],
    ['with another admin: asks them', HELPED, DAY, 'ask'],
    ['who has just asked: waits', asked(0), DAY, 'asked'],
    ['whom no admin helped in time: a case', asked(DAY), DAY, 'case'],
    ['a moment before: waits', asked(DAY - 1), DAY, 'asked'],
    ['where admins have three days: asks again after one', asked(DAY), 3 * DAY, 'ask'],
    ['who asked again: waits', asked(DAY + HOUR, HOUR), 3 * DAY, 'asked'],
    ['asking again moves nothing: a case three days after the first time', asked(3 * DAY, HOUR), 3 * DAY, 'case'],
    ['where admins have an hour: a case after it', asked(HOUR), HOUR, 'case'],
    ['who asked, and whose admins are gone: a case', { ...asked(HOUR), otherAdmins: false }, DAY, 'case'],
    ['whose case was stopped: no other', { ...ALONE, stoppedAt: NOW - HOUR }, DAY, 'stopped'],
    ['whose case was stopped a day ago: another', { ...ALONE, stoppedAt: NOW - DAY }, DAY, 'case'],
    ['whose case was stopped, and who has an admin: asks', { ...HELPED, stoppedAt: NOW - HOUR }, DAY, 'ask'],
    ['whose case was stopped, and whom no admin helped: no other', { ...asked(DAY), stoppedAt: NOW - HOUR }, DAY, 'stopped'],
    ['with an open case: that', { ...ALONE, openCase: NEW }, DAY, 'opened'],
    ['with an open case and admins: that', { ...HELPED, openCase: SENT }, DAY, 'opened'],
    ['with a case that ran out: another', { ...ALONE, openCase: { ...SENT, linkUntil: NOW } }, DAY, 'case'],
    ['with a case that ended, and an admin: asks', { ...HELPED, openCase: { ...NEW, accountUnchanged: false } }, DAY, 'ask'],
  ]
  for (const [name, facts, after, help] of table) {
    it(name, () => {
      expect(helpFor(facts, after, NOW)).to.equal(help)
    })
  }
})
