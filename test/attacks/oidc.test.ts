// Attacks by the protocol: asking for less than the app wants, answering for somebody else, redirecting elsewhere,
// mixing what belongs to two tabs, two clients or two users. Also the truth of acr, amr and auth_time: a token that
// says more than was proven is a hole in every app.

import { expect } from 'chai'
import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import { ACR } from '../../src/flow/assurance.ts'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  logIn,
  type RelyingParty,
  relyingParty,
  throughPassword,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import {
  audited,
  challengeOf,
  codeIn,
  codeOf,
  errorOf,
  givePasskey,
  halfLogin,
  MINUTE,
  raw,
  rows,
  type Victim,
  victim,
} from './ground.ts'

const ALIAS = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'
type Kind = 'pwd' | 'recovery' | 'otp' | 'passkey'
const KINDS: readonly Kind[] = ['pwd', 'recovery', 'otp', 'passkey']
/** What a session of each kind may state at most. */
const TRUTH: Record<Kind, { acr: string; amr: string[] }> = {
  pwd: { acr: ACR['1fa'], amr: ['pwd'] },
  recovery: { acr: ACR['1fa'], amr: ['pwd'] },
  otp: { acr: ACR['2fa'], amr: ['pwd', 'otp', 'mfa'] },
  passkey: { acr: ACR.phr, amr: ['hwk', 'user', 'pop', 'mfa'] },
}
const UNMET = 'unmet_authentication_requirements'

const essential = (acr: object, where = 'id_token') =>
  JSON.stringify({ [where]: { acr: { essential: true, ...acr } } })

/** What is asked, and by kind of session the acr that is answered, or the error. */
const ASKED: [string, Record<string, string>, Record<Kind, string>][] = [
  ['nothing', {}, { pwd: ACR['1fa'], recovery: ACR['1fa'], otp: ACR['2fa'], passkey: ACR.phr }],
  [
    '1fa',
    { acr_values: ACR['1fa'] },
    { pwd: ACR['1fa'], recovery: ACR['1fa'], otp: ACR['1fa'], passkey: ACR['1fa'] },
  ],
  ['2fa', { acr_values: ACR['2fa'] }, { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] }],
  ['phr', { acr_values: 'phr' }, { pwd: UNMET, recovery: UNMET, otp: UNMET, passkey: 'phr' }],
  [
    'phr or 2fa',
    { acr_values: `phr ${ACR['2fa']}` },
    { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: 'phr' },
  ],
  ['an alias', { acr_values: ALIAS }, { pwd: UNMET, recovery: UNMET, otp: ALIAS, passkey: ALIAS }],
  ['unknown', { acr_values: 'gold' }, { pwd: UNMET, recovery: UNMET, otp: UNMET, passkey: UNMET }],
  [
    'a property of every object',
    { acr_values: 'constructor __proto__' },
    { pwd: UNMET, recovery: UNMET, otp: UNMET, passkey: UNMET },
  ],
  [
    'unknown or 2fa',
    { acr_values: `gold ${ACR['2fa']}` },
    { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] },
  ],
  [
    'essential value',
    { claims: essential({ value: ACR['2fa'] }) },
    { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] },
  ],
  [
    'essential values',
    { claims: essential({ values: ['phr', ACR['2fa']] }) },
    { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: 'phr' },
  ],
  [
    'essential, unknown',
    { claims: essential({ value: 'gold' }) },
    { pwd: UNMET, recovery: UNMET, otp: UNMET, passkey: UNMET },
  ],
  [
    'essential 2fa, lowered by acr_values',
    { claims: essential({ value: ACR['2fa'] }), acr_values: ACR['1fa'] },
    { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] },
  ],
  [
    'acr_values 2fa, lowered by essential',
    { claims: essential({ value: ACR['1fa'] }), acr_values: ACR['2fa'] },
    { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] },
  ],
  [
    'essential 2fa and unknown acr_values',
    { claims: essential({ value: ACR['2fa'] }), acr_values: 'gold' },
    { pwd: UNMET, recovery: UNMET, otp: UNMET, passkey: UNMET },
  ],
  [
    'essential under userinfo',
    { claims: essential({ value: 'phr' }, 'userinfo') },
    { pwd: ACR['1fa'], recovery: ACR['1fa'], otp: ACR['2fa'], passkey: ACR.phr },
  ],
]

