// Single sign-on through the whole server: an identity provider that is a plain oidc-provider, and an app.

import { expect } from 'chai'
import { ACR } from '../../src/flow/assurance.ts'
import { createUser } from '../../src/organisations/directory.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { logInBySso, openSso, type SsoGround } from '../support/sso.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty } from '../support/visitor.ts'

onEveryStage('a login by single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  const grounds: SsoGround[] = []

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  after(async () => {
    for (const each of grounds) await each.close()
  })

  async function ground(options: Parameters<typeof openSso>[1] = {}): Promise<SsoGround> {
    const opened = await openSso(stage, options)
    grounds.push(opened)
    return opened
  }

  it('goes from the address to the provider and back, and is linked and worth what the connection trusts', async () => {
    const heron = await ground({ connection: { twoFactor: { acr: [], amr: ['mfa'] } } })
    const email = heron.email('dana')
    await heron.upstream.setAccount({
      sub: 'u1',
      email,
      email_verified: true,
      name: 'Dana',
      amr: ['pwd', 'mfa'],
    })
    const { id } = await createUser(stage.directory, {
      organisationId: heron.organisationId,
      email,
      name: 'Dana Whitlock',
      role: 'technician',
      password: 'quiet otters borrow nine lanterns',
    })
    const begun = await party.begin()
    const visitor = createVisitor(stage.origin)
    const { url, heading, body, sent } = await logInBySso(heron, visitor, begun.url, email, 'u1')
    expect(sent.searchParams.get('login_hint')).to.equal(email)
    expect(sent.searchParams.get('domain_hint')).to.equal(heron.domain)
    expect({ url, heading, body }).to.have.property('url').that.includes(party.redirectUri)
    const tokens = await party.finish(begun, url)
    const claims = tokens.claims()
    expect(claims).to.include({ sub: id, acr: ACR['2fa'] })
    expect(claims?.amr).to.deep.equal(['mfa'])
  })
})
