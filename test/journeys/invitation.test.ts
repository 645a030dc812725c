// A new user: an invitation by mail, a password of their own, the first login.

import { expect } from 'chai'
import { inviteUser } from '../../src/organisations/directory.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const EMAIL = 'ines@northgate.example'
const OWN_PASSWORD = 'seven brass kettles hum at dusk'

describe('journey: an invitation', function () {
  this.timeout(60_000)
  let stage: Stage
  let tab: Tab

  before(async () => {
    stage = await openStage()
    tab = await openTab(stage)
  })
  after(async () => {
    await tab?.close()
    await stage?.close()
  })

  it('is sent by an admin in the console, and leads to a login with 2FA', async () => {
    const priya = await enrolledPerson(stage, { name: 'Priya Raman', role: 'admin' })
    await tab.open(`${stage.origin}/admin`)
    await tab.identify(priya.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, priya.secret))
    await tab.see('Security and authentication')
    await tab.follow('Invitations 0')
    await tab.read('Nobody is waiting to come in.')
    await tab.follow('Invite a user')
    await tab.see('Invite a user')
    await tab.fill('Name', 'Jonas Weber')
    await tab.fill('Email address', 'jonas')
    await tab.press('Send the invitation')
    await tab.read(/Enter an email address such as/)
    await tab.fill('Email address', 'jonas@northgate.example')
    await tab.press('Send the invitation')
    await tab.read(/The invitation is on its way/)
    await tab.follow('Jonas Weber')
    await tab.see('Jonas Weber')
    await tab.follow('Withdraw')
    await tab.see('Withdraw the invitation of Jonas Weber?')
    await tab.forget()

    const mail = await stage.mail(({ to }) => JSON.stringify(to).includes('jonas@northgate.example'))
    expect(mail.text).to.include('Priya Raman')
    await tab.open(/https?:\S+\/link\/\S+/.exec(mail.text ?? '')?.[0] ?? '')
    await tab.see('Choose your password')
    await tab.fill('New password', OWN_PASSWORD)
    await tab.press('Save the password')
    await tab.see('Your password is saved')
    await tab.follow('Go to your account')
    await tab.identify('jonas@northgate.example')
    await tab.enterPassword(OWN_PASSWORD)
    await tab.see('Set up two-factor authentication')
    await tab.page.getByText('Trouble scanning?').click()
    const key = await tab.page.getByLabel('Setup key').innerText()
    await tab.enterCode(await totp(key, new Date(stage.now())))
    await tab.see('Save your recovery code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Jonas Weber')
    await tab.forget()
  })

  it('leads from the mail to a password and to the app; an older one and a used one lead nowhere', async () => {
    const { organisationId } = await stage.person()
    const invite = () =>
      inviteUser(stage.directory, { organisationId, email: EMAIL, name: 'Ines Falk', role: 'technician' })
    const invited = async () => (await stage.mails()).filter(({ to }) => JSON.stringify(to).includes(EMAIL))
    await invite()
    const linkOf = (text = '') => /https?:\S+\/link\/\S+/.exec(text)?.[0] ?? ''
    const first = linkOf((await stage.mail(({ to }) => JSON.stringify(to).includes(EMAIL))).text)
    await invite()
    const mail = await stage.mail(({ text }) => linkOf(text) !== first && (text ?? '').includes('Ines'))
    const link = linkOf(mail.text)
    expect(await invited()).to.have.length(2)

    await tab.open(first)
    await tab.see('This link no longer works')
    await tab.open(link)
    await tab.see('Choose your password')
    await tab.read(EMAIL)
    await tab.fill('New password', OWN_PASSWORD)
    await tab.press('Save the password')
    await tab.see('Your password is saved')
    await tab.open(link)
    await tab.see('This link no longer works')

    await tab.start()
    await tab.identify(EMAIL)
    await tab.enterPassword(OWN_PASSWORD)
    await tab.see('Set up two-factor authentication')
    await tab.page.getByText('Trouble scanning?').click()
    const key = await tab.page.getByLabel('Setup key').innerText()
    await tab.enterCode(await totp(key, new Date(stage.now())))
    await tab.see('Save your recovery code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    expect(await tab.arrive()).to.include({ email: EMAIL, name: 'Ines Falk' })
  })
})
