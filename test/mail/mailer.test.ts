import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { simpleParser } from 'mailparser'
import pino from 'pino'
import { smtpOptions } from '../../src/config/smtp-url.ts'
import { createMailer, type Mail, MailNotSent } from '../../src/mail/mailer.ts'
import { startSmtp } from '../support/smtp.ts'

const silent = pino({ level: 'silent' })
const mail: Mail = {
  id: 'job_0a1b',
  to: 'dana@example.com',
  subject: 'Grüße',
  text: 'Your code: 731946',
  html: '<p>Your code: 731946</p>',
  date: Date.UTC(2026, 4, 14, 9, 31),
}

describe('mails written to files', () => {
  let parent: string
  let outboxDir: string
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: line => void lines.push(line) })

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'sallyport-'))
    outboxDir = join(parent, 'data', 'outbox')
    lines.length = 0
  })
  afterEach(() => rm(parent, { recursive: true }))

  it('are whole mails that only the server’s own user can read', async () => {
    await createMailer({ outboxDir, from: 'no-reply@localhost', log }).send(mail)
    expect(await readdir(outboxDir)).to.deep.equal(['20260514T093100Z-job_0a1b.eml'])
    const file = join(outboxDir, '20260514T093100Z-job_0a1b.eml')
    expect((await stat(file)).mode & 0o777).to.equal(0o600)
    expect((await stat(outboxDir)).mode & 0o777).to.equal(0o700)
    const parsed = await simpleParser(await readFile(file))
    expect(parsed).to.include({ subject: 'Grüße', messageId: '<job_0a1b@localhost>', html: mail.html })
    expect(parsed.text?.trim()).to.equal(mail.text)
  })

  it('are named in the log by their file alone', async () => {
    await createMailer({ outboxDir, from: 'no-reply@localhost', log }).send(mail)
    expect(lines).to.have.lengthOf(1)
    expect(lines[0]).to.contain('job_0a1b.eml')
    for (const secret of ['731946', 'dana@example.com', 'Gr']) expect(lines[0]).not.to.contain(secret)
  })

  it('are the same file, to the byte, when a mail is tried twice', async () => {
    const mailer = createMailer({ outboxDir, from: 'no-reply@localhost', log: silent })
    const contents: string[] = []
    for (let tries = 0; tries < 2; tries++) {
      await mailer.send(mail)
      const [file, ...others] = await readdir(outboxDir)
      expect(others).to.be.empty
      contents.push(await readFile(join(outboxDir, file ?? ''), 'utf8'))
    }
    expect(contents[1]).to.equal(contents[0])
  })

  it('never leave the folder, whatever the id', async () => {
    await createMailer({ outboxDir, from: 'no-reply@localhost', log }).send({ ...mail, id: '../../x\r\ny' })
    expect(await readdir(outboxDir)).to.deep.equal(['20260514T093100Z-______x__y.eml'])
  })

  it('are refused in production, where a mail server is a must', () => {
    const options = { outboxDir, from: 'no-reply@localhost', log, production: true }
    expect(() => createMailer(options)).to.throw('mail server')
  })
})

describe('the sender of mails', () => {
  const sent = async (from: string, product?: string) => {
    const smtp = await startSmtp()
    try {
      const named = product === undefined ? {} : { product }
      await createMailer({ smtpUrl: smtp.url, outboxDir: '/nowhere', from, log: silent, ...named }).send(mail)
      return (await smtp.next()).from?.value[0]
    } finally {
      await smtp.close()
    }
  }

  it('is an address, with the product’s name or one of its own', async () => {
    expect(await sent('no-reply@example.com')).to.deep.equal({
      name: 'Sallyport',
      address: 'no-reply@example.com',
    })
    expect(await sent('no-reply@example.com', 'Copperline')).to.have.property('name', 'Copperline')
    expect(await sent('Acme, Inc. <it@example.com>')).to.deep.equal({
      name: 'Acme, Inc.',
      address: 'it@example.com',
    })
    expect(await sent('"Acme" <it@example.com>')).to.have.property('name', 'Acme')
  })

  it('is refused at start if it is no address', () => {
    for (const from of ['', 'nobody', 'a@b, c@d', 'x <a@b> <c@d>', 'a@b\r\nBcc: c@d', 'x\r\n <a@b>'])
      expect(() => createMailer({ outboxDir: '/nowhere', from, log: silent }), from).to.throw(
        'no mail can come from',
      )
  })
})

