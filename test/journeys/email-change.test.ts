// A new address: the mails come by a real SMTP server, the new mailbox makes the change, and the old one puts it back.

import { expect } from 'chai'
import { type Smtp, startSmtp } from '../support/smtp.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const FRESH = 'dana@new.example'
const NEW_PASSWORD = 'seven herons polish copper kettles'
const LINK = /http\S+\/link\/[\w-]+\/\S+/

describe('journey: a change of address', function () {
  this.timeout(60_000)
  let smtp: Smtp
  let stage: Stage
  let dana: Enrolled
  let tab: Tab
  let mailbox: Tab

  before(async () => {
    smtp = await startSmtp()
    stage = await openStage({ env: { SALLYPORT_SMTP_URL: smtp.url } })
    dana = await enrolledPerson(stage)
    tab = await openTab(stage)
    mailbox = await openTab(stage)
  })
  after(async () => {
    await tab?.close()
    await mailbox?.close()
    await stage?.close()
    await smtp?.close()
  })

  async function linkIn(subject: string, to: string): Promise<string> {
    const mail = await smtp.next(each => each.subject === subject)
    expect(mail.to).to.deep.include({ text: to })
    return LINK.exec(mail.text ?? '')?.[0] ?? ''
  }

  async function logIn(email: string, password?: string): Promise<void> {
    await tab.open(`${stage.origin}/account`)
    await tab.identify(email)
    await tab.enterPassword(password)
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Dana Whitlock')
  }

  async function order(): Promise<void> {
    await tab.follow('Change the email address')
    await tab.see('Change your email address')
    await tab.fill('New email address', FRESH)
    await tab.press('Send the link')
    await tab.see('Check the new mailbox')
    await tab.read(`A mail is on its way to ${FRESH}.`)
  }

  it('is stopped from the old mailbox', async () => {
    await logIn(dana.email)
    await order()
    await mailbox.open(await linkIn('A new address for your account was asked for', dana.email))
    await mailbox.see('Stop the change?')
    await mailbox.press('Stop the change')
    await mailbox.see('The change is stopped')
    await mailbox.open(await linkIn('Confirm your new email address', FRESH))
    await mailbox.see('This link no longer works')
  })

  it('is made from the new mailbox, in another browser; then the new address logs in', async () => {
    await tab.follow('Back to your account')
    await order()
    await mailbox.open(await linkIn('Confirm your new email address', FRESH))
    await mailbox.see('Use this address?')
    await mailbox.press('Use this address')
    await mailbox.see('Your address is changed')
    await tab.follow('Back to your account')
    await tab.read(FRESH)
    await tab.forget()
    await logIn(FRESH)
  })

  it('is put back from the old mailbox, which locks the account; a new password opens it', async () => {
    await mailbox.open(await linkIn('The address of your account was changed', dana.email))
    await mailbox.see('Put the old address back?')
    await mailbox.press('Put it back and lock my account')
    await mailbox.see('Your account is locked')
    await mailbox.follow('Choose a new password')
    await mailbox.fill('Email address', dana.email)
    await mailbox.press('Send the link')
    await mailbox.open(await linkIn('Choose a new password', dana.email))
    await mailbox.fill('New password', NEW_PASSWORD)
    await mailbox.press('Save the password')
    await mailbox.see('Your password is changed')
    await tab.forget()
    await logIn(dana.email, NEW_PASSWORD)
    await tab.read(dana.email)
  })
})
