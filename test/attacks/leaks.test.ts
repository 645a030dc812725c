// E6: where secrets end up that should not. A whole life of an account is lived with the log as talkative as it gets;
// then everything that was said or stored is searched for everything that was secret.

import { expect } from 'chai'
import * as client from 'openid-client'
import { createAuthenticator } from '../support/authenticator.ts'
import { code } from '../support/one-time-codes.ts'
import { openStage, PASSWORD } from '../support/stage.ts'
import {
  createVisitor,
  relyingParty,
  textOf,
  throughPassword,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import { challengeOf, change, MAILED_CODE, mailed, RESET_LINK, raw, rows } from './ground.ts'
import { type Mortal, startMortal } from './mortal.ts'

const KEY = 'a-secret-key-that-must-not-be-said-0123456789'
const NEW_PASSWORD = 'seven herons polish copper kettles'
const TYPED = 'wrong walrus under the wardrobe'

interface Exchange {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

describe('E6 leaks', function () {
  this.timeout(60_000)
  let mortal: Mortal
  const seen: Exchange[] = []
  /** What must not be found, by what it is. */
  const secrets: Record<string, string> = {}
  let dump = ''
  const original = globalThis.fetch

  /** Everything that the server answers, to whomever, is kept. */
  function listen(): void {
    globalThis.fetch = async (input, init) => {
      const response = await original(input, init)
      const copy = response.clone()
      const url = String(input instanceof Request ? input.url : input)
      const { status, headers } = copy
      seen.push({ method: init?.method ?? 'GET', url, status, headers, body: await copy.text() })
      return response
    }
  }

  function keepCookies(visitor: Visitor, when: string): void {
    for (const [name, { value }] of visitor.cookies) {
      const [bare = ''] = name.split('\n')
      // The interaction's uid is in its address; without its signature it opens nothing.
      if (/^sallyport_(interaction|resume)$/.test(bare)) continue
      secrets[`cookie ${name.replace('\n', ' ')} ${when}`] = value
    }
  }

  before(async () => {
    mortal = await startMortal(KEY, { SALLYPORT_LOG_LEVEL: 'trace' })
    const { stage } = mortal
    const party = await relyingParty(stage)
    const person = await stage.person()
    listen()
    Object.assign(secrets, {
      password: PASSWORD,
      'new password': NEW_PASSWORD,
      'password typed wrong': TYPED,
      'secret key': KEY,
    })
    const clientSecret =
      (await stage.running.services.clients.find(party.clientId))?.metadata.client_secret ?? ''
    secrets['client secret'] = clientSecret

    // First login, with an app that wants a refresh token.
    const visitor = createVisitor(stage.origin)
    const begun = await party.begin({ scope: 'openid email offline_access', prompt: 'consent' })
    secrets['PKCE verifier'] = begun.verifier
    const start = await visitor.follow(begun.url)
    const base = `/interaction/${uidOf(start.url)}`
    await visitor.post(`${base}/identify`, { email: person.email, webauthn: 'platform' })
    await visitor.post(`${base}/password`, { password: TYPED, webauthn: 'platform' })
    await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'platform' })
    const setUp = await visitor.follow(base)
    const key = textOf(setUp.body, 'key')
    const secret = key.replaceAll(' ', '')
    secrets['setup key'] = secret
    secrets['setup key, grouped'] = key
    const first = code(secret, Date.now())
    secrets['one-time code'] = first
    await visitor.post(`${base}/set-up`, { code: '000000' })
    await visitor.post(`${base}/set-up`, { code: first })
    const recoveryCode = textOf((await visitor.follow(base)).body, 'recovery')
    secrets['recovery code'] = recoveryCode
    secrets['recovery code, ungrouped'] = recoveryCode.replaceAll('-', '')
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    const offer = await visitor.follow(base)
    const authenticator = createAuthenticator({
      origin: stage.origin,
      rpId: 'localhost',
      userHandle: Buffer.from(person.id).toString('base64url'),
    })
    const response = JSON.stringify(authenticator.register(challengeOf(offer)))
    await visitor.post(`${base}/passkey-registration`, { response })
    keepCookies(visitor, 'at the end of the prompts')
    const consent = await visitor.follow(base)
    keepCookies(visitor, 'with a session')
    const allowed = await visitor.post(`/interaction/${uidOf(consent.url)}/consent`, { answer: 'allow' })
    const callback = (await visitor.follow(allowed.location ?? '')).url
    secrets['authorization code'] = new URL(callback).searchParams.get('code') ?? ''
    const tokens = await party.finish(begun, callback)
    await party.finish(begun, callback).catch(() => undefined)
    secrets['access token'] = tokens.access_token
    secrets['refresh token'] = tokens.refresh_token ?? ''
    secrets['ID token'] = tokens.id_token ?? ''

    // A second life of the family, which the replayed code has ended, and the session's step-up by passkey.
    const again = await party.begin({ scope: 'openid email offline_access', prompt: 'consent' })
    const page = await visitor.follow(again.url)
    const yes = await visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
    const second = await party.finish(again, (await visitor.follow(yes.location ?? '')).url)
    const refreshed = await client.refreshTokenGrant(party.config, second.refresh_token ?? '')
    secrets['rotated refresh token'] = refreshed.refresh_token ?? ''
    secrets['second access token'] = refreshed.access_token
    await client.fetchUserInfo(party.config, refreshed.access_token, client.skipSubjectCheck)
    await client.tokenIntrospection(party.config, refreshed.access_token)
    const up = await visitor.follow(
      (await party.begin({ acr_values: 'phr', id_token_hint: tokens.id_token ?? '' })).url,
    )
    const asserted = JSON.stringify(authenticator.assert(challengeOf(up)))
    secrets['passkey signature'] = (
      JSON.parse(asserted) as { response: { signature: string } }
    ).response.signature
    await visitor.post(`/interaction/${uidOf(up.url)}/passkey`, { response: asserted })
    keepCookies(visitor, 'in a step-up')
    await visitor.follow(`/interaction/${uidOf(up.url)}`)

    // Something is waiting: a session with an interaction that is not finished.
    keepCookies(visitor, 'after the step-up')
    await visitor.get((await party.begin({ prompt: 'login' })).url)

    // A recovery, a forgotten password, a reset with a code from the mailbox.
    await createVisitor(stage.origin).post('/forgot-password', { email: person.email })
    const link = await mailed(stage, person, RESET_LINK)
    secrets['reset token'] = link.split('/').at(-1) ?? ''
    const mailbox = createVisitor(stage.origin)
    await mailbox.get(link)
    await mailbox.post(link, { password: TYPED.slice(0, 5) })
    await mailbox.post(link, { password: NEW_PASSWORD })
    await mailbox.get(link)
    const lost = createVisitor(stage.origin)
    const half = await throughPassword(lost, (await party.begin()).url, person.email, NEW_PASSWORD)
    await lost.post(`${half.base}/recovery`, { code: recoveryCode })
    await lost.post(`${half.base}/recovery`, { code: recoveryCode })
    await change(stage, 'UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = ? WHERE id = ?', [
      Date.now(),
      person.id,
    ])
    await change(stage, 'DELETE FROM passkeys WHERE account_id = ?', [person.id])
    const reset = createVisitor(stage.origin)
    const proof = await throughPassword(reset, (await party.begin()).url, person.email, NEW_PASSWORD)
    const mailedCode = await mailed(stage, person, MAILED_CODE)
    secrets['mailed code'] = mailedCode
    await reset.post(`${proof.base}/mailed-code`, { code: mailedCode })
    const anew = textOf((await reset.follow(proof.base)).body, 'key')
    secrets['setup key that was never confirmed'] = anew.replaceAll(' ', '')

    // What goes wrong: broken forms, foreign interactions, a secret in an address.
    await reset.post(`${proof.base}/set-up`, `code=${first}&code=${first}`)
    await createVisitor(stage.origin).post(`${proof.base}/otp`, { code: first })
    await createVisitor(stage.origin).get(
      `/auth?client_id=${party.clientId}&password=${encodeURIComponent(PASSWORD)}`,
    )
    await createVisitor(stage.origin).get(`/${tokens.access_token}`)
    await original(`${stage.origin}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${party.clientId}:${clientSecret}x`)}` },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }),
    })
    globalThis.fetch = original
    // Sealed mails are settled and forgotten.
    for (let waited = 0; waited < 50; waited++) {
      const [{ n } = { n: 0 }] = await rows(stage, 'SELECT count(*) AS n FROM jobs WHERE done_at IS NULL')
      if (Number(n) === 0) break
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    const tables = await rows(stage, "SELECT name FROM sqlite_master WHERE type = 'table'")
    for (const { name } of tables) dump += JSON.stringify(await rows(stage, `SELECT * FROM "${name}"`))
  })
  after(async () => {
    globalThis.fetch = original
    await mortal.close()
  })

  /** The secrets that a text holds. Six digits alone count, six of a longer number don't. */
  function found(text: string, among = secrets): string[] {
    return Object.entries(among).flatMap(([name, secret]) => {
      if (secret === '') throw new Error(`no ${name}`)
      if (/^\d{3} ?\d{3}$/.test(secret)) {
        const digits = secret.replaceAll(' ', '')
        return new RegExp(`(?<![\\w.])${digits}(?!\\w)`).test(text) ? [name] : []
      }
      const forms = [secret, encodeURIComponent(secret), secret.replaceAll(' ', '+')]
      return forms.some(each => text.includes(each)) ? [name] : []
    })
  }

  it('are in no line of the log, at its most talkative', () => {
    const output = mortal.output()
    expect(output.split('\n').length).to.be.above(60)
    expect(output).to.include('"path":"/interaction/')
    expect(found(output)).to.deep.equal([])
    expect(output).not.to.match(/set-cookie|"cookie"|\$argon2/i)
  })

  it('are in no row of the database', () => {
    expect(dump).to.include('authenticator.set_up')
    expect(found(dump)).to.deep.equal([])
  })

  it('are in no byte of its files, deleted rows included', () => {
    const bytes = mortal.files().toString('latin1')
    expect(bytes).to.include('authenticator.set_up')
    // A hint is in the address that the app sent its user to, and waits with the rest of that request.
    const { 'one-time code': _, 'mailed code': __, 'ID token': ___, ...long } = secrets
    expect(found(bytes, long)).to.deep.equal([])
  })

  it('are in no address but that of an emailed link, and the code on its way to the app', () => {
    for (const { url, headers } of seen) {
      const location = headers.get('location') ?? ''
      const { 'reset token': _, ...others } = secrets
      expect(
        found(url.startsWith(`${mortal.stage.origin}/link/`) ? '' : url, others).filter(
          each => !/access token|password|ID token/.test(each),
        ),
        url,
      ).to.deep.equal([])
      const { 'authorization code': __, ...rest } = secrets
      expect(found(location, rest), location).to.deep.equal([])
    }
  })

  it('are in no header but Set-Cookie, which no script can read', () => {
    let cookies = 0
    for (const { url, headers } of seen) {
      for (const [name, value] of headers) {
        if (name === 'location' || name === 'set-cookie') continue
        expect(found(value), `${url} ${name}`).to.deep.equal([])
      }
      for (const each of headers.getSetCookie()) {
        cookies++
        expect(each, url).to.match(/; httponly/i)
        expect(each, url).to.match(/; samesite=lax/i)
        expect(each, url).not.to.match(/; domain=/i)
        expect(each.split('=')[0], url).to.match(/^sallyport_/)
      }
    }
    expect(cookies).to.be.above(10)
  })

  it('are on no page but the one that shows them', () => {
    // Koa writes where a redirect leads into its body.
    const pages = seen.filter(
      each => each.headers.get('content-type')?.startsWith('text/html') && !each.headers.has('location'),
    )
    expect(pages.length).to.be.above(20)
    const shown: Record<string, RegExp> = {
      'setup key': /<h1>Set up/,
      'setup key, grouped': /<h1>Set up/,
      'setup key that was never confirmed': /<h1>Set up/,
      'recovery code': /<h1>Save your recovery code/,
      // The form's own address, on the page behind the link.
      'reset token': /<h1>Choose a new password/,
    }
    for (const { url, status, body } of pages) {
      for (const name of found(body))
        expect(shown[name]?.test(body), `${name} on ${status} ${url}`).to.equal(true)
    }
    expect(pages.filter(({ body }) => found(body).includes('setup key')).length).to.be.above(0)
  })

  it('are kept by no cache and told to no other site', () => {
    for (const { url, headers, body } of seen) {
      if (!url.startsWith(mortal.stage.origin) || url.includes('/assets/')) continue
      if (/\/(jwks|\.well-known\/.*)$/.test(url)) continue
      expect(headers.get('cache-control'), url).to.equal('no-store')
      if (!headers.get('content-type')?.startsWith('text/html')) continue
      expect(headers.get('referrer-policy'), url).to.be.oneOf(
        url.includes('/link/') ? ['no-referrer'] : ['same-origin', 'no-referrer'],
      )
      expect(headers.get('content-security-policy'), url).to.include("default-src 'none'")
      // Nothing is loaded from elsewhere: the QR code is drawn here.
      const loads = [...body.matchAll(/\b(?:src|href|action|srcset|poster)="(?!\/|otpauth:|#)([^"]*)"/g)].map(
        ([, to]) => to,
      )
      expect(
        loads.filter(each => !each?.startsWith(mortal.stage.origin)),
        url,
      ).to.deep.equal([])
    }
  })

  it('travel in cookies that are bound to the host and to https, where the issuer is https', async () => {
    const stage = await openStage({
      env: { SALLYPORT_ISSUER: 'https://login.northgate.example', SALLYPORT_TRUST_PROXY: '1' },
    })
    try {
      const { port } = stage.running.config
      const query = new URLSearchParams({
        client_id: 'demo',
        response_type: 'code',
        scope: 'openid',
        redirect_uri: `${stage.demoOrigin}/callback`,
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
        state: 'x',
      })
      const request = (protocol: string) =>
        raw(
          `http://localhost:${port}`,
          [
            `GET /auth?${query} HTTP/1.1`,
            'Host: login.northgate.example',
            `X-Forwarded-Proto: ${protocol}`,
            'X-Forwarded-For: 203.0.113.1',
            'Connection: close',
            '',
            '',
          ].join('\r\n'),
        )
      const answer = await request('https')
      expect(answer).to.match(/^HTTP\/1\.1 303/)
      const cookies = [...answer.matchAll(/^set-cookie: (.*)$/gim)].map(([, each]) => each ?? '')
      expect(cookies.length).to.be.at.least(4)
      for (const each of cookies) {
        expect(each).to.match(/^__(Host|Secure)-sallyport_/)
        expect(each).to.match(/; secure/i)
        expect(each).to.match(/; httponly/i)
      }
      expect(answer).to.match(/^strict-transport-security: /im)
      // Over plain http nothing secret leaves.
      const plain = await request('http')
      expect(plain).not.to.match(/^set-cookie: /im)
    } finally {
      await stage.close()
    }
  })
})
