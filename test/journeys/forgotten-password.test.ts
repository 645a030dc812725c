// A forgotten password: the mail comes by a real SMTP server, its link works once, and two-factor authentication stays.

import { expect } from 'chai'
import { type Smtp, startSmtp } from '../support/smtp.ts'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const NEW_PASSWORD = 'seven brass kettles hum at dusk'

describe('journey: a forgotten password', function () {
  this.timeout(60_000)
  let smtp: Smtp
  let stage: Stage
  let app: App
  let dana: Enrolled
  let tab: Tab
  let elsewhere: Tab
  let link = ''

  before(async () => {
    smtp = await startSmtp()
    stage = await openStage({ env: { SALLYPORT_SMTP_URL: smtp.url } })
    app = await openApp(stage)
    dana = await enrolledPerson(stage)
    tab = await openTab(stage)
    elsewhere = await openTab(stage)
  })
  after(async () => {
    await tab?.close()
    await elsewhere?.close()
    await app?.close()
    await stage?.close()
    await smtp?.close()
  })

  async function ask(email: string): Promise<void> {
    await tab.see('Set a new password')
    await tab.fill('Email address', email)
    await tab.press('Send the link')
    await tab.see('Check your email')
    await tab.read(email)
  }

  it('is answered with a mail, and with the same page where nobody has the address', async () => {
    const session = await app.begin()
    await elsewhere.open(session.url)
    await elsewhere.identify(dana.email)
    await elsewhere.enterPassword()
    await elsewhere.see('Verify your identity')
    await elsewhere.enterCode(await nextCode(stage, dana.secret))
    await elsewhere.see('Welcome to Fleetdesk')

    const { url } = await app.begin()
    await tab.open(url)
    await tab.identify(dana.email)
    await tab.see('Enter your password')
    await tab.follow('Forgot password?')
    await ask('nobody@northgate.example')
    await tab.follow('Back to login')
    await tab.see('Enter your password')
    await tab.follow('Forgot password?')
    await ask(dana.email.toUpperCase())
    const mail = await smtp.next(({ subject }) => subject === 'Choose a new password')
    expect(mail.to).to.deep.include({ text: dana.email })
    link = /https?:\S+\/link\/\S+/.exec(mail.text ?? '')?.[0] ?? ''
    expect(link.startsWith(`${stage.origin}/link/password-reset/`)).to.equal(true)
    expect(smtp.mails.filter(({ to }) => JSON.stringify(to).includes('nobody@'))).to.deep.equal([])
  })

  it('takes a new password that is good enough, by a link that a mail scanner has opened before', async () => {
    for (const method of ['GET', 'HEAD']) expect((await fetch(link, { method })).status).to.equal(200)
    await tab.open(link)
    await tab.see('Choose a new password')
    for (const [weak, reason] of [
      ['short', 'That has fewer than 8 characters.'],
      ['password1234', 'That password is on lists of stolen ones'],
      [dana.email, 'That contains your name, your email address or ours.'],
      ['abcdefgh1234', 'That is easy to guess.'],
    ] as const) {
      await tab.fill('New password', weak)
      await tab.press('Save the password')
      await tab.read(reason)
    }
    await tab.fill('New password', NEW_PASSWORD)
    await tab.press('Save the password')
    await tab.see('Your password is changed')
    const notice = await smtp.next(({ subject }) => subject === 'Your password was changed')
    expect(notice.to).to.deep.include({ text: dana.email })
  })

  it('ends the sessions of before', async () => {
    const silent = await app.begin({ prompt: 'none' })
    await elsewhere.open(silent.url)
    expect((await silent.answer).error).to.equal('login_required')
  })

  it('asks for the new password from now on, and for the code as ever', async () => {
    const { url, answer } = await app.begin()
    await tab.open(url)
    await tab.identify(dana.email)
    await tab.enterPassword(PASSWORD)
    await tab.read('The email address or the password isn’t right.')
    await tab.enterPassword(NEW_PASSWORD)
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(dana.id)
  })

  it('has a link that works once', async () => {
    await tab.open(link)
    await tab.see('This link no longer works')
    expect((await fetch(link)).status).to.equal(404)
  })
})