describe('attacks by the protocol', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty
  let other: RelyingParty
  let floored: RelyingParty
  let defaulted: RelyingParty
  let thirdParty: RelyingParty
  const people = {} as Record<Kind, Victim>
  const sessions = {} as Record<Kind, Visitor>

  before(async () => {
    stage = await openStage()
    party = await relyingParty(stage)
    other = await relyingParty(stage)
    floored = await relyingParty(stage, { metadata: { minimum_acr: ACR['2fa'] } })
    defaulted = await relyingParty(stage, { metadata: { default_acr_values: [ACR['2fa']] } })
    thirdParty = await relyingParty(stage, { firstParty: false })

    const grace = await stage.person({ graceUntil: 'tomorrow' })
    const { visitor, base } = await halfLogin(stage, party, grace)
    await visitor.post(`${base}/put-off`, {})
    await visitor.follow(base)
    people.pwd = { person: grace, visitor, secret: '', recoveryCode: '' }

    people.recovery = await victim(stage, party)
    const lost = await halfLogin(stage, party, people.recovery.person)
    await lost.visitor.post(`${lost.base}/recovery`, { code: people.recovery.recoveryCode })
    await lost.visitor.post(`${lost.base}/recovery-code-saved`, { saved: 'yes' })
    await lost.visitor.post(`${lost.base}/set-up-again`, { answer: 'no' })
    await lost.visitor.follow(lost.base)

    people.otp = await victim(stage, party)

    people.passkey = await victim(stage, party)
    const authenticator = await givePasskey(stage, people.passkey.person)
    const keyed = createVisitor(stage.origin)
    const email = await keyed.follow((await party.begin()).url)
    await keyed.post(`/interaction/${uidOf(email.url)}/passkey`, {
      response: JSON.stringify(authenticator.assert(challengeOf(email))),
    })
    await keyed.follow(`/interaction/${uidOf(email.url)}`)
    Object.assign(sessions, { pwd: visitor, recovery: lost.visitor, otp: people.otp.visitor, passkey: keyed })
  })
  after(() => stage.close())

  /** Facts of a session, as the database holds them: what a token may say at most. */
  async function times({ person }: Victim): Promise<number[]> {
    const found = await rows(stage, 'SELECT verified_at FROM session_facts WHERE account_id = ?', [person.id])
    return found.map(each => Math.floor(Number(each.verified_at) / 1000))
  }

  describe('S1, S2 levels', () => {
    for (const [name, params, answers] of ASKED) {
      it(`answers the truth with prompt=none, asked for ${name}`, async () => {
        for (const kind of KINDS) {
          const begun = await party.begin({ ...params, prompt: 'none' })
          const { location = '' } = await sessions[kind].get(begun.url)
          const expected = answers[kind]
          if (expected === UNMET) {
            expect(errorOf(location), kind).to.equal(UNMET)
            expect(new URL(location).searchParams.get('state')).to.equal(begun.state)
            expect(new URL(location).searchParams.get('iss')).to.equal(stage.origin)
            expect(codeIn(location)).to.equal(undefined)
            continue
          }
          expect(errorOf(location), kind).to.equal(undefined)
          const claims = (await party.finish(begun, location)).claims()
          expect(claims?.acr, kind).to.equal(expected)
          expect(claims?.amr, kind).to.deep.equal(TRUTH[kind].amr)
          expect(await times(people[kind]), kind).to.include(claims?.auth_time)
        }
      })
    }

    it('holds a client’s floor against whatever the address bar says, and its default where nothing is asked', async () => {
      const cases: [RelyingParty, Record<string, string>, Record<Kind, string>][] = [
        [floored, {}, { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] }],
        [
          floored,
          { acr_values: ACR['1fa'] },
          { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] },
        ],
        [floored, { acr_values: '' }, { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] }],
        [
          floored,
          { claims: essential({ value: ACR['1fa'] }) },
          { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] },
        ],
        [floored, { acr_values: 'phr' }, { pwd: UNMET, recovery: UNMET, otp: UNMET, passkey: 'phr' }],
        [defaulted, {}, { pwd: UNMET, recovery: UNMET, otp: ACR['2fa'], passkey: ACR['2fa'] }],
        [
          defaulted,
          { acr_values: ACR['1fa'] },
          { pwd: ACR['1fa'], recovery: ACR['1fa'], otp: ACR['1fa'], passkey: ACR['1fa'] },
        ],
      ]
      for (const [at, params, answers] of cases) {
        for (const kind of KINDS) {
          const begun = await at.begin({ ...params, prompt: 'none' })
          const { location = '' } = await sessions[kind].get(begun.url)
          const told = errorOf(location) ?? (await at.finish(begun, location)).claims()?.acr
          expect(told, `${kind} ${JSON.stringify(params)}`).to.equal(answers[kind])
        }
      }
    })

    it('asks for what is missing and nothing else, where it may show a page', async () => {
      const heading = async (kind: Kind, params: Record<string, string>) => {
        const answer = await sessions[kind].clone().follow((await party.begin(params)).url)
        return codeIn(answer.url) === undefined ? (errorOf(answer.url) ?? answer.heading) : 'code'
      }
      expect(await heading('pwd', { acr_values: ACR['2fa'] })).to.equal('Set up two-factor authentication')
      expect(await heading('recovery', { acr_values: ACR['2fa'] })).to.equal('Confirm it’s you')
      expect(await heading('otp', { acr_values: ACR['2fa'] })).to.equal('code')
      expect(await heading('passkey', { acr_values: 'phr' })).to.equal('code')
      for (const kind of KINDS) {
        expect(await heading(kind, { acr_values: 'gold' })).to.equal(UNMET)
        expect(await heading(kind, { prompt: 'login' })).to.equal('Enter your password')
        expect(await heading(kind, { max_age: '0' })).to.equal('Enter your password')
      }
    })

    it('says login_required without a session, whatever is asked, and never shows a page', async () => {
      for (const params of [{}, { acr_values: ACR['2fa'] }, { max_age: '5' }, { acr_values: 'phr' }]) {
        const begun = await party.begin({ ...params, prompt: 'none' })
        const { location } = await createVisitor(stage.origin).get(begun.url)
        expect(errorOf(location), JSON.stringify(params)).to.be.oneOf(['login_required', UNMET])
        expect(codeIn(location)).to.equal(undefined)
      }
      const consent = await sessions.otp.get((await thirdParty.begin({ prompt: 'none' })).url)
      expect(errorOf(consent.location)).to.equal('consent_required')
      const mixed = await sessions.otp.get((await party.begin({ prompt: 'none login' })).url)
      expect(errorOf(mixed.location)).to.equal('invalid_request')
    })

    it('does not move auth_time by waiting, refreshing or consenting, and keeps max_age to it', async () => {
      const { visitor } = people.otp
      const before = Math.max(...(await times(people.otp)))
      stage.advance(10 * MINUTE)
      const silent = await visitor.get((await party.begin({ prompt: 'none', max_age: '300' })).url)
      expect(errorOf(silent.location)).to.equal('login_required')
      const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
      const page = await visitor.follow(begun.url)
      stage.advance(MINUTE)
      const allowed = await visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
      const tokens = await party.finish(begun, (await visitor.follow(allowed.location ?? '')).url)
      expect(tokens.claims()).to.include({ acr: ACR['2fa'], auth_time: before })
      const refreshed = await client.refreshTokenGrant(party.config, tokens.refresh_token ?? '')
      expect(refreshed.claims()).to.include({ acr: ACR['2fa'], auth_time: before })
      expect(refreshed.claims()?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
      const logins = await audited(stage, 'login', people.otp.person)
      expect(logins).to.equal(1)
    })

    it('asks for the code again, and only for it, when max_age has passed, and states its time', async () => {
      const { visitor, secret, person } = await victim(stage, party)
      stage.advance(10 * MINUTE)
      const begun = await party.begin({ max_age: '60' })
      const page = await visitor.follow(begun.url)
      expect(page.heading).to.equal('Confirm it’s you')
      const base = `/interaction/${uidOf(page.url)}`
      expect((await visitor.post(`${base}/recovery`, { code: 'x' })).status).to.equal(409)
      expect((await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })).status).to.equal(303)
      const tokens = await party.finish(begun, (await visitor.follow(base)).url)
      const claims = tokens.claims()
      expect(claims?.auth_time).to.be.closeTo(Math.floor(stage.now() / 1000), 5)
      expect(await audited(stage, 'step_up', person)).to.equal(1)
      const access = tokens.access_token.split('.').length === 3 ? decodeJwt(tokens.access_token) : undefined
      if (access !== undefined) expect(access.auth_time).to.equal(claims?.auth_time)
    })
  })

  describe('S3 what cannot be met', () => {
    it('ends in one error after one page, where the user has no passkey, or cancels', async () => {
      const { visitor } = await victim(stage, party)
      const begun = await party.begin({ acr_values: 'phr' })
      const page = await visitor.follow(begun.url)
      const base = `/interaction/${uidOf(page.url)}`
      const answer = await visitor.post(`${base}/give-up`, {})
      const end = await visitor.follow(answer.location ?? '')
      expect(errorOf(end.url)).to.equal(UNMET)
      expect(new URL(end.url).searchParams.get('state')).to.equal(begun.state)

      const again = await visitor.follow((await party.begin({ acr_values: 'phr' })).url)
      const cancelled = await visitor.post(`/interaction/${uidOf(again.url)}/cancel`, {})
      expect(errorOf((await visitor.follow(cancelled.location ?? '')).url)).to.equal('access_denied')
      // Nothing of it stays: the session is as good as before.
      expect(codeIn((await visitor.get((await party.begin({ prompt: 'none' })).url)).location)).to.be.a(
        'string',
      )
    })

    it('survives claims of any shape without a fault, and lowers nothing by them', async () => {
      const shapes = [
        '{"id_token":{"acr":{"essential":true,"values":[{"toString":1}]}}}',
        '{"id_token":{"acr":{"essential":true,"values":[null,{},[]]}}}',
        '{"id_token":{"acr":{"essential":true,"values":"x"}}}',
        '{"id_token":{"acr":{"essential":true,"value":{"toString":1}}}}',
        '{"id_token":{"acr":{"essential":true,"value":null}}}',
        '{"id_token":{"acr":"phr"}}',
        '{"id_token":null}',
        '{"id_token":{"acr":null}}',
        '{"__proto__":{"id_token":{"acr":{"essential":true,"value":"x"}}}}',
        'null',
        '[]',
        '"x"',
        '{',
      ]
      for (const claims of shapes) {
        const { location, status } = await sessions.pwd.get(
          (await floored.begin({ prompt: 'none', claims })).url,
        )
        expect(status, claims).to.equal(303)
        expect(errorOf(location), claims).to.be.oneOf([UNMET, 'invalid_request'])
      }
    })

    it('refuses parameters that come twice', async () => {
      for (const [name, value] of [
        ['acr_values', ACR['1fa']],
        ['max_age', '1'],
        ['prompt', 'login'],
        ['claims', '{}'],
        ['client_id', other.clientId],
        ['redirect_uri', 'https://evil.example/'],
        ['scope', 'openid'],
      ]) {
        const { url } = await floored.begin({ acr_values: ACR['2fa'] })
        const params = new URLSearchParams([
          [name ?? '', value ?? ''],
          [name ?? '', value ?? ''],
        ])
        const answer = await sessions.pwd.get(`${url}&${params}`)
        expect(codeIn(answer.location), name).to.equal(undefined)
        if (answer.location === undefined) expect(answer.status, name).to.equal(400)
        else expect(errorOf(answer.location), name).to.equal('invalid_request')
        expect(`${answer.location}`).not.to.include('evil')
      }
    })

    it('does not loop, where a hint or a claim names somebody else than who logs in', async () => {
      const hinted = await victim(stage, party)
      const actual = await victim(stage, party)
      const begun = await party.begin()
      const hint =
        (await party.finish(begun, (await hinted.visitor.get(begun.url)).location ?? '')).id_token ?? ''
      const asks: Record<string, string>[] = [
        { id_token_hint: hint },
        { claims: JSON.stringify({ id_token: { sub: { value: hinted.person.id } } }) },
      ]
      for (const ask of asks) {
        const silent = await actual.visitor.get((await party.begin({ ...ask, prompt: 'none' })).url)
        expect(errorOf(silent.location)).to.equal('login_required')
        const end = await logIn(
          stage,
          createVisitor(stage.origin),
          (await party.begin(ask)).url,
          actual.person,
          actual,
        )
        expect(codeIn(end)).to.equal(undefined)
        expect(errorOf(end), end).to.equal('login_required')
      }
    })
  })

  describe('S8 redirects and PKCE', () => {
    it('never redirects to an address that is not registered, letter by letter', async () => {
      const { url } = await party.begin()
      const wrong = [
        `${party.redirectUri}/extra`,
        `${party.redirectUri}?a=b`,
        `${party.redirectUri}#fragment`,
        'http://localhost:9/Callback',
        'http://LOCALHOST:9/callback',
        'http://localhost:10/callback',
        'http://localhost/callback',
        'https://localhost:9/callback',
        'http://evil@localhost:9/callback',
        'http://localhost:9@evil.example/callback',
        'http://localhost:9/./callback',
        'http://localhost:9/x/../callback',
        'http://localhost:9//callback',
        'http://localhost:9/callback%20',
        'http://127.0.0.1:9/callback',
        'javascript:alert(1)',
        '//localhost:9/callback',
        '',
      ]
      for (const uri of wrong) {
        const target = new URL(url)
        target.searchParams.set('redirect_uri', uri)
        const answer = await sessions.otp.get(target.href)
        expect(answer.location, uri).to.equal(undefined)
        expect(answer.status, uri).to.equal(400)
        expect(answer.heading, uri).to.be.a('string')
      }
      const missing = new URL(url)
      missing.searchParams.delete('redirect_uri')
      expect((await sessions.otp.get(missing.href)).status).to.equal(400)
      const unknown = new URL(url)
      for (const id of ['nobody', '', '\0', '__proto__', 'x'.repeat(3000)]) {
        unknown.searchParams.set('client_id', id)
        const answer = await sessions.otp.get(unknown.href)
        expect(answer.status, id.slice(0, 20)).to.equal(400)
        expect(answer.location).to.equal(undefined)
      }
    })

    it('asks for PKCE with S256, and holds the code to it', async () => {
      const { url } = await party.begin()
      for (const change of [
        (params: URLSearchParams) => params.delete('code_challenge'),
        (params: URLSearchParams) => params.delete('code_challenge_method'),
        (params: URLSearchParams) => params.set('code_challenge_method', 'plain'),
        (params: URLSearchParams) => params.set('code_challenge', 'short'),
        (params: URLSearchParams) => {
          params.delete('code_challenge')
          params.delete('code_challenge_method')
        },
      ]) {
        const target = new URL(url)
        change(target.searchParams)
        const answer = await sessions.otp.get(target.href)
        expect(codeIn(answer.location)).to.equal(undefined)
        expect(errorOf(answer.location)).to.equal('invalid_request')
      }
      for (const verifier of [undefined, 'x'.repeat(43), '']) {
        const begun = await party.begin()
        const { location = '' } = await sessions.otp.get(begun.url)
        expect(await redeem(party, codeIn(location), { code_verifier: verifier })).to.include({
          error: 'invalid_grant',
        })
      }
    })

    it('gives no tokens from the front channel and no code by POST', async () => {
      for (const type of ['token', 'id_token', 'code id_token', 'code token', 'none']) {
        const { url } = await party.begin({ response_type: type, nonce: 'n' })
        const answer = await sessions.otp.get(url)
        expect(answer.location ?? '', type).not.to.match(/[#&?](access_token|id_token|code)=/)
      }
      const { url } = await party.begin()
      const posted = await sessions.otp.post(new URL(url).pathname, new URL(url).search.slice(1))
      expect(posted.status).to.equal(404)
    })
  })

  /** The token endpoint, as anybody may call it. */
  async function redeem(
    as: RelyingParty,
    code: string | undefined,
    params: Record<string, string | undefined> = {},
  ): Promise<Record<string, unknown>> {
    const { client_secret: secret = '' } = as.config.clientMetadata() as { client_secret?: string }
    const body = new URLSearchParams({ grant_type: 'authorization_code', redirect_uri: as.redirectUri })
    if (code !== undefined) body.set('code', code)
    for (const [name, value] of Object.entries(params)) if (value !== undefined) body.set(name, value)
    const response = await fetch(`${stage.origin}/token`, {
      method: 'POST',
      body,
      headers: { authorization: `Basic ${btoa(`${as.clientId}:${secret || (await secretOf(as))}`)}` },
    })
    return (await response.json()) as Record<string, unknown>
  }

  async function secretOf({ clientId }: RelyingParty): Promise<string> {
    const found = await stage.running.services.clients.find(clientId)
    return found?.metadata.client_secret ?? ''
  }

  describe('the token endpoint', () => {
    it('takes a code from its own client only, at its own redirect address, and no other grant', async () => {
      const begun = await party.begin()
      const { location = '' } = await sessions.otp.get(begun.url)
      const code = codeIn(location)
      const verifier = { code_verifier: begun.verifier }
      expect(await redeem(other, code, verifier)).to.include({ error: 'invalid_grant' })
      expect(await redeem(party, code, { ...verifier, redirect_uri: 'http://localhost:9/other' })).to.include(
        {
          error: 'invalid_grant',
        },
      )
      expect(await redeem(party, `${code}x`, verifier)).to.include({ error: 'invalid_grant' })
      expect(await redeem(party, '\0', verifier)).to.include({ error: 'invalid_grant' })
      for (const grant of [
        'client_credentials',
        'password',
        'implicit',
        'urn:openid:params:grant-type:ciba',
        'x',
      ]) {
        const answer = await redeem(party, code, {
          ...verifier,
          grant_type: grant,
          username: 'a',
          password: 'b',
        })
        expect(answer.access_token, grant).to.equal(undefined)
        expect(answer.error, grant).to.be.oneOf([
          'unsupported_grant_type',
          'unauthorized_client',
          'invalid_request',
        ])
      }
    })

    it('tells another client nothing about a token, and takes none of its refresh tokens', async () => {
      const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
      const { visitor } = await victim(stage, party)
      const page = await visitor.follow(begun.url)
      const allowed = await visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
      const tokens = await party.finish(begun, (await visitor.follow(allowed.location ?? '')).url)
      const seen = await client.tokenIntrospection(other.config, tokens.access_token)
      expect(seen).to.deep.equal({ active: false })
      await client.tokenRevocation(other.config, tokens.refresh_token ?? '').catch(() => undefined)
      const stolen = await client
        .refreshTokenGrant(other.config, tokens.refresh_token ?? '')
        .catch(error => error)
      expect(stolen.error).to.equal('invalid_grant')
      const wider = await client
        .refreshTokenGrant(party.config, tokens.refresh_token ?? '', {
          scope: 'openid email profile offline_access',
        })
        .catch(error => error)
      expect(wider.scope ?? '').not.to.include('email')
    })

    it('refuses wrong and missing secrets alike, and none by the wrong method', async () => {
      const attempts = [
        `Basic ${btoa(`${party.clientId}:wrong`)}`,
        `Basic ${btoa('nobody:wrong')}`,
        `Basic ${btoa(`${party.clientId}:`)}`,
        `Basic ${btoa('\0:\0')}`,
        'Basic %%%',
        'Bearer x',
      ]
      const bodies = new Set<string>()
      for (const authorization of attempts) {
        const response = await fetch(`${stage.origin}/token`, {
          method: 'POST',
          body: new URLSearchParams({ grant_type: 'authorization_code', code: 'x' }),
          headers: { authorization },
        })
        expect(response.status, authorization).to.be.oneOf([400, 401])
        const body = await response.text()
        if (response.status === 401) bodies.add(body)
      }
      expect(bodies.size).to.equal(1)
    })
  })

  describe('pushed requests', () => {
    it('cannot be changed, nor used by another client, nor twice', async () => {
      const { url } = await floored.begin({ acr_values: ACR['2fa'] })
      const pushed = await client.buildAuthorizationUrlWithPAR(floored.config, new URL(url).searchParams)
      const lowered = new URL(pushed)
      for (const [name, value] of [
        ['acr_values', ACR['1fa']],
        ['prompt', 'none'],
        ['redirect_uri', 'https://evil.example/'],
        ['scope', 'openid offline_access'],
        ['max_age', '99999'],
      ]) {
        lowered.searchParams.set(name ?? '', value ?? '')
      }
      const foreign = new URL(pushed)
      foreign.searchParams.set('client_id', other.clientId)
      const answer = await sessions.pwd.clone().follow(foreign.href)
      expect(codeIn(answer.url)).to.equal(undefined)
      const { url: end, heading } = await sessions.pwd.clone().follow(lowered.href)
      expect(codeIn(end)).to.equal(undefined)
      expect(end).not.to.include('evil')
      expect(errorOf(end) ?? heading).to.be.oneOf([
        'invalid_request',
        'Set up two-factor authentication',
        'Check your email',
        'We couldn’t log you in',
      ])
    })
  })

  describe('S9 forged and mixed requests', () => {
    it('takes a form from our own pages only', async () => {
      const { visitor, base } = await halfLogin(stage, party, people.otp.person)
      const forged: Record<string, string>[] = [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'cross-site', origin: stage.origin },
        { 'sec-fetch-site': 'Same-Origin' },
        { 'sec-fetch-site': '', origin: 'null' },
        { 'sec-fetch-site': '', origin: 'https://evil.example' },
        { 'sec-fetch-site': '', origin: `${stage.origin}.evil.example` },
        { 'sec-fetch-site': '', origin: stage.origin.replace('http', 'https') },
        { 'sec-fetch-site': '', origin: `${stage.origin}, https://evil.example` },
        { 'sec-fetch-site': '', origin: '' },
      ]
      const paths = [
        ...['identify', 'password', 'otp', 'recovery', 'set-up', 'cancel', 'consent'].map(
          way => `${base}/${way}`,
        ),
        '/forgot-password',
        `/link/password-reset/${'A'.repeat(43)}`,
        '/link/first-run/x',
      ]
      for (const headers of forged) {
        for (const path of paths) {
          const { status } = await visitor.post(path, { code: '000000' }, headers)
          expect(status, `${path} ${JSON.stringify(headers)}`).to.equal(403)
        }
      }
      const [{ n } = { n: 1 }] = await rows(
        stage,
        "SELECT count(*) AS n FROM attempts WHERE budget = 'code' AND account = ?",
        [people.otp.person.id],
      )
      expect(Number(n)).to.equal(0)
      // Neither of the two headers: no browser that shows our pages.
      const bare = await raw(
        stage.origin,
        [
          `POST ${base}/otp HTTP/1.1`,
          `Host: ${new URL(stage.origin).host}`,
          'Content-Type: application/x-www-form-urlencoded',
          'Content-Length: 0',
          'Connection: close',
          '',
          '',
        ].join('\r\n'),
      )
      expect(bare).to.match(/^HTTP\/1\.1 403/)
      expect(
        (
          await visitor.post(
            `${base}/otp`,
            { code: '000000' },
            { 'sec-fetch-site': '', origin: stage.origin },
          )
        ).status,
      ).to.equal(400)
    })

    it('gives an interaction to the browser that began it, and to no other', async () => {
      const mine = await halfLogin(stage, party, people.otp.person)
      const theirs = await halfLogin(stage, other, people.passkey.person)
      const stranger = createVisitor(stage.origin)
      for (const visitor of [stranger, theirs.visitor]) {
        expect((await visitor.get(mine.base)).status).to.equal(400)
        expect((await visitor.post(`${mine.base}/otp`, { code: '000000' })).status).to.equal(400)
        const resumed = await visitor.get(`/auth/${uidOf(mine.base)}`)
        expect(resumed.status).to.equal(400)
        expect(resumed.location).to.equal(undefined)
      }
      // Cookies moved to another path, and signatures that belong to another value.
      const swapped = theirs.visitor.clone()
      for (const [name, cookie] of theirs.visitor.cookies) {
        if (cookie.path === theirs.base)
          swapped.cookies.set(name.replace(theirs.base, mine.base), { ...cookie, path: mine.base })
      }
      const answer = await swapped.get(mine.base)
      expect(answer.status).to.equal(400)
      expect(answer.body).not.to.include(people.otp.person.email)
      const forged = createVisitor(stage.origin)
      forged.cookies.set(`sallyport_interaction\n${mine.base}`, { value: uidOf(mine.base), path: mine.base })
      const signature = [...theirs.visitor.cookies].find(([name]) =>
        name.startsWith('sallyport_interaction.sig'),
      )?.[1]
      forged.cookies.set(`sallyport_interaction.sig\n${mine.base}`, {
        value: signature?.value ?? '',
        path: mine.base,
      })
      expect((await forged.get(mine.base)).status).to.equal(400)
      expect((await mine.visitor.follow(mine.base)).heading).to.equal('Verify your identity')
    })

    it('keeps two tabs of two clients apart', async () => {
      const { person, secret } = await victim(stage, party)
      const visitor = createVisitor(stage.origin)
      const one = await party.begin()
      const two = await other.begin()
      const first = await throughPassword(visitor, one.url, person.email)
      const second = await throughPassword(visitor, two.url, person.email)
      await visitor.post(`${second.base}/otp`, { code: codeOf(stage, { secret }) })
      const end = (await visitor.follow(second.base)).url
      const tokens = await other.finish(two, end)
      expect(tokens.claims()?.aud).to.equal(other.clientId)
      // The code of one tab is of no use to the other tab's client, and what one proved, the other does not have.
      expect(await party.finish(one, end).catch(error => error.code ?? error.error)).to.be.a('string')
      const left = await visitor.follow(first.base)
      expect(codeIn(left.url)).to.equal(undefined)
    })

    it('ends a login as somebody else in the account that was proven, never in the session’s', async () => {
      const mine = await victim(stage, party)
      const theirs = await victim(stage, party)
      const begun = await party.begin({ prompt: 'login' })
      const page = await mine.visitor.follow(begun.url)
      const base = `/interaction/${uidOf(page.url)}`
      await mine.visitor.post(`${base}/identify`, { email: theirs.person.email })
      expect((await mine.visitor.post(`${base}/otp`, { code: codeOf(stage, mine) })).status).to.equal(409)
      await mine.visitor.post(`${base}/password`, { password: PASSWORD })
      expect((await mine.visitor.post(`${base}/otp`, { code: codeOf(stage, mine) })).status).to.equal(400)
      expect((await mine.visitor.post(`${base}/otp`, { code: codeOf(stage, theirs) })).status).to.equal(303)
      // The library ends the old session by a form that posts itself.
      const switching = await mine.visitor.follow(base)
      const form = Object.fromEntries(
        [...switching.body.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
      )
      const ended = await mine.visitor.post('/session/end/confirm', form as Record<string, string>)
      const end = await mine.visitor.follow(ended.location ?? '')
      const tokens = await party.finish(begun, end.url)
      expect(tokens.claims()?.sub).to.equal(theirs.person.id)
      // Facts of the one do not count for the other, nor after switching back.
      const facts = await rows(stage, 'SELECT account_id FROM session_facts WHERE account_id = ?', [
        mine.person.id,
      ])
      expect(facts).to.have.length(0)
    })

    it('does not give a consent of one user to another who logged in meanwhile', async () => {
      const mine = await victim(stage, party)
      const theirs = await victim(stage, party)
      const begun = await thirdParty.begin()
      const consent = await mine.visitor.follow(begun.url)
      expect(consent.heading).to.match(/^Allow/)
      const logout = await mine.visitor.follow('/session/end')
      const form = Object.fromEntries(
        [...logout.body.matchAll(/name="(\w+)"[^>]*value="([^"]*)"/g)].map(([, name, value]) => [
          name,
          value,
        ]),
      )
      await mine.visitor.post('/session/end/confirm', { ...(form as Record<string, string>), logout: 'yes' })
      await logIn(stage, mine.visitor, (await party.begin()).url, theirs.person, theirs)
      const allowed = await mine.visitor.post(`/interaction/${uidOf(consent.url)}/consent`, {
        answer: 'allow',
      })
      const end = await mine.visitor.follow(allowed.location ?? '/')
      expect(codeIn(end.url)).to.equal(undefined)
      expect(allowed.status).to.be.below(500)
      expect(end.status).to.be.below(500)
    })

    it('ends a step-up whose session was ended in another tab, without an answer for anybody', async () => {
      const { person, secret, visitor } = await victim(stage, party)
      stage.advance(10 * MINUTE)
      const page = await visitor.follow((await party.begin({ max_age: '60' })).url)
      const base = `/interaction/${uidOf(page.url)}`
      await change(person.id)
      await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })
      const end = await visitor.follow(base)
      expect(codeIn(end.url)).to.equal(undefined)
      expect(end.status).to.be.below(500)
    })

    it('has nothing of a finished interaction to give again', async () => {
      const { person, secret } = await victim(stage, party)
      const { visitor, base } = await halfLogin(stage, party, person)
      await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })
      const kept = visitor.clone()
      expect(codeIn((await visitor.follow(base)).url)).to.be.a('string')
      for (const each of [visitor, kept]) {
        for (const url of [base, `/auth/${uidOf(base)}`]) {
          const answer = await each.get(url)
          expect(answer.status).to.equal(400)
          expect(answer.location).to.equal(undefined)
        }
        expect((await each.post(`${base}/otp`, { code: codeOf(stage, { secret }, 1) })).status).to.equal(400)
      }
    })
  })

  /** Ends somebody's sessions, as a logout elsewhere does. */
  async function change(accountId: string): Promise<void> {
    const { database } = stage.running.services
    const { endSessions } = await import('../../src/store/sessions/oidc-sessions.ts')
    await database.commit(endSessions(database.dialect, accountId, stage.now()))
  }
})
