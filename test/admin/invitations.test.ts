// Invitations in the console, by requests alone: who is listed, what the mail says, what ends a link, and who may not.

import { expect } from 'chai'
import { readAccountByEmail } from '../../src/store/accounts/accounts.ts'
import { audited, change, INVITATION_LINK, MINUTE, mailed, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, visibleText } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import { type Member, membersOf } from './member.ts'

const DAY = 24 * 60 * MINUTE
const LIST = '/admin/invitations'

onEveryStage('invitations in the console', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let priya: Member
  let invited = 0
  let ines: { name: string; email: string; role: string }

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    priya = await members.enrolled({ name: 'Priya Raman', role: 'admin' })
    invited += 1
    ines = { name: 'Ines Falk', email: `ines${invited}@northgate.example`, role: 'technician' }
  })

  const invite = (form: Record<string, string> = ines, by = priya.by) => by.post(`${LIST}/new`, form)
  const account = () => readAccountByEmail(stage.running.services.database, ines.email)
  const idOf = async () => (await account())?.id ?? ''
  const link = (seen: string[] = []) => mailed(stage, ines, INVITATION_LINK, seen)
  const pathOf = (address: string) => new URL(address).pathname
  const opened = async (address: string) => (await createVisitor(stage.origin).get(pathOf(address))).heading

  it('are made by name, address and role: the mail names who invites, its link sets the password once', async () => {
    const answer = await invite()
    expect(answer.status).to.equal(303)
    const list = await priya.by.get(answer.location ?? '')
    expect(visibleText(list)).to.include('The invitation is on its way').and.to.include(ines.email)
    expect(visibleText(list)).to.include('Users 2').and.to.include('Invitations 1')
    expect(await account()).to.include({ name: 'Ines Falk', role: 'technician', status: 'invited' })
    const mail = await stage.mail(({ to }) => JSON.stringify(to).includes(ines.email))
    expect(mail.text).to.include('Priya Raman has made an account for you')
    const [row] = await rows(
      stage,
      "SELECT * FROM audit_events WHERE event = 'user.invited' AND account_id = ?",
      [await idOf()],
    )
    expect(row).to.include({ actor_id: priya.person.id, organisation_id: priya.person.organisationId })
    expect(row?.address).to.match(/127\.0\.0\.1|::1/)

    const address = await link()
    const saved = await createVisitor(stage.origin).post(pathOf(address), { password: PASSWORD })
    expect(saved.heading).to.equal('Your password is saved')
    expect(await opened(address)).to.equal('This link no longer works')
    expect(visibleText(await priya.by.get(LIST))).to.include('Nobody is waiting to come in.')
  })

  it('are refused with what is missing or taken, and what was typed stays', async () => {
    const stranger = await stage.person()
    for (const [form, error] of [
      [{ ...ines, name: ' ' }, 'Enter a name'],
      [{ ...ines, email: 'ines' }, 'Enter an email address such as'],
      [{ ...ines, role: 'support' }, 'Choose a role.'],
      [{ ...ines, email: stranger.email }, 'Somebody has an account with this address already.'],
      [{ ...ines, email: priya.person.email }, 'Somebody has an account with this address already.'],
      [{}, 'Enter a'],
    ] as const) {
      const answer = await invite(form)
      expect(answer.status, error).to.equal(400)
      expect(visibleText(answer)).to.include(error)
    }
    expect((await invite({ ...ines, name: '' })).body).to.include(ines.email)
    expect(await account()).to.equal(undefined)
  })

  it('tell when they were sent and until when the link works, and what has run out', async () => {
    await invite()
    expect(visibleText(await priya.by.get(LIST)))
      .to.include('Link works until')
      .and.not.to.include('Expired')
    stage.advance(7 * DAY + 1000)
    const page = await priya.by.follow(LIST)
    expect(page.heading).to.equal('Log in')
    priya = await members.enrolled({
      name: 'Rosa',
      role: 'admin',
      organisationId: priya.person.organisationId,
    })
    expect(visibleText(await priya.by.get(LIST))).to.include('Expired')
    expect(await opened(await link())).to.equal('This link no longer works')
  })

  it('are sent again: the newer link alone works; ten in a day are enough', async () => {
    await invite()
    const first = await link()
    const path = `${LIST}/${await idOf()}/send`
    const again = () => priya.by.post(path, {})
    expect((await again()).status).to.equal(303)
    const second = await link([first])
    expect(await opened(first)).to.equal('This link no longer works')
    expect(await opened(second)).to.equal('Choose your password')
    for (let n = 0; n < 9; n++) expect((await again()).status).to.equal(303)
    const stopped = await again()
    expect(stopped.status).to.equal(429)
    expect(visibleText(stopped)).to.include('Ines Falk has had 10 invitations in 24 hours.')
  })

  it('are withdrawn: the account is gone, the link dies, the address is free', async () => {
    await invite()
    const id = await idOf()
    const address = await link()
    const page = await priya.by.get(`/admin/users/${id}/withdraw`)
    expect(page.heading).to.equal('Withdraw the invitation of Ines Falk?')
    expect(await account()).not.to.equal(undefined)
    const answer = await priya.by.post(`/admin/users/${id}/withdraw`, {})
    expect(visibleText(await priya.by.get(answer.location ?? ''))).to.include('The invitation is withdrawn.')
    expect(await account()).to.equal(undefined)
    expect(await opened(address)).to.equal('This link no longer works')
    expect((await priya.by.get(`/admin/users/${id}`)).status).to.equal(404)
    expect(await audited(stage, 'user.invitation_withdrawn', { id })).to.equal(1)
    expect((await invite()).status).to.equal(303)
    expect((await account())?.status).to.equal('invited')
  })

  it('that are withdrawn by two admins at once are withdrawn once', async () => {
    const { organisationId } = priya.person
    const rosa = await members.enrolled({ name: 'Rosa', role: 'admin', organisationId })
    await invite()
    const id = await idOf()
    const path = `/admin/users/${id}/withdraw`
    const answers = await Promise.all([priya.by.post(path, {}), rosa.by.post(path, {})])
    for (const { status } of answers) expect(status).to.be.oneOf([303, 404])
    expect(await audited(stage, 'user.invitation_withdrawn', { id })).to.equal(1)
  })

  it('are not withdrawn from somebody who chooses a password at the same moment, nor do both happen', async () => {
    await invite()
    const id = await idOf()
    const address = await link()
    const [saved] = await Promise.all([
      createVisitor(stage.origin).post(pathOf(address), { password: PASSWORD }),
      priya.by.post(`/admin/users/${id}/withdraw`, {}),
    ])
    const withdrawn = await audited(stage, 'user.invitation_withdrawn', { id })
    expect([saved?.heading, (await account())?.status]).to.deep.equal(
      withdrawn === 1 ? ['This link no longer works', undefined] : ['Your password is saved', 'active'],
    )
    // Of somebody who is there, nothing is withdrawn.
    await invite({ ...ines, email: `jo${ines.email}` })
    const [other] = await rows(stage, 'SELECT id FROM accounts WHERE email = ?', [`jo${ines.email}`])
    const second = await mailed(stage, { email: `jo${ines.email}` }, INVITATION_LINK)
    await createVisitor(stage.origin).post(pathOf(second), { password: PASSWORD })
    await priya.by.post(`/admin/users/${other?.id}/withdraw`, {})
    expect(await audited(stage, 'user.invitation_withdrawn', { id: String(other?.id) })).to.equal(0)
  })

  it('of one address by two admins at once make one account', async () => {
    const { organisationId } = priya.person
    const rosa = await members.enrolled({ name: 'Rosa', role: 'admin', organisationId })
    const answers = await Promise.all([invite(), invite(ines, rosa.by)])
    for (const { status } of answers) expect(status).to.be.oneOf([303, 400])
    const found = await rows(stage, 'SELECT id FROM accounts WHERE email = ?', [ines.email])
    expect(found).to.have.length(1)
  })

  it('of another organisation are not there', async () => {
    const mallory = await members.enrolled({ name: 'Mallory', role: 'admin' })
    await invite()
    const id = await idOf()
    expect(visibleText(await mallory.by.get(LIST)))
      .to.include('Invitations 0')
      .and.not.to.include(ines.email)
    for (const path of [`${LIST}/${id}/send`, `/admin/users/${id}/withdraw`]) {
      expect((await mallory.by.post(path, {})).status, path).to.equal(404)
    }
    expect((await invite(ines, mallory.by)).status).to.equal(400)
    expect((await account())?.organisationId).to.equal(priya.person.organisationId)
  })

  it('wait for a fresh second factor, with what was typed', async () => {
    stage.advance(6 * MINUTE)
    const asked = await invite()
    expect(await account()).to.equal(undefined)
    const shown = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(shown.heading).to.equal('Invite a user')
    expect(shown.body).to.include(ines.email).and.to.include('Press once more')
    expect(await account()).to.equal(undefined)
    await invite()
    expect((await account())?.status).to.equal('invited')
  })

  it('are made by nobody who was an admin a moment ago', async () => {
    await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [priya.person.id])
    expect((await invite()).status).to.equal(404)
    expect(await account()).to.equal(undefined)
  })

  it('turn pages, and are read in at most five statements', async () => {
    for (let n = 0; n < 27; n++) {
      await change(
        stage,
        `INSERT INTO accounts (id, organisation_id, email, email_key, name, name_key, role, status, created_at)
         VALUES (?, ?, ?, ?, ?, ?, 'technician', 'invited', 0)`,
        [
          `usr_${invited}_${n}`,
          priya.person.organisationId,
          ...[`k${n}.${ines.email}`, `k${n}.${ines.email}`],
          ...[`Kim ${String(n).padStart(2, '0')}`, `kim ${String(n).padStart(2, '0')}`],
        ],
      )
    }
    const { result: first, reads, statements } = await countWork(stage, () => priya.by.get(LIST))
    expect(reads, statements.join()).to.be.at.most(5)
    expect(visibleText(first)).to.include('1 to 25').and.to.include('Kim 24').and.not.to.include('Kim 25')
    const next = /href="([^"]+)" rel="next"/.exec(first.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
    const second = await priya.by.get(next)
    expect(visibleText(second)).to.include('26 to 27').and.to.include('Kim 26')
    const previous = /href="([^"]+)" rel="prev"/.exec(second.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
    expect(visibleText(await priya.by.get(previous))).to.include('1 to 25')
  })
})
