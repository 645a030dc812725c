// Changing one's own address, by requests alone: nothing goes by the new one before its mailbox says so, the old one can
// stop it, and nobody learns by it whose address is taken.

import { expect } from 'chai'
import { createUser } from '../../src/organisations/directory.ts'
import { readAccount, readAccountByEmail } from '../../src/store/accounts/accounts.ts'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, MINUTE, mailed, raw, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, logIn, throughPassword, visibleText } from '../support/visitor.ts'

const PAGE = '/account/email'
const HOUR = 60 * MINUTE
const CONFIRM = /http\S+\/link\/email-change\/[\w-]+/
const STOP = /http\S+\/link\/email-stop\/[\w.-]+/
const GONE = 'This link no longer works'

let addresses = 0

onEveryStage('changing one’s own address', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let dana: Member
  let fresh: string

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    dana = await members.enrolled()
    fresh = `new-${++addresses}@example.net`
  })

  const order = (email = fresh, { by } = dana) => by.post(PAGE, { email })
  const account = ({ person } = dana) => readAccount(stage.running.services.database, person.id)
  const addressOf = async (whose = dana) => (await account(whose))?.email
  const confirmLink = (email = fresh, seen: string[] = []) => mailed(stage, { email }, CONFIRM, seen)
  const stopLink = (seen: string[] = [], { person } = dana) => mailed(stage, person, STOP, seen)
  const press = (link: string) => createVisitor(stage.origin).post(link, {})
  const look = (link: string) => createVisitor(stage.origin).get(link)
  const headingAfter = async (email: string) =>
    (await throughPassword(createVisitor(stage.origin), '/account', email)).page.heading
  const mailsTo = async (email: string) =>
    (await stage.mails()).filter(({ to }) => JSON.stringify(to).includes(`"${email}"`))

  async function changed() {
    await order()
    expect((await press(await confirmLink())).heading).to.equal('Your address is changed')
  }

  it('is ordered with the new address, and made by the link in its mailbox, in any browser', async () => {
    const old = dana.person.email
    expect((await dana.by.get(PAGE)).heading).to.equal('Change your email address')
    const sent = await dana.by.follow((await order()).location ?? '')
    expect(sent.heading).to.equal('Check the new mailbox')
    expect(visibleText(sent)).to.include(fresh).and.to.include(old)
    expect(await addressOf()).to.equal(old)
    expect(await headingAfter(fresh), 'not before').to.equal('Enter your password')
    const link = await confirmLink()
    const asked = await look(link)
    expect(asked.heading).to.equal('Use this address?')
    expect(visibleText(asked), 'to a stranger').not.to.include(old).and.not.to.include('Dana')
    expect((await press(link)).heading).to.equal('Your address is changed')
    expect(await addressOf()).to.equal(fresh)
    expect(await headingAfter(fresh)).to.equal('Verify your identity')
    expect(await headingAfter(old)).to.equal('Enter your password')
    expect((await dana.by.get('/account')).status, 'the session that ordered it').to.equal(200)
    expect((await mailsTo(old)).map(each => each.subject)).to.include(
      'A new address for your account was asked for',
    )
    await stage.mail(
      ({ subject, to }) =>
        subject === 'The address of your account was changed' && JSON.stringify(to).includes(old),
    )
    for (const event of ['email.change_ordered', 'email.changed'])
      expect(await audited(stage, event, dana.person), event).to.equal(1)
  })

  it('ends the other sessions, and links that were mailed to the old address', async () => {
    const other = createVisitor(stage.origin)
    await logIn(stage, other, '/account', dana.person, dana.enrolled)
    await createVisitor(stage.origin).post('/forgot-password', { email: dana.person.email })
    const reset = await mailed(stage, dana.person, /http\S+\/link\/password-reset\/[\w-]+/)
    await changed()
    expect((await other.follow('/account')).heading).to.equal('Log in')
    expect((await look(reset)).heading).to.equal(GONE)
  })

  it('E4: orders nothing with a factor older than five minutes, a password alone, or from another site', async () => {
    stage.advance(6 * MINUTE)
    const asked = await order()
    expect(await audited(stage, 'email.change_ordered', dana.person)).to.equal(0)
    const page = await members.prove(dana, await dana.by.follow(asked.location ?? ''))
    expect(page.heading).to.equal('Change your email address')
    expect(visibleText(page)).to.include('Press once more')
    expect(page.body).to.include(fresh)
    expect(await audited(stage, 'email.change_ordered', dana.person)).to.equal(0)
    expect((await dana.by.post(PAGE, { email: fresh }, { 'sec-fetch-site': 'cross-site' })).status).to.equal(
      403,
    )
    const person = await stage.person({ graceUntil: 'tomorrow' })
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', person.email)
    await by.post(`${base}/put-off`, {})
    await by.follow(base)
    const stopped = await by.follow((await by.post(PAGE, { email: fresh })).location ?? '')
    expect(stopped.heading).to.equal('Set up two-factor authentication')
    expect(await audited(stage, 'email.change_ordered', person)).to.equal(0)
    expect(await mailsTo(fresh)).to.deep.equal([])
  })

  it('R1, R7: opening the link changes nothing; of twenty presses at once one does; then it is used', async () => {
    await order()
    const link = await confirmLink()
    for (let n = 0; n < 3; n++) expect((await look(link)).heading).to.equal('Use this address?')
    await fetch(link, { method: 'HEAD' })
    expect(await addressOf()).to.equal(dana.person.email)
    const answers = await Promise.all(Array.from({ length: 20 }, () => press(link)))
    expect(answers.filter(each => each.status === 200)).to.have.length(1)
    expect(answers.filter(each => each.status === 404)).to.have.length(19)
    expect(await audited(stage, 'email.changed', dana.person)).to.equal(1)
    expect((await look(link)).heading).to.equal(GONE)
  })

  it('R7: takes the newest link alone, for 24 hours, and none after a new password', async () => {
    await order()
    const first = await confirmLink()
    stage.advance(MINUTE)
    await order()
    const second = await confirmLink(fresh, [first])
    expect((await press(first)).heading).to.equal(GONE)
    expect((await look(second)).heading).to.equal('Use this address?')
    await dana.by.post('/account/password', {
      current: PASSWORD,
      password: 'seven herons polish copper kettles',
    })
    expect((await press(second)).heading).to.equal(GONE)
    await order()
    const third = await confirmLink(fresh, [first, second])
    stage.advance(24 * HOUR)
    expect((await press(third)).heading).to.equal(GONE)
    expect(await addressOf()).to.equal(dana.person.email)
  })

  it('R6: writes the configured origin in its mails, whatever the request says about hosts', async () => {
    await dana.by.post(
      PAGE,
      { email: fresh },
      { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    )
    const { hostname } = new URL(stage.origin)
    const answer = await raw(
      stage.origin,
      `POST ${PAGE} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).to.match(/^HTTP\/1.1 421/)
    for (const link of [await confirmLink(), await stopLink()])
      expect(new URL(link).hostname).to.equal(hostname)
  })

  it('answers the same, after the same work, for an address that somebody has; who is told once a day, without a link', async () => {
    const { person: ben } = await members.enrolled({ name: 'Ben Okafor' })
    const { database } = stage.running.services
    const asked = async (email: string) => {
      const seen: string[] = []
      database.observe(
        (kind, names) => void seen.push(`${kind} ${names.filter(each => each !== 'job_insert').join()}`),
      )
      const answer = await order(email).finally(() => database.observe(undefined))
      const names = seen.filter(each => /email_change|account_by_email|attempt/.test(each))
      const sent = await dana.by.get('/account/email/sent')
      const body = visibleText(sent).replaceAll(new RegExp(email, 'gi'), 'ADDRESS')
      return {
        status: answer.status,
        location: answer.location,
        cookies: answer.headers.getSetCookie(),
        body,
        names,
      }
    }
    stage.hold(stage.now())
    try {
      const [free, taken] = [await asked(fresh), await asked(ben.email.toUpperCase())]
      expect({ ...taken, names: taken.names.map(each => each.replaceAll(/job_\w+,?/g, '')) }).to.deep.equal({
        ...free,
        names: free.names.map(each => each.replaceAll(/job_\w+,?/g, '')),
      })
    } finally {
      stage.hold(undefined)
    }
    const told = await stage.mail(each => each.subject === 'Somebody asked for your email address')
    expect(told.text)
      .not.to.include('/link/')
      .and.not.to.include('Dana')
      .and.not.to.include(dana.person.email)
    stage.advance(MINUTE)
    await order(ben.email)
    await confirmLink()
    const all = (await mailsTo(ben.email)).filter(each => /asked for your email/.test(each.subject ?? ''))
    expect(all).to.have.length(1)
    expect((await readAccountByEmail(database, ben.email))?.id).to.equal(ben.id)
  })

  it('of two who want an address at once lets one have it, and tells the other', async () => {
    const ben = await members.enrolled({ name: 'Ben Okafor' })
    await order()
    const first = await confirmLink()
    await order(fresh, ben)
    const second = await confirmLink(fresh, [first])
    const answers = await Promise.all([press(first), press(second)])
    expect(answers.map(each => each.heading)).to.have.members([
      'Your address is changed',
      'This address can’t be used',
    ])
    expect([await addressOf(), await addressOf(ben)].filter(each => each === fresh)).to.have.length(1)
  })

  it('is stopped from the old address, by a button; then the link in the new one is of no use', async () => {
    await order()
    const [link, stop] = [await confirmLink(), await stopLink()]
    expect((await look(stop)).heading).to.equal('Stop the change?')
    expect((await look(link)).heading).to.equal('Use this address?')
    const stopped = await press(stop)
    expect(stopped.heading).to.equal('The change is stopped')
    expect(stopped.body).to.match(/\/link\/lock\//)
    expect((await press(link)).heading).to.equal(GONE)
    expect((await press(stop)).heading).to.equal(GONE)
    expect(await addressOf()).to.equal(dana.person.email)
    expect(await audited(stage, 'email.change_stopped', dana.person)).to.equal(1)
  })

  it('of a stop and a confirmation at the same moment, one wins, and the other knows', async () => {
    await order()
    const [link, stop] = [await confirmLink(), await stopLink()]
    const [made, stopped] = await Promise.all([press(link), press(stop)])
    const won = [made.status, stopped.status].filter(each => each === 200)
    const put = stopped.heading === 'Your account is locked'
    expect(put ? 1 : won.length).to.equal(1)
    const events = await rows(
      stage,
      "SELECT event FROM audit_events WHERE account_id = ? AND event IN ('email.changed', 'email.change_stopped')",
      [dana.person.id],
    )
    expect(events).to.have.length(1)
    if (stopped.status === 409) expect(stopped.heading).to.equal('Put the old address back?')
  })

  it('is put back from the old address for three days, also after a second change; that locks the account', async () => {
    await changed()
    const stop = await stopLink()
    stage.advance(30_000)
    const thiefs = `thief-${addresses}@example.org`
    await members.prove(dana, await dana.by.follow(PAGE)).catch(() => undefined)
    await order(thiefs)
    expect((await press(await confirmLink(thiefs))).heading).to.equal('Your address is changed')
    const later = await mailed(stage, { email: fresh }, STOP)
    stage.advance(70 * HOUR)
    expect((await look(stop)).heading).to.equal('Put the old address back?')
    expect(await addressOf()).to.equal(thiefs)
    const answers = await Promise.all(Array.from({ length: 5 }, () => press(stop)))
    expect(answers.filter(each => each.heading === 'Your account is locked')).to.have.length(1)
    expect(await account()).to.include({ email: dana.person.email, status: 'locked' })
    expect((await press(later)).heading, 'of the second change').to.equal(GONE)
    expect(await audited(stage, 'email.put_back', dana.person)).to.equal(1)
    await stage.mail(
      ({ subject, to }) =>
        subject === 'A change of address was undone' && JSON.stringify(to).includes(thiefs),
    )
  })

  it('is put back from the first address though a thief, who changed it twice, put back their own', async () => {
    await changed()
    const stop = await stopLink()
    const thiefs = `second-${fresh}`
    await order(thiefs)
    expect((await press(await confirmLink(thiefs))).heading).to.equal('Your address is changed')
    expect((await press(await mailed(stage, { email: fresh }, STOP))).heading).to.equal(
      'Your account is locked',
    )
    expect(await addressOf()).to.equal(fresh)
    expect((await press(stop)).heading).to.equal('Your account is locked')
    expect(await account()).to.include({ email: dana.person.email, status: 'locked' })
    expect(await audited(stage, 'email.put_back', dana.person)).to.equal(2)
  })

  it('keeps the old address for its owner until it can’t be put back any more', async () => {
    await changed()
    const stop = await stopLink()
    const ben = await members.enrolled({ name: 'Ben Okafor' })
    await order(dana.person.email, ben)
    expect(await audited(stage, 'email.change_ordered', ben.person)).to.equal(1)
    const user = { organisationId: ben.person.organisationId, name: 'Eve', role: 'technician' } as const
    const created = await createUser(stage.directory, {
      ...user,
      email: dana.person.email,
      password: PASSWORD,
    }).then(
      () => 'created',
      error => String(error),
    )
    expect(created).not.to.equal('created')
    expect((await mailsTo(dana.person.email)).filter(each => CONFIRM.test(each.text ?? ''))).to.deep.equal([])
    stage.advance(72 * HOUR)
    expect((await look(stop)).heading).to.equal(GONE)
    expect(await addressOf()).to.equal(fresh)
  })

  it('refuses what is no address, or is theirs in another spelling, and mails nobody', async () => {
    for (const [typed, said] of [
      ['', 'Enter the new address.'],
      ['no address', 'Enter an email address such as'],
      [`${fresh}\r\nBcc: evil@example.org`, 'Enter an email address such as'],
      [`${fresh},evil@example.org`, 'Enter an email address such as'],
      [dana.person.email.toUpperCase(), 'That is your address now.'],
    ] as const) {
      const answer = await order(typed)
      expect(answer.status, typed).to.equal(400)
      expect(visibleText(answer)).to.include(said)
    }
    expect(await audited(stage, 'email.change_ordered', dana.person)).to.equal(0)
  })

  it('sends ten mails a day, and says so', async () => {
    for (let n = 0; n < 10; n++) {
      expect((await order(`many-${n}-${fresh}`)).status).to.equal(303)
    }
    expect(visibleText(await order(`many-10-${fresh}`))).to.include('Too many mails were asked for.')
  })
})
