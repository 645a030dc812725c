// What single sign-on tells, and what it lets itself be told: logouts that nobody may tell of, addresses and secrets that
// nobody may read.

import { expect } from 'chai'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type RelyingParty, relyingParty, visibleText } from '../support/visitor.ts'
import { change, rows } from './ground.ts'
import { bring, type Liar, logoutToken, member, openSamlLiar, send, ssoActs, through } from './sso-ground.ts'

onEveryStage('attacks on single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  const { about, close, fresh, liar, linkedUser, localUser, start, whoIs } = ssoActs(() => ({ stage, party }))

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  after(close)

  describe('a logout that the provider tells of', () => {
    const tell = ({ connectionId }: Liar, token: string) =>
      fetch(`${stage.origin}/sso/oidc/${connectionId}/logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
      })

    it('counts once, and ends no session of a later login', async () => {
      const heron = await liar()
      const { person, visitor } = await linkedUser(heron, 'dana', { sid: 'first' })
      const sub = `there of ${person.email}`
      heron.upstream.lies = {}
      const token = await logoutToken(heron, stage.now(), { sub })
      expect((await tell(heron, token)).status).to.equal(200)
      expect(await whoIs(visitor)).to.equal(undefined)
      heron.says(about(person, { sid: 'second' }))
      const later = fresh()
      await through(heron, later, await start(), person.email)
      expect((await tell(heron, token)).status, 'again').to.equal(400)
      expect(await whoIs(later)).to.equal(person.id)
    })

    it('ends nothing of another connection, another subject, another session, or of a login by password', async () => {
      const heron = await liar()
      const other = await liar()
      const { person, visitor } = await linkedUser(heron, 'dana', { sid: 'mine' })
      const sub = `there of ${person.email}`
      for (const each of [heron, other]) each.upstream.lies = {}
      const foreign = await logoutToken(other, stage.now(), { sub, sid: 'mine' })
      expect((await tell(heron, foreign)).status, 'of another connection').to.equal(400)
      expect((await tell(other, foreign)).status, 'at its own').to.equal(200)
      for (const claims of [
        { sub: 'foreign' },
        { sub: 'foreign', sid: 'mine' },
        { sub, sid: 'other' },
        { sid: 'other' },
      ]) {
        await tell(heron, await logoutToken(heron, stage.now(), claims))
        expect(await whoIs(visitor), JSON.stringify(claims)).to.equal(person.id)
      }
      const local = await localUser(heron, 'eve')
      heron.says(about(local.person))
      await through(heron, fresh(), await start(), local.person.email)
      heron.upstream.lies = {}
      await tell(heron, await logoutToken(heron, stage.now(), { sub: `there of ${local.person.email}` }))
      expect(await whoIs(local.visitor), 'by password').to.equal(local.person.id)
    })
  })

  it('L11 tells nothing of an address that goes to an identity provider', async () => {
    const heron = await liar()
    const known = await linkedUser(heron)
    const people = { known: known.person.email, unknown: heron.email('nobody') }
    for (const status of ['locked', 'deactivated', 'invited']) {
      const { id, email } = await member(stage, heron, status)
      await change(stage, 'UPDATE accounts SET status = ? WHERE id = ?', [status, id])
      Object.assign(people, { [status]: email })
    }
    const breakGlass = await member(stage, heron, 'admin')
    await change(stage, 'UPDATE accounts SET break_glass = 1 WHERE id = ?', [breakGlass.id])
    Object.assign(people, { breakGlass: breakGlass.email })
    for (const ssoOnly of [0, 1]) {
      await change(stage, 'UPDATE sso_domains SET sso_only = ? WHERE id = ?', [ssoOnly, heron.domainId])
      const seen = new Set<string>()
      for (const email of Object.values(people)) {
        const { visitor, base, away } = await send(fresh(), await start(), email)
        const url = new URL(away)
        for (const name of ['state', 'nonce', 'code_challenge', 'login_hint']) url.searchParams.delete(name)
        const plain = (text: string) =>
          text
            .replaceAll(email, 'EMAIL')
            .replaceAll(base, 'BASE')
            .replace(/nonce="[^"]+"/g, '')
        const pages = [await visitor.get(base)]
        await visitor.post(`${base}/use-password`, {})
        pages.push(await visitor.get(base))
        pages.push(await visitor.post(`${base}/password`, { password: 'wrong walrus under the wardrobe' }))
        seen.add(
          [url.href, ...pages.map(each => `${each.status} ${visibleText({ body: plain(each.body) })}`)].join(
            '\n',
          ),
        )
        expect([...visitor.cookies.keys()].some(each => /session/.test(each))).to.equal(false)
      }
      expect([...seen], `sso only: ${ssoOnly}`).to.have.length(1)
    }
  })

  it('E6 no secret of a login is in the log, the audit log, a page, or readable in the database', async () => {
    const heron = await liar()
    const person = await member(stage, heron, 'dana')
    heron.says(about(person))
    const { visitor, base, away } = await send(fresh(), await start(), person.email)
    const asked = new URL(away).searchParams
    const query = heron.upstream.visit(away)
    const [request] = await rows(stage, 'SELECT id, sealed FROM sso_requests WHERE interaction = ?', [
      base.split('/').at(-1) ?? '',
    ])
    const { keyring } = stage.running.services
    const pending = JSON.parse(
      keyring.open(String(request?.sealed), ['sso_requests', 'sealed', String(request?.id)]).toString(),
    ) as { oidc: { verifier: string } }
    const back = await bring(away, query)
    const location = back.location ?? ''
    const pages = [back, await visitor.follow(location)]
    const again = await visitor.get(location)
    const lost = await bring(away, query)
    // A token endpoint that says no, and repeats what it was told.
    const failed = await send(fresh(), await start(), person.email)
    const second = heron.upstream.visit(failed.away)
    let told = ''
    heron.upstream.lies = {
      paths: {
        '/token': (incoming, response) => {
          incoming.on('data', chunk => {
            told += chunk
          })
          incoming.on('end', () => {
            response.statusCode = 400
            response.setHeader('content-type', 'application/json')
            response.end(JSON.stringify({ error: 'invalid_grant', error_description: told }))
          })
        },
      },
    }
    const refused = await bring(failed.away, second)
    pages.push(again, lost, refused, await failed.visitor.follow(refused.location ?? ''))

    const idp = await openSamlLiar(stage)
    await member(stage, idp, 'dana')
    const sent = await send(fresh(), await start(), idp.email('dana'))
    const form = idp.answer(sent.away)
    const posted = await idp.post(form)
    pages.push(posted, await sent.visitor.follow(posted.location ?? ''), await idp.post(form))

    const [connection] = await rows(stage, 'SELECT secret FROM sso_connections WHERE id = ?', [
      heron.connectionId,
    ])
    const secrets: Record<string, string> = {
      'client secret': keyring
        .open(String(connection?.secret), ['sso_connections', 'secret', heron.connectionId])
        .toString(),
      state: asked.get('state') ?? '',
      nonce: asked.get('nonce') ?? '',
      verifier: pending.oidc.verifier,
      code: query.get('code') ?? '',
      'second code': second.get('code') ?? '',
      handle: new URL(location).searchParams.get('h') ?? '',
      'second verifier': new URLSearchParams(told).get('code_verifier') ?? '',
      assertion: (form.SAMLResponse ?? '').slice(100, 200),
      RelayState: form.RelayState ?? '',
      'handle by SAML': new URL(posted.location ?? '').searchParams.get('h') ?? '',
    }
    const stored = await Promise.all(
      [
        'sso_requests',
        'audit_events',
        'oidc_artefacts',
        'oidc_sessions',
        'sso_connections',
        'spent',
        'jobs',
      ].map(async table => JSON.stringify(await rows(stage, `SELECT * FROM ${table}`))),
    )
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret, name).to.have.length.above(20)
      expect(stage.log.join('\n').includes(secret), `${name} in the log`).to.equal(false)
      expect(
        pages.some(each => each.location === undefined && each.body.includes(secret)),
        `${name} on a page`,
      ).to.equal(false)
      expect(
        stored.some(each => each.includes(secret)),
        `${name} in the database`,
      ).to.equal(false)
    }
    expect(stage.log.join('\n'), 'that something was logged').to.include('/sso/oidc/')
  })
})
