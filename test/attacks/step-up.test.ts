// Attacks on confirmed actions: one action confirmed and another done, a proof had without its user, or had twice. What
// an API must check of a proof is the app's part; here it is what the provider hands out, and to whom.

import { expect } from 'chai'
import * as client from 'openid-client'
import { setActions } from '../../src/actions/registration.ts'
import { ACR } from '../../src/flow/assurance.ts'
import { ACTIONS, asking, type Console, cameTo, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type Begun, createVisitor, uidOf, type Visitor } from '../support/visitor.ts'
import { audited, codeOf, halfLogin, rows, type Victim, victim, wrongCode } from './ground.ts'

const MINUTE = 60_000
const DELETE = REQUESTS['device.delete']

onEveryStage('attacks on step-up', open => {
  let stage: Stage
  let app: Console

  before(async () => {
    stage = await open()
    app = await openConsole(stage, {
      metadata: { grant_types: ['authorization_code', 'refresh_token', 'client_credentials'] },
    })
  })

  async function ask(visitor: Visitor, what: object, params: Record<string, string> = {}) {
    const begun = await app.party.begin({ ...asking(what), ...params })
    const page = await visitor.follow(begun.url)
    return { begun, page, base: page.url.replace(/\?.*/, '') }
  }

  /** Types the code that the phone shows next. */
  function confirm(one: Victim, base: string, visitor = one.visitor) {
    stage.advance(30_000)
    return visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
  }

  async function proof(begun: Begun, url: string) {
    const { access_token: token } = await app.party.finish(begun, url)
    return (await app.verify(token)).authorization_details?.[0]
  }

  it('S10 action A confirmed is action A in the token, whatever is asked at the token endpoint', async () => {
    const one = await victim(stage, app.party)
    const ways: Record<string, string>[] = [
      asking({ ...DELETE, objects: ['dev_99'] }),
      asking({ ...DELETE, fields: { site: 'Other' } }),
      asking(REQUESTS['device.rename']),
      asking(DELETE, DELETE),
    ]
    for (const params of ways) {
      const { begun, base } = await ask(one.visitor, DELETE)
      await confirm(one, base)
      const { url } = await one.visitor.follow(base)
      const answer = await redeem(begun, url, params)
      expect(answer, params.authorization_details).to.have.property('error', 'invalid_authorization_details')
    }
    const { begun, base } = await ask(one.visitor, DELETE)
    await confirm(one, base)
    const { url } = await one.visitor.follow(base)
    const same = await redeem(begun, url, asking({ ...DELETE, objects: DELETE.objects.toReversed() }))
    expect((await app.verify(String(same.access_token))).authorization_details?.[0]).to.deep.include(DELETE)
  })

  async function redeem(begun: Begun, url: string, params: Record<string, string>) {
    const answer = await fetch(`${stage.origin}/token`, {
      method: 'POST',
      headers: { authorization: authorization() },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: new URL(url).searchParams.get('code') ?? '',
        redirect_uri: app.party.redirectUri,
        code_verifier: begun.verifier,
        ...params,
      }),
    })
    return (await answer.json()) as Record<string, unknown>
  }

  function authorization(): string {
    const { client_id: id, client_secret: secret } = app.party.config.clientMetadata()
    return `Basic ${Buffer.from(`${id}:${String(secret)}`).toString('base64')}`
  }

  it('S10 nobody’s proof: details at the token endpoint by client credentials or a refresh', async () => {
    const credentials = await client
      .clientCredentialsGrant(app.party.config, { resource: app.resource, ...asking(DELETE) })
      .catch((each: unknown) => each)
    expect(credentials).to.have.property('error', 'invalid_authorization_details')
    const plain = await client.clientCredentialsGrant(app.party.config, { resource: app.resource })
    expect(await app.verify(plain.access_token)).not.to.have.any.keys('authorization_details', 'acr', 'amr')

    const one = await victim(stage, app.party)
    const scope = 'openid offline_access'
    const begun = await app.party.begin({ ...asking(REQUESTS['device.rename']), scope, prompt: 'consent' })
    const page = await one.visitor.follow(begun.url)
    const allowed = await one.visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
    const tokens = await app.party.finish(begun, (await one.visitor.follow(allowed.location ?? '')).url)
    for (const what of [DELETE, REQUESTS['device.rename']]) {
      const refreshed = await client
        .refreshTokenGrant(app.party.config, tokens.refresh_token ?? '', asking(what))
        .catch((each: unknown) => each)
      expect(refreshed).to.have.property('error', 'invalid_authorization_details')
    }
    // It was no use of the refresh token either.
    const refreshed = await client.refreshTokenGrant(app.party.config, tokens.refresh_token ?? '')
    expect(await app.verify(refreshed.access_token)).not.to.have.property('authorization_details')
  })

  it('S10 another action, or another object, or the same one again: asked again', async () => {
    const one = await victim(stage, app.party)
    const first = await ask(one.visitor, DELETE)
    await confirm(one, first.base)
    expect(cameTo(await one.visitor.follow(first.base))).to.equal('proof')
    for (const what of [
      { ...DELETE, objects: ['dev_99'] },
      { ...DELETE, fields: { site: 'Other' } },
      DELETE,
    ]) {
      expect(cameTo((await ask(one.visitor, what)).page)).to.equal('code')
    }
  })

  it('S10 nothing of an action is kept with the grant, which other tabs and later requests share', async () => {
    const one = await victim(stage, app.party)
    const { begun, base } = await ask(one.visitor, DELETE)
    await confirm(one, base)
    await app.party.finish(begun, (await one.visitor.follow(base)).url)
    const grants = await rows(
      stage,
      "SELECT payload FROM oidc_artefacts WHERE model = 'Grant' AND account_id = ?",
      [one.person.id],
    )
    expect(grants.length).to.be.greaterThan(0)
    for (const { payload } of grants) expect(String(payload)).not.to.match(/rar|device\.delete/)
    const plain = await app.party.begin({ resource: app.resource })
    expect(await proof(plain, (await one.visitor.follow(plain.url)).url)).to.equal(undefined)
  })

  it('S10 after five minutes the proof is worth nothing', async () => {
    const one = await victim(stage, app.party)
    const { begun, base } = await ask(one.visitor, DELETE)
    await confirm(one, base)
    const { access_token: token } = await app.party.finish(begun, (await one.visitor.follow(base)).url)
    const { exp = 0, iat = 0 } = await app.verify(token)
    expect(exp - iat).to.be.at.most(300)
  })

  it('S10 another session: the page is of the browser that asked, and its code too', async () => {
    const one = await victim(stage, app.party)
    const { begun, base } = await ask(one.visitor, DELETE)
    const thief = createVisitor(stage.origin)
    expect((await thief.get(base)).status).to.equal(400)
    expect((await confirm(one, base, thief)).status).to.equal(400)
    expect(cameTo(await one.visitor.follow(base))).to.equal('code')
    await confirm(one, base)
    const { url } = await one.visitor.follow(base)
    // The code of the answer is of the request that asked: another one's verifier redeems nothing.
    const other = await app.party.begin(asking(DELETE))
    expect(await redeem({ ...begun, verifier: other.verifier }, url, {})).to.have.property(
      'error',
      'invalid_grant',
    )
  })

  it('two tabs with two actions: each gives its own, whichever is confirmed first', async () => {
    const one = await victim(stage, app.party)
    const a = await ask(one.visitor, DELETE)
    const b = await ask(one.visitor, { ...DELETE, objects: ['dev_99'] })
    expect(a.base).not.to.equal(b.base)
    await confirm(one, a.base)
    // The other is not confirmed by that.
    expect(cameTo(await one.visitor.follow(b.base))).to.equal('code')
    const doneA = await one.visitor.follow(a.base)
    expect(cameTo(await one.visitor.follow(b.base)), 'after the first came back').to.equal('code')
    await confirm(one, b.base)
    const doneB = await one.visitor.follow(b.base)
    expect((await proof(a.begun, doneA.url))?.objects).to.deep.equal(DELETE.objects)
    expect((await proof(b.begun, doneB.url))?.objects).to.deep.equal(['dev_99'])
  })

  it('a factor proven in another tab meanwhile confirms nothing here', async () => {
    const one = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    const other = await app.party.begin({ max_age: '1' })
    stage.advance(5_000)
    const page = await one.visitor.follow(other.url)
    await confirm(one, page.url.replace(/\?.*/, ''))
    await one.visitor.follow(page.url)
    expect(cameTo(await one.visitor.follow(base))).to.equal('code')
    expect((await one.visitor.post(`${base}/confirm`, {})).status).to.equal(409)
  })

  it('the address bar: acr_values and max_age that are laxer change nothing of an action', async () => {
    const one = await victim(stage, app.party)
    for (const params of [
      { acr_values: ACR['1fa'] },
      { max_age: '99999' },
      { claims: JSON.stringify({ id_token: { acr: { essential: true, value: ACR['1fa'] } } }) },
    ]) {
      expect(cameTo((await ask(one.visitor, DELETE, params)).page)).to.equal('code')
    }
  })

  it('the address bar: an action taken out is not in the token, one that is edited is the one that is shown', async () => {
    const one = await victim(stage, app.party)
    const begun = await app.party.begin({ ...asking(DELETE), resource: app.resource })
    const without = new URL(begun.url)
    without.searchParams.delete('authorization_details')
    expect(await proof(begun, (await one.visitor.follow(without.href)).url)).to.equal(undefined)
    const edited = new URL((await app.party.begin()).url)
    edited.searchParams.set('authorization_details', JSON.stringify([{ ...DELETE, objects: ['dev_1'] }]))
    expect((await one.visitor.follow(edited.href)).heading).to.equal('Confirm: delete 1 device at Acme')
  })

  it('the address bar: of a pushed request nothing can be edited', async () => {
    const one = await victim(stage, app.party)
    const { searchParams } = new URL((await app.party.begin(asking(DELETE))).url)
    const pushed = await client.buildAuthorizationUrlWithPAR(app.party.config, searchParams)
    pushed.searchParams.set('authorization_details', JSON.stringify([REQUESTS['device.rename']]))
    pushed.searchParams.set('acr_values', ACR['1fa'])
    const page = await one.visitor.follow(pushed.href)
    expect(page.heading).to.equal('Confirm: delete 2 devices at Acme')
  })

  it('another account in the step-up is refused, and nothing is issued', async () => {
    const one = await victim(stage, app.party)
    const attacker = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    for (const way of ['identify', 'password', 'passkey'] as const) {
      const form = { email: attacker.person.email, password: 'x', response: '{}' }
      const fields = { identify: ['email'], password: ['password'], passkey: ['response'] }[way]
      const answer = await one.visitor.post(
        `${base}/${way}`,
        Object.fromEntries(fields.map(name => [name, form[name as keyof typeof form]])),
      )
      expect(answer.status, way).to.equal(409)
    }
    stage.advance(30_000)
    const answer = await one.visitor.post(`${base}/otp`, { code: codeOf(stage, attacker) })
    expect(answer.status).to.equal(400)
    expect(await audited(stage, 'action.confirmed', one.person)).to.equal(0)
    expect(await audited(stage, 'action.confirmed', attacker.person)).to.equal(0)
  })

  it('another account that logs in meanwhile gets no proof of it', async () => {
    const one = await victim(stage, app.party)
    const attacker = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    await confirm(one, base)
    const finished = await one.visitor.get(base)
    // Between the confirmation and the way back the session becomes another's.
    const login = await app.party.begin({ prompt: 'login' })
    const page = await one.visitor.follow(login.url)
    const at = `/interaction/${uidOf(page.url)}`
    await one.visitor.post(`${at}/identify`, { email: attacker.person.email })
    await one.visitor.post(`${at}/password`, { password: 'quiet otters borrow nine lanterns' })
    stage.advance(30_000)
    await one.visitor.post(`${at}/otp`, { code: codeOf(stage, attacker) })
    const leaving = await one.visitor.follow(at)
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(leaving.body)?.[1] ?? ''
    const left = await one.visitor.post('/session/end/confirm', { xsrf, logout: 'yes' })
    expect(cameTo(await one.visitor.follow(left.location ?? '')), 'logged in as the other').to.equal('proof')
    const resumed = await one.visitor.get(finished.location ?? '')
    expect(resumed.location ?? '').not.to.match(/[?&]code=/)
    expect(await audited(stage, 'action.confirmed', one.person)).to.equal(0)
    expect(await audited(stage, 'action.confirmed', attacker.person)).to.equal(0)
  })

  it('markup in objects and fields is text on the page', async () => {
    const one = await victim(stage, app.party)
    const nasty = '<img src=x onerror=alert(1)>"\'</h1><script>alert(1)</script>{{7919*7907}}#{7919*7907}'
    const { page } = await ask(one.visitor, { ...DELETE, objects: [nasty], fields: { site: nasty } })
    expect(page.status).to.equal(200)
    expect(page.body).not.to.include('<img')
    expect(page.body).not.to.include('<script>alert')
    expect(page.body).not.to.include('62615533')
    expect(page.body.split('&lt;img').length).to.be.greaterThan(3)
  })

  it('a wrong code, and a code used before, confirm nothing', async () => {
    const one = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    const wrong = await one.visitor.post(`${base}/otp`, { code: wrongCode(stage, one) })
    expect(wrong.body).to.include('That code isn’t right')
    expect(wrong.heading, 'still says what is confirmed').to.equal('Confirm: delete 2 devices at Acme')
    const other = await ask(one.visitor, DELETE)
    await confirm(one, other.base)
    const used = await one.visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
    expect(used.body).to.include('You used that code already')
    expect(cameTo(await one.visitor.follow(base))).to.equal('code')
    expect(await audited(stage, 'code.wrong', one.person)).to.equal(1)
  })

  it('Confirm without a factor of this request, and on a page that does not offer it, is refused', async () => {
    const one = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    expect((await one.visitor.post(`${base}/confirm`, {})).status).to.equal(409)
    const half = await halfLogin(stage, app.party, one.person, asking(DELETE))
    expect((await half.visitor.post(`${half.base}/confirm`, {})).status).to.equal(409)
  })

  it('the back button, and a second submission, give no second proof', async () => {
    const one = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    await confirm(one, base)
    expect((await confirm(one, base)).status, 'sent twice: shown where it stands').to.equal(303)
    expect(cameTo(await one.visitor.follow(base))).to.equal('proof')
    expect((await one.visitor.get(base)).status, 'back').to.equal(400)
    expect((await confirm(one, base)).status, 'back and sent again').to.equal(400)
    expect(await audited(stage, 'action.confirmed', one.person)).to.equal(1)
  })

  it('after Cancel, the page takes no confirmation any more', async () => {
    const one = await victim(stage, app.party)
    const { base } = await ask(one.visitor, DELETE)
    const cancelled = await one.visitor.post(`${base}/cancel`, {})
    expect(cameTo(await one.visitor.follow(cancelled.location ?? ''))).to.equal('error access_denied')
    expect((await confirm(one, base)).status).to.equal(400)
    expect(await audited(stage, 'action.refused', one.person)).to.equal(1)
    expect(await audited(stage, 'action.confirmed', one.person)).to.equal(0)
  })

  it('fifty confirmations at once, each followed to its end, give one code', async () => {
    const one = await victim(stage, app.party)
    const { visitor, base } = await halfLogin(stage, app.party, one.person, asking(DELETE))
    await visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
    const page = await visitor.follow(base)
    const at = `/interaction/${uidOf(page.url)}`
    const ends = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const browser = visitor.clone()
        await browser.post(`${at}/confirm`, {})
        const finished = await browser.get(at)
        return finished.location === undefined ? '' : ((await browser.get(finished.location)).location ?? '')
      }),
    )
    expect(ends.filter(each => /[?&]code=/.test(each))).to.have.length(1)
    expect(await audited(stage, 'action.confirmed', one.person)).to.equal(1)
    const [row] = await rows(
      stage,
      "SELECT count(*) AS n FROM spent WHERE kind = 'confirmation' AND id IS NOT NULL",
    )
    expect(Number(row?.n)).to.be.greaterThan(0)
  })

  it('an action whose rule became stricter while its page was open is asked for as it is now', async () => {
    const own = await openConsole(stage)
    const one = await victim(stage, own.party)
    stage.advance(6 * MINUTE)
    const begun = await own.party.begin(asking(REQUESTS['script.run']))
    const page = await one.visitor.follow(begun.url)
    expect(cameTo(page)).to.equal('code')
    const base = page.url.replace(/\?.*/, '')
    await setActions(
      stage.directory,
      own.party.clientId,
      ACTIONS.map(each => ({ ...each, rule: 'passkey' })),
    )
    stage.advance(10_001)
    await confirm(one, base)
    expect(cameTo(await one.visitor.follow(base))).to.equal('passkey needed')
  })

  it('an action that was taken away while its page was open ends in an error, and no proof', async () => {
    const own = await openConsole(stage)
    const one = await victim(stage, own.party)
    const begun = await own.party.begin(asking(DELETE))
    const page = await one.visitor.follow(begun.url)
    const base = page.url.replace(/\?.*/, '')
    await confirm(one, base)
    const finished = await one.visitor.get(base)
    await setActions(stage.directory, own.party.clientId, [])
    stage.advance(10_001)
    const end = await one.visitor.follow(finished.location ?? '')
    expect(cameTo(end)).to.equal('error invalid_authorization_details')
  })
})
