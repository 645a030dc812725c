// One's own account page, by requests alone: what it shows of whom, and that it claims nothing that is not so.

import { expect } from 'chai'
import { type Member, membersOf } from '../admin/member.ts'
import { change, givePasskey, MINUTE } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type Answer, createVisitor, throughPassword, visibleText } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'

const TABS = ['/account/sessions', '/account/apps', '/account/activity']

onEveryStage('one’s own account page', open => {
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

  const day = (time: number) =>
    `${new Date(time).getUTCDate()} ${new Date(time).toLocaleString('en-GB', { month: 'long', timeZone: 'UTC' })}`
  const links = ({ body }: Answer) => [...body.matchAll(/href="(\/account\/[\w/-]+)"/g)].map(([, url]) => url)

  it('says since when there is what, and when it was used last, and leads to where each is changed', async () => {
    const page = await dana.by.get('/account')
    const today = day(stage.now())
    expect(visibleText(page)).to.include(`Changed ${today}`).and.to.include(`Set up ${today}`)
    expect(visibleText(page)).to.include(`Saved ${today}`).and.to.include('You have none yet.')
    expect(links(page)).to.deep.equal([
      ...TABS,
      '/account/name',
      '/account/email',
      '/account/password',
      '/account/authenticator',
      '/account/recovery-code',
      '/account/passkeys/new',
    ])
  })

  it('lists passkeys, synced or of this device, and nobody else’s', async () => {
    const mallory = await members.enrolled({ name: 'Mallory' })
    await givePasskey(stage, dana.person)
    await givePasskey(stage, mallory.person)
    await change(stage, "UPDATE passkeys SET name = 'Theirs' WHERE account_id = ?", [mallory.person.id])
    const page = await dana.by.get('/account')
    expect(visibleText(page)).to.include('This device').and.to.include('Not used yet')
    expect(visibleText(page)).not.to.include('Theirs').and.not.to.include('Synced')
    expect(links(page).filter(each => each?.endsWith('/remove'))).to.have.length(1)
    await change(stage, 'UPDATE passkeys SET backed_up = 1, last_used_at = ? WHERE account_id = ?', [
      stage.now(),
      dana.person.id,
    ])
    const used = visibleText(await dana.by.get('/account'))
    expect(used)
      .to.include('Synced')
      .and.to.include(`Last used ${day(stage.now())}`)
  })

  it('says nothing of a password of which nobody knows since when it is', async () => {
    await change(stage, 'UPDATE accounts SET password_changed_at = NULL WHERE id = ?', [dana.person.id])
    expect(visibleText(await dana.by.get('/account'))).not.to.include('Changed')
  })

  it('claims of a link only what was done a moment ago', async () => {
    stage.advance(11 * MINUTE)
    const claims = [
      'password',
      'authenticator',
      'recovery-code',
      'passkey-added',
      '__proto__',
      'constructor',
      '',
    ]
    for (const done of claims) {
      const page = await dana.by.get(`/account?done=${done}&done=x`)
      expect(page.status, done).to.equal(200)
      const one = await dana.by.get(`/account?done=${done}`)
      expect(one.body, done).not.to.include('role="status"')
    }
  })

  it('offers somebody without a second factor to set one up, and nothing that needs one', async () => {
    const person = await stage.person({ graceUntil: 'tomorrow' })
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', person.email)
    await by.post(`${base}/put-off`, {})
    const page = await by.follow(base)
    expect(links(page)).to.deep.equal([
      ...TABS,
      '/account/name',
      '/account/email',
      '/account/password',
      '/account/set-up',
    ])
  })

  it('is read in two statements, however much there is', async () => {
    for (let n = 0; n < 5; n++) await givePasskey(stage, dana.person)
    const { statements } = await countWork(stage, () => dana.by.get('/account'))
    expect(statements.filter(each => each.startsWith('read'))).to.deep.equal([
      'read: session_by_id',
      'read: account_overview',
    ])
  })
})
