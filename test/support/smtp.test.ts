import { expect } from 'chai'
import { createTransport } from 'nodemailer'
import { type Smtp, startSmtp } from './smtp.ts'

describe('the SMTP receiver of the tests', () => {
  let smtp: Smtp

  beforeEach(async () => {
    smtp = await startSmtp({ rejectRecipients: ['gone@example.com'] })
  })

  afterEach(() => smtp.close())

  const send = (to: string, subject = 'Hello') =>
    createTransport(smtp.url).sendMail({ from: 'us@example.com', to, subject, text: 'Grüße' })

  it('keeps what it is sent, parsed', async () => {
    await send('eve@example.com')
    expect(smtp.mails).to.have.lengthOf(1)
    expect(smtp.mails[0]?.text?.trim()).to.equal('Grüße')
  })

  it('waits for a mail and gives out each one once', async () => {
    const second = smtp.next(({ subject }) => subject === 'Second')
    await send('eve@example.com', 'First')
    await send('eve@example.com', 'Second')
    expect((await second).subject).to.equal('Second')
    expect((await smtp.next()).subject).to.equal('First')
    const error = await smtp.next(undefined, 50).catch(reason => reason)
    expect(error).to.be.an('error')
    expect(error.message).to.include('First; Second')
  })

  it('bounces the recipients it is told to', async () => {
    const error = await send('Gone@example.com').catch(reason => reason)
    expect(error).to.have.property('responseCode', 550)
    expect(smtp.mails).to.be.empty
  })
})
