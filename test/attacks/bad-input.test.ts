// L9: what no page of ours sends. Every form takes its own fields, each once, as text, in a body of the right kind and
// size; all else is a page with a reference, nothing from inside the server, and a login that stands where it stood.

import { expect } from 'chai'
import { code } from '../support/one-time-codes.ts'
import { openStage, PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  type RelyingParty,
  relyingParty,
  textOf,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import {
  change,
  codeOf,
  givePasskey,
  halfLogin,
  isErrorPage,
  MAILED_CODE,
  mailed,
  RESET_LINK,
  raw,
  victim,
} from './ground.ts'

interface Form {
  readonly visitor: Visitor
  readonly path: string
  readonly field: string
  /** The heading of the page that must still be there. */
  look(): Promise<string | undefined>
}

describe('L9 bad input', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty
  let thirdParty: RelyingParty
  const forms: Record<string, Form> = {}

  /** A form of an interaction, and the page it is on. */
  function form(visitor: Visitor, base: string, way: string, field: string): Form {
    return { visitor, path: `${base}/${way}`, field, look: async () => (await visitor.follow(base)).heading }
  }

  async function reset({ id }: Person): Promise<void> {
    await change(
      stage,
      'UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = CAST(? AS bigint) WHERE id = ?',
      [stage.now(), id],
    )
  }

  before(async () => {
    stage = await openStage()
    party = await relyingParty(stage)
    thirdParty = await relyingParty(stage, { firstParty: false })
    const start = async () => {
      const visitor = createVisitor(stage.origin)
      const page = await visitor.follow((await party.begin()).url)
      return { visitor, base: `/interaction/${uidOf(page.url)}` }
    }
    const email = await start()
    forms.email = form(email.visitor, email.base, 'identify', 'email')
    forms.passkey = form(email.visitor, email.base, 'passkey', 'response')
    const known = await victim(stage, party)
    const password = await start()
    await password.visitor.post(`${password.base}/identify`, { email: known.person.email })
    forms.password = form(password.visitor, password.base, 'password', 'password')
    const half = await halfLogin(stage, party, known.person)
    forms.code = form(half.visitor, half.base, 'otp', 'code')
    forms.recovery = form(half.visitor, half.base, 'recovery', 'code')
    const fresh = await halfLogin(stage, party, await stage.person())
    forms['set up'] = form(fresh.visitor, fresh.base, 'set-up', 'code')
    const lost = await victim(stage, party)
    const recovered = await halfLogin(stage, party, lost.person)
    await recovered.visitor.post(`${recovered.base}/recovery`, { code: lost.recoveryCode })
    forms['recovery code'] = form(recovered.visitor, recovered.base, 'recovery-code-saved', 'saved')
    const again = await victim(stage, party)
    const ticked = await halfLogin(stage, party, again.person)
    await ticked.visitor.post(`${ticked.base}/recovery`, { code: again.recoveryCode })
    await ticked.visitor.post(`${ticked.base}/recovery-code-saved`, { saved: 'yes' })
    forms['set up again'] = form(ticked.visitor, ticked.base, 'set-up-again', 'answer')
    const offer = await start()
    await offer.visitor.post(`${offer.base}/identify`, {
      email: (await stage.person()).email,
      webauthn: 'platform',
    })
    await offer.visitor.post(`${offer.base}/password`, { password: PASSWORD, webauthn: 'platform' })
    const key = textOf((await offer.visitor.follow(offer.base)).body, 'key').replaceAll(' ', '')
    await offer.visitor.post(`${offer.base}/set-up`, { code: code(key, stage.now()) })
    await offer.visitor.post(`${offer.base}/recovery-code-saved`, { saved: 'yes' })
    forms['passkey offer'] = form(offer.visitor, offer.base, 'passkey-registration', 'response')
    const keyed = await stage.person()
    await givePasskey(stage, keyed)
    const first = await halfLogin(stage, party, keyed)
    forms['passkey first'] = form(first.visitor, first.base, 'cannot-use-passkey', 'code')
    const mailbox = await victim(stage, party)
    await reset(mailbox.person)
    const proof = await halfLogin(stage, party, mailbox.person)
    forms['mailed code'] = form(proof.visitor, proof.base, 'mailed-code', 'code')
    forms['send code'] = form(proof.visitor, proof.base, 'send-code', 'code')
    const asked = await known.visitor.follow((await thirdParty.begin()).url)
    forms.consent = form(known.visitor, `/interaction/${uidOf(asked.url)}`, 'consent', 'answer')
    const needs = await known.visitor.follow((await party.begin({ acr_values: 'phr' })).url)
    forms['give up'] = form(known.visitor, `/interaction/${uidOf(needs.url)}`, 'give-up', 'code')
    const reader = createVisitor(stage.origin)
    forms['forgotten password'] = {
      visitor: reader,
      path: '/forgot-password',
      field: 'email',
      look: async () => (await reader.get('/forgot-password')).heading,
    }
    const forgetful = await stage.person()
    await reader.post('/forgot-password', { email: forgetful.email })
    const link = await mailed(stage, forgetful, RESET_LINK)
    forms['new password'] = {
      visitor: reader,
      path: link,
      field: 'password',
      look: async () => (await reader.get(link)).heading,
    }
  })
  after(() => stage.close())

  const FORMS = [
    ...['email', 'passkey', 'password', 'code', 'recovery', 'set up', 'recovery code', 'set up again'],
    ...['passkey offer', 'passkey first', 'mailed code', 'send code', 'consent', 'give up'],
    ...['forgotten password', 'new password'],
  ]
  const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

  /** Bodies that are refused before anybody looks at what they say. */
  const BROKEN: [string, (field: string) => [body: string, headers?: Record<string, string>], number][] = [
    ['an array', field => [`${field}[]=1`], 400],
    ['two arrays', field => [`${field}[0]=1&${field}[1]=2`], 400],
    ['a nested key', field => [`${field}[a][b]=1`], 400],
    ['a dotted key', field => [`${field}.a=1`], 400],
    ['__proto__', () => ['__proto__=1'], 400],
    ['__proto__[x]', () => ['__proto__[isAdmin]=1'], 400],
    ['constructor', () => ['constructor[prototype][x]=1'], 400],
    ['a field twice', field => [`${field}=1&${field}=2`], 400],
    ['NUL', field => [`${field}=1%002`], 400],
    ['a field that no form has', field => [`${field}=1&login=admin`], 400],
    ['invalid UTF-8', field => [`${field}=%ff%fe`], 400],
    ['an escape cut short', field => [`${field}=%e2%82`], 400],
    ['1 MB', field => [`${field}=${'a'.repeat(1 << 20)}`], 413],
    ['17 kB', field => [`${field}=${'a'.repeat(17 * 1024)}`], 413],
    ['JSON', field => [JSON.stringify({ [field]: ['1'] }), { 'content-type': 'application/json' }], 415],
    ['plain text', field => [`${field}=1`, { 'content-type': 'text/plain' }], 415],
    ['XML', () => ['<a/>', { 'content-type': 'application/xml' }], 415],
    ['a file', () => ['--x\r\n\r\n1\r\n--x--', { 'content-type': 'multipart/form-data; boundary=x' }], 415],
  ]

  for (const name of FORMS) {
    it(`is refused by the form "${name}", which stays where it was`, async () => {
      const { visitor, path, field, look } = forms[name] as Form
      const before = await look()
      expect(before).to.be.a('string')
      for (const [what, body, status] of BROKEN) {
        const [text, headers = FORM_TYPE] = body(field)
        const answer = await visitor.post(path, text, headers)
        expect(answer.status, what).to.equal(status)
        expect(isErrorPage(answer), `${what}\n${answer.body}`).to.equal(true)
      }
      expect(await look()).to.equal(before)
    })
  }

  it('is an answer with a message on the same page, where a form is sent empty', async () => {
    for (const name of FORMS.filter(each => !['passkey first', 'send code', 'give up'].includes(each))) {
      const { visitor, path, look, field } = forms[name] as Form
      const before = await look()
      for (const body of ['', `${field}=`, `${field}=%20`]) {
        const answer = await visitor.post(path, body)
        expect(answer.status, `${name} "${body}"`).to.equal(400)
        expect(answer.body).not.to.match(/\bat .+:\d+:\d+|undefined|\[object/)
      }
      expect(await look(), name).to.equal(before)
    }
  })

  it('is refused by a page, not by a cut line, where a body has no length and no end', async () => {
    const { path, visitor } = forms['forgotten password'] as Form
    const chunk = `${(4096).toString(16)}\r\n${'a'.repeat(4096)}\r\n`
    const answer = await raw(
      stage.origin,
      [
        `POST ${path} HTTP/1.1`,
        `Host: ${new URL(stage.origin).host}`,
        'Sec-Fetch-Site: same-origin',
        'Content-Type: application/x-www-form-urlencoded',
        'Transfer-Encoding: chunked',
        'Connection: close',
        '',
        `${chunk.repeat(8)}0\r\n\r\n`,
      ].join('\r\n'),
    )
    expect(answer).to.match(/^HTTP\/1\.1 413/)
    expect((await visitor.get(path)).status).to.equal(200)
  })

  it('is no fault anywhere: addresses, cookies and headers of any shape', async () => {
    const { visitor, path } = forms.code as Form
    const base = path.slice(0, path.lastIndexOf('/'))
    const urls = [
      `${base}?with=__proto__`,
      `${base}?with[]=otp&with=otp`,
      `${base}?with=%00`,
      `${base}/__proto__`,
      `${base}/constructor`,
      '/interaction/%00',
      '/interaction/..%2f..%2fetc',
      '/interaction/%E0%A4%A',
      `/interaction/${'a'.repeat(5000)}`,
      '/auth/%00',
      '/auth',
      '/auth?client_id=%00',
      '/auth?client_id[]=x',
      '/link/password-reset/%00',
      '/link/__proto__/x',
      '/forgot-password?back=%22%3E%3Cscript%3E',
      '/forgot-password?back[]=x',
      '/session/end?id_token_hint=x',
      '/session/end?post_logout_redirect_uri=https://evil.example',
      '/assets/..%2f..%2fpackage.json',
      '/me',
      '/.well-known/openid-configuration/',
      '//evil.example/',
      '/%2e%2e/%2e%2e/',
    ]
    for (const url of urls) {
      for (const headers of [{}, { cookie: 'sallyport_session=x; sallyport_session.sig=y; __proto__=z' }]) {
        const answer: Answer = await visitor.get(stage.origin + url, headers)
        expect(answer.status, url).to.be.below(500)
        expect(answer.body, url).not.to.match(/\bat .+:\d+:\d+|node_modules|"><script>/)
        expect(answer.location ?? '', url).not.to.include('evil')
      }
      const posted = await visitor.post(stage.origin + url, 'x=1')
      expect(posted.status, `POST ${url}`).to.be.below(500)
    }
    for (const headers of [
      { 'accept-language': 'x'.repeat(4000) },
      { 'accept-encoding': ';;;q=,' },
      { 'user-agent': '\u{ff}' },
      { 'x-forwarded-for': '203.0.113.9' },
      { accept: '*/' },
    ]) {
      expect((await visitor.get('/forgot-password', headers)).status, JSON.stringify(headers)).to.equal(200)
    }
    expect((await visitor.follow(base)).heading).to.equal('Verify your identity')
  })

  it('does not believe a forwarded address, where there is no proxy', async () => {
    const { person } = await victim(stage, party)
    for (let guess = 0; guess < 12; guess++) {
      const visitor = createVisitor(stage.origin)
      const start = await visitor.get((await party.begin()).url)
      const base = `/interaction/${uidOf(start.location ?? '')}`
      await visitor.post(`${base}/identify`, { email: person.email })
      const forged = `198.51.100.${guess}`
      const answer = await visitor.post(
        `${base}/password`,
        { password: guess === 11 ? PASSWORD : 'wrong' },
        {
          'x-forwarded-for': forged,
          forwarded: `for=${forged}`,
          'x-real-ip': forged,
          'true-client-ip': forged,
        },
      )
      expect(answer.status).to.equal(400)
    }
  })

  it('leaves every form as good as before', async () => {
    const { visitor, path, look } = forms.code as Form
    expect(await look()).to.equal('Verify your identity')
    expect((await visitor.post(path, { code: 'abcdef' })).status).to.equal(400)
    const { visitor: reader, path: proof } = forms['mailed code'] as Form
    expect((await reader.post(proof, { code: '000000' })).status).to.equal(400)
    expect(MAILED_CODE.test('123456')).to.equal(true)
    expect(codeOf(stage, { secret: 'A'.repeat(32) })).to.match(/^\d{6}$/)
  })
})