describe('addresses in mails', () => {
  it('may be of any alphabet', async () => {
    const smtp = await startSmtp()
    try {
      const mailer = createMailer({
        smtpUrl: smtp.url,
        outboxDir: '/nowhere',
        from: 'a@example.com',
        log: silent,
      })
      for (const to of ['dana@exämple.com', 'dänä@exämple.com']) await mailer.send({ ...mail, to })
      expect(smtp.mails.map(each => [each.to].flat()[0]?.text)).to.deep.equal([
        'dana@exämple.com',
        'dänä@exämple.com',
      ])
    } finally {
      await smtp.close()
    }
  })

  it('are looked at again before they reach a mail server', async () => {
    const mailer = createMailer({
      smtpUrl: 'smtp://127.0.0.1:1',
      outboxDir: '/nowhere',
      from: 'a@b',
      log: silent,
    })
    const error = await mailer.send({ ...mail, to: 'a@example.com,b@example.com' }).catch(reason => reason)
    expect(error).to.be.instanceOf(MailNotSent)
    expect(error.permanent).to.equal(true)
  })
})

describe('the mail server’s URL', () => {
  const tls = (url: string, production: boolean) => {
    const { secure, requireTLS, ignoreTLS, tls: checks } = smtpOptions(url, production)
    return { secure, requireTLS, ignoreTLS, checked: checks?.rejectUnauthorized }
  }

  it('asks for TLS to another machine in production, and wherever a password is sent', () => {
    const asked = { secure: false, requireTLS: true, ignoreTLS: false, checked: true }
    expect(tls('smtp://mail.example.com', true)).to.deep.equal(asked)
    expect(tls('smtp://u:p@mail.example.com', false)).to.deep.equal(asked)
    expect(tls('smtp://mail.example.com', false)).to.deep.equal({ ...asked, requireTLS: false })
    expect(tls('smtps://mail.example.com', true)).to.include({ secure: true, checked: true })
    expect(tls('smtp://127.0.0.1.example.com', true), 'not this machine').to.deep.equal(asked)
  })

  it('may say otherwise', () => {
    expect(tls('smtp://mail.example.com?requireTLS=false', true).requireTLS).to.equal(false)
    expect(tls('smtp://mail.example.com?ignoreTLS=true', true)).to.include({
      requireTLS: false,
      ignoreTLS: true,
    })
    expect(tls('smtp://mail.example.com?tls.rejectUnauthorized=false', true).checked).to.equal(false)
  })

  it('needs no certificate on this machine', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]'])
      expect(tls(`smtp://${host}:1025`, true), host).to.include({ requireTLS: false, checked: false })
  })

  it('gives port, user and password, decoded', () => {
    expect(smtpOptions('smtp://dana%40acme:p%2Fw%3A@mail.example.com:2525', true)).to.deep.include({
      host: 'mail.example.com',
      port: 2525,
      auth: { user: 'dana@acme', pass: 'p/w:' },
    })
    expect(smtpOptions('smtp://[2001:db8::1]', true)).to.include({ host: '2001:db8::1' })
  })

  it('waits at most 10 seconds for anything', () => {
    expect(smtpOptions('smtp://mail.example.com', true)).to.include({
      connectionTimeout: 10_000,
      greetingTimeout: 10_000,
      socketTimeout: 10_000,
      dnsTimeout: 10_000,
    })
  })

  it('cannot switch on what prints mails, and an error about it holds no password', () => {
    for (const url of [
      'smtp://u:hunter2@mail.example.com?debug=true',
      'smtp://u:hunter2@mail.example.com?logger=true',
      'smtp://u:hunter2@mail.example.com?requireTLS=perhaps',
      'http://u:hunter2@mail.example.com',
      'u:hunter2@mail.example.com',
    ]) {
      expect(() => smtpOptions(url, true), url)
        .to.throw(/^(is no address|has )/)
        .that.satisfies((error: Error) => !error.message.includes('hunter2'))
    }
  })
})
