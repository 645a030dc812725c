// A provider in a program of one's own: whole, until it is closed.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createProvider, loadConfig } from '../src/index.ts'
import { createLog } from '../src/log.ts'
import { mailJob } from '../src/mail/outbox.ts'
import { sql } from '../src/store/database.ts'

describe('createProvider', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('answers, sends mails, and ends what it began', async () => {
    const config = loadConfig(
      { SALLYPORT_DATA_DIR: 'data', DATABASE_URL: 'sqlite:x.sqlite' },
      { cwd: folder },
    )
    const { provider, services, close } = await createProvider(config, createLog('silent'))
    const server = createServer(provider.callback())
    await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    expect((await fetch(`http://localhost:${port}/health/ready`)).status).to.equal(200)
    const contents = { name: 'Dana', at: Date.now(), address: '192.0.2.1' }
    await services.database.commit([
      mailJob(services.keyring, {
        to: 'dana@northgate.example',
        accountId: 'usr_1',
        template: 'password-changed',
        contents,
        now: Date.now(),
      }),
    ])
    const mails = () => {
      try {
        return readdirSync(config.outboxDir)
      } catch {
        return []
      }
    }
    for (const since = Date.now(); mails().length === 0 && Date.now() - since < 10_000; ) await sleep(50)
    expect(mails()).to.have.length(1)
    await new Promise(resolve => server.close(resolve))
    await close()
    // A worker that still ran would keep the test run from ending, which fails it.
    const read = services.database.read(sql('test_after_close', 'SELECT 1 AS one'), [])
    expect(await read.catch(() => 'closed')).to.equal('closed')
  })
})
