// Samples of the pages of one's own account.

import type { ViewLocals } from '../../../src/http/locals.ts'
import { accountUrl, type Catalogue, creationOptions, email, type Sample, time } from './ground.ts'

export const accountSamples = ({ t }: Catalogue): readonly Sample[] => {
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
  ]
}
