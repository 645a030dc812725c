// What runs beside the requests of a server, seen from outside.

import { expect } from 'chai'
import { verifyAudit } from '../src/store/audit/audit-verify.ts'
import { onEveryStage } from './support/every-stage.ts'
import { openStage, type Stage } from './support/stage.ts'
import { createVisitor, enrol, relyingParty } from './support/visitor.ts'

/** What the log was told of the head of the chain. */
const headsOf = (stage: Stage) =>
  stage.log
    .map(line => JSON.parse(line) as { msg: string; head?: string; seq?: number })
    .filter(each => each.msg === 'head of the audit log')

onEveryStage('a running server', open => {
  it('seals what a login wrote within five seconds, and tells its log a head', async () => {
    const stage = await open()
    const { database, keyring } = stage.running.services
    const party = await relyingParty(stage)
    await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, await stage.person())
    const started = Date.now()
    let verdict = await verifyAudit(database, keyring)
    while (verdict.unsealed > 0 && Date.now() - started < 5000) {
      await new Promise(resolve => setTimeout(resolve, 50))
      verdict = await verifyAudit(database, keyring)
    }
    expect(verdict).to.include({ ok: true, unsealed: 0 })
    expect(verdict.rows).to.be.greaterThan(5)
    expect(headsOf(stage)).to.have.length(1)
    const { head } = headsOf(stage)[0] ?? {}
    expect(await verifyAudit(database, keyring, { head })).to.include({ ok: true })
  })
})

describe('a server that ends', () => {
  it('seals what is left, and tells its log the last head', async () => {
    const stage = await openStage()
    const before = headsOf(stage).length
    await stage.person()
    await stage.close()
    const last = headsOf(stage).at(-1)
    expect(headsOf(stage).length).to.be.greaterThan(before)
    expect(last?.head).to.match(/^[0-9a-f]{64}$/)
  })
})
