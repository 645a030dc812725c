// Samples of the pages of whoever is locked out, of those who help, and of support cases.

import type { ViewLocals } from '../../../src/http/locals.ts'
import { type Catalogue, consoleFrame, type Sample, time } from './ground.ts'

const email = 'marta@hollin.example'
const HOUR = 3_600_000

export const supportSamples = ({ t }: Catalogue): readonly Sample[] => {
  const help: ViewLocals['locked-out'] = {
    email,
    help: 'ask',
    ask: '/sent',
    send: '/sent/send',
    open: '/sent/open',
    admins: 2,
    waitHours: 24,
    codeUrl: '/code',
    recoveryUrl: '/recovery',
  }
  const frame: ViewLocals['support-case']['frame'] = {
    home: '/support',
    area: t('support.area'),
    sections: [{ text: t('support.heading'), icon: 'lifebuoy', href: '/support/cases', current: true }],
    name: 'Sam Ellery',
    initials: 'SE',
    organisation: t('role.support'),
    accountUrl: '/account',
    logoutUrl: '/sent/logout',
  }
  const badge = (
    kind: 'ok' | 'warn' | 'bad' | 'plain',
    state: 'waiting' | 'evidence' | 'second' | 'link',
  ) => ({
    kind,
    text: t(`support.state.${state}`),
  })
  const cases: ViewLocals['support-cases'] = {
    frame,
    filters: (['open', 'waiting', 'evidence', 'second', 'link', 'over'] as const).map((each, i) => ({
      text: t(`support.filter.${each}`),
      ...(each === 'over' ? {} : { count: String(5 - i) }),
      href: '/list',
      current: i === 0,
    })),
    cases: [
      {
        number: '2048',
        href: '/case',
        name: 'Marta Kowalczyk',
        organisation: 'Hollin Systems',
        badge: badge('warn', 'evidence'),
        openedAt: time,
      },
      {
        number: '2049',
        href: '/case',
        name: 'Dana Whitlock',
        organisation: 'Northgate IT',
        badge: badge('plain', 'waiting'),
        openedAt: time,
        waitUntil: time + 24 * HOUR,
      },
    ],
    olderUrl: '/list',
  }
  const evidence = (['call', 'invoice', 'contact', 'video'] as const).map((value, i) => ({
    value,
    text: t(`support.evidence.${value}`),
    hint: t(`support.evidence.${value}.hint`),
    ticked: i < 2,
  }))
  const steps = (['mailbox', 'wait', 'evidence', 'second', 'link'] as const).map((step, i) => ({
    text: t(`support.step.${step}`, { hours: 24 }),
    done: i < 2,
    current: i === 2,
  }))
  const name = 'Marta Kowalczyk'
  const one: ViewLocals['support-case'] = {
    frame,
    listUrl: '/support/cases',
    number: '2048',
    name,
    badge: badge('warn', 'evidence'),
    steps,
    action: '/sent',
    approve: { evidence, what: t('support.then.second', { name }), passOn: true },
    close: true,
    about: {
      email,
      organisation: 'Hollin Systems, Superpower',
      role: t('role.admin'),
      admins: 1,
      passkeys: 1,
      lastLoginAt: time - 72 * HOUR,
    },
    reason:
      'My phone fell into the harbour and my laptop is being repaired. The recovery code was on the laptop.',
    events: [
      { at: time - 25 * HOUR, text: t('support.event.opened') },
      { at: time - HOUR, text: t('support.event.waited') },
    ],
  }
  const seen = {
    by: 'Sam Ellery',
    evidence: evidence.slice(0, 2).map(each => each.text),
    note: 'I called Marta back on the number in the contract. She named the last invoice, its amount and its date.',
  }
  const { approve: _, ...noApproval } = one
  return [
    { view: 'locked-out', state: '', locals: help },
    {
      view: 'locked-out',
      state: 'one-admin',
      locals: { ...help, admins: 1, error: t('lockedOut.error.again') },
    },
    {
      view: 'locked-out',
      state: 'asked',
      locals: { ...help, help: 'asked', askedAt: time, caseFrom: time + 24 * HOUR },
    },
    { view: 'locked-out', state: 'case', locals: { ...help, help: 'case', admins: 0 } },
    {
      view: 'locked-out',
      state: 'words',
      locals: { ...help, help: 'case', mailboxProven: true },
    },
    {
      view: 'locked-out',
      state: 'words-error',
      locals: {
        ...help,
        help: 'case',
        mailboxProven: true,
        reason: 'x',
        reasonError: t('lockedOut.error.missing'),
      },
    },
    {
      view: 'locked-out',
      state: 'opened',
      locals: { ...help, help: 'opened', openedAt: time, waitUntil: time + 24 * HOUR },
    },
    {
      view: 'locked-out',
      state: 'stopped',
      locals: {
        ...help,
        help: 'stopped',
        stopped: { at: time, until: time + 24 * HOUR },
        forgotUrl: '/forgot',
      },
    },
    { view: 'locked-out', state: 'decides', locals: { ...help, help: 'opened', openedAt: time } },
    {
      view: 'locked-out',
      state: 'link',
      locals: { ...help, help: 'opened', openedAt: time, linkUntil: time + 24 * HOUR },
    },
    { view: 'support-stop', state: '', locals: { action: '/sent', email, openedAt: time } },
    { view: 'support-stopped', state: '', locals: { forgotUrl: '/forgot' } },
    { view: 'support-set-up', state: '', locals: { action: '/sent', email, passkeys: 1 } },
    {
      view: 'support-set-up',
      state: 'error',
      locals: { action: '/sent', email, passkeys: 0, error: t('password.error.wrong') },
    },
    { view: 'support-ready', state: '', locals: { email, accountUrl: '/account' } },
    { view: 'support-ready', state: 'bare', locals: { email } },
    {
      view: 'admin-help',
      state: '',
      locals: {
        frame: consoleFrame({ t }),
        listUrl: '/admin/users',
        requests: [{ name, email, since: time, href: '/user' }],
      },
    },
    {
      view: 'admin-help',
      state: 'none',
      locals: { frame: consoleFrame({ t }), listUrl: '/admin/users', requests: [] },
    },
    { view: 'support-cases', state: '', locals: cases },
    { view: 'support-cases', state: 'none', locals: { frame, filters: cases.filters, cases: [] } },
    { view: 'support-case', state: '', locals: one },
    {
      view: 'support-case',
      state: 'faults',
      locals: {
        ...one,
        note: 'Looks fine',
        noteError: t('support.note.short', { words: 2, fewest: 20 }),
        evidenceError: t('support.evidence.none'),
      },
    },
    {
      view: 'support-case',
      state: 'alone',
      locals: { ...one, approve: { evidence, what: t('support.then.alone', { name }), passOn: false } },
    },
    {
      view: 'support-case',
      state: 'second',
      locals: {
        ...one,
        badge: badge('warn', 'second'),
        approve: { what: t('support.then.link', { name }), passOn: false },
        seen,
      },
    },
    {
      view: 'support-case',
      state: 'kept',
      locals: { ...one, note: seen.note, waiting: { id: 'x', text: t('support.approve') } },
    },
    {
      view: 'support-case',
      state: 'waiting',
      locals: {
        ...noApproval,
        badge: badge('plain', 'waiting'),
        why: t('support.why.waiting', { until: '15 May 2026' }),
        error: t('support.late'),
      },
    },
    {
      view: 'support-case',
      state: 'over',
      locals: {
        frame,
        listUrl: one.listUrl,
        number: '2048',
        name,
        badge: badge('ok', 'link'),
        steps,
        action: one.action,
        about: { email, organisation: '', role: t('role.support'), admins: 0, passkeys: 0 },
        reason: one.reason,
        seen,
        events: [
          ...one.events,
          { at: time, text: t('support.event.closed', { name: 'Sam' }), note: seen.note },
        ],
      },
    },
  ]
}
