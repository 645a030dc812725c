// One example of every page, and of every state of a page that looks different: what the tests and the pictures show.

import { qrSvg } from '../../src/factors/totp.ts'
import type { ViewLocals, ViewName } from '../../src/http/locals.ts'
import type { Texts } from '../../src/texts.ts'
import { ssoConsoleSamples } from './sso-console-samples.ts'
import { supportSamples } from './support-samples.ts'

export type Sample = { [Name in ViewName]: { view: Name; state: string; locals: ViewLocals[Name] } }[ViewName]

const email = 'dana.whitlock@northgate.example'
const key = 'JBSW Y3DP EHPK 3PXP GEZD GNBV GY3T QOJQ'
const uri = `otpauth://totp/Sallyport:${email}?secret=${key.replaceAll(' ', '')}&issuer=Sallyport`
const challenge = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
const steps = ['authenticator', 'recoveryCode', 'passkey'] as const
const backTo = { name: 'Fleetdesk', url: 'https://fleetdesk.example/' }
const accountUrl = '/account'
const time = Date.UTC(2026, 4, 14, 9, 31)
const minute = 60_000

const requestOptions = JSON.stringify({
  challenge,
  rpId: 'localhost',
  userVerification: 'required',
  timeout: minute,
})
const creationOptions = JSON.stringify({
  challenge,
  rp: { id: 'localhost', name: 'Sallyport' },
  user: { id: 'dXNlcg', name: email, displayName: 'Dana Whitlock' },
  pubKeyCredParams: [{ alg: -7, type: 'public-key' }],
  authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  timeout: minute,
})
const upgradeOptions = JSON.stringify({
  ...JSON.parse(creationOptions),
  authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
})
const passkey = { action: '/sent/passkey', options: requestOptions }

