// Samples of the console's pages of one user.

import type { ViewLocals } from '../../../src/http/locals.ts'
import { type Catalogue, consoleFrame, email, minute, type Sample, time } from './ground.ts'

export const consoleUserSamples = ({ t }: Catalogue): readonly Sample[] => {
  const frame = consoleFrame({ t })
  const action = (text: string, hint: string) => ({ text, hint, href: '/change' })
  const user: ViewLocals['admin-user'] = {
    frame,
    listUrl: '/list',
    name: 'Dana Whitlock',
    email,
    role: t('role.technician'),
    status: t('status.active'),
    standing: 'set_up',
    authenticator: true,
    recoveryCode: true,
    lastLoginAt: time,
    passkeys: [
      { name: 'iCloud Keychain', createdAt: time, lastUsedAt: time, removeUrl: '/remove' },
      { name: 'YubiKey 5', createdAt: time, removeUrl: '/remove' },
    ],
    actions: [
      { text: t('user.reset'), hint: t('user.reset.hint'), post: '/sent', primary: true },
      action(t('user.logOut'), t('user.logOut.hint')),
      action(t('user.admin'), t('user.admin.hint')),
      action(t('user.deactivate'), t('user.deactivate.hint')),
    ],
    sessions: [
      {
        device: 'Firefox, Windows',
        address: '2001:db8:85a3:1234:5678:8a2e:370:7334',
        current: true,
        loggedInAt: time - 20 * minute,
        lastSeenAt: time,
      },
      { device: t('sessions.device.unknown'), loggedInAt: time - 20 * minute, lastSeenAt: time - minute },
    ],
    events: [
      {
        at: time,
        event: t('audit.event.user.role_changed'),
        why: t('audit.fact.to', { value: 'technician' }),
        by: { name: 'Priya Raman', email: 'priya@northgate.example' },
        whom: { name: 'Dana Whitlock', email: 'dana.whitlock@northgate.example' },
        address: '2001:db8:85a3:1234:5678:8a2e:370:7334',
      },
      {
        at: time - minute,
        event: t('audit.event.login'),
        by: { name: 'Dana Whitlock', email: 'dana.whitlock@northgate.example' },
        factors: t('audit.factor.pwd'),
        address: '192.0.2.17',
      },
      { at: time - 2 * minute, event: t('audit.event.user.created'), by: { name: t('audit.operator') } },
    ],
  }
  const change = (
    question: string,
    button: string,
    ...effects: string[]
  ): ViewLocals['admin-user-change'] => ({
    frame,
    userUrl: '/user',
    name: 'Dana Whitlock',
    question,
    action: '/sent',
    fields: [],
    effects,
    button: { text: button, danger: false },
  })
  const dana = { name: 'Dana Whitlock' }
  const deactivate = {
    ...change(
      t('user.deactivate.question', dana),
      t('user.deactivate'),
      t('user.deactivate.sessions'),
      t('user.deactivate.links'),
      t('user.deactivate.login'),
    ),
    button: { text: t('user.deactivate'), danger: true },
  }
  return [
    { view: 'admin-user', state: '', locals: user },
    {
      view: 'admin-user',
      state: 'with-places',
      locals: {
        ...user,
        placed: true,
        sessions: user.sessions.map((each, index) =>
          index === 0
            ? { ...each, place: 'Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch, United Kingdom' }
            : each,
        ),
      },
    },
    {
      view: 'admin-user',
      state: 'linked',
      locals: {
        ...user,
        sso: 'Northgate Okta',
        actions: [...user.actions, action(t('user.unlink'), t('user.unlink.hint'))],
      },
    },
    {
      view: 'admin-user',
      state: 'invited',
      locals: {
        ...user,
        status: t('status.invited'),
        standing: 'not_set_up',
        authenticator: false,
        recoveryCode: false,
        passkeys: [],
        actions: [
          { text: t('invitations.again'), hint: t('invitations.again.hint'), post: '/sent', primary: true },
          action(t('user.withdraw'), t('user.withdraw.hint')),
        ],
      },
    },
    {
      view: 'admin-user',
      state: 'blocked',
      locals: {
        ...user,
        you: true,
        role: t('role.admin'),
        blocked: t('user.blocked.both', dana),
        bounce: { at: time, reason: '550 5.1.1 <dana@northgate.example>: no such mailbox' },
        lastAdmin: t('user.lastAdmin', dana),
        actions: [{ ...action(t('user.unblock'), t('user.unblock.hint')), primary: true }],
      },
    },
    {
      view: 'admin-user',
      state: 'deactivated',
      locals: {
        ...user,
        notice: t('user.done.deactivate', dana),
        status: t('status.deactivated'),
        standing: 'reset_pending',
        authenticator: false,
        recoveryCode: false,
        passkeys: [],
        actions: [
          { ...action(t('user.reactivate'), t('user.reactivate.hint')), primary: true },
          action(t('user.technician'), t('user.technician.hint')),
        ],
      },
    },
    {
      view: 'admin-user',
      state: 'last-admin',
      locals: {
        ...user,
        lastAdmin: t('user.lastAdmin', dana),
        standing: 'not_set_up',
        actions: [],
        sessions: [],
        events: [],
        passkeys: [],
      },
    },
    { view: 'admin-user-change', state: '', locals: deactivate },
    {
      view: 'admin-user-change',
      state: 'you',
      locals: { ...deactivate, you: t('user.deactivate.you'), error: t('user.change.gone') },
    },
    {
      view: 'admin-user-change',
      state: 'waiting',
      locals: { ...deactivate, waiting: true, fields: [{ name: 'pending', value: 'x' }] },
    },
    {
      view: 'admin-user-change',
      state: 'last-admin',
      locals: {
        frame,
        userUrl: '/user',
        ...dana,
        question: deactivate.question,
        action: '/sent',
        fields: [],
        effects: [],
        refused: t('user.lastAdmin', dana),
      },
    },
    {
      view: 'admin-user-change',
      state: 'reactivate',
      locals: change(
        t('user.reactivate.question', dana),
        t('user.reactivate'),
        t('user.reactivate.login'),
        t('user.reactivate.sessions'),
      ),
    },
    {
      view: 'admin-user-change',
      state: 'admin',
      locals: change(t('user.admin.question', dana), t('user.admin'), t('user.admin.effect')),
    },
    {
      view: 'admin-user-change',
      state: 'technician',
      locals: change(
        t('user.technician.question', dana),
        t('user.technician'),
        t('user.technician.effect'),
        t('user.technician.apps'),
      ),
    },
    {
      view: 'admin-user-change',
      state: 'passkey',
      locals: {
        ...change(
          t('user.passkey.question', { ...dana, passkey: 'YubiKey 5' }),
          '',
          t('user.passkey.effect'),
          t('user.passkey.sessions'),
          t('user.passkey.last'),
        ),
        button: { text: t('user.passkey.remove'), danger: true },
        fields: [{ name: 'passkey', value: 'x' }],
      },
    },
    {
      view: 'admin-user-change',
      state: 'withdraw',
      locals: {
        ...change(t('user.withdraw.question', dana), '', t('user.withdraw.link'), t('user.withdraw.account')),
        button: { text: t('user.withdraw'), danger: true },
      },
    },
    {
      view: 'admin-user-change',
      state: 'unblock',
      locals: change(
        t('user.unblock.question', dana),
        t('user.unblock'),
        t('user.unblock.effect'),
        t('user.unblock.stranger'),
      ),
    },
    {
      view: 'admin-user-change',
      state: 'unlink',
      locals: {
        ...change(
          t('user.unlink.question', dana),
          '',
          t('user.unlink.link'),
          t('user.unlink.sessions'),
          t('user.unlink.again'),
        ),
        button: { text: t('user.unlink'), danger: true },
      },
    },
    {
      view: 'admin-user-change',
      state: 'log-out',
      locals: {
        ...change(
          t('user.logOut.question', dana),
          '',
          t('user.logOut.sessions'),
          t('user.logOut.tokens'),
          t('user.logOut.factors'),
        ),
        button: { text: t('user.logOut'), danger: true },
      },
    },
    {
      view: 'admin-user-change',
      state: 'log-out-all',
      locals: {
        ...change(
          t('sessions.logOut.question'),
          '',
          t('sessions.logOut.users', { count: 1240 }),
          t('user.logOut.tokens'),
          t('user.logOut.factors'),
        ),
        name: t('sessions.heading'),
        fields: [{ name: 'seen', value: '0' }],
        button: { text: t('sessions.logOut'), danger: true },
      },
    },
    { view: 'admin-user', state: 'asks', locals: { ...user, helpSince: time } },
  ]
}
