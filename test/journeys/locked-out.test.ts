// Locked out: with nothing left but the password, helped by an admin, or by support after a day and by two agents; and
// stopped, by somebody who did not ask.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { type TimeTravel, timeTravel, withClock } from '../support/time-travel.ts'
import { totp } from '../support/tools.ts'
import { agentOf, HOUR, SAW, WHY } from '../support-cases/ground.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const CODE = 'Verify your identity'
const HELP = 'Get back into your account'
const LOST = 'Can’t use your authenticator or recovery code?'

describe('journey: locked out', function () {
  this.timeout(120_000)
  let travel: TimeTravel
  let stage: Stage
  let app: App
  let tabs: Tab[] = []

  before(async () => {
    travel = timeTravel()
    stage = withClock(await openStage(), travel)
    app = await openApp(stage)
  })
  after(async () => {
    await app?.close()
    await stage?.close()
    travel.end()
  })
  afterEach(async () => {
    for (const tab of tabs) await tab.close()
    tabs = []
  })

  async function tabFor(options: Parameters<typeof openTab>[1] = {}): Promise<Tab> {
    const tab = await openTab(stage, options)
    tabs.push(tab)
    return tab
  }

  async function toHelp(tab: Tab, who: Enrolled): Promise<void> {
    await tab.open((await app.begin()).url)
    await tab.identify(who.email)
    await tab.enterPassword()
    await tab.see(CODE)
    await tab.follow(LOST)
    await tab.see(HELP)
  }

  async function mailTo({ email }: { email: string }, pattern: RegExp, since = 0): Promise<string> {
    const mail = await stage.mail(
      ({ to, text, date }) =>
        JSON.stringify(to).includes(`"${email}"`) && pattern.test(text ?? '') && Number(date) >= since - 1000,
    )
    return pattern.exec(mail.text ?? '')?.[0] ?? ''
  }

  async function openCase(tab: Tab, who: Enrolled): Promise<void> {
    await tab.read('Support makes sure that it’s you')
    const since = stage.now()
    await tab.press('Mail me a code')
    await tab.see('Check your email')
    await tab.enterCode(await mailTo(who, /\b\d{3} ?\d{3}\b/, since))
    await tab.see(HELP)
    await tab.read('Your mailbox is proven.')
    await tab.fill('What happened?', WHY)
    await tab.press('Open a support case')
    await tab.read('Your support case is open since')
  }

  async function setUp(tab: Tab): Promise<void> {
    await tab.see('Set up two-factor authentication')
    const key = await tab.page.getByLabel('Setup key').textContent()
    await tab.enterCode(await totp(key ?? '', new Date(stage.now())))
    await tab.see('Save your recovery code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
  }

  it('an admin is asked, calls back, and resets', async () => {
    const priya = await enrolledPerson(stage, { name: 'Priya Raman', role: 'admin' })
    const olu = await enrolledPerson(stage, { name: 'Olu Adebayo', organisationId: priya.organisationId })
    const lost = await tabFor(PHONE)
    await toHelp(lost, olu)
    await lost.read('Your organisation has 1 other admin.')
    await lost.press('Ask an admin')
    await lost.read('Call one of them, too')
    expect(await lost.offers('Ask an admin')).to.equal(false)

    const admin = await tabFor()
    await admin.open(await mailTo(priya, /http\S+\/admin\/users\/\w+/))
    await admin.identify(priya.email)
    await admin.enterPassword()
    await admin.see(CODE)
    await admin.enterCode(await nextCode(stage, priya.secret))
    await admin.see('Olu Adebayo')
    await admin.read('Asks for help since')
    await admin.open(`${stage.origin}/admin/users`)
    await admin.read('1 user asks for help to log in.')
    await admin.follow('Show who')
    await admin.see('Who asks for help')
    await admin.follow('Olu Adebayo')
    await admin.press('Reset 2FA')
    await admin.see('Reset 2FA for 1 user?')
    await admin.fill('Reason', 'Phone lost, called back on the number in the directory')
    await admin.press('Reset 2FA for 1 user')
    await admin.see('2FA reset')
    await admin.open(`${stage.origin}/admin/help`)
    await admin.read('Nobody asks for help.')

    const since = stage.now()
    await lost.open((await app.begin()).url)
    await lost.identify(olu.email)
    await lost.enterPassword()
    await lost.see('Check your email')
    await lost.enterCode(await mailTo(olu, /\b\d{3} ?\d{3}\b/, since))
    await setUp(lost)
    await lost.see('Welcome to Fleetdesk')
  })

  it('support helps an only admin: after a day, by two agents, with a link and the password', async () => {
    const marta = await enrolledPerson(stage, { name: 'Marta Kowalczyk', role: 'admin' })
    const people = [await agentOf(stage, 'Sam Ellery'), await agentOf(stage, 'Ria Bhatt')] as const
    const lost = await tabFor()
    await toHelp(lost, marta)
    await openCase(lost, marta)
    await lost.read('Nobody decides before')

    const [sam, ria] = await Promise.all(people.map(() => tabFor()))
    if (sam === undefined || ria === undefined) throw new Error('no tabs')
    const logIn = async (tab: Tab, { person, enrolled }: (typeof people)[number]) => {
      await tab.forget()
      await tab.open(`${stage.origin}/support`)
      await tab.identify(person.email)
      await tab.enterPassword()
      await tab.see(CODE)
      await tab.enterCode(await nextCode(stage, enrolled.secret))
      await tab.see('Cases')
    }
    const toCase = (tab: Tab) => tab.page.getByRole('link', { name: /^Case \d+: Marta Kowalczyk$/ }).click()

    await logIn(sam, people[0])
    await sam.follow('Waiting 1')
    await toCase(sam)
    await sam.read('Nobody can approve before')
    expect(await sam.offers('Approve and pass on')).to.equal(false)

    stage.advance(25 * HOUR)
    await logIn(sam, people[0])
    await sam.follow('Evidence needed 1')
    await toCase(sam)
    await sam.read(WHY)
    await sam.page.getByLabel('Called back on the number in the contract').check()
    await sam.fill('What you saw', 'Called her.')
    await sam.press('Approve and pass on')
    await sam.read('That is 2 words: write at least 20.')
    await sam.fill('What you saw', SAW)
    await sam.press('Approve and pass on')
    await sam.read('You have approved it. A second agent decides.')

    await logIn(ria, people[1])
    await ria.follow('Second approval 1')
    await toCase(ria)
    await ria.read('What Sam Ellery saw')
    await ria.fill('What you saw', SAW)
    stage.advance(6 * 60_000)
    await ria.press('Approve')
    await ria.see('Confirm it’s you')
    await ria.fill('One-time code', await nextCode(stage, people[1].enrolled.secret))
    await ria.press('Confirm')
    await ria.read('Press once more')
    await ria.press('Approve')
    await ria.read('The link is on its way')

    await lost.open(await mailTo(marta, /http\S+\/link\/support-set-up\/[\w-]+/))
    await lost.see('Set up two-factor authentication again')
    await lost.fill('Password', 'not hers')
    await lost.press('Set up again')
    await lost.read('The email address or the password isn’t right.')
    await lost.fill('Password', 'quiet otters borrow nine lanterns')
    await lost.press('Set up again')
    await lost.see('Now log in')
    const since = stage.now()
    await lost.follow('Log in')
    await lost.identify(marta.email)
    await lost.enterPassword()
    await lost.see('Check your email')
    await lost.enterCode(await mailTo(marta, /\b\d{3} ?\d{3}\b/, since))
    await setUp(lost)
    await lost.see('Marta Kowalczyk')
    await lost.read('Your account is well protected.')

    await ria.open(`${stage.origin}/support/cases?state=over`)
    await toCase(ria)
    await ria.read('Link used: set-up is open again')
  })

  it('whoever did not ask stops it: by the mail, or where they are logged in', async () => {
    const dana = await enrolledPerson(stage, { name: 'Dana Whitlock' })
    const owner = await tabFor(PHONE)
    await owner.open(`${stage.origin}/account`)
    await owner.identify(dana.email)
    await owner.enterPassword()
    await owner.see(CODE)
    await owner.enterCode(await nextCode(stage, dana.secret))
    await owner.see('Dana Whitlock')

    const thief = await tabFor()
    await toHelp(thief, dana)
    await openCase(thief, dana)
    await owner.open(`${stage.origin}/account`)
    await owner.read('A support case for your account is open since')
    await owner.press('This wasn’t me')
    await owner.see('Dana Whitlock')
    expect(await owner.offers('This wasn’t me')).to.equal(false)
    await toHelp(thief, dana)
    await thief.read('Set a new password first')

    stage.advance(25 * HOUR)
    const since = stage.now()
    await toHelp(thief, dana)
    await openCase(thief, dana)
    await owner.open(await mailTo(dana, /http\S+\/link\/support-stop\/[\w.-]+/, since))
    await owner.see('Stop the support case?')
    await owner.press('This wasn’t me')
    await owner.see('The case is stopped')
    await owner.follow('Set a new password')
    await owner.see('Set a new password')
  })
})