/** @param t the catalogue that the errors and notices come from, as the routes take them */
export const sampleLocals = ({ t }: Pick<Texts, 't'>): readonly Sample[] => {
  const qr = qrSvg(uri, t('setup.qr'))
  const email_ = { action: '/sent', app: 'Fleetdesk', passkey }
  const password = { action: '/sent', email, editUrl: '/edit', forgotUrl: '/forgot' }
  const setup = { action: '/sent', qr, key, uri, openKey: false, steps }
  const code = { action: '/sent', product: 'Sallyport', recoveryUrl: '/recovery' }
  const stepUp = { app: 'Fleetdesk', email, cancel: '/cancel' }
  const upstream = { action: '/sent', name: 'Heron ID' }
  const sso = { ...upstream, email, app: 'Fleetdesk' }
  const again = { ...sso, again: true, cancel: '/cancel' } as const
  const about = {
    title: 'delete 14 devices at Acme',
    noun: 'devices',
    objects: Array.from({ length: 14 }, (_, index) => `ACME-LT-${String(index + 1).padStart(3, '0')}`),
    fields: [{ name: 'site', value: 'Acme' }],
  }
  const single = { title: 'view a secret', objects: [`<b>Firewall</b> ${'x'.repeat(180)}`], fields: [] }
  const recoveryCode = { action: '/sent', code: 'K7QM-4TXD-9WHB-R3FN-6YPC-V8JA' }
  const mailed = { action: '/sent', email: 'd•••k@northgate.example', resend: '/resend' }
  const offer = { action: '/sent', options: creationOptions }
  const error = {
    heading: t('error.interaction_expired.heading'),
    text: t('error.interaction_expired.text'),
    time,
  }
  const firstRun = { action: '/sent', minimum: 15 }
  const frame = {
    home: '/admin',
    sections: [
      { text: t('users.heading'), icon: 'shield', href: '/admin/users', current: true },
      { text: t('connections.heading'), icon: 'building', href: '/admin/sso', current: false },
      { text: t('actions.heading'), icon: 'key', href: '/admin/actions', current: false },
      { text: t('sessions.heading'), icon: 'clock', href: '/admin/sessions', current: false },
      { text: t('access.heading'), icon: 'lock', href: '/admin/access', current: false },
      { text: t('audit.heading'), icon: 'list', href: '/admin/audit', current: false },
    ],
    name: 'Priya Raman',
    initials: 'PR',
    organisation: 'Northgate IT',
    accountUrl,
    logoutUrl: '/sent/logout',
  } as const
  /** The frame of a page of another section. */
  const at = (href: string) => ({
    ...frame,
    sections: frame.sections.map(each => ({ ...each, current: each.href === href })),
  })
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
  const sessions: ViewLocals['admin-sessions'] = {
    frame: at('/admin/sessions'),
    action: '/sent',
    inactive: '8',
    end: '7',
    limits: { inactive: [1, 24], end: [2, 30] },
    logOutUrl: '/change',
    loggedOut: { at: time, by: 'Priya Raman', running: false },
  }
  const person = (name: string, why?: string) => ({
    name,
    initials: name
      .split(' ')
      .map(each => each[0])
      .join(''),
    email: `${name.toLowerCase().replace(' ', '.')}@northgate.example`,
    ...(why === undefined ? {} : { why }),
  })
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
  const known = ({ name, email }: { name: string; email: string }) => ({ name, email })
  const checked = <Kind extends string>(kind: Kind, seen: 'sound' | 'unsealed' | 'late' | 'broken') => ({
    kind,
    title: t(`audit.checked.${seen}`),
    text: t(`audit.checked.${seen}.hint`, { moment: '14 May 2026, 09:31 UTC' }),
    command: 'npx sallyport audit verify',
  })
  const events = {
    frame: at('/admin/audit'),
    checked: checked('success', 'sound'),
    action: '/sent',
    choice: [
      {
        label: t('audit.group.logins'),
        events: [
          { value: 'login', text: t('audit.event.login'), chosen: false },
          { value: 'password.wrong', text: t('audit.event.password.wrong'), chosen: true },
        ],
      },
    ],
    person: '',
    from: '2026-05-01',
    to: '',
    files: { csv: '/list.csv', jsonl: '/list.jsonl' },
    events: [
      {
        at: time,
        event: t('audit.event.second_factor.reset'),
        why: 'Phones replaced, ticket 4471',
        by: known(person('Priya Raman')),
        whom: known(person('Aisha Rahman')),
        address: '203.0.113.24',
      },
      {
        at: time - minute,
        event: t('audit.event.login'),
        why: t('audit.fact.client', { value: 'fleetdesk' }),
        by: known(person('Gwen Parry')),
        address: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
        factors: `${t('audit.factor.pwd')}, ${t('audit.factor.otp')}`,
      },
      {
        at: time - 2 * minute,
        event: t('audit.event.user.created'),
        by: { name: t('audit.operator') },
        whom: known(person('Gwen Parry')),
      },
      { at: time - 3 * minute, event: t('audit.event.password.wrong') },
    ],
    pages: { next: '/list?before=1.1' },
  } as const
  const { files: _, ...unfiled } = events
  const nothing = { ...unfiled, events: [], pages: {} }
  const accountFrame = { home: accountUrl, logoutUrl: '/sent/logout' }
  const ownPasskey = (name: string, synced: boolean) => ({
    name,
    synced,
    renameUrl: '/rename',
    removeUrl: '/remove',
  })
  const account: ViewLocals['account'] = {
    frame: accountFrame,
    tabs: (['overview', 'sessions', 'apps', 'activity'] as const).map(tab => {
      return { text: t(`account.tab.${tab}`), href: `/${tab}`, current: tab === 'overview' }
    }),
    name: 'Dana Whitlock',
    email,
    organisation: 'Northgate IT',
    passwordChange: { url: '/change' },
    passkeys: [],
    addPasskeyUrl: '/add',
  }
  const newPasskey = { frame: accountFrame, action: '/sent', options: creationOptions }
  const passkeyName = {
    frame: accountFrame,
    action: '/sent',
    before: 'Apple Passwords',
    name: 'Phone',
  }
  const accountName = {
    frame: accountFrame,
    action: '/sent',
    effect: t('accountName.organisation'),
    name: 'Dana Whitlock',
  }
  const accountEmail = { frame: accountFrame, action: '/sent', current: email }
  const accountPassword = { frame: accountFrame, action: '/sent', email, minimum: 8, forgotUrl: '/forgot' }
  return [
    { view: 'email', state: '', locals: email_ },
    { view: 'email', state: 'bare', locals: { action: '/sent' } },
    {
      view: 'email',
      state: 'error',
      locals: { ...email_, email: 'dana', error: t('email.error.malformed') },
    },
    {
      view: 'email',
      state: 'passkey-error',
      locals: { ...email_, passkey: { ...passkey, error: t('passkey.error.unknown') } },
    },
    { view: 'password', state: '', locals: password },
    { view: 'password', state: 'error', locals: { ...password, error: t('password.error.wrong') } },
    { view: 'password', state: 'sso', locals: { ...password, sso: upstream } },
    {
      view: 'password',
      state: 'linking',
      locals: { ...password, sso: upstream, linking: t('sso.linking', upstream) },
    },
    { view: 'sso', state: '', locals: { ...sso, passwordAction: '/password', otherUrl: '/other' } },
    { view: 'sso', state: 'only', locals: { ...sso, otherUrl: '/other' } },
    {
      view: 'sso',
      state: 'error',
      locals: {
        ...sso,
        passwordAction: '/password',
        otherUrl: '/other',
        anew: true,
        error: t('sso.error.link.no_account', upstream),
      },
    },
    { view: 'sso', state: 'step-up', locals: again },
    { view: 'sso', state: 'action', locals: { ...again, about } },
    {
      view: 'sso',
      state: 'instead',
      locals: { ...again, about: single, localUrl: '/local', error: t('sso.error.unreachable', upstream) },
    },
    { view: 'setup', state: '', locals: { ...setup, notNow: { until: time } } },
    { view: 'setup', state: 'endless', locals: { ...setup, notNow: {} } },
    { view: 'setup', state: 'phone', locals: { ...setup, openKey: true } },
    { view: 'setup', state: 'error', locals: { ...setup, error: t('setup.error.wrong') } },
    {
      view: 'setup',
      state: 'moves',
      locals: {
        action: '/sent',
        qr,
        key,
        uri,
        openKey: false,
        moves: true,
        notice: t('accountAuthenticator.again'),
      },
    },
    { view: 'recovery-code', state: '', locals: { ...recoveryCode, steps } },
    { view: 'recovery-code', state: 'asked', locals: { ...recoveryCode, asked: true } },
    {
      view: 'recovery-code',
      state: 'replaces-error',
      locals: { ...recoveryCode, replaces: true, error: t('recoveryCode.error.tick') },
    },
    { view: 'passkey-offer', state: '', locals: { ...offer, steps } },
    {
      view: 'passkey-offer',
      state: 'this-device',
      locals: { ...offer, onThisDevice: true },
    },
    {
      view: 'passkey-offer',
      state: 'upgrade',
      locals: { ...offer, upgrade: { action: '/sent/upgrade', options: upgradeOptions } },
    },
    { view: 'passkey-offer', state: 'error', locals: { ...offer, error: t('passkey.error.notSaved') } },
    { view: 'code', state: '', locals: { ...code, passkey, lockedOutUrl: '/locked-out' } },
    { view: 'code', state: 'bare', locals: code },
    { view: 'code', state: 'sso', locals: { ...code, sso: upstream } },
    { view: 'code', state: 'set-up-again', locals: { ...code, setUpAgain: '/again' } },
    { view: 'code', state: 'error', locals: { ...code, error: t('code.error.wait', { minutes: 4 }) } },
    { view: 'step-up', state: '', locals: { ...stepUp, about, codeAction: '/sent', passkey } },
    {
      view: 'step-up',
      state: 'error',
      locals: { ...stepUp, about: single, codeAction: '/sent', error: t('code.error.used') },
    },
    { view: 'step-up', state: 'confirm', locals: { ...stepUp, about: single, confirmAction: '/sent' } },
    { view: 'step-up', state: 'passkey', locals: { ...stepUp, about: single, passkey } },
    {
      view: 'step-up',
      state: 'sso',
      locals: { ...stepUp, about, codeAction: '/sent', passkey, sso: upstream },
    },
    {
      view: 'step-up',
      state: 'passkey-only',
      locals: { ...stepUp, passkey: { ...passkey, error: t('passkey.error.expired') }, cantUse: '/mailed' },
    },
    {
      view: 'step-up',
      state: 'no-action',
      locals: { ...stepUp, codeAction: '/sent', recoveryUrl: '/recovery', setUpAgain: '/again' },
    },
    { view: 'passkey-first', state: '', locals: { passkey, cantUse: '/mailed' } },
    { view: 'passkey-first', state: 'sso', locals: { passkey, sso: upstream } },
    {
      view: 'passkey-first',
      state: 'error',
      locals: { passkey: { ...passkey, error: t('passkey.error.expired') } },
    },
    { view: 'mailed-code', state: '', locals: mailed },
    {
      view: 'mailed-code',
      state: 'resend-error',
      locals: { ...mailed, resendError: t('mailedCode.error.wait', { minutes: 1 }) },
    },
    {
      view: 'mailed-code',
      state: 'notice-error',
      locals: { ...mailed, notice: t('mailedCode.notice.sent'), error: t('mailedCode.error.wrong') },
    },
    {
      view: 'recovery',
      state: '',
      locals: { action: '/sent', codeUrl: '/code', lockedOutUrl: '/locked-out' },
    },
    {
      view: 'recovery',
      state: 'error',
      locals: { action: '/sent', codeUrl: '/code', error: t('recovery.error.wrong') },
    },
    { view: 'set-up-again', state: '', locals: { action: '/sent' } },
    {
      view: 'outside',
      state: '',
      locals: { action: '/sent', address: '198.51.100.7', app: 'Fleetdesk', otherUrl: '/other' },
    },
    {
      view: 'outside',
      state: 'consent',
      locals: { action: '/sent', answer: 'deny', address: '2001:db8:42:7::a1', app: 'Fleetdesk' },
    },
    { view: 'passkey-needed', state: '', locals: { action: '/sent', app: 'Fleetdesk' } },
    { view: 'passkey-needed', state: 'unnamed', locals: { action: '/sent' } },
    {
      view: 'consent',
      state: '',
      locals: {
        action: '/sent',
        app: 'Northbeam Reports',
        email,
        host: 'reports.northbeam.example',
        scopes: [
          { icon: 'user', text: t('consent.scope.profile') },
          { icon: 'mail', text: t('consent.scope.email') },
          { icon: 'building', text: t('consent.scope.other', { scope: 'tickets' }) },
          { icon: 'clock', text: t('consent.scope.offline_access') },
          { text: 'Start a report', hint: 'reports:write' },
        ],
      },
    },
    {
      view: 'consent',
      state: 'action',
      locals: {
        action: '/sent',
        app: 'Northbeam Reports',
        email,
        host: 'reports.northbeam.example',
        scopes: [{ icon: 'key', text: t('consent.scope.openid') }],
        about: single,
      },
    },
    {
      view: 'error',
      state: '',
      locals: { ...error, reference: 'SP-7F3K-92QD', startAgain: '/again', backTo },
    },
    { view: 'error', state: 'back', locals: { ...error, backTo } },
    { view: 'error', state: 'go-on', locals: { ...error, goOn: '/interaction' } },
    {
      view: 'error',
      state: 'busy',
      locals: {
        heading: t('error.busy.heading'),
        text: t('error.busy.text'),
        time,
        reference: 'SP-7F3K-92QD',
        startAgain: '/again',
        retryAfter: 5,
      },
    },
    { view: 'error', state: 'bare', locals: { ...error, retryAfter: 600 } },
    {
      view: 'logout',
      state: '',
      locals: {
        formHtml:
          '<form id="op.logoutForm" method="post" action="/sent/logout"><input type="hidden" name="xsrf" value="x"/></form>',
        app: 'Fleetdesk',
      },
    },
    { view: 'logged-out', state: '', locals: { app: 'Fleetdesk', accountUrl } },
    { view: 'logged-out', state: 'bare', locals: {} },
    {
      view: 'forgot-password',
      state: '',
      locals: { action: '/sent', minutes: 60, email, backUrl: '/back' },
    },
    {
      view: 'forgot-password',
      state: 'error',
      locals: { action: '/sent', minutes: 60, error: t('email.error.missing') },
    },
    { view: 'mail-sent', state: '', locals: { email, backUrl: '/back' } },
    { view: 'new-password', state: '', locals: { action: '/sent', email, minimum: 8 } },
    {
      view: 'new-password',
      state: 'invitation-error',
      locals: {
        action: '/sent',
        email,
        minimum: 15,
        organisation: 'Northgate IT',
        error: t('newPassword.error.tooShort', { minimum: 15 }),
      },
    },
    { view: 'password-changed', state: '', locals: {} },
    { view: 'password-changed', state: 'first', locals: { first: true, accountUrl } },
    { view: 'link-used', state: '', locals: {} },
    { view: 'unblock', state: '', locals: { action: '/sent', email } },
    { view: 'unblocked', state: '', locals: { accountUrl } },
    { view: 'lock', state: '', locals: { action: '/sent', email } },
    { view: 'locked', state: '', locals: { newPasswordUrl: '/list' } },
    {
      view: 'email-link',
      state: '',
      locals: {
        heading: t('emailChange.heading'),
        lead: t('emailChange.lead', { email }),
        effects: [t('emailChange.effect'), t('emailChange.out'), t('emailChange.other')],
        button: { text: t('emailChange.do'), action: '/sent' },
      },
    },
    {
      view: 'email-link',
      state: 'stopped',
      locals: {
        heading: t('emailStopped.heading'),
        lead: t('emailStopped.lead', { email }),
        effects: [t('emailStopped.lock')],
        onward: { text: t('mail.lock.action'), url: '/list' },
      },
    },
    { view: 'first-run', state: '', locals: firstRun },
    {
      view: 'first-run',
      state: 'error',
      locals: {
        ...firstRun,
        values: { organisation: 'Northgate IT', email: 'priya' },
        errors: {
          name: t('firstRun.error.name'),
          email: t('email.error.malformed'),
          password: t('newPassword.error.guessable'),
        },
      },
    },
    { view: 'first-run-done', state: '', locals: { organisation: 'Northgate IT', email, accountUrl } },
    {
      view: 'host-mismatch',
      state: '',
      locals: {
        asked: '203.0.113.24:3000',
        issuer: 'https://login.northgate.example',
        variable: 'SALLYPORT_ISSUER',
      },
    },
    { view: 'not-found', state: '', locals: {} },
    {
      view: 'account',
      state: '',
      locals: {
        ...account,
        frame: { ...accountFrame, consoleUrl: '/admin' },
        changeNameUrl: '/name',
        changeEmailUrl: '/email',
        passwordChange: { lastAt: time, url: '/change' },
        authenticator: { setUpAt: time, lastUsedAt: time },
        authenticatorUrl: '/move',
        recoveryCode: { savedAt: time, newUrl: '/code' },
        passkeys: [
          { ...ownPasskey('ThinkPad at work', false), family: 'Windows Hello', lastUsedAt: time },
          ownPasskey('Apple Passwords', true),
        ],
        lastLoginAt: time,
      },
    },
    { view: 'account', state: 'sso', locals: { ...account, sso: 'Northgate Okta', setUpUrl: '/set-up' } },
    { view: 'account', state: 'off', locals: { ...account, setUpUrl: '/set-up', dueAt: time } },
    { view: 'account', state: 'off-endless', locals: { ...account, setUpUrl: '/set-up' } },
    {
      view: 'account',
      state: 'passkey',
      locals: {
        ...account,
        authenticatorUrl: '/set-up-app',
        notice: t('account.done.passkeyAdded'),
        passkeys: [ownPasskey('Passkey', false)],
      },
    },
    {
      view: 'account',
      state: 'unsaved',
      locals: {
        ...account,
        authenticator: { setUpAt: time },
        authenticatorUrl: '/move',
        recoveryCode: { newUrl: '/code' },
      },
    },
    {
      view: 'account-confirm',
      state: 'move',
      locals: {
        frame: accountFrame,
        question: t('accountAuthenticator.heading'),
        effects: [t('accountAuthenticator.proof'), t('accountAuthenticator.effect')],
        button: { text: t('page.continue'), href: '/new' },
        other: { text: t('accountAuthenticator.lost'), href: '/lost' },
      },
    },
    {
      view: 'account-confirm',
      state: 'recovery-code',
      locals: {
        frame: accountFrame,
        question: t('accountRecoveryCode.heading'),
        effects: [t('accountRecoveryCode.effect'), t('accountRecoveryCode.ready')],
        button: { text: t('accountRecoveryCode.make'), post: '/sent' },
        pending: 'x',
      },
    },
    {
      view: 'account-confirm',
      state: 'passkey',
      locals: {
        frame: accountFrame,
        question: t('accountPasskey.remove', { passkey: 'ThinkPad at work' }),
        effects: [
          t('accountPasskey.remove.effect'),
          t('accountPasskey.remove.sessions'),
          t('accountPasskey.remove.here'),
        ],
        button: { text: t('account.passkeys.remove'), post: '/sent', danger: true },
      },
    },
    {
      view: 'account-confirm',
      state: 'last-passkey',
      locals: {
        frame: accountFrame,
        question: t('accountPasskey.remove', { passkey: 'ThinkPad at work' }),
        effects: [],
        refused: t('accountPasskey.error.last'),
      },
    },
    {
      view: 'account-confirm',
      state: 'session',
      locals: {
        frame: accountFrame,
        question: t('accountSessions.one.question', { device: 'Firefox, Windows' }),
        effects: [t('accountSessions.one.effect'), t('accountSessions.one.apps')],
        button: { text: t('account.logOut'), post: '/sent', danger: true },
        list: { text: t('account.tab.sessions'), href: '/list' },
      },
    },
    {
      view: 'account-confirm',
      state: 'other-sessions',
      locals: {
        frame: accountFrame,
        question: t('accountSessions.others.question'),
        effects: [t('accountSessions.others.effect'), t('accountSessions.others.stays')],
        button: { text: t('accountSessions.others'), post: '/sent', danger: true },
        list: { text: t('account.tab.sessions'), href: '/list' },
      },
    },
    {
      view: 'account-confirm',
      state: 'app',
      locals: {
        frame: accountFrame,
        question: t('accountApps.revoke.question', { app: 'Northbeam Reports' }),
        effects: [t('accountApps.effect'), t('accountApps.revoke.again')],
        button: { text: t('accountApps.revoke'), post: '/sent', danger: true },
        list: { text: t('account.tab.apps'), href: '/list' },
      },
    },
    {
      view: 'account-confirm',
      state: 'own-app',
      locals: {
        frame: accountFrame,
        question: t('accountApps.logOut.question', { app: 'Fleetdesk' }),
        effects: [t('accountApps.effect'), t('accountApps.logOut.again')],
        button: { text: t('account.logOut'), post: '/sent', danger: true },
        list: { text: t('account.tab.apps'), href: '/list' },
      },
    },
    {
      view: 'account-sessions',
      state: '',
      locals: {
        frame: accountFrame,
        tabs: account.tabs,
        notice: t('accountSessions.done.one'),
        othersUrl: '/others',
        sessions: [
          {
            device: 'Chrome, Windows',
            phone: false,
            address: '203.0.113.24',
            loggedInAt: time,
            lastSeenAt: time,
          },
          { device: 'Safari, iPhone', phone: true, loggedInAt: time, lastSeenAt: time, logOutUrl: '/end' },
        ],
      },
    },
    {
      view: 'account-sessions',
      state: 'with-places',
      locals: {
        frame: accountFrame,
        tabs: account.tabs,
        othersUrl: '/others',
        placed: true,
        sessions: [
          {
            device: 'Chrome, Windows',
            phone: false,
            address: '203.0.113.24',
            place: 'Bergen, Norway',
            loggedInAt: time,
            lastSeenAt: time,
          },
          {
            device: 'Safari, iPhone',
            phone: true,
            address: '2001:db8:85a3:1234:5678:8a2e:370:7334',
            place: 'Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch, United Kingdom',
            loggedInAt: time,
            lastSeenAt: time,
            logOutUrl: '/end',
          },
          {
            device: 'Firefox, Linux',
            phone: false,
            address: '192.168.1.20',
            loggedInAt: time,
            lastSeenAt: time,
            logOutUrl: '/end',
          },
        ],
      },
    },
    {
      view: 'account-apps',
      state: '',
      locals: {
        frame: accountFrame,
        tabs: account.tabs,
        notice: t('accountApps.done'),
        apps: [
          {
            name: 'Fleetdesk',
            since: time,
            loggedIn: true,
            firstParty: true,
            scopes: [{ icon: 'key', text: t('consent.scope.openid') }],
            revokeUrl: '/fleetdesk',
          },
          {
            name: 'Northbeam Reports',
            since: time,
            loggedIn: false,
            firstParty: false,
            scopes: [{ icon: 'mail', text: t('consent.scope.email') }],
            revokeUrl: '/northbeam',
          },
        ],
      },
    },
    {
      view: 'account-apps',
      state: 'none',
      locals: { frame: accountFrame, tabs: account.tabs, apps: [] },
    },
    {
      view: 'account-activity',
      state: '',
      locals: {
        frame: accountFrame,
        tabs: account.tabs,
        days: 90,
        events: [
          {
            at: time,
            event: t('audit.event.login'),
            factors: t('audit.factor.passkey'),
            address: '203.0.113.24',
          },
          { at: time, event: t('audit.event.second_factor.reset'), why: 'Lost phone', by: 'Ben Okafor' },
        ],
        pages: { next: '/list?before=1.1' },
      },
    },
    {
      view: 'account-activity',
      state: 'none',
      locals: { frame: accountFrame, tabs: account.tabs, days: 90, events: [], pages: {} },
    },
    { view: 'account-passkey-new', state: '', locals: newPasskey },
    {
      view: 'account-passkey-new',
      state: 'error',
      locals: { ...newPasskey, error: t('accountPasskey.error.notSaved') },
    },
    { view: 'account-passkey-new', state: 'waiting', locals: { ...newPasskey, pending: 'x' } },
    {
      view: 'account-passkey-new',
      state: 'full',
      locals: { ...newPasskey, refused: t('accountPasskey.error.tooMany', { most: 20 }) },
    },
    { view: 'account-passkey-name', state: '', locals: passkeyName },
    {
      view: 'account-passkey-name',
      state: 'error',
      locals: { ...passkeyName, name: '', error: t('accountPasskey.error.noName') },
    },
    {
      view: 'account-passkey-name',
      state: 'waiting',
      locals: { ...passkeyName, notice: t('reset.waited') },
    },
    { view: 'account-name', state: '', locals: accountName },
    {
      view: 'account-name',
      state: 'error',
      locals: { ...accountName, name: '', error: t('invite.error.name') },
    },
    { view: 'account-name', state: 'again', locals: { ...accountName, again: true } },
    { view: 'account-email', state: '', locals: accountEmail },
    {
      view: 'account-email',
      state: 'error',
      locals: { ...accountEmail, email, error: t('accountEmail.error.same') },
    },
    { view: 'account-email', state: 'again', locals: { ...accountEmail, email, again: true } },
    { view: 'account-password', state: '', locals: accountPassword },
    {
      view: 'account-password',
      state: 'error',
      locals: { ...accountPassword, errors: { password: t('newPassword.error.guessable') } },
    },
    { view: 'account-password', state: 'again', locals: { ...accountPassword, again: true } },
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
    { view: 'admin-audit', state: '', locals: events },
    {
      view: 'admin-audit',
      state: 'late',
      locals: { ...events, checked: checked('warning', 'late'), pages: { previous: '/list', next: '/list' } },
    },
    {
      view: 'admin-audit',
      state: 'none',
      locals: { ...nothing, checked: checked('info', 'unsealed') },
    },
    {
      view: 'admin-audit',
      state: 'nobody',
      locals: { ...nothing, person: 'okafro', nobody: true, checked: checked('danger', 'broken') },
    },
    {
      view: 'admin-audit',
      state: 'several',
      locals: {
        ...nothing,
        person: 'kim',
        several: {
          people: ['Kim Novak', 'Kim Parry'].map(name => ({ ...known(person(name)), href: '/list' })),
          more: true,
        },
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
    {
      view: 'account',
      state: 'support-case',
      locals: {
        ...account,
        frame: { ...accountFrame, supportUrl: '/support' },
        authenticator: { setUpAt: time },
        authenticatorUrl: '/move',
        recoveryCode: { savedAt: time, newUrl: '/code' },
        supportCase: { openedAt: time, stop: '/sent' },
      },
    },
    { view: 'admin-users', state: 'asking', locals: { ...users, asking: { count: 2, href: '/list' } } },
    { view: 'admin-user', state: 'asks', locals: { ...user, helpSince: time } },
    ...supportSamples({ t }, frame),
    ...ssoConsoleSamples({ t }, frame),
  ]
}
