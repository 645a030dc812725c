// A user's page and what an admin does there, by requests alone: what it shows, what each action does, once, and for whom
// it is not there.

import { expect } from 'chai'
import { reserveAttempt } from '../../src/factors/attempts.ts'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { audited, change, givePasskey, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Person, Stage } from '../support/stage.ts'
import { type Answer, createVisitor, throughPassword, uidOf, visibleText } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import { type Member, membersOf } from './member.ts'

onEveryStage('a user’s page', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let priya: Member
  let ben: Person

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    priya = await members.enrolled({ name: 'Priya Raman', role: 'admin' })
    ben = await stage.person({ name: 'Ben Okafor', organisationId: priya.person.organisationId })
  })

  const pageOf = ({ id }: Person) => `/admin/users/${id}`
  const accountOf = ({ id }: Person) => readAccount(stage.running.services.database, id)
  const send = (path: string, form: Record<string, string> = {}, by = priya.by) =>
    by.post(`${pageOf(ben)}/${path}`, form)

  /** What the buttons and links of the page lead to. */
  const offered = ({ body }: Answer) =>
    [...body.matchAll(/(?:href|action)="\/admin\/users\/[\w-]+\/([\w-]+)/g)].map(([, name]) => name)

  const keyOf = async () => /passkey=([\w-]+)/.exec((await priya.by.get(pageOf(ben))).body)?.[1] ?? ''

  it('is where the list leads, and shows who it is, how they log in and what happened', async () => {
    const list = await priya.by.get('/admin/users')
    expect(list.body).to.include(`href="${pageOf(ben)}"`)
    const bare = await priya.by.get(pageOf(ben))
    expect(bare.heading).to.equal('Ben Okafor')
    expect(visibleText(bare)).to.include(ben.email).and.to.include('Not set up').and.to.include('Never')
    expect(visibleText(bare)).to.include('User created').and.to.include('Operator')
    expect(offered(bare)).to.deep.equal(['admin', 'deactivate'])

    await givePasskey(stage, ben)
    await send('admin')
    const full = await priya.by.get(pageOf(ben))
    expect(visibleText(full))
      .to.include('1 passkey')
      .and.to.include('never used')
      .and.to.include('Priya Raman')
    expect(offered(full)).to.deep.equal(['remove-passkey', 'reset', 'technician', 'deactivate'])
  })

  it('shows ten events, about this user alone', async () => {
    for (let n = 0; n < 12; n++) await send(n % 2 === 0 ? 'admin' : 'technician')
    const { body } = await priya.by.get(pageOf(ben))
    expect(body.split('Role changed')).to.have.length(11)
    expect((await priya.by.get(pageOf(priya.person))).body).not.to.include('Role changed')
  })

  it('is read in at most five statements, however much there is', async () => {
    for (let n = 0; n < 3; n++) await givePasskey(stage, ben)
    const { reads, statements } = await countWork(stage, () => priya.by.get(pageOf(ben)))
    expect(reads, statements.join()).to.be.at.most(5)
  })

  it('is not there for another organisation, nor for an id that nobody has', async () => {
    const mallory = await members.enrolled({ name: 'Mallory', role: 'admin' })
    for (const id of [ben.id, 'usr_0', 'x'.repeat(65), '%00', '..%2fusers']) {
      expect((await mallory.by.get(`/admin/users/${id}`)).status, id).to.equal(404)
    }
    // Who is somebody else's is looked for as nobody is, and nothing more is read of them.
    const { reads, statements } = await countWork(stage, () => mallory.by.get(pageOf(ben)))
    expect(reads, statements.join()).to.equal(2)
    for (const path of ['deactivate', 'admin', 'unblock', 'log-out', 'reset', 'remove-passkey']) {
      const answer = await mallory.by.post(`${pageOf(ben)}/${path}`, {})
      expect(answer.status, path).to.equal(404)
    }
    expect((await accountOf(ben))?.status).to.equal('active')
  })

  it('leads to the confirmation of a reset of this user', async () => {
    await givePasskey(stage, ben)
    const answer = await send('reset')
    expect(answer.status).to.equal(303)
    const page = await priya.by.get(answer.location ?? '')
    expect(page.heading).to.equal('Reset 2FA for 1 user?')
    expect(page.body).to.include('Ben Okafor')
  })

  it('deactivates and reactivates, each after a page that says what happens', async () => {
    const page = await priya.by.get(`${pageOf(ben)}/deactivate`)
    expect(page.heading).to.equal('Deactivate Ben Okafor?')
    expect((await accountOf(ben))?.status).to.equal('active')
    const answer = await send('deactivate')
    const after = await priya.by.get(answer.location ?? '')
    expect(visibleText(after)).to.include('Ben Okafor is deactivated.')
    expect(offered(after)).to.deep.equal(['reactivate', 'admin'])
    expect(await audited(stage, 'user.deactivated', ben)).to.equal(1)
    // There is nothing to confirm any more.
    expect((await priya.by.get(`${pageOf(ben)}/deactivate`)).status).to.equal(303)
    expect((await send('deactivate')).status).to.equal(303)
    expect(await audited(stage, 'user.deactivated', ben)).to.equal(1)

    expect((await priya.by.get(`${pageOf(ben)}/reactivate`)).heading).to.equal('Reactivate Ben Okafor?')
    await send('reactivate')
    expect((await accountOf(ben))?.status).to.equal('active')
  })

  it('says nothing was done that was not', async () => {
    expect((await priya.by.get(`${pageOf(ben)}?done=deactivate`)).body).not.to.include('is deactivated')
    expect((await priya.by.get(`${pageOf(ben)}?done=__proto__`)).status).to.equal(200)
  })

  it('keeps the last active admin, and says why', async () => {
    const own = pageOf(priya.person)
    const page = await priya.by.get(own)
    expect(visibleText(page)).to.include(
      'Priya Raman is the last active admin of your organisation, and stays one.',
    )
    expect(offered(page)).to.deep.equal(['reset', 'log-out'])
    for (const path of ['deactivate', 'technician']) {
      expect(visibleText(await priya.by.get(`${own}/${path}`))).to.include(
        'Make somebody else an admin first.',
      )
      const answer = await priya.by.post(`${own}/${path}`, {})
      expect(answer.status).to.equal(409)
      expect(visibleText(answer)).to.include('Make somebody else an admin first.')
    }
    expect((await accountOf(priya.person))?.role).to.equal('admin')
  })

  it('keeps one of two admins who take the role from each other at once', async () => {
    const rosa = await members.enrolled({
      name: 'Rosa',
      role: 'admin',
      organisationId: priya.person.organisationId,
    })
    const answers = await Promise.all([
      priya.by.post(`${pageOf(rosa.person)}/technician`, {}),
      rosa.by.post(`${pageOf(priya.person)}/technician`, {}),
    ])
    const roles = [(await accountOf(priya.person))?.role, (await accountOf(rosa.person))?.role]
    expect(roles.toSorted()).to.deep.equal(['admin', 'technician'])
    expect(answers.map(each => each.status).toSorted()).to.deep.equal([303, 404])
  })

  it('lets an admin take the role from themselves, after saying what follows', async () => {
    await send('admin')
    const own = pageOf(priya.person)
    expect(visibleText(await priya.by.get(`${own}/technician`))).to.include('This console closes for you')
    const answer = await priya.by.post(`${own}/technician`, {})
    expect(new URL(answer.location ?? '').pathname).to.equal('/account')
    expect((await priya.by.get('/admin/users')).status).to.equal(404)
  })

  it('logs out an admin who deactivates themselves', async () => {
    await send('admin')
    const answer = await priya.by.post(`${pageOf(priya.person)}/deactivate`, {})
    expect((await priya.by.follow(answer.location ?? '')).heading).to.equal('Log in')
    expect((await accountOf(priya.person))?.status).to.equal('deactivated')
  })

  it('shows where a user is logged in, and which session is one’s own', async () => {
    expect(visibleText(await priya.by.get(pageOf(ben)))).to.include('Ben Okafor is not logged in.')
    const lena = await members.enrolled({ name: 'Lena', organisationId: ben.organisationId })
    await change(stage, 'UPDATE oidc_sessions SET device = ?, address = ? WHERE account_id = ?', [
      'Firefox, Windows',
      '192.0.2.17',
      lena.person.id,
    ])
    const page = visibleText(await priya.by.get(pageOf(lena.person)))
    expect(page).to.include('Firefox, Windows').and.to.include('192.0.2.17')
    expect(page).not.to.include('This session')
    expect(visibleText(await priya.by.get(pageOf(priya.person)))).to.include('Unknown device This session')
    // What is over by the policy is not shown, though it is there until it is swept.
    await change(stage, 'UPDATE oidc_sessions SET last_seen_at = ? WHERE account_id = ?', [
      stage.now() - 24 * 60 * MINUTE,
      lena.person.id,
    ])
    expect(visibleText(await priya.by.get(pageOf(lena.person)))).to.include('Lena is not logged in.')
  })

  it('logs a user out everywhere, once, however often it is pressed', async () => {
    const lena = await members.enrolled({ name: 'Lena', organisationId: ben.organisationId })
    ben = lena.person
    expect(offered(await priya.by.get(pageOf(ben)))).to.include('log-out')
    expect((await priya.by.get(`${pageOf(ben)}/log-out`)).heading).to.equal('Log out Lena everywhere?')
    expect((await lena.by.get('/account')).status).to.equal(200)
    const presses = await Promise.all([1, 2, 3].map(() => send('log-out')))
    expect(new Set(presses.map(each => each.status))).to.deep.equal(new Set([303]))
    expect((await lena.by.follow('/account')).heading).to.equal('Log in')
    expect(await audited(stage, 'user.logged_out', ben)).to.equal(1)
    const after = await priya.by.get(presses[0]?.location ?? '')
    expect(visibleText(after))
      .to.include('Lena is logged out everywhere.')
      .and.to.include('Lena is not logged in.')
    expect(offered(after)).not.to.include('log-out')
    // Factors stay.
    expect((await accountOf(ben))?.authenticator).not.to.equal(undefined)
    expect((await priya.by.get(`${pageOf(ben)}/log-out`)).status).to.equal(303)
  })

  it('logs an admin out who does it to themselves, after saying so', async () => {
    const own = pageOf(priya.person)
    expect(visibleText(await priya.by.get(`${own}/log-out`))).to.include('You are logged out, too.')
    const answer = await priya.by.post(`${own}/log-out`, {})
    expect((await priya.by.follow(answer.location ?? '')).heading).to.equal('Log in')
  })

  it('changes nothing without a fresh second factor, and then takes one more press', async () => {
    stage.advance(6 * MINUTE)
    const asked = await send('deactivate')
    expect((await accountOf(ben))?.status).to.equal('active')
    const page = await priya.by.follow(asked.location ?? '')
    const shown = await members.prove(priya, page)
    expect(shown.heading).to.equal('Deactivate Ben Okafor?')
    const pending = /name="pending" value="([^"]+)"/.exec(shown.body)?.[1] ?? ''
    expect((await accountOf(ben))?.status).to.equal('active')
    const [one, other] = await Promise.all([send('deactivate', { pending }), send('deactivate', { pending })])
    expect([one?.status, other?.status]).to.deep.equal([303, 303])
    expect(await audited(stage, 'user.deactivated', ben)).to.equal(1)
    // What waited for one press does not come back by another.
    await send('reactivate')
    await send('deactivate', { pending })
    expect((await accountOf(ben))?.status).to.equal('active')
  })

  describe('and a passkey', () => {
    it('is removed: nobody logs in with it, its owner is logged out and told', async () => {
      const lena = await members.enrolled({ name: 'Lena', organisationId: ben.organisationId })
      ben = lena.person
      const lost = await givePasskey(stage, ben)
      const by = createVisitor(stage.origin)
      expect((await withPasskey(by, lost)).heading).to.equal('Lena')
      const passkey = await keyOf()
      const page = await priya.by.get(`${pageOf(ben)}/remove-passkey?passkey=${passkey}`)
      expect(page.heading).to.equal('Remove the passkey “Passkey” of Lena?')
      expect(page.body).not.to.include('It is all that they prove themselves with')
      await send('remove-passkey', { passkey })

      // What it proved, and what was proven without it: neither is told from the other.
      expect((await by.follow('/account')).heading).to.equal('Log in')
      expect((await lena.by.follow('/account')).heading).to.equal('Log in')
      expect((await withPasskey(createVisitor(stage.origin), lost)).heading).not.to.equal('Lena')
      const { page: next } = await throughPassword(createVisitor(stage.origin), '/account', ben.email)
      expect(next.heading).to.equal('Verify your identity')
      const mail = await stage.mail(({ subject }) => subject === 'A passkey was removed from your account')
      expect(mail.text).to.include('Priya Raman').and.to.include('Your other ways to log in still work.')
      expect(await audited(stage, 'passkey.removed', ben)).to.equal(1)
    })

    it('that is the only factor is like a reset: the next set-up asks for the mailbox, and cannot be put off', async () => {
      await givePasskey(stage, ben)
      const passkey = await keyOf()
      expect((await priya.by.get(`${pageOf(ben)}/remove-passkey?passkey=${passkey}`)).body).to.include(
        'It is all that they prove themselves with',
      )
      await send('remove-passkey', { passkey })
      const after = await accountOf(ben)
      expect([after?.passkeys, after?.secondFactorResetAt === null]).to.deep.equal([0, false])
      const { page } = await throughPassword(createVisitor(stage.origin), '/account', ben.email)
      expect(page.heading).to.equal('Check your email')
      expect(visibleText(await priya.by.get(pageOf(ben)))).to.include('Reset pending')
    })

    it('is removed once by two admins at once, and the other one of the user stays', async () => {
      await givePasskey(stage, ben)
      await givePasskey(stage, ben)
      const rosa = await members.enrolled({
        name: 'Rosa',
        role: 'admin',
        organisationId: ben.organisationId,
      })
      const passkey = await keyOf()
      await Promise.all([
        send('remove-passkey', { passkey }),
        send('remove-passkey', { passkey }, rosa.by),
        send('remove-passkey', { passkey: 'x' }),
        send('remove-passkey'),
      ])
      expect((await accountOf(ben))?.passkeys).to.equal(1)
      expect((await accountOf(ben))?.secondFactorResetAt).to.equal(null)
      expect(await audited(stage, 'passkey.removed', ben)).to.equal(1)
      const mails = await rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [
        `passkey-removed to ${ben.email}`,
      ])
      expect(mails).to.have.length(1)
    })

    it('of both passkeys by two admins at once leaves a reset pending', async () => {
      await givePasskey(stage, ben)
      await givePasskey(stage, ben)
      const rosa = await members.enrolled({
        name: 'Rosa',
        role: 'admin',
        organisationId: ben.organisationId,
      })
      const { body } = await priya.by.get(pageOf(ben))
      const [one = '', other = ''] = [...body.matchAll(/passkey=([\w-]+)/g)].map(([, key]) => key ?? '')
      await Promise.all([
        send('remove-passkey', { passkey: one }),
        send('remove-passkey', { passkey: other }, rosa.by),
      ])
      const after = await accountOf(ben)
      expect([after?.passkeys, after?.secondFactorResetAt === null]).to.deep.equal([0, false])
    })

    /** Logs in with a passkey alone. */
    async function withPasskey(
      by: ReturnType<typeof createVisitor>,
      authenticator: Awaited<ReturnType<typeof givePasskey>>,
    ): Promise<Answer> {
      const start = await by.follow('/account')
      const base = `/interaction/${uidOf(start.url)}`
      const challenge = /challenge&quot;:&quot;([\w-]+)/.exec(start.body)?.[1] ?? ''
      await by.post(`${base}/passkey`, { response: JSON.stringify(authenticator.assert(challenge)) })
      return by.follow(base)
    }
  })

  it('unblocks, and offers it only while something is blocked', async () => {
    expect(offered(await priya.by.get(pageOf(ben)))).not.to.include('unblock')
    const { database } = stage.running.services
    for (let n = 0; n < 10; n++)
      await database.commit([
        reserveAttempt('password', { account: ben.id, source: '192.0.2.1' }, stage.now()),
      ])
    for (let n = 0; n < 5; n++)
      await database.commit([reserveAttempt('code', { account: ben.id, source: '' }, stage.now())])
    const page = await priya.by.get(pageOf(ben))
    expect(visibleText(page)).to.include('Passwords and codes of Ben Okafor are not taken at the moment')
    expect(offered(page)[0]).to.equal('unblock')
    await Promise.all([send('unblock'), send('unblock')])
    expect(offered(await priya.by.get(pageOf(ben)))).not.to.include('unblock')
    await database.commit([reserveAttempt('code', { account: ben.id, source: '' }, stage.now())])
    expect(await audited(stage, 'user.unblocked', ben)).to.equal(1)
  })

  it('tells of passwords that are stopped everywhere', async () => {
    await change(
      stage,
      `INSERT INTO attempts (budget, account, source, in_a_row, today, day_started_at, blocked_until, expires_at)
       VALUES ('password-everywhere', ?, '', 100, 1, 0, 0, ?)`,
      [ben.id, stage.now() + 1e9],
    )
    expect(visibleText(await priya.by.get(pageOf(ben)))).to.include(
      'Passwords of Ben Okafor are not taken at the moment',
    )
    await send('unblock')
    expect(visibleText(await priya.by.get(pageOf(ben)))).not.to.include('are not taken')
  })

  it('obeys nobody who was an admin a moment ago', async () => {
    await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [priya.person.id])
    for (const path of ['deactivate', 'admin', 'unblock', 'remove-passkey', 'reset']) {
      expect((await send(path)).status, path).to.equal(404)
    }
    expect((await accountOf(ben))?.status).to.equal('active')
  })
})
