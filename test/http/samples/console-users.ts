// Samples of the console's pages of users: lists, invitations, coverage and resets.

import type { ViewLocals } from '../../../src/http/locals.ts'
import { type Catalogue, consoleFrame, person, type Sample, time } from './ground.ts'

export const consoleUsersSamples = ({ t }: Catalogue): readonly Sample[] => {
  const frame = consoleFrame({ t })
  const chip = (text: string, count: string, current = false) => ({ text, count, href: '/list', current })
  const tabs = (current: 'users' | 'invitations' | 'coverage') => [
    { text: t('users.tab'), count: '38', href: '/list', current: current === 'users' },
    { text: t('invitations.tab'), count: '2', href: '/list', current: current === 'invitations' },
    { text: t('coverage.tab'), href: '/list', current: current === 'coverage' },
  ]
  const users = {
    frame,
    tabs: tabs('users'),
    inviteUrl: '/invite',
    search: { action: '/list', q: '', kept: [{ name: 'role', value: 'admin' }] },
    standings: [
      chip(t('users.all'), '38', true),
      chip(t('standing.set_up'), '27'),
      chip(t('standing.at_provider'), '4'),
      chip(t('standing.not_set_up'), '5'),
      chip(t('standing.reset_pending'), '2'),
    ],
    roles: [chip(t('users.all'), '38', true), chip(t('role.admin'), '4'), chip(t('role.technician'), '34')],
    columns: {
      name: { text: t('account.name'), href: '/list', sort: 'ascending' },
      standing: { text: t('users.standing'), href: '/list' },
      login: { text: t('account.lastLogin'), href: '/list' },
    },
    users: (
      [
        ['Aisha Rahman', 'set_up', 2],
        ['Dana Whitlock', 'reset_pending', 1],
        ['Fatou Diallo', 'not_set_up', 0],
        ['Hana Kim', 'at_provider', 0],
      ] as const
    ).map(([name, standing, passkeys], index) => ({
      id: `usr_${index}`,
      href: '/user',
      name,
      email: `${name.toLowerCase().replace(' ', '.')}@northgate.example`,
      role: t('role.technician'),
      status: t('status.active'),
      standing,
      passkeys,
      mailRefused: index === 1,
      ...(index === 2 ? {} : { lastLoginAt: time - index * 86_400_000 }),
    })),
    choose: {
      action: '/sent',
      fields: [{ name: 'filter', value: '?role=admin' }],
      matching: '38',
      allUrl: '/list?select=all',
      clearUrl: '/list',
    },
    pages: { from: 1, to: 4, next: '/list?after=x' },
  } as const
  const invitations: ViewLocals['admin-invitations'] = {
    frame,
    tabs: tabs('invitations'),
    inviteUrl: '/invite',
    invitations: ['Ines Falk', 'Jonas Weber'].map((name, index) => ({
      name,
      href: '/user',
      email: `${name.toLowerCase().replace(' ', '.')}@northgate.example`,
      role: t('role.technician'),
      ...(index === 0 ? { sentAt: time, expiresAt: time + 7 * 86_400_000 } : {}),
      againAction: '/sent',
      withdrawUrl: '/withdraw',
    })),
    pages: { from: 1, to: 2, next: '/list' },
  }
  const invite: ViewLocals['admin-invite'] = {
    frame,
    listUrl: '/list',
    action: '/sent',
    name: '',
    email: '',
    roles: (['technician', 'admin'] as const).map((value, index) => ({
      value,
      text: t(`role.${value}`),
      hint: t(`user.${value}.hint`),
      checked: index === 0,
    })),
  }
  const reset = {
    frame,
    listUrl: '/list',
    action: '/sent',
    count: 2,
    groups: [
      { title: t('reset.will'), users: [person('Aisha Rahman'), person('Emil Johansson')] },
      { title: t('reset.wont'), users: [person('Jonas Weber', t('reset.why.not_set_up'))] },
    ],
  }
  const part = (kind: 'enrolled' | 'provider' | 'overdue' | 'reset', count: number, before: number) => ({
    kind,
    text: t(`coverage.${kind}`),
    hint: t(`coverage.${kind}.hint`),
    count,
    start: (before / 38) * 100,
    share: (count / 38) * 100,
    href: '/list',
  })
  const coverage = {
    frame,
    tabs: tabs('coverage'),
    percent: 81,
    total: 38,
    parts: [part('enrolled', 27, 0), part('provider', 4, 27), part('overdue', 5, 31), part('reset', 2, 36)],
  }
  const result = {
    frame,
    listUrl: '/list',
    refreshUrl: '/list',
    csvUrl: '/list.csv',
    reason: 'Phones replaced, ticket 4471',
    by: 'Priya Raman',
    startedAt: time,
    total: 31,
    done: 21,
    skipped: 1,
    waiting: 9,
    users: [
      {
        ...person('Aisha Rahman'),
        outcome: 'done',
        apps: (['told', 'waiting', 'failed', 'nobody'] as const).map(state =>
          t(`reset.app.${state}`, { app: 'Device console' }),
        ),
      },
      { ...person('Jonas Weber', t('reset.why.not_set_up')), outcome: 'skipped', apps: [] },
      { ...person('Gwen Parry'), outcome: 'waiting', apps: [] },
    ],
    pages: { from: 1, to: 3, next: '/list?after=3' },
  } as const
  return [
    { view: 'admin-users', state: '', locals: users },
    {
      view: 'admin-users',
      state: 'all',
      locals: {
        ...users,
        noSubscription: true,
        choose: { ...users.choose, all: '1,240', matching: '1,240' },
        pages: { from: 26, to: 28, previous: '/list' },
      },
    },
    {
      view: 'admin-users',
      state: 'none',
      locals: { ...users, users: [], search: { ...users.search, q: 'okafro' }, pages: { from: 1, to: 0 } },
    },
    { view: 'admin-invitations', state: '', locals: invitations },
    {
      view: 'admin-invitations',
      state: 'none',
      locals: {
        ...invitations,
        invitations: [],
        notice: t('invitations.done.withdrawn'),
        pages: { from: 0, to: 0 },
      },
    },
    {
      view: 'admin-invitations',
      state: 'error',
      locals: { ...invitations, waiting: true, error: t('invitations.tooMany', { name: 'Ines Falk' }) },
    },
    { view: 'admin-invite', state: '', locals: invite },
    {
      view: 'admin-invite',
      state: 'error',
      locals: {
        ...invite,
        waiting: true,
        errors: {
          name: t('invite.error.name'),
          email: t('invite.error.taken'),
          role: t('invite.error.role'),
        },
      },
    },
    {
      view: 'admin-coverage',
      state: '',
      locals: { ...coverage, enforcedFrom: time, enforced: true },
    },
    { view: 'admin-coverage', state: 'grace', locals: { ...coverage, enforcedFrom: time, enforced: false } },
    {
      view: 'admin-coverage',
      state: 'nobody',
      locals: {
        ...coverage,
        percent: 0,
        total: 0,
        parts: coverage.parts.map(each => ({ ...each, count: 0, share: 0 })),
      },
    },
    { view: 'admin-reset', state: '', locals: reset },
    {
      view: 'admin-reset',
      state: 'many',
      locals: {
        ...reset,
        count: 1240,
        includesYou: true,
        groups: reset.groups.map(each => ({ ...each, more: t('reset.more', { count: '1,238' }) })),
        moreUrl: '/list.csv',
        reasonError: t('reset.reason.missing'),
      },
    },
    {
      view: 'admin-reset',
      state: 'waiting',
      locals: {
        ...reset,
        waiting: { id: 'x', reason: 'Phones replaced, ticket 4471', removePasskeys: true },
      },
    },
    {
      view: 'admin-reset',
      state: 'nobody',
      locals: { ...reset, count: 0, groups: reset.groups.slice(1), error: t('reset.gone') },
    },
    { view: 'admin-reset-result', state: '', locals: result },
    {
      view: 'admin-reset-result',
      state: 'finished',
      locals: { ...result, done: 30, skipped: 1, waiting: 0, users: result.users.slice(0, 2) },
    },
    { view: 'admin-users', state: 'asking', locals: { ...users, asking: { count: 2, href: '/list' } } },
  ]
}
