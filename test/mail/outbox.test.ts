import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import pino from 'pino'
import { createMailer } from '../../src/mail/mailer.ts'
import { MAIL, mailHandler, mailJob, type QueuedMail, queueView } from '../../src/mail/outbox.ts'
import { insertAccount } from '../../src/store/accounts/accounts.ts'
import { noteBounce } from '../../src/store/accounts/bounces.ts'
import { readUserDetails } from '../../src/store/accounts/user-details.ts'
import { readAuditEvents } from '../../src/store/audit/audit-events.ts'
import type { Database } from '../../src/store/database.ts'
import { runJobs, type Worker } from '../../src/store/jobs/job-worker.ts'
import { insertOrganisation } from '../../src/store/organisations/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { createTexts } from '../../src/texts.ts'
import { type Smtp, startSmtp } from '../support/smtp.ts'
import { onEachDatabase, type TestDatabase } from './databases.ts'
import { secretKey } from './sender-process.ts'

const MINUTE = 60_000
const start = Date.UTC(2026, 4, 14, 9, 31)
const issuer = 'https://login.example.com'
const keyring = createKeyring([secretKey])
const texts = createTexts()
const secrets = { token: 'c2VjcmV0LXRva2VuLW9mLXRoZS1saW5r', code: '731946' }
const deed = { name: 'Dana Whitlock', at: start, address: '203.0.113.9' }
const script = fileURLToPath(new URL('sender-process.ts', import.meta.url))

