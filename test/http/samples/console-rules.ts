// Samples of the console's pages of what an organisation demands.

import type { ViewLocals } from '../../../src/http/locals.ts'
import { type Catalogue, consoleFrame, type Sample, time } from './ground.ts'

export const consoleRulesSamples = ({ t }: Catalogue): readonly Sample[] => {
  const frame = consoleFrame({ t })
  const at = (href: string) => consoleFrame({ t }, href)
  const accessList = {
    frame: at('/admin/access'),
    action: '/sent',
    addresses: '203.0.113.0/24 # Leeds office\n198.51.100.17 # VPN\n2001:db8:42::/48',
    seen: 'x',
    count: 3,
    address: '203.0.113.7',
  }
  const protectedActions = [
    [
      'delete [number] devices at [site]',
      t('actions.rule.minutes', { minutes: 5 }),
      t('actions.rule.always'),
    ],
    ['rename [number] devices', t('actions.rule.off'), t('actions.rule.off')],
    ['view a secret', t('actions.rule.passkey'), t('actions.rule.passkey')],
  ].map(([title = '', own = '', effective = '']) => {
    return { app: 'Fleetdesk', title, own, effective, tightened: own !== effective, href: '/action' }
  })
  const actionRule = {
    frame: at('/admin/actions'),
    listUrl: '/list',
    action: '/sent',
    app: 'Fleetdesk',
    title: 'delete [number] devices at [site]',
    own: t('actions.rule.minutes', { minutes: 5 }),
    effective: t('actions.rule.always'),
    seen: 'always',
    chosen: 'always',
    within: { most: 5, minutes: '' },
    always: true,
    passkey: { without: t('actions.withoutPasskey', { count: 12 }) },
  } as const
  const sessions: ViewLocals['admin-sessions'] = {
    frame: at('/admin/sessions'),
    action: '/sent',
    inactive: '8',
    end: '7',
    limits: { inactive: [1, 24], end: [2, 30] },
    logOutUrl: '/change',
    loggedOut: { at: time, by: 'Priya Raman', running: false },
  }
  return [
    { view: 'admin-access', state: '', locals: accessList },
    { view: 'admin-access', state: 'none', locals: { ...accessList, addresses: '', count: 0 } },
    {
      view: 'admin-access',
      state: 'saved',
      locals: { ...accessList, notice: t('access.done', { count: 3 }) },
    },
    {
      view: 'admin-access',
      state: 'shuts-out',
      locals: {
        ...accessList,
        addresses: '192.0.2.0/24',
        errors: { addresses: t('access.error.shuts_out', { address: '203.0.113.7' }) },
      },
    },
    {
      view: 'admin-access',
      state: 'changed',
      locals: { ...accessList, error: t('access.changed', { list: '203.0.113.0/24' }) },
    },
    {
      view: 'admin-access',
      state: 'waiting',
      locals: { ...accessList, waiting: { id: 'x', addresses: accessList.addresses } },
    },
    {
      view: 'admin-access',
      state: 'waiting-none',
      locals: { ...accessList, waiting: { id: 'x', addresses: '' } },
    },
    { view: 'admin-actions', state: '', locals: { frame: at('/admin/actions'), actions: protectedActions } },
    {
      view: 'admin-actions',
      state: 'saved',
      locals: {
        frame,
        actions: protectedActions,
        notice: t('actions.done', {
          title: 'delete [number] devices at [site]',
          rule: t('actions.rule.passkey'),
        }),
      },
    },
    { view: 'admin-actions', state: 'none', locals: { frame: at('/admin/actions'), actions: [] } },
    { view: 'admin-action', state: '', locals: actionRule },
    {
      view: 'admin-action',
      state: 'wrong',
      locals: {
        ...actionRule,
        chosen: 'within',
        within: { most: 5, minutes: '60' },
        errors: { minutes: t('actions.error.minutes', { most: 5 }) },
      },
    },
    {
      view: 'admin-action',
      state: 'laxer',
      locals: { ...actionRule, errors: { rule: t('actions.error.laxer') } },
    },
    {
      view: 'admin-action',
      state: 'waiting',
      locals: { ...actionRule, waiting: { id: 'x', rule: t('actions.rule.passkey') } },
    },
    {
      view: 'admin-action',
      state: 'strictest',
      locals: {
        frame,
        listUrl: '/list',
        action: '/sent',
        app: 'Fleetdesk',
        title: 'view a secret',
        own: t('actions.rule.passkey'),
        effective: t('actions.rule.passkey'),
        seen: 'passkey',
        chosen: 'app',
        error: t('actions.changed'),
      },
    },
    { view: 'admin-sessions', state: '', locals: sessions },
    {
      view: 'admin-sessions',
      state: 'wrong',
      locals: {
        ...sessions,
        inactive: '25',
        end: '',
        errors: {
          inactive: t('sessions.range', { minimum: 1, maximum: 24 }),
          end: t('sessions.range', { minimum: 2, maximum: 30 }),
        },
        loggedOut: { at: time, by: 'Priya Raman', running: true },
      },
    },
    {
      view: 'admin-sessions',
      state: 'closed',
      locals: {
        ...sessions,
        inactive: '24',
        closed: t('sessions.closed', { plan: 'Team', plans: 'Enterprise, Superpower' }),
      },
    },
    {
      view: 'admin-sessions',
      state: 'waiting',
      locals: { ...sessions, waiting: 'x' },
    },
    { view: 'admin-sessions', state: 'saved', locals: { ...sessions, notice: t('sessions.saved') } },
    {
      view: 'admin-sessions',
      state: 'gone',
      locals: { ...sessions, error: t('sessions.gone') },
    },
  ]
}
