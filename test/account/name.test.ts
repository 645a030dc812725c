// Changing one's own name, by requests alone: who sees it then, what it takes, and what can be no name.

import { expect } from 'chai'
import * as client from 'openid-client'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { changeName, type OwnPlace } from '../../src/store/accounts/own-changes.ts'
import { CommitRefused } from '../../src/store/database.ts'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, change, givePasskey, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, logIn, relyingParty, throughPassword, visibleText } from '../support/visitor.ts'
import { agentOf } from '../support-cases/ground.ts'

const PAGE = '/account/name'
const EVENT = 'account.name_changed'
const SUBJECT = 'The name of your account was changed'
const SAME = 'That is your name already: nothing was changed.'

onEveryStage('changing one’s own name', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let dana: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    dana = await members.enrolled()
  })

  const send = (name: string, { by } = dana) => by.post(PAGE, { name })
  const nameOf = async ({ person } = dana) =>
    (await readAccount(stage.running.services.database, person.id))?.name
  const changes = ({ person } = dana) => audited(stage, EVENT, person)
  const mailsTo = async ({ email } = dana.person) =>
    (await stage.mails()).filter(
      ({ subject, to }) => subject === SUBJECT && JSON.stringify(to).includes(`"${email}"`),
    )

  it('shows the name of now, keeps the one that is sent, and says so', async () => {
    const page = await dana.by.get(PAGE)
    expect(page.heading).to.equal('Change your name')
    expect(page.body).to.include('value="Dana Whitlock"')
    const overview = await dana.by.follow((await send('  Zoe\u0308 <b>Reyes</b> ')).location ?? '')
    expect(visibleText(overview)).to.include('Your name is changed.')
    expect(overview.body).to.include('<h1>Zoë &lt;b&gt;Reyes&lt;/b&gt;</h1>')
    expect(await nameOf()).to.equal('Zoë <b>Reyes</b>')
  })

  it('is seen by admins, who find and sort by it, and by apps, from the next request on', async () => {
    const party = await relyingParty(stage)
    const admin = { name: 'Priya Raman', role: 'admin' } as const
    const priya = await members.enrolled({ ...admin, organisationId: dana.person.organisationId })
    const begun = await party.begin()
    const end = await logIn(stage, createVisitor(stage.origin), begun.url, dana.person, dana.enrolled)
    const { access_token: token } = await party.finish(begun, end)
    const listed = async (query = '') => {
      const { body } = await priya.by.get(`/admin/users${query}`)
      return [...body.matchAll(/\buser\d+@northgate\.example/g)].map(([email]) => email)
    }
    const order = async () => [...new Set(await listed())]
    expect(await order()).to.deep.equal([dana.person.email, priya.person.email])
    await send('Ýrsa Álvarez')
    expect(await order()).to.deep.equal([priya.person.email, dana.person.email])
    expect(await listed('?q=yrsa+alvarez')).to.include(dana.person.email)
    expect(await listed('?q=whitlock')).not.to.include(dana.person.email)
    expect((await priya.by.get(`/admin/users/${dana.person.id}`)).heading).to.equal('Ýrsa Álvarez')
    expect((await client.fetchUserInfo(party.config, token, dana.person.id)).name).to.equal('Ýrsa Álvarez')
  })

  it('tells its owner, under the name of before, with a link to lock the account; and the log, once', async () => {
    await send('Eve Adams')
    const mail = await stage.mail(
      ({ subject, to }) => subject === SUBJECT && JSON.stringify(to).includes(dana.person.email),
    )
    expect(mail.text).to.include('Hello Dana Whitlock').and.to.include('“Eve Adams”')
    expect(mail.text).to.match(/http\S+\/link\/lock\/[\w-]+/)
    const [row] = await rows(
      stage,
      'SELECT details, address FROM audit_events WHERE event = ? AND account_id = ?',
      [EVENT, dana.person.id],
    )
    expect(JSON.parse(String(row?.details))).to.include({ from: 'Dana Whitlock', to: 'Eve Adams' })
    const seen = visibleText(await dana.by.get('/account/activity'))
    expect(seen).to.include('Name changed').and.to.include('Before: Dana Whitlock · Now: Eve Adams')
  })

  it('tells the browser what the owner of its passkeys is called now', async () => {
    await givePasskey(stage, dana.person)
    const answer = await send('Eve Adams')
    const { body } = await dana.by.follow(answer.location ?? '')
    const signals = /data-signals="([^"]+)"/.exec(body)?.[1]?.replaceAll('&quot;', '"') ?? '[]'
    const said = (JSON.parse(signals) as [string, { displayName: string }][]).find(
      ([signal]) => signal === 'signalCurrentUserDetails',
    )
    expect(said?.[1]).to.include({ name: dana.person.email, displayName: 'Eve Adams' })
  })

  it('ends nothing: other sessions go on', async () => {
    const other = createVisitor(stage.origin)
    await logIn(stage, other, '/account', dana.person, dana.enrolled)
    await send('Eve Adams')
    expect((await other.get('/account')).heading).to.equal('Eve Adams')
  })

  it('says of the same name, also in another spelling of its characters, that nothing was changed', async () => {
    await send('Zoë')
    for (const name of ['Zoë', ' Zoe\u0308 ']) {
      const overview = await dana.by.follow((await send(name)).location ?? '')
      expect(visibleText(overview)).to.include(SAME)
    }
    expect(await changes()).to.equal(1)
  })

  it('of twenty presses at once changes it once, and mails once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send('Eve Adams')))
    expect(answers.every(each => each.status === 303)).to.equal(true)
    expect(await changes()).to.equal(1)
    await stage.mail(
      ({ subject, to }) => subject === SUBJECT && JSON.stringify(to).includes(dana.person.email),
    )
    expect(await mailsTo()).to.have.length(1)
  })

  it('takes what an invitation takes: one line of 1 to 200 characters that can be seen', async () => {
    const refused = [
      ...['', '   ', 'x'.repeat(201), 'a\nb', 'a\u0007b', 'a\u2028b'],
      // Would rewrite what stands beside it, in an admin's list.
      ...['\u202eanaD', 'Dana\u2066'],
      // Nobody could press on it there.
      ...['\u200b', '\u3164', '\u2060\u200d'],
    ]
    for (const name of refused) {
      const answer = await send(name)
      expect(answer.status, JSON.stringify(name)).to.equal(400)
      expect(visibleText(answer)).to.include('Enter a name, in one line and at most 200 characters.')
    }
    expect((await dana.by.post(PAGE, {})).status).to.equal(400)
    expect(await nameOf()).to.equal('Dana Whitlock')
    expect(await changes()).to.equal(0)
    for (const name of ['x', 'x'.repeat(200), '張三', 'محمد', '👩‍🔧 Dana'])
      expect((await send(name)).location, name).to.include('?done=name')
  })

  it('E4: changes nothing with a factor older than five minutes, a password alone, or from another site', async () => {
    stage.advance(6 * MINUTE)
    const asked = await send('Eve Adams')
    const shown = await members.prove(dana, await dana.by.follow(asked.location ?? ''))
    expect(shown.heading).to.equal('Change your name')
    expect(visibleText(shown)).to.include('Press once more')
    expect(shown.body).to.include('value="Eve Adams"')
    expect(await nameOf()).to.equal('Dana Whitlock')
    const foreign = await dana.by.post(PAGE, { name: 'Eve Adams' }, { 'sec-fetch-site': 'cross-site' })
    expect(foreign.status).to.equal(403)
    const person = await stage.person({ graceUntil: 'tomorrow' })
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', person.email)
    await by.post(`${base}/put-off`, {})
    await by.follow(base)
    const stopped = await by.follow((await by.post(PAGE, { name: 'Eve Adams' })).location ?? '')
    expect(stopped.heading).to.equal('Set up two-factor authentication')
    expect(await audited(stage, EVENT, person)).to.equal(0)
    expect(await changes()).to.equal(0)
    await send('Eve Adams')
    expect(await nameOf()).to.equal('Eve Adams')
  })

  it('changes nothing of an account that was reset or deactivated since, and mails nobody', async () => {
    await change(stage, 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?', [dana.person.id])
    expect((await send('Eve Adams')).location).to.include('/auth?')
    expect(await nameOf()).to.equal('Dana Whitlock')
    expect(await changes()).to.equal(0)
    expect(await mailsTo()).to.deep.equal([])
  })

  it('of two commits at the same moment one is made; none from a session that ended, or after a reset', async () => {
    const { database } = stage.running.services
    const { person: other } = await members.enrolled({ name: 'Ben Okafor' })
    const commit = (at: OwnPlace, name: string, before = 'Dana Whitlock') =>
      database.commit([changeName(at, { before, name })]).then(
        () => 'done',
        error => (error instanceof CommitRefused ? error.refusal : String(error)),
      )
    const { epoch = 0 } = (await readAccount(database, dana.person.id)) ?? {}
    const [session] = await rows(stage, 'SELECT uid FROM oidc_sessions WHERE account_id = ?', [
      dana.person.id,
    ])
    const place = { accountId: dana.person.id, epoch, sessionUid: String(session?.uid) }
    for (const wrong of [{ epoch: epoch + 1 }, { sessionUid: 'none' }, { accountId: other.id }])
      expect(await commit({ ...place, ...wrong }, 'Eve')).to.equal('account_changed')
    const ends = await Promise.all([commit(place, 'Eve'), commit(place, 'Mallory')])
    expect(ends.toSorted()).to.deep.equal(['account_changed', 'done'])
    expect(await commit(place, 'Ann', await nameOf())).to.equal('done')
    expect((await readAccount(database, other.id))?.name).to.equal('Ben Okafor')
    const ended = 'UPDATE oidc_sessions SET ended_at = 1 WHERE account_id = ?'
    await change(stage, ended, [dana.person.id])
    expect(await commit(place, 'Eve', 'Ann')).to.equal('account_changed')
  })

  it('is a support agent’s, too', async () => {
    const sam = await agentOf(stage)
    const page = await sam.by.get(PAGE)
    expect(visibleText(page)).to.include('Other support agents see this name.')
    await sam.by.post(PAGE, { name: 'Sam Ellery-Ito' })
    expect((await sam.by.get('/account')).heading).to.equal('Sam Ellery-Ito')
    expect(await audited(stage, EVENT, sam.person)).to.equal(1)
  })
})
