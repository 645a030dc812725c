// A session that ends at an identity provider, which says so by SAML and the user's browser: here it ends too.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { rows } from '../attacks/ground.ts'
import { member, openSamlLiar, type SamlLiar, send, ssoActs } from '../attacks/sso-ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type RelyingParty, relyingParty } from '../support/visitor.ts'

onEveryStage('a logout by SAML', open => {
  let stage: Stage
  let party: RelyingParty
  const { fresh, start, whoIs } = ssoActs(() => ({ stage, party }))

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  type Saml = NonNullable<Parameters<typeof openSamlLiar>[1]>['saml']
  const provider = (saml: Saml = { sloUrl: 'https://idp.example/slo' }) =>
    openSamlLiar(stage, { saml, connection: { twoFactor: { acr: ['mfa'], amr: [] } } })

  /** The browser of somebody who has logged in there. */
  async function loggedIn(heron: SamlLiar, session = '_session') {
    const person = await member(stage, heron, 'dana')
    const { visitor, away } = await send(fresh(), await start(), person.email)
    const { location = '' } = await heron.post(heron.answer(away, { context: 'mfa', session }))
    await visitor.follow(location)
    expect(await whoIs(visitor)).to.equal(person.id)
    return visitor
  }

  it('holds by the keys that the identity provider has now', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked++
      response.end(heron.metadata())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const sloUrl = 'https://idp.example/slo'
    const heron = await provider({ sloUrl, metadataUrl: `http://127.0.0.1:${port}/` })
    try {
      const visitor = await loggedIn(heron)
      await heron.rotate()
      const answer = await heron.logOut(['_session'])
      expect(answer.location).to.match(/^https:\/\/idp\.example\/slo\?SAMLResponse=/)
      expect(await whoIs(visitor)).to.equal(undefined)
      expect(asked).to.equal(1)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('ends on a page of ours where the identity provider has no address for the answer', async () => {
    const heron = await provider({})
    const visitor = await loggedIn(heron)
    const answer = await heron.logOut(['_session'])
    expect(answer.status).to.equal(200)
    expect(answer.heading).to.equal('You are logged out')
    expect(await whoIs(visitor)).to.equal(undefined)
  })

  it('ends the session that it names, however long the name is', async () => {
    const heron = await provider()
    const long = `_${'a'.repeat(601)}`
    const visitor = await loggedIn(heron, long)
    await heron.logOut([`${long.slice(0, -1)}b`])
    expect(await whoIs(visitor), 'another').not.to.equal(undefined)
    await heron.logOut([long])
    expect(await whoIs(visitor)).to.equal(undefined)
  })

  it('that is refused has a row in the audit log, once a minute', async () => {
    const heron = await provider()
    await heron.rotate()
    const refused = () =>
      rows(stage, "SELECT details FROM audit_events WHERE event = 'sso.failed' AND organisation_id = ?", [
        heron.organisationId,
      ])
    for (let times = 0; times < 3; times++) expect((await heron.logOut([])).status).to.equal(400)
    expect((await refused()).map(each => JSON.parse(String(each.details)).fault)).to.deep.equal(['invalid'])
    stage.advance(61_000)
    await heron.logOut([])
    expect(await refused()).to.have.length(2)
  })

  it('has a row, too, for a login that began there and is refused', async () => {
    const heron = await provider({ idpInitiated: true })
    const form = heron.answer(undefined, { audience: 'somebody else' })
    expect((await heron.post(form)).status).to.equal(400)
    expect(
      await rows(stage, "SELECT id FROM audit_events WHERE event = 'sso.failed' AND organisation_id = ?", [
        heron.organisationId,
      ]),
    ).to.have.length(1)
  })
})
