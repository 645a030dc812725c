// Changing one's own password, by requests alone: what it takes, what it ends, and what changes nothing.

import { expect } from 'chai'
import * as client from 'openid-client'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { changePassword } from '../../src/store/accounts/own-changes.ts'
import { CommitRefused } from '../../src/store/database.ts'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, change, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  logIn,
  type RelyingParty,
  relyingParty,
  throughPassword,
  uidOf,
  type Visitor,
  visibleText,
} from '../support/visitor.ts'

const PAGE = '/account/password'
const NEW = 'seven herons polish copper kettles'
const STEP_UP = 'Confirm it’s you'
const MAIL = 'Your password was changed'

onEveryStage('changing one’s own password', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let party: RelyingParty
  let dana: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
    party = await relyingParty(stage, {
      metadata: { backchannel_logout_uri: 'https://party.example/logout' },
    })
  })
  beforeEach(async () => {
    dana = await members.enrolled()
  })

  const send = (form: Record<string, string>, by = dana.by) => by.post(PAGE, form)
  const hashOf = async () =>
    (await readAccount(stage.running.services.database, dana.person.id))?.passwordHash
  const changes = () => audited(stage, 'password.changed', dana.person)

  async function pageAfter(password: string): Promise<string | undefined> {
    const by = createVisitor(stage.origin)
    return (await throughPassword(by, '/account', dana.person.email, password)).page.heading
  }

  /** Logs in at an app, and has it stay connected. */
  async function connected(by: Visitor) {
    const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
    const asked = await by.follow(begun.url)
    const allowed = await by.post(`/interaction/${uidOf(asked.url)}/consent`, { answer: 'allow' })
    return party.finish(begun, (await by.follow(allowed.location ?? '')).url)
  }

  const refreshed = (tokens: Awaited<ReturnType<typeof connected>>) =>
    client.refreshTokenGrant(party.config, tokens.refresh_token ?? '').then(
      () => 'refreshed',
      error => error.error,
    )

  it('takes the password of now and a new one; then only the new one logs in, and its owner is told', async () => {
    const page = await dana.by.get(PAGE)
    expect(page.heading).to.equal('Change your password')
    const answer = await send({ current: PASSWORD, password: NEW, username: dana.person.email })
    expect(answer.status).to.equal(303)
    const overview = await dana.by.follow(answer.location ?? '')
    expect(visibleText(overview)).to.include('Your password is changed. You are logged out everywhere else.')
    expect(await pageAfter(PASSWORD)).to.equal('Enter your password')
    expect(await pageAfter(NEW)).to.equal('Verify your identity')
    const mail = await stage.mail(({ subject }) => subject === MAIL)
    expect(mail.text).to.include(dana.person.email)
    expect(await changes()).to.equal(1)
  })

  it('ends every other session and what was minted for it, tells its apps, and leaves this one alone', async () => {
    const other = createVisitor(stage.origin)
    await logIn(stage, other, '/account', dana.person, dana.enrolled)
    const [mine, theirs] = [await connected(dana.by), await connected(other)]
    const half = createVisitor(stage.origin)
    const { base } = await throughPassword(half, '/account', dana.person.email)
    await send({ current: PASSWORD, password: NEW })

    expect((await dana.by.get('/account')).status).to.equal(200)
    expect(await refreshed(mine)).to.equal('refreshed')
    const silent = await dana.by.get((await party.begin({ prompt: 'none' })).url)
    expect(silent.location).to.include('code=')
    expect((await other.follow('/account')).heading).to.equal('Log in')
    expect(await refreshed(theirs)).to.equal('invalid_grant')
    const code = await half.post(`${base}/otp`, { code: '000000' })
    expect(code.status, 'a login half way').to.equal(400)
    expect(code.heading).to.equal('This login has expired')
    const told = await rows(stage, "SELECT id FROM jobs WHERE kind = 'backchannel-logout' AND summary = ?", [
      `${dana.person.id} at ${party.clientId}`,
    ])
    expect(told).to.have.length(1)
  })

  it('E4: changes nothing with a factor older than five minutes; what was typed is not kept', async () => {
    const before = await hashOf()
    stage.advance(6 * MINUTE)
    const asked = await send({ current: PASSWORD, password: NEW })
    expect(await hashOf()).to.equal(before)
    const page = await dana.by.follow(asked.location ?? '')
    expect(page.heading).to.equal(STEP_UP)
    const again = await members.prove(dana, page)
    expect(again.heading).to.equal('Change your password')
    expect(visibleText(again)).to.include('Nothing is changed yet')
    expect(again.body).not.to.include(NEW).and.not.to.include(PASSWORD)
    const pending = /pending=([\w-]+)/.exec(again.url)?.[1] ?? ''
    expect(pending).not.to.equal('')
    expect(visibleText(await send({ pending })), 'nothing waits').to.include('Enter your current password.')
    expect(await hashOf()).to.equal(before)
    expect(await changes()).to.equal(0)
    expect((await send({ current: PASSWORD, password: NEW })).status).to.equal(303)
    expect(await changes()).to.equal(1)
  })

  it('E4: changes nothing by a password alone, nor without a session, nor from another site', async () => {
    const person = await stage.person({ graceUntil: 'tomorrow' })
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', person.email)
    await by.post(`${base}/put-off`, {})
    await by.follow(base)
    const form = { current: PASSWORD, password: NEW }
    const asked = await by.follow((await send(form, by)).location ?? '')
    expect(asked.heading).to.equal('Set up two-factor authentication')
    expect((await send(form, createVisitor(stage.origin))).location).to.include('/auth?')
    const foreign = await dana.by.post(PAGE, form, { 'sec-fetch-site': 'cross-site' })
    expect(foreign.status).to.equal(403)
    for (const { id } of [person, dana.person])
      expect(await audited(stage, 'password.changed', { id })).to.equal(0)
  })

  it('refuses what is not the password of now, and takes ten tries', async () => {
    expect(visibleText(await send({ current: '', password: NEW }))).to.include('Enter your current password.')
    for (let n = 0; n < 10; n++) {
      const answer = await send({ current: `wrong ${n}`, password: NEW })
      expect(answer.status).to.equal(400)
      expect(visibleText(answer)).to.include(
        n < 9 ? 'That isn’t your current password.' : 'Too many wrong passwords.',
      )
    }
    const right = await send({ current: PASSWORD, password: NEW })
    expect(visibleText(right)).to.include('Too many wrong passwords.')
    expect(await changes()).to.equal(0)
    expect(await audited(stage, 'password.wrong', dana.person)).to.equal(10)
    await stage.mail(
      ({ subject, to }) =>
        subject === 'Too many wrong passwords for your account' &&
        JSON.stringify(to).includes(dana.person.email),
    )
  })

  it('compares no more of fifty wrong ones at once than of ten in a row', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => send({ current: `wrong ${n}`, password: NEW })),
    )
    expect(answers.every(each => each.status === 400)).to.equal(true)
    expect(await audited(stage, 'password.wrong', dana.person)).to.equal(10)
  })

  it('refuses a new one by the rule for all, which costs no try; and the one that it is', async () => {
    for (let n = 0; n < 12; n++) {
      const answer = await send({ current: PASSWORD, password: n % 2 === 0 ? 'short' : 'dana whitlock 1' })
      expect(answer.status).to.equal(400)
      expect(answer.body).not.to.include(PASSWORD)
    }
    expect(visibleText(await send({ current: PASSWORD, password: '' }))).to.include('Enter a new password.')
    // Else it could be the second press of a double click.
    stage.advance(11_000)
    expect(visibleText(await send({ current: PASSWORD, password: PASSWORD }))).to.include('Choose another.')
    expect(await changes()).to.equal(0)
    expect((await send({ current: PASSWORD, password: NEW })).status).to.equal(303)
  })

  it('F18: says once more that it is done to the second press of a double click, and does it once', async () => {
    await send({ current: PASSWORD, password: NEW })
    const twice = await send({ current: PASSWORD, password: NEW })
    expect(twice.location).to.include('done=password')
    expect(await changes()).to.equal(1)
    expect(await audited(stage, 'password.wrong', dana.person)).to.equal(0)
    stage.advance(11_000)
    expect(visibleText(await send({ current: PASSWORD, password: NEW }))).to.include(
      'That isn’t your current password.',
    )
  })

  it('is done once by ten at once, and what is told is true of the one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => send({ current: PASSWORD, password: `${NEW} ${n}` })),
    )
    // Some of them come when the password is another one already.
    expect(answers.filter(each => each.location?.includes('done=password'))).to.have.length(1)
    expect(await changes()).to.equal(1)
    expect((await dana.by.get('/account')).status).to.equal(200)
  })

  it('is refused as a whole where the account was reset, or this session ended, since it was read', async () => {
    const { database } = stage.running.services
    const account = await readAccount(database, dana.person.id)
    const [session] = await rows(stage, 'SELECT uid FROM oidc_sessions WHERE account_id = ?', [
      dana.person.id,
    ])
    const place = {
      accountId: dana.person.id,
      epoch: account?.epoch ?? 0,
      sessionUid: String(session?.uid),
    }
    const hashes = { before: account?.passwordHash ?? '', hash: 'other' }
    const attempt = (own: typeof place, of = hashes) =>
      database.commit(changePassword(database.dialect, own, of, stage.now())).then(
        () => 'changed',
        error => (error instanceof CommitRefused ? error.refusal : String(error)),
      )
    expect(await attempt({ ...place, epoch: place.epoch + 1 })).to.equal('account_changed')
    expect(await attempt({ ...place, sessionUid: 'x' })).to.equal('account_changed')
    expect(await attempt(place, { ...hashes, before: 'x' })).to.equal('account_changed')
    await change(stage, 'UPDATE oidc_sessions SET ended_at = 1 WHERE uid = ?', [place.sessionUid])
    expect(await attempt(place)).to.equal('account_changed')
    expect(await hashOf()).to.equal(account?.passwordHash)
  })

  it('voids the links that were mailed before', async () => {
    await createVisitor(stage.origin).post('/forgot-password', { email: dana.person.email })
    const mail = await stage.mail(
      ({ subject, to }) =>
        subject === 'Choose a new password' && JSON.stringify(to).includes(dana.person.email),
    )
    const link = /http\S+\/link\/password-reset\/[\w-]+/.exec(mail.text ?? '')?.[0] ?? ''
    expect((await dana.by.get(link)).status).to.equal(200)
    await send({ current: PASSWORD, password: NEW })
    expect((await dana.by.get(link)).status).to.equal(404)
  })
})