onEachDatabase('the outbox', open => {
  let opened: TestDatabase
  let database: Database
  let smtp: Smtp | undefined
  let now = start
  let lines: string[] = []
  const log = pino({ level: 'trace' }, { write: line => void lines.push(line) })
  const workers: Worker[] = []

  const reset = (to = 'dana@example.com', at = now) =>
    mailJob(keyring, {
      to,
      template: 'password-reset',
      contents: { ...deed, at, token: secrets.token },
      now,
    })
  const work = (smtpUrl: string, on = database, keys = keyring): Worker => {
    const mailer = createMailer({ smtpUrl, outboxDir: '/nowhere', from: 'no-reply@login.example.com', log })
    const handler = mailHandler({ database: on, keyring: keys, mailer, texts, issuer, log })
    const worker = runJobs({
      database: on,
      handlers: { [MAIL]: handler },
      log,
      clock: () => now,
      intervalMs: 60_000,
    })
    workers.push(worker)
    return worker
  }
  const queue = () => queueView(database, { now })
  const until = async (condition: (mails: QueuedMail[]) => boolean) => {
    for (const end = Date.now() + 10_000; ; await sleep(10)) {
      const mails = await queue()
      if (condition(mails)) return mails
      if (Date.now() > end) throw new Error(`it did not come to that: ${JSON.stringify(mails)}`)
    }
  }
  const settled = () => until(mails => mails.every(each => ['done', 'failed'].includes(each.state)))

  beforeEach(async () => {
    now = start
    lines = []
    opened = await open()
    database = opened.database
  })
  afterEach(async () => {
    await Promise.all(workers.splice(0).map(each => each.stop()))
    await smtp?.close()
    smtp = undefined
    await opened.drop()
  })

  it('sends a mail as text and HTML, from the configured sender, with a link to the configured origin', async () => {
    smtp = await startSmtp()
    await database.commit([reset()])
    work(smtp.url)
    const mail = await smtp.next()
    const link = `${issuer}/link/password-reset/${secrets.token}`
    expect(mail.from?.value).to.deep.equal([{ name: 'Sallyport', address: 'no-reply@login.example.com' }])
    expect(mail.to).to.have.property('text', 'dana@example.com')
    expect(mail.subject).to.equal('Choose a new password')
    expect(mail.text).to.contain(link)
    expect(mail.html).to.contain(`href="${link}"`)
    expect(mail.headers.get('auto-submitted')).to.equal('auto-generated')
    expect(mail.date?.getTime()).to.equal(start)
    await settled()
  })

  it('sends each of 30 mails once with two workers on one database', async () => {
    smtp = await startSmtp()
    const recipients = Array.from({ length: 30 }, (_, index) => `user${index}@example.com`)
    await database.commit(recipients.map(to => reset(to)))
    work(smtp.url)
    work(smtp.url, await opened.another())
    await settled()
    const got = smtp.mails.map(mail => [mail.to].flat()[0]?.text)
    expect(got).to.have.lengthOf(30)
    expect(got).to.have.members(recipients)
    expect(new Set(smtp.mails.map(mail => mail.messageId)).size).to.equal(30)
  })

  it('loses no mail with a process that is killed before the mail server took it', async () => {
    smtp = await startSmtp()
    now = Date.now()
    await database.commit([reset()])
    expect(await kill('before', smtp)).to.equal('SIGKILL')
    expect(smtp.mails).to.be.empty
    now += 3 * MINUTE
    work(smtp.url)
    expect(await settled()).to.have.nested.property('[0].state', 'done')
    expect(smtp.mails).to.have.lengthOf(1)
  })

  it('sends the same mail, by its Message-ID, if the process is killed between accept and finish', async () => {
    smtp = await startSmtp()
    now = Date.now()
    await database.commit([reset()])
    expect(await kill('after', smtp)).to.equal('SIGKILL')
    expect(smtp.mails).to.have.lengthOf(1)
    const waiting = work(smtp.url)
    await sleep(100)
    expect((await queue())[0]?.state, 'held by the dead one').to.equal('running')
    now += 3 * MINUTE
    waiting.wake()
    await settled()
    const [first, second] = smtp.mails
    expect(smtp.mails).to.have.lengthOf(2)
    expect(second?.messageId).to.equal(first?.messageId)
    expect([second?.text, second?.html, second?.date]).to.deep.equal([first?.text, first?.html, first?.date])
  })

  it('ends by itself when it was stopped: nothing outlives the worker', async () => {
    smtp = await startSmtp()
    now = Date.now()
    await database.commit([reset()])
    await promisify(execFile)(process.execPath, [script, opened.url, smtp.url, 'never'], { timeout: 15_000 })
    expect(smtp.mails).to.have.lengthOf(1)
  })

  async function kill(when: 'before' | 'after', { url }: Smtp): Promise<unknown> {
    const child = spawn(process.execPath, [script, opened.url, url, when], { stdio: 'ignore' })
    const [, signal] = await once(child, 'exit')
    return signal
  }

  it('SMTP down: keeps the mail, and sends it when the server is back', async () => {
    const port = await freePort()
    await database.commit([reset()])
    const worker = work(`smtp://127.0.0.1:${port}`)
    const [waiting] = await until(([mail]) => mail?.lastError !== null)
    expect(waiting).to.include({ state: 'waiting', attempts: 1 })
    expect(waiting?.lastError).to.contain('ECONNREFUSED')
    expect(waiting?.nextTry).to.be.within(start + 8_000, start + 12_000)
    smtp = await startSmtp({ port })
    now += MINUTE
    worker.wake()
    expect((await settled())[0]).to.include({ state: 'done', attempts: 2, nextTry: null, lastError: null })
    expect(smtp.mails).to.have.lengthOf(1)
  })

  it('SMTP down: the token gets no older for it, and a mail with a dead link is not sent', async () => {
    const port = await freePort()
    await database.commit([reset()])
    const worker = work(`smtp://127.0.0.1:${port}`)
    await until(([mail]) => mail?.lastError !== null)
    smtp = await startSmtp({ port })
    now += 30 * MINUTE
    worker.wake()
    expect((await settled())[0]?.lastError).to.contain('no longer works')
    expect(smtp.mails).to.be.empty
  })

  it('SMTP 550 for the recipient: gives up at once, and keeps the reason for the operator', async () => {
    smtp = await startSmtp({ rejectRecipients: ['gone@example.com'] })
    await database.commit([reset('gone@example.com'), reset()])
    work(smtp.url)
    const gone = (await settled()).find(each => each.to === 'gone@example.com')
    expect(gone).to.include({ state: 'failed', attempts: 1, nextTry: null })
    expect(gone?.lastError).to.contain('550 5.1.1 No such mailbox')
    expect(smtp.mails.map(mail => [mail.to].flat()[0]?.text)).to.deep.equal(['dana@example.com'])
  })

  it('SMTP 550 for the recipient: notes of the user that their address takes no mail, until it does', async () => {
    const [id, email] = ['usr_ann', 'gone@example.com']
    const ann = { id, organisationId: 'org_1', email, name: 'Ann Lee' }
    const account = {
      role: 'technician',
      status: 'active',
      passwordHash: null,
      mailboxProvenAt: null,
    } as const
    await database.commit([
      insertOrganisation({ id: 'org_1', name: 'Acme', plan: '', subscribedAt: null }, start),
    ])
    await database.commit([insertAccount({ ...ann, ...account }, start)])
    const bounce = async () => (await readUserDetails(database, 'org_1', id))?.bounce
    let gone = true
    smtp = await startSmtp({ rejectRecipients: () => gone })
    work(smtp.url)
    const sent = async () => {
      await database.commit([reset('Gone@example.com')])
      await settled()
    }
    await sent()
    expect(await bounce())
      .to.include({ at: start })
      .and.to.have.property('reason')
      .that.includes('No such mailbox')
    const events = await readAuditEvents(database, 'org_1', { about: id, limit: 10 })
    expect(events.map(each => each.event)).to.include('mail.refused')
    gone = false
    now += MINUTE
    await sent()
    expect(await bounce()).to.equal(undefined)

    // What the mail service reports of mails that it took at first stays for a week, and then until the next one.
    await database.commit(noteBounce(ann, { reason: 'came\nback', at: now }, true))
    now += MINUTE
    await sent()
    expect(await bounce()).to.have.property('reason', 'came back')
    now += 7 * 24 * 60 * MINUTE
    await sent()
    expect(await bounce()).to.equal(undefined)
    // Somebody whose address is another one by now has nothing to do with it.
    await database.commit(noteBounce({ ...ann, email: 'old@example.com' }, { reason: 'x', at: now }, true))
    expect(await bounce()).to.equal(undefined)
  })

  it('SMTP 554 for the mail: gives up at once', async () => {
    const server = await answering('DATA', '554 5.7.1 Looks like spam')
    await database.commit([reset()])
    work(server.url)
    expect((await settled())[0]?.lastError).to.contain('554 5.7.1 Looks like spam')
    await server.close()
  })

  for (const [what, command, reply] of [
    ['451 for the recipient (greylisting)', 'RCPT', '451 4.7.1 Try again later'],
    ['530 for the sender (we are set up wrongly)', 'MAIL', '530 5.7.0 Authentication required'],
    ['550 for the sender (so is this)', 'MAIL', '550 5.7.60 Not a sender of ours'],
    ['421 at the greeting', '', '421 4.3.2 Too busy'],
  ] as const) {
    it(`SMTP ${what}: tries again later`, async () => {
      const server = await answering(command, reply)
      await database.commit([reset()])
      work(server.url)
      const [mail] = await until(([each]) => each?.lastError !== null)
      await server.close()
      expect(mail).to.include({ state: 'waiting' })
      expect(mail?.lastError).to.contain(reply)
    })
  }

  it('SMTP hangs: stopping does not wait for it', async () => {
    const server = await answering('EHLO', undefined)
    await database.commit([reset()])
    const worker = work(server.url)
    await until(([mail]) => mail?.state === 'running')
    await server.asked
    const before = Date.now()
    await worker.stop(50)
    expect(Date.now() - before).to.be.below(2_000)
    expect((await queue())[0]).to.include({ state: 'waiting' })
    await server.close()
  })

  it('keys taken out too early: keeps the mail, and says what to do', async () => {
    smtp = await startSmtp()
    await database.commit([reset()])
    work(smtp.url, database, createKeyring(['another-secret-key-of-32-characters-or-more']))
    const [mail] = await until(([each]) => each?.lastError !== null)
    expect(mail).to.include({ state: 'waiting' })
    expect(mail?.lastError).to.contain('SALLYPORT_SECRET_KEYS')
  })

  it('an address that got in by another way than the form cannot add a header or a recipient', async () => {
    smtp = await startSmtp()
    await database.commit([
      reset('a@example.com\r\nBcc: b@example.com'),
      reset('a@example.com, b@example.com'),
      reset('<a@example.com>'),
    ])
    work(smtp.url)
    expect((await settled()).map(each => each.lastError)).to.deep.equal(Array(3).fill('not an email address'))
    expect(smtp.mails).to.be.empty
  })

  it('neither the database, the log nor the queue that the operator sees holds a token or a code', async () => {
    smtp = await startSmtp({ rejectRecipients: ['gone@example.com'] })
    const code = mailJob(keyring, {
      to: 'dana@example.com',
      accountId: 'usr_1',
      template: 'code',
      contents: { ...deed, code: secrets.code },
      now,
    })
    await database.commit([reset(), reset('gone@example.com'), code])
    const everything = { name: 'test_whole_jobs', text: 'SELECT * FROM jobs' }
    const stored = JSON.stringify(await database.read(everything, []))
    const seen = JSON.stringify(await queue())
    const worker = work(smtp.url)
    await settled()
    await worker.stop()
    const found = [stored, seen, lines.join(''), JSON.stringify(await queue())]
    found.push(JSON.stringify(await database.read(everything, [])))
    expect(lines.length).to.be.greaterThan(2)
    for (const secret of [...Object.values(secrets), 'Whitlock', deed.address])
      for (const text of found) expect(text).not.to.contain(secret)
    expect(seen).to.contain('dana@example.com')
    expect(smtp.mails.map(mail => mail.text).join(''))
      .to.contain(secrets.token)
      .and.to.contain(secrets.code)
  })

  it('sends what somebody waits for before what nobody waits for, however much of that there is', async () => {
    smtp = await startSmtp()
    const tell = (n: number) =>
      mailJob(keyring, {
        to: `user${n}@example.com`,
        accountId: `usr_${n}`,
        template: 'password-changed',
        contents: deed,
        now,
      })
    await database.commit(Array.from({ length: 40 }, (_, n) => tell(n)))
    now += 1000
    await database.commit([reset('waits@example.com')])
    work(smtp.url)
    const first = await Promise.all(Array.from({ length: 8 }, () => smtp?.next()))
    expect(first.flatMap(each => each?.to ?? []).map(each => ('text' in each ? each.text : ''))).to.include(
      'waits@example.com',
    )
    await settled()
  })

  it('tells the operator template, recipient, state and attempts', async () => {
    await database.commit([reset()])
    const [mail] = await queue()
    expect(mail).to.deep.equal({
      id: mail?.id,
      template: 'password-reset',
      to: 'dana@example.com',
      state: 'waiting',
      attempts: 0,
      nextTry: start,
      lastError: null,
      createdAt: start,
    })
    expect(await queueView(database, { state: 'failed' })).to.be.empty
  })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/** A mail server that answers one command (by its first word; "": its greeting) as told, or, undefined, never. */
async function answering(command: string, reply: string | undefined) {
  const sockets = new Set<{ destroy(): void }>()
  let heard: () => void = () => undefined
  const asked = new Promise<void>(resolve => {
    heard = resolve
  })
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.write(`${command === '' ? reply : '220 test ESMTP'}\r\n`)
    socket.on('data', data => {
      for (const line of data.toString().split('\r\n').filter(Boolean)) {
        const hit = line.startsWith(command)
        if (hit) heard()
        if (!hit || reply !== undefined) socket.write(`${hit ? reply : '250 OK'}\r\n`)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    asked,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}
