// Samples of the console's pages for single sign-on.

import type { ViewLocals } from '../../../src/http/locals.ts'
import { type Catalogue, consoleFrame, type Sample, time } from './ground.ts'

const id = 'sso_4f1c9a7be2d84d0c9b1e6f3a2c5d70'
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
${`${'MIIDazCCAlOgAwIBAgIUJ8x'.repeat(3)}\n`.repeat(8)}-----END CERTIFICATE-----
`

export const consoleSsoSamples = ({ t }: Catalogue): readonly Sample[] => {
  const frame = consoleFrame({ t }, '/admin/sso')
  const on = { kind: 'ok', text: t('connection.status.on') } as const
  const off = { kind: 'warn', text: t('connection.status.off') } as const
  const ready = { kind: 'warn', text: t('connection.status.ready') } as const
  const draft = { kind: 'plain', text: t('connection.status.draft') } as const
  const proven = { kind: 'ok', text: t('domain.status.proven') } as const
  const unproven = { kind: 'warn', text: t('domain.status.unproven') } as const
  const closed = t('connections.closed', { plan: 'Team', plans: 'Enterprise, Superpower' })
  const list: ViewLocals['admin-sso'] = {
    frame,
    addUrl: '/new',
    addDomainUrl: '/new',
    providers: [
      {
        name: 'Microsoft',
        href: '/provider',
        protocol: t('connection.protocol.entra'),
        status: on,
        domains: ['northgate.example', 'northgate.eu.example'],
      },
      {
        name: 'Okta',
        href: '/provider',
        protocol: t('connection.protocol.oidc'),
        status: ready,
        domains: [],
      },
      {
        name: 'AD FS',
        href: '/provider',
        protocol: t('connection.protocol.saml'),
        status: draft,
        domains: [],
      },
    ],
    domains: [
      { domain: 'northgate.example', href: '/domain', status: proven, provider: 'Microsoft', ssoOnly: true },
      {
        domain: 'northgate.eu.example',
        href: '/domain',
        status: proven,
        provider: 'Microsoft',
        ssoOnly: false,
      },
      { domain: 'bücher.example', href: '/domain', status: unproven, ssoOnly: false },
    ],
    breakGlass: { href: '/break-glass', count: 2 },
  }
  const none: ViewLocals['admin-sso'] = {
    ...list,
    providers: [],
    domains: [],
    breakGlass: { href: '/break-glass', count: 0 },
  }
  const { addUrl: _, addDomainUrl: __, ...shut } = list
  const add: ViewLocals['admin-sso-new'] = {
    frame,
    listUrl: '/list',
    action: '/sent',
    name: '',
    protocols: (['entra', 'oidc', 'saml'] as const).map(each => ({
      value: each,
      text: t(`connection.protocol.${each}`),
      hint: t(`connection.protocol.${each}.hint`),
      checked: false,
    })),
  }
  const chosen = {
    ...add,
    name: 'Okta',
    protocols: add.protocols.map(each => ({ ...each, checked: each.value === 'oidc' })),
  }
  const address = (end: string) => `https://login.fleetdesk.example/sso/${end}`
  const onSwitch = { text: t('connection.on'), hint: t('connection.on.untested') }
  const remove = { text: t('connection.delete'), hint: t('connection.delete.hint'), href: '/delete' }
  const oidc: ViewLocals['admin-sso-provider'] = {
    frame,
    listUrl: '/list',
    action: '/sent',
    name: 'Okta',
    protocol: 'oidc',
    protocolName: t('connection.protocol.oidc'),
    status: draft,
    ours: [
      { id: 'redirect', text: t('connection.ours.redirect'), value: address(`oidc/${id}`) },
      { id: 'logout', text: t('connection.ours.logout'), value: address(`oidc/${id}/logout`) },
    ],
    seen: '1',
    values: { name: 'Okta' },
    locked: false,
    hasSecret: false,
    certificates: [],
    domains: [],
    test: { kind: 'info', text: t('connection.test.incomplete') },
    switches: [onSwitch, remove],
    primary: 'save',
  }
  const filled: ViewLocals['admin-sso-provider'] = {
    ...oidc,
    status: on,
    seen: '7',
    values: {
      name: 'Okta',
      issuer: 'https://northgate.okta.com',
      client_id: '0oa1b2c3d4e5f6',
      scopes: 'email profile groups',
      two_factor_acr: 'phr\nphrh',
      two_factor_amr: 'mfa',
      creates_users: 'yes',
      admin_groups: 'Fleetdesk admins',
    },
    locked: true,
    hasSecret: true,
    domains: [{ domain: 'northgate.example', href: '/domain' }],
    test: { kind: 'success', action: '/sent', text: t('connection.test.tested') },
    switches: [
      { text: t('connection.off'), hint: t('connection.off.hint'), href: '/off' },
      { text: t('connection.delete'), hint: t('connection.delete.on') },
    ],
  }
  const saml: ViewLocals['admin-sso-provider'] = {
    ...oidc,
    name: 'AD FS',
    protocol: 'saml',
    protocolName: t('connection.protocol.saml'),
    status: off,
    ours: [
      { id: 'entityId', text: t('connection.ours.entityId'), value: address(`saml/${id}/metadata`) },
      { id: 'acs', text: t('connection.ours.acs'), value: address(`saml/${id}/acs`) },
      { id: 'slo', text: t('connection.ours.slo'), value: address(`saml/${id}/slo`) },
    ],
    ourCertificate: CERTIFICATE,
    values: {
      name: 'AD FS',
      entity_id: 'http://adfs.northgate.example/adfs/services/trust',
      sso_url: 'https://adfs.northgate.example/adfs/ls/',
      certificates: CERTIFICATE,
    },
    hasSecret: true,
    certificates: [{ fingerprint: Array.from({ length: 32 }, () => 'A7').join(':'), until: time }],
    test: { kind: 'warning', action: '/sent', text: t('connection.test.changed') },
    primary: 'test',
  }
  const { test: ___, ...untestable } = filled
  const test: ViewLocals['admin-sso-test'] = {
    frame,
    providerUrl: '/provider',
    name: 'Okta',
    action: '/sent',
    result: { kind: 'success', text: t('testLogin.ok') },
    means: [
      t('testLogin.oneFactor'),
      t('testLogin.link.link', { email: 'dana.whitlock@northgate.example' }),
      t('testLogin.role', { role: t('role.technician') }),
    ],
    said: [
      { text: t('testLogin.subject'), value: '00u1a2b3c4d5e6f7g8h9' },
      {
        text: t('testLogin.email'),
        value: t('testLogin.email.verified', { email: 'dana.whitlock@northgate.example' }),
      },
      { text: t('testLogin.name'), value: 'Dana Whitlock' },
      { text: t('testLogin.groups'), value: t('testLogin.nothing') },
      { text: t('testLogin.acr'), value: 'urn:okta:loa:1fa:any' },
      { text: t('testLogin.amr'), value: 'pwd' },
    ],
    authenticatedAt: time,
    claims: [
      { name: 'iss', value: 'https://northgate.okta.com' },
      { name: 'sub', value: '00u1a2b3c4d5e6f7g8h9' },
      { name: 'groups', value: `["${'Everyone of the company","'.repeat(7)}…` },
    ],
  }
  const failed: ViewLocals['admin-sso-test'] = {
    ...{ frame, providerUrl: '/provider', name: 'Okta', action: '/sent' },
    result: { kind: 'danger', text: t('testLogin.fault.configuration') },
    detail: 'the token endpoint answered invalid_client',
    means: [],
    said: [],
    claims: [],
  }
  const addDomain = { frame, listUrl: '/list', action: '/sent', domain: '' }
  const record = {
    name: '_sallyport-challenge.northgate.example',
    value: 'sallyport-domain=8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b',
  }
  const domain: ViewLocals['admin-sso-domain'] = {
    frame,
    listUrl: '/list',
    domain: 'northgate.example',
    status: unproven,
    record,
    checkAction: '/sent',
    action: '/sent',
    ssoOnly: false,
    breakGlassUrl: '/break-glass',
    removeUrl: '/remove',
  }
  const { record: _record, checkAction: _check, ...rest } = domain
  const provenDomain: ViewLocals['admin-sso-domain'] = {
    ...rest,
    status: proven,
    providers: [
      { value: 'none', text: t('domain.set.none'), checked: true },
      { value: 'sso_1', text: 'Microsoft', checked: false },
      { value: 'sso_2', text: `Okta (${t('domain.set.off')})`, checked: false },
    ],
  }
  const breakGlass: ViewLocals['admin-sso-break-glass'] = {
    frame,
    listUrl: '/list',
    action: '/sent',
    needed: true,
    admins: [
      ['Priya Raman', 'breakGlass.can', true],
      ['Rosa Díaz', 'breakGlass.can', false],
      ['Tom Byrne', 'breakGlass.noSecondFactor', false],
      ['Zoë Klein', 'breakGlass.noPassword', false],
    ].map(([name, standing, named], n) => ({
      id: `usr_${n}`,
      name: String(name),
      email: `${String(name).split(' ')[0]?.toLowerCase()}@northgate.example`,
      standing: t(standing as 'breakGlass.can'),
      named: named === true,
      changeable: n < 2,
    })),
  }
  const change = (
    name: string,
    question: string,
    button: string,
    danger: boolean,
    ...effects: string[]
  ): ViewLocals['admin-user-change'] => ({
    ...{ frame, userUrl: '/back', name, question, action: '/sent', fields: [], effects },
    button: { text: button, danger },
  })
  const okta = { name: 'Okta' }
  return [
    { view: 'admin-sso', state: '', locals: list },
    { view: 'admin-sso', state: 'none', locals: none },
    { view: 'admin-sso', state: 'deleted', locals: { ...list, notice: t('connections.done.deleted') } },
    {
      view: 'admin-sso',
      state: 'closed',
      locals: { ...shut, closed: `${closed} ${t('connections.closed.rest')}` },
    },
    { view: 'admin-sso-new', state: '', locals: add },
    {
      view: 'admin-sso-new',
      state: 'wrong',
      locals: {
        ...add,
        errors: { protocol: t('connection.error.protocol'), name: t('connection.error.missing') },
      },
    },
    { view: 'admin-sso-new', state: 'waiting', locals: { ...chosen, waiting: 'x' } },
    { view: 'admin-sso-new', state: 'too-many', locals: { ...chosen, error: t('connection.tooMany') } },
    { view: 'admin-sso-provider', state: '', locals: oidc },
    {
      view: 'admin-sso-provider',
      state: 'created',
      locals: { ...oidc, notice: t('connection.done.created') },
    },
    { view: 'admin-sso-provider', state: 'on', locals: filled },
    {
      view: 'admin-sso-provider',
      state: 'ready',
      locals: {
        ...filled,
        status: ready,
        switches: [{ ...onSwitch, hint: t('connection.on.hint'), href: '/on' }, remove],
        primary: 'switch',
      },
    },
    {
      view: 'admin-sso-provider',
      state: 'entra',
      locals: {
        ...oidc,
        name: 'Microsoft',
        protocol: 'entra',
        protocolName: t('connection.protocol.entra'),
        values: { name: 'Microsoft', tenant: 'common' },
        errors: { tenant: t('connection.error.any_tenant') },
      },
    },
    { view: 'admin-sso-provider', state: 'saml', locals: saml },
    {
      view: 'admin-sso-provider',
      state: 'saml-new',
      locals: {
        ...saml,
        status: draft,
        values: { name: 'AD FS' },
        certificates: [],
        test: { kind: 'info', text: t('connection.test.incomplete') },
        primary: 'save',
      },
    },
    {
      view: 'admin-sso-provider',
      state: 'saml-wrong',
      locals: {
        ...saml,
        values: { name: 'AD FS', metadata_url: 'https://adfs.northgate.example/metadata' },
        errors: {
          metadata_url: `${t('connection.error.upstream.unreachable')} (adfs.northgate.example: ENOTFOUND)`,
          certificates: t('connection.error.malformed.certificates'),
        },
        primary: 'save',
      },
    },
    { view: 'admin-sso-provider', state: 'waiting', locals: { ...filled, waiting: 'x' } },
    {
      view: 'admin-sso-provider',
      state: 'closed',
      locals: { ...untestable, closed, primary: 'switch' },
    },
    {
      view: 'admin-sso-provider',
      state: 'changed',
      locals: { ...filled, error: t('connection.changed') },
    },
    { view: 'admin-sso-test', state: '', locals: test },
    { view: 'admin-sso-test', state: 'failed', locals: failed },
    {
      view: 'admin-sso-test',
      state: 'gone',
      locals: {
        ...{ frame, providerUrl: '/provider', name: 'Okta', action: '/sent' },
        result: { kind: 'warning', text: t('testLogin.gone') },
        means: [],
        said: [],
        claims: [],
      },
    },
    { view: 'admin-sso-domain-new', state: '', locals: addDomain },
    {
      view: 'admin-sso-domain-new',
      state: 'wrong',
      locals: {
        ...addDomain,
        domain: 'https://northgate.example',
        errors: { domain: t('domain.error.malformed') },
      },
    },
    {
      view: 'admin-sso-domain-new',
      state: 'waiting',
      locals: { ...addDomain, domain: 'northgate.example', waiting: 'x' },
    },
    {
      view: 'admin-sso-domain-new',
      state: 'too-many',
      locals: { ...addDomain, error: t('connection.tooMany') },
    },
    { view: 'admin-sso-domain', state: '', locals: { ...domain, notice: t('domain.done.added') } },
    {
      view: 'admin-sso-domain',
      state: 'other-value',
      locals: {
        ...domain,
        checked: {
          text: t('domain.checked.other_value'),
          found: ['sallyport-domain=0000000000000000000000000000000000000000', 'v=spf1 -all'],
        },
      },
    },
    { view: 'admin-sso-domain', state: 'check-waiting', locals: { ...domain, checkWaiting: 'x' } },
    {
      view: 'admin-sso-domain',
      state: 'proven',
      locals: { ...provenDomain, notice: t('domain.done.proven') },
    },
    {
      view: 'admin-sso-domain',
      state: 'wrong',
      locals: {
        ...provenDomain,
        ssoOnly: true,
        error: t('domain.error.changed'),
        errors: { provider: t('domain.error.provider'), ssoOnly: t('domain.error.no_break_glass') },
      },
    },
    {
      view: 'admin-sso-domain',
      state: 'waiting',
      locals: { ...provenDomain, waiting: { id: 'x', provider: 'Microsoft', ssoOnly: true } },
    },
    { view: 'admin-sso-domain', state: 'closed', locals: { ...rest, record, closed } },
    { view: 'admin-sso-break-glass', state: '', locals: breakGlass },
    {
      view: 'admin-sso-break-glass',
      state: 'named',
      locals: { ...breakGlass, needed: false, notice: t('breakGlass.done', { name: 'Priya Raman' }) },
    },
    {
      view: 'admin-sso-break-glass',
      state: 'last',
      locals: { ...breakGlass, error: t('breakGlass.error.last', { name: 'Priya Raman' }) },
    },
    {
      view: 'admin-sso-break-glass',
      state: 'waiting',
      locals: {
        ...breakGlass,
        waiting: { id: 'x', text: t('breakGlass.waiting.named', { name: 'Rosa Díaz' }) },
      },
    },
    { view: 'admin-sso-break-glass', state: 'closed', locals: { ...breakGlass, closed } },
    {
      view: 'admin-user-change',
      state: 'sso-on',
      locals: change(
        'Okta',
        t('connection.on.question', okta),
        t('connection.on'),
        false,
        t('connection.on.effect', { domains: 'northgate.example' }),
        t('connection.on.effect.sessions'),
      ),
    },
    {
      view: 'admin-user-change',
      state: 'sso-off',
      locals: change(
        'Okta',
        t('connection.off.question', okta),
        t('connection.off'),
        true,
        t('connection.off.effect'),
        t('connection.off.effect.ssoOnly', { count: 1 }),
        t('connection.off.effect.password'),
        t('connection.off.effect.none'),
      ),
    },
    {
      view: 'admin-user-change',
      state: 'sso-delete',
      locals: change(
        'Okta',
        t('connection.delete.question', okta),
        t('connection.delete'),
        true,
        t('connection.delete.effect'),
        t('connection.delete.effect.users'),
        t('connection.delete.effect.domains'),
      ),
    },
    {
      view: 'admin-user-change',
      state: 'sso-domain-remove',
      locals: change(
        'northgate.example',
        t('domain.remove.question', { domain: 'northgate.example' }),
        t('domain.remove'),
        true,
        t('domain.remove.effect'),
        t('domain.remove.effect.proof'),
        t('domain.remove.effect.users'),
      ),
    },
  ]
}
