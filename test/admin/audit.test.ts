// The page of the audit log, and its files, over HTTP: what an admin sees of it, in which order, and whose.

import { expect } from 'chai'
import { createAuditCheck } from '../../src/admin/audit-check.ts'
import { createClient } from '../../src/clients.ts'
import { type AuditEntry, auditRow } from '../../src/store/audit/audit.ts'
import { sealAudit } from '../../src/store/audit/audit-sealer.ts'
import { OWN_CLIENT_ID } from '../../src/store/oidc/own-client.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { MINUTE } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Person, Stage } from '../support/stage.ts'
import { type Answer, createVisitor, enrol, type Visitor } from '../support/visitor.ts'

interface Admin {
  readonly person: Person
  readonly by: Visitor
}

const DAY = Date.UTC(2020, 4, 14)
const HOUR = 60 * MINUTE

onEveryStage('the page of the audit log', open => {
  let stage: Stage
  let priya: Admin
  let mallory: Admin
  let ben: Person

  before(async () => {
    stage = await open()
    priya = await admin('Priya Raman')
    mallory = await admin('Mallory Evers')
    ben = await stage.person({ name: 'Ben Okafor', organisationId: priya.person.organisationId })
  })

  async function admin(name: string): Promise<Admin> {
    const person = await stage.person({ name, role: 'admin' })
    const by = createVisitor(stage.origin)
    const { end } = await enrol(stage, by, '/account', person)
    await by.follow(end)
    return { person, by }
  }

  async function happened(at: number, ...entries: readonly AuditEntry[]): Promise<void> {
    // One by one: the ids of one commit need not be in order.
    for (const each of entries) await stage.running.services.database.commit([auditRow(each, at)])
  }

  const see = (query = '', { by } = priya): Promise<Answer> => by.get(`/admin/audit${query}`)

  /** Of each row: its time, and what its cells say. */
  function rowsOf({ body }: Answer): { at: string; cells: string[] }[] {
    const [, table = ''] = body.split('<tbody')
    return [...table.matchAll(/<tr.*?<\/tr>/gs)].map(([row]) => ({
      at: /datetime="([^"]+)"/.exec(row)?.[1] ?? '',
      cells: [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) =>
        cell
          .replaceAll(/<[^>]+>/g, ' ')
          .replaceAll(/\s+/g, ' ')
          .trim(),
      ),
    }))
  }

  const linkOf = ({ body }: Answer, text: string): string | undefined =>
    new RegExp(`<a[^>]*href="([^"]+)"[^>]*>(?:<svg((?!</?a\\b).)*</svg>)?${text}</a>`, 's')
      .exec(body)?.[1]
      ?.replaceAll('&amp;', '&')

  it('says when, what, who, to whom, from where, with what and why, the newest first', async () => {
    const { organisationId, id } = priya.person
    const { metadata } = await createClient(stage.directory, {
      name: 'Fleet desk',
      redirectUris: ['https://fleetdesk.example/callback'],
    })
    await happened(DAY, {
      event: 'login',
      organisationId,
      accountId: ben.id,
      details: { client: OWN_CLIENT_ID, factors: ['pwd'] },
    })
    await happened(DAY + HOUR, {
      event: 'login',
      organisationId,
      accountId: ben.id,
      address: '203.0.113.7',
      details: { client: metadata.client_id, factors: ['pwd', 'otp'] },
    })
    await happened(DAY + 2 * HOUR, {
      event: 'second_factor.reset',
      organisationId,
      accountId: ben.id,
      actorId: id,
      address: '203.0.113.8',
      details: { reset: 'rst_hidden', reason: 'Phone <b>lost</b>', removePasskeys: false },
    })
    const page = await see('?from=2020-05-14&to=2020-05-14')
    expect(page.heading).to.equal('Audit log')
    expect(rowsOf(page)).to.deep.equal([
      {
        at: '2020-05-14T02:00:00.000Z',
        cells: [
          '2020-05-14 02:00:00',
          '2FA reset Phone &lt;b&gt;lost&lt;/b&gt;',
          `Priya Raman ${priya.person.email}`,
          `Ben Okafor ${ben.email}`,
          '203.0.113.8',
          '–',
        ],
      },
      {
        at: '2020-05-14T01:00:00.000Z',
        cells: [
          '2020-05-14 01:00:00',
          'Logged in App: Fleet desk',
          `Ben Okafor ${ben.email}`,
          '–',
          '203.0.113.7',
          'Password, One-time code',
        ],
      },
      {
        at: '2020-05-14T00:00:00.000Z',
        cells: ['2020-05-14 00:00:00', 'Logged in', `Ben Okafor ${ben.email}`, '–', '–', 'Password'],
      },
    ])
    expect(page.body).not.to.include('rst_hidden')
  })

  it('filters by event, by person on either side, and by whole days in UTC', async () => {
    const { organisationId } = priya.person
    const login = { event: 'login', organisationId, accountId: ben.id } as const
    const day = Date.UTC(2020, 5, 1)
    await happened(day - 1, login)
    await happened(day, login, { ...login, event: 'logout' })
    await happened(day + 24 * HOUR - 1, { ...login, accountId: priya.person.id, actorId: ben.id })
    await happened(day + 24 * HOUR, login)
    const times = async (query: string) =>
      rowsOf(await see(`?from=2020-06-01&to=2020-06-01${query}`)).map(each => each.at)
    expect(await times('')).to.deep.equal([
      '2020-06-01T23:59:59.999Z',
      '2020-06-01T00:00:00.000Z',
      '2020-06-01T00:00:00.000Z',
    ])
    expect(await times('&event=logout')).to.have.length(1)
    expect(await times('&event=&person=')).to.have.length(3)
    for (const typed of [ben.email.toUpperCase(), ben.id, 'okafor', 'Ben Ok']) {
      expect(await times(`&person=${encodeURIComponent(typed)}`), typed).to.have.length(3)
    }
    expect(await times('&person=priya')).to.have.length(1)
    const page = await see(`?event=logout&person=okafor&from=2020-06-01`)
    expect(page.body).to.match(/<option value="logout" selected/)
    expect(page.body).to.match(/id="person"[^>]* value="okafor"/)
    expect(page.body).to.match(/id="from"[^>]* value="2020-06-01"/)
  })

  it('tells the operator by that name, whom it finds as such', async () => {
    const page = await see('?person=operator&event=user.created')
    expect(rowsOf(page).map(({ cells }) => cells.slice(1, 4))).to.deep.include([
      'User created Role: technician',
      'Operator',
      `Ben Okafor ${ben.email}`,
    ])
  })

  it('asks whom somebody means whose name is shared, and says so of a name that nobody has', async () => {
    const { organisationId } = priya.person
    const kims = [
      await stage.person({ name: 'Kim Novak', organisationId }),
      await stage.person({ name: 'Kim Parry', organisationId }),
    ]
    const several = await see('?person=kim&from=2020-01-01')
    expect(several.body).to.include('Whom do you mean?')
    expect(rowsOf(several)).to.deep.equal([])
    const link = linkOf(several, 'Show Kim Parry')
    expect(link).to.equal(`/admin/audit?person=${encodeURIComponent(kims[1]?.email ?? '')}&from=2020-01-01`)
    expect(rowsOf(await priya.by.get(link ?? '')).map(({ cells }) => cells[1])).to.deep.equal([
      'User created Role: technician',
    ])
    const nobody = await see('?person=okafro')
    expect(nobody.body).to.include('Nobody here is called “<b>okafro</b>”')
    expect(nobody.body).not.to.include('events.csv')
  })

  it('goes by key from page to page and back, and loses and repeats nothing', async () => {
    const { organisationId } = priya.person
    const day = Date.UTC(2020, 6, 1)
    // Of one millisecond, so that only the ids tell them apart.
    const entries = Array.from({ length: 60 }, (_, n) => ({
      event: 'code.wrong' as const,
      organisationId,
      accountId: ben.id,
      details: { reason: `try-${n}-` },
    }))
    await happened(day, ...entries)
    const filter = '?event=code.wrong&person=okafor&from=2020-07-01&to=2020-07-01'
    const seen: string[][] = []
    let page = await see(filter)
    expect(linkOf(page, 'Newer')).to.equal(undefined)
    for (;;) {
      seen.push(rowsOf(page).map(({ cells }) => cells[1] ?? ''))
      const older = linkOf(page, 'Older')
      if (older === undefined) break
      expect(older).to.include('person=okafor').and.include('from=2020-07-01')
      page = await priya.by.get(older)
    }
    expect(seen.map(each => each.length)).to.deep.equal([25, 25, 10])
    expect(seen.flat()).to.deep.equal(entries.map((_, n) => `Wrong code try-${59 - n}-`))
    for (const before of [seen[1], seen[0]]) {
      page = await priya.by.get(linkOf(page, 'Newer') ?? '')
      expect(rowsOf(page).map(({ cells }) => cells[1])).to.deep.equal(before)
    }
    expect(linkOf(page, 'Newer')).to.equal(undefined)
    await happened(day + 1, { ...entries[0], details: { reason: 'late' } } as AuditEntry)
    page = await priya.by.get(`/admin/audit${filter}&before=${day}.999999999`)
    expect(linkOf(page, 'Newer')).not.to.equal(undefined)
  })

  it('exports what the filter shows on all of its pages, as an attachment', async () => {
    const page = await see('?event=code.wrong&person=okafor&from=2020-07-01&to=2020-07-01')
    const csv = await priya.by.get(linkOf(page, 'CSV') ?? '')
    expect(csv.headers.get('content-type')).to.equal('text/csv; charset=utf-8')
    expect(csv.headers.get('content-disposition')).to.match(
      /^attachment; filename="audit-log-[\d-]{10}\.csv"$/,
    )
    expect(csv.body.split('\r\n').filter(Boolean)).to.have.length(62)
    const older = await priya.by.get(linkOf(page, 'Older') ?? '')
    const jsonl = await priya.by.get(linkOf(older, 'JSON lines') ?? '')
    expect(jsonl.headers.get('content-type')).to.equal('application/jsonl; charset=utf-8')
    expect(jsonl.headers.get('content-disposition')).to.match(/^attachment; .*\.jsonl"$/)
    const lines = jsonl.body
      .split('\n')
      .filter(Boolean)
      .map(each => JSON.parse(each))
    expect(lines.slice(0, 25).map(each => `Wrong code ${each.details.reason}`)).to.deep.equal(
      rowsOf(page).map(({ cells }) => cells[1]),
    )
    expect(lines).to.have.length(61)
    // Where the page shows nobody's, the file has nobody's.
    expect((await priya.by.get('/admin/audit/events.jsonl?person=okafro')).body).to.equal('')
    expect((await priya.by.get('/admin/audit/events.jsonl?person=kim')).body).to.equal('')
  })

  it('knows nothing of another organisation: not its people, not its events, not in a file', async () => {
    const { organisationId } = mallory.person
    await happened(DAY, { event: 'login', organisationId, accountId: mallory.person.id })
    for (const typed of [mallory.person.email, mallory.person.id, 'mallory', 'Evers']) {
      const query = `?person=${encodeURIComponent(typed)}`
      const page = await see(query)
      expect([page.status, rowsOf(page)], typed).to.deep.equal([200, []])
      expect(page.body).to.include('Nobody here is called')
      expect((await priya.by.get(`/admin/audit/events.jsonl${query}`)).body).to.equal('')
    }
    const all = await priya.by.get('/admin/audit/events.jsonl')
    expect(all.body).to.include('Ben Okafor').and.not.include('Mallory').and.not.include(organisationId)
    const theirs = await mallory.by.get('/admin/audit/events.csv')
    expect(theirs.body).to.include('Mallory').and.not.include('Ben Okafor')
    // A key of somebody else's row is only a place in one's own log.
    const place = await mallory.by.get('/admin/audit?before=9999999999999.1')
    expect(place.status).to.equal(200)
    expect(place.body).not.to.include('Okafor')
  })

  it('takes an event, a day or a place that it does not know for a fault', async () => {
    const bad = [
      'event=login%27--',
      'event=everything',
      'from=yesterday',
      'from=2020-02-30',
      'to=2020-13-01',
      'to=2020-05-14T00:00',
      'to=%2B020200-05-14',
      'before=',
      'before=1',
      'after=1.x',
      'after=-1.5',
      'before=1.1%20OR%201=1',
      'before=9999999999999999.1',
      'person=%00',
      `person=${'x'.repeat(201)}`,
    ]
    for (const query of bad) {
      for (const path of ['/admin/audit', '/admin/audit/events.csv', '/admin/audit/events.jsonl']) {
        expect((await priya.by.get(`${path}?${query}`)).status, `${path} ${query.slice(0, 40)}`).to.equal(400)
      }
    }
    for (const person of ["' OR 1=1 --", '%', '_', '()', '\u{1f980}', '=cmd', '"><script>']) {
      const page = await see(`?person=${encodeURIComponent(person)}`)
      expect([page.status, rowsOf(page)], person).to.deep.equal([200, []])
      expect(page.body).not.to.include('"><script>')
    }
    // Nothing happened before it began.
    expect((await see('?from=2020-05-15&to=2020-05-14')).body).to.include('Nothing happened that matches.')
    expect((await see('?from=0001-01-01&to=9999-12-31')).status).to.equal(200)
  })

  it('A6: markup, formulas and line breaks in names and reasons stay text, in the page and in the files', async () => {
    const organisationId = priya.person.organisationId
    const eve = await stage.person({ name: '=cmd("x") <b>Eve</b>', organisationId })
    const at = Date.UTC(2020, 7, 1)
    const reason = '=1+1\r\n"<script>alert(1)</script>'
    const details = { reason, secret: 'hunter2', factors: ['otp', '<i>'] }
    await happened(at, { event: 'passkey.refused', organisationId, accountId: eve.id, details })
    const page = await see('?from=2020-08-01&to=2020-08-01')
    expect(page.body).not.to.match(/<b>Eve|<script>alert|<i>|hunter2/)
    expect(rowsOf(page)[0]?.cells[5]).to.equal('One-time code')
    const csv = await priya.by.get(linkOf(page, 'CSV') ?? '')
    const lines = csv.body.split('\r\n').filter(Boolean)
    expect(lines).to.have.length(2)
    expect(lines[1]).to.include(`"'=cmd(""x"") <b>Eve</b>"`).and.include(`"'=1+1\\r\\n""<script>`)
  })

  it('says whether the newest part of the log is as it was sealed, and who checks all of it', async () => {
    const { database, keyring } = stage.running.services
    stage.advance(MINUTE)
    await sealAudit(database, keyring, stage.now)
    stage.advance(MINUTE)
    const page = await see()
    expect(page.body).to.match(
      /The newest part of the log is complete\.<\/b>.* Checked on \d+ \w+ \d{4}, [\d:]+ UTC\./,
    )
    expect(page.body).to.include('audit verify</b>')
  })

  it('tells seals that do not hold, and rows that nobody seals', async () => {
    const { database, keyring } = stage.running.services
    const other = createKeyring([Buffer.alloc(32, 7).toString('base64url')])
    expect((await createAuditCheck(database, other, stage.now)()).kind).to.equal('broken')
    // The server would seal it within two seconds: its row says that it has waited.
    await happened(stage.now() - HOUR, { event: 'logout', organisationId: priya.person.organisationId })
    let looked = 0
    const check = createAuditCheck(database, keyring, () => stage.now() + looked++)
    const [first, second] = [await check(), await check()]
    expect(first.kind).to.equal('late')
    // Once in half a minute, whoever asks.
    expect(second).to.equal(first)
  })
})
