// An admin and a user who is linked to somebody at the identity provider: what the user's page says, taking the link, and
// the next login, which links anew.

import { expect } from 'chai'
import { audited, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { logInBySso, openSso, type SsoGround } from '../support/sso.ts'
import type { Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  type RelyingParty,
  relyingParty,
  visibleText,
} from '../support/visitor.ts'
import { type Member, membersOf } from './member.ts'

onEveryStage('a user who is linked to an identity provider', open => {
  let stage: Stage
  let party: RelyingParty
  let heron: SsoGround
  let priya: Member

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
    heron = await openSso(stage, {
      connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true },
    })
    priya = await membersOf(stage).enrolled({ role: 'admin', organisationId: heron.organisationId })
  })
  after(() => heron.close())

  /** Lee, who has no account before the first login. */
  async function lee(name: string, sub = name) {
    const email = heron.email(name)
    await heron.upstream.setAccount({ sub, email, email_verified: true, name: 'Lee Ortiz', amr: ['mfa'] })
    const visitor = createVisitor(stage.origin)
    const through = () =>
      party.begin().then(({ url }) => logInBySso(heron, createVisitor(stage.origin), url, email, sub))
    const { url } = await logInBySso(heron, visitor, (await party.begin()).url, email, sub)
    expect(url).to.include(party.redirectUri)
    const [made] = await rows(stage, `SELECT id FROM accounts WHERE email_key = '${email}'`)
    return { id: String(made?.id), email, visitor, through }
  }

  const page = ({ id }: { id: string }) => priya.by.get(`/admin/users/${id}`)
  const unlink = ({ id }: { id: string }) => priya.by.post(`/admin/users/${id}/unlink-sso`, {})
  const offers = ({ body }: Answer) => body.includes('/unlink-sso')

  it('is shown so, is unlinked once, is logged out by it, and is linked anew at the next login', async () => {
    const one = await lee('lee')
    expect(visibleText(await page(one))).to.include('By Heron ID')
    expect(offers(await page(one))).to.equal(true)
    expect((await one.visitor.follow('/account')).heading).to.equal('Lee Ortiz')

    await unlink(one)
    await unlink(one)
    expect(await audited(stage, 'sso.unlinked', one)).to.equal(1)
    expect(offers(await page(one))).to.equal(false)
    expect((await one.visitor.follow('/account')).heading).to.equal('Log in')

    expect((await one.through()).url).to.include(party.redirectUri)
    expect(await audited(stage, 'sso.linked', one)).to.equal(1)
  })

  it('is linked to who has the address at the provider by then, and to nobody else before', async () => {
    const one = await lee('sam')
    // The same address there, and another user.
    await heron.upstream.setAccount({ sub: 'sam', email: heron.email('sam-before'), email_verified: true })
    const other = { sub: 'sam2', email: one.email, email_verified: true, amr: ['mfa'] }
    await heron.upstream.setAccount(other)
    const begun = await party.begin()
    const visitor = createVisitor(stage.origin)
    const refused = await logInBySso(heron, visitor, begun.url, one.email, 'sam2')
    expect(visibleText(refused)).to.include('belongs to another user of Heron ID')
    await unlink(one)
    const again = await party.begin()
    const { url } = await logInBySso(heron, createVisitor(stage.origin), again.url, one.email, 'sam2')
    expect((await party.finish(again, url)).claims()?.sub).to.equal(one.id)
  })

  it('has their way in still when they are reactivated, though they never chose a password', async () => {
    const one = await lee('kim')
    await priya.by.post(`/admin/users/${one.id}/deactivate`, {})
    expect((await one.through()).body).to.include('isn’t active')
    await priya.by.post(`/admin/users/${one.id}/reactivate`, {})
    expect((await one.through()).url).to.include(party.redirectUri)
  })

  it('is nobody’s to unlink from another organisation', async () => {
    const one = await lee('ash')
    const mallory = await membersOf(stage).enrolled({ role: 'admin' })
    const answer = await mallory.by.post(`/admin/users/${one.id}/unlink-sso`, {})
    expect(answer.status).to.equal(404)
    expect(await audited(stage, 'sso.unlinked', one)).to.equal(0)
  })
})
