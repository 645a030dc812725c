import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { ERRORS } from '../src/errors.ts'
import { SSO_FAULTS } from '../src/sso/upstream.ts'
import { AUDIT_EVENTS } from '../src/store/audit/audit-meanings.ts'
import { availableLocales, createTexts, type TextKey } from '../src/texts.ts'
import en from '../views/texts/en.json' with { type: 'json' }

const texts = createTexts()
const keys = Object.keys(en) as TextKey[]

describe('texts', () => {
  it('fills a message and takes the plural that the number asks for', () => {
    expect(texts.t('code.error.wait', { minutes: 1 })).to.equal(
      'Too many tries. Wait 1 minute, then try again.',
    )
    expect(texts.t('code.error.wait', { minutes: 4 })).to.contain('4 minutes')
  })

  it('gives the emphasised parts of a message as parts, and the same words as plain text', () => {
    expect(texts.rich('code.lead', { product: 'Sallyport' })).to.deep.equal([
      'Open your authenticator app and enter the ',
      { nowrap: '6-digit' },
      ' code for ',
      { b: 'Sallyport' },
      '.',
    ])
    expect(texts.t('code.lead', { product: 'Sallyport' })).to.equal(
      'Open your authenticator app and enter the 6-digit code for Sallyport.',
    )
  })

  it('never reads a value as a message: braces, tags and apostrophes in a name stay as they are', () => {
    const app = `{email} <b>it's</b> '{' #`
    expect(texts.rich('email.lead', { app })).to.deep.equal(['to go on to ', { b: app }])
    expect(texts.t('consent.heading', { app })).to.equal(`Allow ${app} to use your account?`)
  })

  it('throws for an unknown key, and for a placeholder that got no value', () => {
    expect(() => texts.t('email.nothing' as TextKey)).to.throw('email.nothing')
    expect(() => texts.t('toString' as TextKey)).to.throw('toString')
    expect(() => texts.t('email.lead')).to.throw('app')
    expect(() => texts.t('code.error.wait', {})).to.throw('minutes')
  })

  it('refuses at boot what a translation has wrong', () => {
    expect(() => createTexts('de', { 'email.nothing': 'x' })).to.throw('email.nothing')
    expect(() => createTexts('de', { 'email.lead': 'weiter zu {app' })).to.throw('email.lead')
    expect(() => createTexts('de', { 'email.lead': 'weiter zu <b>{App}</b>' })).to.throw('App')
    expect(() => createTexts('xx')).to.throw('xx')
    expect(() => createTexts('../../package')).to.throw('package')
  })

  it('lets English stand in for what a translation does not have yet', () => {
    const german = createTexts('de', { 'page.continue': 'Weiter' })
    expect(german.t('page.continue')).to.equal('Weiter')
    expect(german.t('page.notNow')).to.equal('Not now')
    expect(german.locale).to.equal('de')
  })

  it('compiles every locale that has a file', () => {
    expect(availableLocales()[0]).to.equal('en')
    for (const locale of availableLocales()) createTexts(locale)
  })

  it('writes a moment as day and time in UTC, in words that no country reads otherwise', () => {
    expect(texts.utc(Date.UTC(2026, 4, 14, 9, 31))).to.equal('14 May 2026, 09:31 UTC')
    expect(texts.utc(Date.UTC(2026, 0, 1, 0, 5))).to.equal('1 January 2026, 00:05 UTC')
  })

  it('has no text that nothing shows', () => {
    const files = ['src', 'views', 'public'].flatMap(folder =>
      readdirSync(new URL(`../${folder}/`, import.meta.url), { recursive: true, encoding: 'utf8' })
        .filter(file => /\.(ts|pug|js)$/.test(file))
        .map(file => readFileSync(new URL(`../${folder}/${file}`, import.meta.url), 'utf8')),
    )
    const shown = new Set(files.join('\n').match(/(?<=['"`])\w+(\.\w+)*(?=['"`])/g))
    // Keys that are put together: of errors by their code, of scopes, fields, roles and the like by their name.
    const composed = [
      ...[...Object.keys(ERRORS).map(code => `error.${code}`), 'error.relying_party']
        .filter(base => shown.has(base) || Object.hasOwn(ERRORS, base.slice(6)))
        .flatMap(base => [`${base}.heading`, `${base}.text`]),
      ...['openid', 'email', 'profile', 'offline_access', 'users', 'resets', 'audit'].map(
        scope => `consent.scope.${scope}`,
      ),
      ...['organisation', 'name'].map(field => `firstRun.error.${field}`),
      ...['cancelled', 'unmet', 'unknown'].flatMap(end => [
        `ownReturn.${end}.heading`,
        `ownReturn.${end}.text`,
      ]),
      ...['admin', 'technician', 'support'].map(role => `role.${role}`),
      ...['enrolled', 'provider', 'pending', 'overdue', 'reset'].flatMap(kind => [
        `coverage.${kind}`,
        `coverage.${kind}.hint`,
      ]),
      ...['off', 'always', 'passkey'].map(rule => `actions.rule.${rule}`),
      ...['no_address', 'zone', 'prefix', 'note', 'too_many'].map(reason => `access.error.${reason}`),
      ...['users', 'coverage'].map(page => `${page}.tab`),
      ...['done', 'skipped', 'waiting'].map(outcome => `reset.result.${outcome}`),
      ...['told', 'waiting', 'failed', 'nobody'].map(state => `reset.app.${state}`),
      ...['not_active', 'not_set_up', 'at_provider', 'reset_pending', 'gone', 'not_allowed'].map(
        why => `reset.why.${why}`,
      ),
      ...['deactivate', 'reactivate', 'admin', 'technician', 'logOut', 'unlink', 'unblock'].flatMap(
        change => [...['', '.hint', '.question'].map(part => `user.${change}${part}`), `user.done.${change}`],
      ),
      ...['sent', 'withdrawn'].map(done => `invitations.done.${done}`),
      ...['', '.hint', '.question'].map(part => `user.withdraw${part}`),
      ...['user.done.passkey', 'user.passkey.question'],
      ...['both', 'passwords', 'codes'].map(what => `user.blocked.${what}`),
      ...['active', 'invited', 'locked', 'deactivated'].map(status => `status.${status}`),
      ...[...SSO_FAULTS, 'closed', 'other_user', 'linked_otherwise'].map(fault => `sso.error.${fault}`),
      ...[
        'no_email',
        'domain_not_proven',
        'other_connection',
        'no_account',
        'other_organisation',
        'not_active',
      ].map(why => `sso.error.link.${why}`),
      ...['deleted', 'removed'].map(done => `connections.done.${done}`),
      ...['entra', 'oidc', 'saml'].flatMap(protocol => [
        `connection.protocol.${protocol}`,
        `connection.protocol.${protocol}.hint`,
      ]),
      ...['created', 'saved', 'on', 'off'].map(done => `connection.done.${done}`),
      ...['redirect', 'logout', 'entityId', 'acs', 'slo'].map(each => `connection.ours.${each}`),
      ...['missing', 'too_long', 'too_many', 'other_upstream', 'any_tenant'].map(
        fault => `connection.error.${fault}`,
      ),
      ...['name', 'tenant', 'certificates'].map(field => `connection.error.malformed.${field}`),
      ...['unreachable', 'tls', 'private_address', 'configuration'].map(
        fault => `connection.error.upstream.${fault}`,
      ),
      ...['on', 'off', 'delete'].map(change => `connection.${change}.question`),
      ...SSO_FAULTS.map(fault => `testLogin.fault.${fault}`),
      ...['twoFactors', 'oneFactor', 'future'].map(worth => `testLogin.${worth}`),
      ...['known', 'link', 'create', 'prove', 'no_email', 'domain_not_proven', 'no_account'].map(
        link => `testLogin.link.${link}`,
      ),
      ...['other_connection', 'other_organisation', 'not_active'].map(why => `testLogin.link.${why}`),
      ...['verified', 'unverified'].map(proof => `testLogin.email.${proof}`),
      ...['malformed', 'have_it', 'provider_off', 'no_break_glass'].map(fault => `domain.error.${fault}`),
      ...['added', 'proven', 'saved'].map(done => `domain.done.${done}`),
      ...['no_record', 'other_value', 'no_answer'].map(fault => `domain.checked.${fault}`),
      ...['named', 'unnamed'].map(named => `breakGlass.waiting.${named}`),
      ...AUDIT_EVENTS.map(event => `audit.event.${event}`),
      ...['logins', 'secondFactor', 'sso', 'apps', 'organisation'].map(group => `audit.group.${group}`),
      ...['pwd', 'otp', 'passkey', 'sso', 'recovery', 'mail', 'set-up'].map(each => `audit.factor.${each}`),
      ...[
        'reason',
        'action',
        'client',
        'connection',
        'domain',
        'sso',
        'fault',
        'plan',
        'from',
        'to',
        'role',
        'budget',
        'device',
      ].map(fact => `audit.fact.${fact}`),
      ...['opened', 'wait', 'first', 'link'].map(step => `mail.supportCase.${step}.subject`),
      ...['open', 'waiting', 'evidence', 'second', 'link', 'over'].map(each => `support.filter.${each}`),
      ...['waiting', 'evidence', 'second', 'link', 'used'].map(state => `support.state.${state}`),
      ...['stopped', 'closed', 'logged_in', 'account_changed', 'expired'].map(why => `support.state.${why}`),
      ...['call', 'invoice', 'contact', 'video'].flatMap(each => [
        `support.evidence.${each}`,
        `support.evidence.${each}.hint`,
      ]),
      ...['sound', 'unsealed', 'late', 'broken'].flatMap(kind => [
        `audit.checked.${kind}`,
        `audit.checked.${kind}.hint`,
      ]),
    ]
    expect(keys.filter(key => !shown.has(key) && !composed.includes(key))).to.deep.equal([])
  })

  it('has a heading and a text, without placeholders, for every error code', () => {
    const codes = Object.keys(ERRORS)
    expect(codes).not.to.be.empty
    for (const code of codes)
      for (const part of ['heading', 'text'])
        expect(texts.t(`error.${code}.${part}` as TextKey), code).not.to.equal('')
  })

  it('keeps the voice: no blame, no shouting, typographic apostrophes', () => {
    expect(keys.length).to.be.greaterThan(100)
    const unwanted =
      /\b(please|oops|sorry|invalid|failed|whoops|organization)\b|!|'|(?<!single )\bsign[ -](in|on|out)\b/i
    expect(keys.filter(key => unwanted.test(en[key]))).to.deep.equal([])
  })
})
