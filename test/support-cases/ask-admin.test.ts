// Whoever has lost all but the password asks the admins of their organisation first.

import { expect } from 'chai'
import { membersOf } from '../admin/member.ts'
import { audited, halfLogin, rows, victim } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty, throughPassword } from '../support/visitor.ts'
import { HOUR, lockedOut, openedCase } from './ground.ts'

const HELP = 'Get back into your account'
const ASK_MAIL = /asks for help to log in/

onEveryStage('asking an admin', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  const askMails = async ({ email }: { email: string }) =>
    (await stage.mails()).filter(
      ({ to, subject }) => ASK_MAIL.test(subject ?? '') && JSON.stringify(to).includes(`"${email}"`),
    )

  async function team() {
    const admin = await membersOf(stage).enrolled({ role: 'admin', name: 'Priya Raman' })
    const { organisationId } = admin.person
    const second = await stage.person({ role: 'admin', name: 'Rosa Martín', organisationId })
    const lost = await victim(stage, party, { name: 'Olu Adebayo', organisationId })
    return { admin, second, lost }
  }

  it('is offered on the page for a one-time code, and on the one for a recovery code', async () => {
    const { lost } = await team()
    const { visitor, base, page } = await halfLogin(stage, party, lost.person)
    expect(page.body).to.include('Can’t use your authenticator or recovery code?')
    expect((await visitor.get(`${base}?with=recovery`)).body).to.include(
      'Can’t use your authenticator or recovery code?',
    )
    const help = await visitor.get(`${base}?with=ask-admin`)
    expect(help.heading).to.equal(HELP)
    expect(help.body).to.include('Your organisation has 2 other admins.').and.include('Ask an admin')
  })

  it('mails every active admin, once in 24 hours, and is a task in the console until one resets', async () => {
    const { admin, second, lost } = await team()
    const { visitor, base } = await lockedOut(stage, party, lost.person)
    const asked = await visitor.post(`${base}/ask-admin`, {})
    expect(asked.location).to.match(/\?with=ask-admin$/)
    const page = await visitor.get(asked.location ?? '')
    expect(page.heading).to.equal(HELP)
    expect(page.body).to.include('The 2 admins of your organisation have').and.not.include('>Ask an admin<')
    for (const person of [admin.person, second]) {
      await stage.mail(
        ({ to, text }) => JSON.stringify(to).includes(person.email) && /Olu Adebayo/.test(text ?? ''),
      )
    }
    expect(await audited(stage, 'help.asked', lost.person)).to.equal(1)

    // The same in another browser, many times at once.
    const again = await lockedOut(stage, party, lost.person)
    await Promise.all(Array.from({ length: 10 }, () => again.visitor.post(`${again.base}/ask-admin`, {})))
    expect(await audited(stage, 'help.asked', lost.person)).to.equal(1)
    expect(await askMails(second)).to.have.length(1)

    const list = await admin.by.get('/admin/users')
    expect(list.body).to.include('1 user asks for help to log in.')
    const tasks = await admin.by.get('/admin/help')
    expect(tasks.body).to.include('Olu Adebayo').and.include(lost.person.email)
    const userPage = await admin.by.get(`/admin/users/${lost.person.id}`)
    expect(userPage.body).to.include('Asks for help since')

    const draft = await admin.by.post(`/admin/users/${lost.person.id}/reset`, {})
    const reset = await admin.by.post(draft.location ?? '', { reason: 'Phone lost, called back' })
    expect(reset.status).to.equal(303)
    await stage.mail(
      ({ subject, to }) => /was reset/.test(subject ?? '') && JSON.stringify(to).includes(lost.person.email),
    )
    expect((await admin.by.get('/admin/users')).body).not.to.include('asks for help')
    expect((await admin.by.get('/admin/help')).body).to.include('Nobody asks for help.')
  })

  it('ends by itself when its user logs in', async () => {
    const { admin, lost } = await team()
    const { visitor, base } = await lockedOut(stage, party, lost.person)
    await visitor.post(`${base}/ask-admin`, {})
    expect((await admin.by.get('/admin/help')).body).to.include('Olu Adebayo')
    await visitor.post(`${base}/recovery`, { code: lost.recoveryCode })
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    await visitor.post(`${base}/set-up-again`, { answer: 'no' })
    await visitor.follow(base)
    expect((await admin.by.get('/admin/help')).body).to.include('Nobody asks for help.')
  })

  it('shows an organisation’s requests to its own admins only', async () => {
    const { lost } = await team()
    const { visitor, base } = await lockedOut(stage, party, lost.person)
    await visitor.post(`${base}/ask-admin`, {})
    const other = await membersOf(stage).enrolled({ role: 'admin' })
    expect((await other.by.get('/admin/help')).body).to.include('Nobody asks for help.')
    const user = await membersOf(stage).enrolled({ organisationId: lost.person.organisationId })
    expect((await user.by.get('/admin/help')).status).to.equal(404)
  })

  it('offers a support case when no admin has acted within the time for it, and not before', async () => {
    const { lost } = await team()
    let at = await lockedOut(stage, party, lost.person)
    await at.visitor.post(`${at.base}/ask-admin`, {})
    stage.advance(23 * HOUR)
    at = await lockedOut(stage, party, lost.person)
    expect(at.page.body).to.include('offers a support case').and.not.include('Mail me a code')
    const early = await at.visitor.post(`${at.base}/open-case`, { reason: 'I want it now' })
    expect(early.status).to.equal(400)
    expect(early.body).to.include('the admins of your organisation come first')
    stage.advance(2 * HOUR)
    at = await lockedOut(stage, party, lost.person)
    expect(at.page.body).to.include('No admin has helped since you asked').and.include('Mail me a code')
    expect(await openedCase(stage, party, lost.person)).to.be.greaterThan(0)
  })

  it('is not there before the password was right: unknown and known addresses answer alike', async () => {
    const { lost } = await team()
    const forms = {
      'ask-admin': {},
      'send-case-code': {},
      'case-code': { code: '123456' },
      'open-case': { reason: 'x' },
    }
    for (const email of ['nobody@northgate.example', lost.person.email]) {
      const visitor = createVisitor(stage.origin)
      const { base } = await throughPassword(visitor, (await party.begin()).url, email, 'wrong')
      for (const [way, form] of Object.entries(forms)) {
        expect((await visitor.post(`${base}/${way}`, form)).status, way).to.equal(409)
        expect((await visitor.get(`${base}?with=${way}`)).heading, way).to.equal('Enter your password')
      }
    }
    const [row] = await rows(stage, 'SELECT count(*) AS n FROM help_requests WHERE account_id = ?', [
      lost.person.id,
    ])
    expect(Number(row?.n)).to.equal(0)
  })
})
