// A new recovery code for oneself, by requests alone: what it takes, that it is shown until it is ticked, and what is
// valid when.

import { expect } from 'chai'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, textOf, throughPassword, uidOf, visibleText } from '../support/visitor.ts'

const PAGE = '/account/recovery-code'
const STEP_UP = 'Confirm it’s you'
const SAVE = 'Save your recovery code'

onEveryStage('one’s own recovery code', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let dana: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    dana = await members.enrolled()
  })

  const issued = () => audited(stage, 'recovery_code.issued', dana.person)

  async function made(by = dana.by): Promise<{ url: string; code: string }> {
    const answer = await by.post(PAGE, {})
    const page = await by.follow(answer.location ?? '')
    expect(page.heading).to.equal(SAVE)
    return { url: page.url, code: textOf(page.body, 'recovery') }
  }

  async function letsIn(code: string): Promise<boolean> {
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', dana.person.email)
    return (await by.post(`${base}/recovery`, { code })).status === 303
  }

  it('is made after a page that says what happens, shown until it is ticked, and told by mail', async () => {
    expect((await dana.by.get(PAGE)).heading).to.equal('Get a new recovery code?')
    expect(await issued(), 'a page makes none').to.equal(1)
    const { url, code } = await made()
    const reloaded = await dana.by.get(url)
    expect(textOf(reloaded.body, 'recovery')).to.equal(code)
    expect(reloaded.headers.get('cache-control')).to.equal('no-store')
    expect(visibleText(reloaded)).to.include('Your old code no longer works.')
    expect(visibleText(await dana.by.post(url, {}))).to.include('Save the code first')
    expect(visibleText(await dana.by.get('/account'))).to.include('None saved')
    const saved = await dana.by.post(url, { saved: 'yes' })
    expect(visibleText(await dana.by.follow(saved.location ?? ''))).to.include('Your recovery code is saved.')
    expect((await dana.by.get(url)).body, 'and not again').not.to.include(code)
    expect(await letsIn(dana.enrolled.recoveryCode), 'the old one').to.equal(false)
    expect(await letsIn(code)).to.equal(true)
    await stage.mail(
      ({ subject, to }) =>
        subject === 'A new recovery code was made for your account' &&
        JSON.stringify(to).includes(dana.person.email),
    )
    expect(await issued()).to.equal(2)
    expect(await audited(stage, 'recovery_code.saved', dana.person)).to.equal(2)
  })

  it('E4: is not made, nor shown again, with a factor older than five minutes', async () => {
    stage.advance(6 * MINUTE)
    const asked = await dana.by.follow((await dana.by.post(PAGE, {})).location ?? '')
    expect(asked.heading).to.equal(STEP_UP)
    expect(await issued()).to.equal(1)
    const waiting = await members.prove(dana, asked)
    expect(waiting.heading).to.equal('Get a new recovery code?')
    expect(await issued(), 'one more press').to.equal(1)
    const pending = /name="pending" value="([^"]+)"/.exec(waiting.body)?.[1] ?? ''
    const answers = await Promise.all([1, 2].map(() => dana.by.post(PAGE, { pending })))
    expect(answers.map(each => each.status)).to.deep.equal([303, 303])
    expect(await issued(), 'what waited is done once').to.equal(2)
    const { url, code } = await made()
    stage.advance(6 * MINUTE)
    expect((await dana.by.get(url)).body).not.to.include(code)
    expect((await dana.by.post(url, { saved: 'yes' })).location).to.include('/auth?')
    expect(await audited(stage, 'recovery_code.saved', dana.person)).to.equal(1)
  })

  it('E4: is not made by a password alone, nor from another site, nor shown to another session', async () => {
    const by = createVisitor(stage.origin)
    expect((await by.post(PAGE, {})).location).to.include('/auth?')
    const half = await throughPassword(by, PAGE, dana.person.email)
    expect(half.page.heading).to.equal('Verify your identity')
    expect((await dana.by.post(PAGE, {}, { 'sec-fetch-site': 'same-site' })).status).to.equal(403)
    expect(await issued()).to.equal(1)
    const { url, code } = await made()
    const mallory = await members.enrolled({ name: 'Mallory' })
    expect((await mallory.by.follow(url)).body).not.to.include(code)
    await mallory.by.post(url, { saved: 'yes' })
    expect(await audited(stage, 'recovery_code.saved', dana.person)).to.equal(1)
  })

  it('of two tabs the newer one’s is valid, and the older one is told so when it ticks', async () => {
    const [first, second] = [await made(), await made()]
    const late = await dana.by.post(first.url, { saved: 'yes' })
    expect(late.status).to.equal(409)
    expect(visibleText(late)).to.include('A newer code was made')
    expect((await dana.by.get(first.url)).body, 'nor is it shown').not.to.include(first.code)
    expect(await letsIn(first.code)).to.equal(false)
    const ticks = await Promise.all([1, 2, 3].map(() => dana.by.post(second.url, { saved: 'yes' })))
    expect(ticks.every(each => each.status === 303)).to.equal(true)
    expect(await audited(stage, 'recovery_code.saved', dana.person)).to.equal(2)
    expect(await letsIn(second.code)).to.equal(true)
  })

  it('that is never ticked is shown to nobody after ten minutes, and the next code of the phone brings another', async () => {
    const { url, code } = await made()
    stage.advance(11 * MINUTE)
    const shown = await members.prove(dana, await dana.by.follow(url))
    expect(shown.heading).to.equal(SAVE)
    expect(textOf(shown.body, 'recovery')).not.to.equal(code)
    await dana.by.post(`/interaction/${uidOf(shown.url)}/recovery-code-saved`, { saved: 'yes' })
    const end = await dana.by.follow(shown.url)
    expect(visibleText(end)).to.include('Your recovery code is saved.')
  })

  it('is asked for once by somebody who has none, and whose one-time code brings one on the way', async () => {
    await made()
    const { body } = await dana.by.get('/account')
    expect(body).to.include(`href="${PAGE}?for=none"`)
    stage.advance(6 * MINUTE)
    const shown = await members.prove(dana, await dana.by.follow(`${PAGE}?for=none`))
    expect(shown.heading).to.equal(SAVE)
    await dana.by.post(`/interaction/${uidOf(shown.url)}/recovery-code-saved`, { saved: 'yes' })
    expect(visibleText(await dana.by.follow(shown.url))).to.include('Your recovery code is saved.')
    expect((await dana.by.get('/account')).body).to.include(`href="${PAGE}"`)
  })

  it('that waited too long for its tick is replaced on the way, and not shown any more', async () => {
    const { url, code } = await made()
    stage.advance(6 * MINUTE)
    const answer = await dana.by.post(url, { saved: 'yes' })
    const shown = await members.prove(dana, await dana.by.follow(answer.location ?? ''))
    expect(textOf(shown.body, 'recovery')).not.to.equal(code)
    await dana.by.post(`/interaction/${uidOf(shown.url)}/recovery-code-saved`, { saved: 'yes' })
    const end = await dana.by.follow(shown.url)
    expect(visibleText(end)).to.include('Your recovery code is saved.')
    expect(end.body).not.to.include(code)
  })

  it('is nowhere in the clear: not in the database, the log or a mail', async () => {
    const { url, code } = await made()
    await dana.by.post(url, {})
    const bare = code.replaceAll('-', '')
    const kept = await rows(stage, 'SELECT form FROM pending_forms')
    const seen = JSON.stringify([
      kept,
      stage.log,
      await stage.mails(),
      await rows(stage, 'SELECT details FROM audit_events'),
    ])
    expect(seen).not.to.include(code).and.not.to.include(bare)
  })
})
