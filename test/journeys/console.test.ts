// An admin in the console: looks for users, filters, sorts, and meets what others must not see.

import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { setPlan } from '../../src/organisations/subscription.ts'
import { givePasskey } from '../attacks/ground.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const LIST = 'Security and authentication'
const NAMES = ['Aisha Rahman', 'Ben Okafor', 'Chiara Lombardi', 'Emil Johansson', 'Gwen Parry', 'Zoë Ng']

describe('journey: the console', function () {
  this.timeout(120_000)
  let stage: Stage
  let priya: Enrolled
  let tab: Tab

  before(async () => {
    stage = await openStage()
    priya = await enrolledPerson(stage, { name: 'Priya Raman', role: 'admin' })
    const { organisationId } = priya
    for (const name of NAMES) await stage.person({ name, organisationId })
    for (let n = 0; n < 25; n++) await stage.person({ name: `Kim ${n}`, organisationId })
  })
  after(() => stage?.close())
  afterEach(() => tab?.close())

  async function logIn(who: Enrolled): Promise<void> {
    await tab.open(`${stage.origin}/admin`)
    await tab.identify(who.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, who.secret))
  }

  const rows = () => tab.page.locator('tbody th b').allInnerTexts()

  it('finds, filters, sorts and turns pages, each by an address', async () => {
    tab = await openTab(stage)
    await logIn(priya)
    await tab.see(LIST)
    expect((await rows()).slice(0, 2)).to.deep.equal(['Aisha Rahman', 'Ben Okafor'])
    await tab.read('1 to 25 of 32 users')
    await tab.follow('Next')
    await tab.read('26 to 32 of 32 users')
    expect((await rows()).at(-1)).to.equal('Zoë Ng')
    await tab.follow('Previous')
    await tab.read('1 to 25 of 32 users')

    await tab.fill('Search users', 'zoe')
    await tab.press('Search')
    await tab.read('1 to 1 of 1 user')
    expect(await rows()).to.deep.equal(['Zoë Ng'])
    await tab.fill('Search users', 'okafro')
    await tab.press('Search')
    await tab.read('No user matches')
    await tab.follow('Clear the filters')
    await tab.follow('Set up 1')
    expect(await rows()).to.deep.equal(['Priya Raman'])
    await tab.follow('All 32')
    await tab.follow('Name')
    expect((await rows())[0]).to.equal('Zoë Ng')
  })

  it('selects users, all on the page, and all that match', async () => {
    tab = await openTab(stage)
    await logIn(priya)
    await tab.see(LIST)
    expect(await tab.offers('Reset 2FA')).to.equal(false)
    await tab.page.getByLabel('Select Ben Okafor').check()
    await tab.page.getByLabel('Select Gwen Parry').check()
    expect(await tab.offers('Reset 2FA')).to.equal(true)
    await tab.page.getByLabel('Select all', { exact: true }).check()
    await tab.read('All 25 on this page selected')
    await tab.follow('Select all 32')
    await tab.read('All 32 selected')
    await tab.follow('Clear')
    await tab.see(LIST)
    expect(await tab.offers('Reset 2FA')).to.equal(false)
  })

  it('resets three users: they are named, logged out, and set up again', async () => {
    const rosa = await enrolledPerson(stage, { name: 'Rosa Martín', role: 'admin' })
    const { organisationId } = rosa
    await stage.person({ name: 'Ben Okafor', organisationId })
    const people = [
      await enrolledPerson(stage, { name: 'Lena Novak', organisationId }),
      await enrolledPerson(stage, { name: 'Kofi Mensah', organisationId }),
    ]
    const lena = await openTab(stage)
    await lena.start()
    await lena.identify(people[0]?.email ?? '')
    await lena.enterPassword()
    await lena.see('Verify your identity')
    await lena.enterCode(await nextCode(stage, people[0]?.secret ?? ''))
    await lena.arrive()

    tab = await openTab(stage)
    await logIn(rosa)
    await tab.see(LIST)
    await tab.page.getByLabel('Select Lena Novak').check()
    await tab.press('Reset 2FA')
    await tab.see('Reset 2FA for 1 user?')
    await tab.follow('Cancel')
    for (const name of ['Lena Novak', 'Kofi Mensah', 'Ben Okafor']) {
      await tab.page.getByLabel(`Select ${name}`).check()
    }
    await tab.press('Reset 2FA')
    await tab.see('Reset 2FA for 2 users?')
    await tab.read('Has no 2FA yet, and sets it up at the next login.')
    stage.advance(6 * 60_000)
    await tab.fill('Reason', 'Phones replaced, ticket 4471')
    await tab.press('Reset 2FA for 2 users')
    // The factor is older than five minutes: nothing was done yet.
    await tab.see('Confirm it’s you')
    await tab.fill('One-time code', await nextCode(stage, rosa.secret))
    await tab.press('Confirm')
    await tab.see('Reset 2FA for 2 users?')
    await tab.read('Phones replaced, ticket 4471')
    await tab.press('Reset 2FA for 2 users')
    await tab.see('2FA reset')
    await tab.read('2 reset')
    await tab.read('1 not reset')

    // Told by back-channel logout.
    await lena.letGo()
    await tab.page.reload()
    await tab.read('Logged out of Fleetdesk')
    await lena.start()
    await lena.identify(people[0]?.email ?? '')
    await lena.enterPassword()
    await lena.see('Check your email')
    const { text = '' } = await stage.mail(mail => /^Your code/i.test(mail.subject ?? ''))
    await lena.enterCode(/\b\d{6}\b/.exec(text)?.[0] ?? '')
    await lena.see('Set up two-factor authentication')
    expect(await lena.offers('Not now')).to.equal(false)
    const key = await lena.page.locator('output#key').textContent()
    await lena.enterCode(await totp(key?.replaceAll(' ', '') ?? '', new Date(stage.now())))
    await lena.see('Save your recovery code')
    await lena.page.getByLabel('I have safely recorded this code').check()
    await lena.press('Continue')
    expect(await lena.arrive()).to.include({ acr: 'urn:sallyport:acr:2fa', amr: 'pwd, otp, mfa' })
    await lena.close()
  })

  it('shows the coverage, and leads to those who have no second factor yet', async () => {
    tab = await openTab(stage)
    await logIn(priya)
    await tab.see(LIST)
    await tab.follow('Coverage')
    await tab.see('Coverage')
    await tab.read('Nobody can switch that off.')
    await tab.read('Overdue')
    await tab.follow('31 users')
    await tab.read('1 to 25 of 31 users')
  })

  it('opens a user, removes their passkey, and deactivates them', async () => {
    const rosa = await enrolledPerson(stage, { name: 'Rosa Martín', role: 'admin' })
    const kofi = await stage.person({ name: 'Kofi Mensah', organisationId: rosa.organisationId })
    await givePasskey(stage, kofi)
    tab = await openTab(stage)
    await logIn(rosa)
    await tab.see(LIST)
    await tab.follow('Kofi Mensah')
    await tab.see('Kofi Mensah')
    await tab.follow('Remove Passkey')
    await tab.see('Remove the passkey “Passkey” of Kofi Mensah?')
    await tab.press('Remove')
    await tab.read('The passkey is removed. Kofi Mensah gets an email about it.')
    await tab.follow('Deactivate')
    await tab.see('Deactivate Kofi Mensah?')
    stage.advance(6 * 60_000)
    await tab.press('Deactivate')
    // The factor is older than five minutes: nothing was done yet.
    await tab.see('Confirm it’s you')
    await tab.fill('One-time code', await nextCode(stage, rosa.secret))
    await tab.press('Confirm')
    await tab.see('Deactivate Kofi Mensah?')
    await tab.read('You have proven who you are. Press once more to do it.')
    await tab.press('Deactivate')
    await tab.read('Kofi Mensah is deactivated.')
    await tab.open(`${stage.origin}/admin/users`)
    await tab.follow('Rosa Martín')
    await tab.read('This is you.')
    await tab.read(/last active admin/)
  })

  it('chooses session timeouts, and logs everybody out of their apps', async () => {
    const rosa = await enrolledPerson(stage, { name: 'Rosa Martín', role: 'admin' })
    const kofi = await enrolledPerson(stage, { name: 'Kofi Mensah', organisationId: rosa.organisationId })
    await setPlan(stage.directory, rosa.organisationId, 'Enterprise')
    const phone = await openTab(stage)
    await phone.start()
    await phone.identify(kofi.email)
    await phone.enterPassword()
    await phone.see('Verify your identity')
    await phone.enterCode(await nextCode(stage, kofi.secret))
    await phone.arrive()

    tab = await openTab(stage)
    await logIn(rosa)
    await tab.see(LIST)
    await tab.follow('Kofi Mensah')
    await tab.see('Kofi Mensah')
    await tab.read(/Chrome, Linux/)
    await tab.follow('Session timeout policy')
    await tab.see('Session timeout policy')
    await tab.fill('Log out after inactivity of (hours)', '8')
    await tab.fill('Log out in any case after (days)', '14')
    await tab.press('Save')
    await tab.read('Saved.')
    expect(await tab.page.getByLabel('Log out after inactivity of (hours)').inputValue()).to.equal('8')
    await tab.follow('Log out all sessions')
    await tab.see('Log out all sessions?')
    await tab.follow('Cancel')
    await tab.see('Session timeout policy')
    await tab.follow('Log out all sessions')
    await tab.read('2 users are logged out of every app, on every device')
    await tab.read('you among them')
    await tab.press('Log out all sessions')
    await tab.see('Log in')

    // Told by back-channel logout.
    await phone.letGo()
    await phone.start()
    await phone.see('Log in')
    await phone.close()

    // Whoever logs in again, with the factors that they had, sees what was done.
    await tab.identify(rosa.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, rosa.secret))
    await tab.see('Session timeout policy')
    await tab.read(/Rosa Martín had everybody logged out on/)
  })

  it('shows what happened to a person, and keeps it as a file', async () => {
    const olga = await enrolledPerson(stage, { name: 'Olga Ito', organisationId: priya.organisationId })
    tab = await openTab(stage)
    await logIn(priya)
    await tab.see(LIST)
    await tab.follow('Audit log')
    await tab.see('Audit log')
    await tab.fill('Person', 'kim')
    await tab.press('Show events')
    await tab.read('More than one user matches')
    await tab.fill('Person', 'olga')
    await tab.press('Show events')
    await tab.read(/\d+ events on this page/)
    const events = await rows()
    expect(events).to.include('Authenticator set up').and.include('Logged in')
    await tab.page.getByLabel('Event', { exact: true }).selectOption('Authenticator set up')
    await tab.press('Show events')
    await tab.read('1 event on this page')
    const [download] = await Promise.all([tab.page.waitForEvent('download'), tab.follow('CSV')])
    expect(download.suggestedFilename()).to.match(/^audit-log-.*\.csv$/)
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n')
    expect(lines).to.have.length(2)
    expect(lines[1]).to.include('authenticator.set_up').and.include(olga.email)

    await tab.fill('Person', 'nobody at all')
    await tab.press('Show events')
    await tab.read('Nobody here is called')
    await tab.follow('Clear the filters')
    await tab.read('25 events on this page')
    await tab.follow('Older')
    await tab.read(/events on this page/)
    await tab.follow('Newer')
    await tab.read('25 events on this page')
  })

  it('works on a phone, behind Menu', async () => {
    tab = await openTab(stage, PHONE)
    await logIn(priya)
    await tab.see(LIST)
    await tab.press('Menu')
    await tab.follow('My account')
    await tab.see('Priya Raman')
  })

  it('is not there for a technician', async () => {
    const ben = await enrolledPerson(stage, { name: 'Ben Two', organisationId: priya.organisationId })
    tab = await openTab(stage)
    await logIn(ben)
    await tab.see('There is no page here')
  })
})
