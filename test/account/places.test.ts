// Where the operator gave a file of places: beside which addresses they are shown, and that they are kept nowhere.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { mmdb } from '../support/mmdb.ts'
import type { Person, Stage } from '../support/stage.ts'
import { createVisitor, type Enrolled, enrol, logIn, type Visitor, visibleText } from '../support/visitor.ts'

const BERGEN = '192.0.2.9'
const DAMAGED = '203.0.113.9'
const UNKNOWN = '198.51.100.9'
const PLACE = 'Bergen, Norway'
const NOTE = 'Places are worked out from addresses'

onEveryStage('the places of addresses', open => {
  let folder: string
  let stage: Stage
  let dana: Person
  let enrolled: Enrolled
  let by: Visitor

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-places-'))
    const path = join(folder, 'places.mmdb')
    const bergen = { city: { names: { en: 'Bergen' } }, country: { names: { en: 'Norway' } } }
    writeFileSync(path, mmdb({ '192.0.2.0/24': bergen, '203.0.113.0/24': Buffer.from([0x00, 0xff]) }))
    stage = await open({ env: { SALLYPORT_TRUST_PROXY: '1', SALLYPORT_PLACES: path } })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))
  beforeEach(async () => {
    dana = await stage.person({ role: 'admin' })
  })

  /** Sets up two factors at an address. */
  async function enrolAt(address: string): Promise<void> {
    by = createVisitor(stage.origin, new Map(), address)
    const { end, ...factors } = await enrol(stage, by, '/account', dana)
    enrolled = factors
    await by.follow(end)
  }

  const own = async () => visibleText(await by.get('/account/sessions'))
  const inConsole = async () => visibleText(await by.get(`/admin/users/${dana.id}`))

  it('are on the pages of sessions, one’s own and the console’s, behind the address', async () => {
    await enrolAt(BERGEN)
    expect(await own())
      .to.match(/192\.0\.2\.9 · Bergen, Norway ·\s+Last seen/)
      .and.to.include(NOTE)
    expect(await inConsole())
      .to.match(/192\.0\.2\.9\s+Bergen, Norway/)
      .and.to.include(NOTE)
  })

  it('are each session’s own', async () => {
    await enrolAt(UNKNOWN)
    const other = createVisitor(stage.origin, new Map(), BERGEN)
    await other.follow(await logIn(stage, other, '/account', dana, enrolled))
    const page = await own()
    expect(page.split(PLACE)).to.have.length(2)
    expect(page.indexOf(UNKNOWN)).to.be.lessThan(page.indexOf(PLACE))
    expect(page.indexOf(BERGEN)).to.be.within(page.indexOf(UNKNOWN), page.indexOf(PLACE))
  })

  it('are left out, and no page breaks, where the file knows nothing or is damaged', async () => {
    for (const address of [UNKNOWN, DAMAGED, '10.0.0.1']) {
      dana = await stage.person({ role: 'admin' })
      await enrolAt(address)
      for (const page of [await own(), await inConsole()])
        expect(page, address).to.include(address).and.not.to.include(NOTE)
    }
  })

  it('are in the notices that name an address', async () => {
    await enrolAt(BERGEN)
    const mail = await stage.mail(
      ({ text = '', to }) => text.includes(BERGEN) && JSON.stringify(to).includes(dana.email),
    )
    expect(mail.text).to.include(`From address: ${BERGEN}\nPlace, worked out from the address: ${PLACE}\n`)
  })

  it('are in no row of the database, and in no line of the log', async () => {
    await enrolAt(BERGEN)
    await own()
    const tables = ['oidc_sessions', 'session_facts', 'audit_events', 'accounts', 'jobs']
    const kept = JSON.stringify(
      await Promise.all(tables.map(each => rows(stage, `SELECT * FROM ${each}`, []))),
    )
    expect(kept).to.include(BERGEN).and.not.to.include('Bergen')
    expect(stage.log.join('')).not.to.include('Bergen')
  })
})
