// Where somebody is logged in, which apps may use their account, and what happened to it, by requests alone.

import { expect } from 'chai'
import { refreshTokenGrant } from 'openid-client'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, change, DAY, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  logIn,
  type RelyingParty,
  relyingParty,
  uidOf,
  type Visitor,
  visibleText,
} from '../support/visitor.ts'
import { countWork } from '../support/work.ts'

const SESSIONS = '/account/sessions'
const OTHERS = `${SESSIONS}/log-out-others`
const APPS = '/account/apps'
const ACTIVITY = '/account/activity'

onEveryStage('one’s own sessions, apps and activity', open => {
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

  const forms = ({ body }: Answer, what: string) =>
    [...body.matchAll(new RegExp(`href="(/account/[\\w/-]+/${what})"`, 'g'))].map(([, url]) => url as string)
  const endsOn = async (by = dana.by) => forms(await by.get(SESSIONS), 'log-out')
  const isIn = async (by: Visitor) => (await by.get('/account')).status === 200
  const events = (event: string) => audited(stage, event, dana.person)
  const toldOf = async (clientId: string) =>
    (await rows(stage, "SELECT id FROM jobs WHERE kind = 'backchannel-logout' AND client_id = ?", [clientId]))
      .length

  async function elsewhere(start = '/account'): Promise<Visitor> {
    const by = createVisitor(stage.origin)
    await by.follow(await logIn(stage, by, start, dana.person, dana.enrolled))
    return by
  }

  const listening = (firstParty: boolean) =>
    relyingParty(stage, {
      firstParty,
      metadata: { backchannel_logout_uri: 'http://localhost:9/logout' },
    })

  /** Lets an app in by a browser that is logged in. @returns its refresh token */
  async function letIn(party: RelyingParty, by: Visitor, scope = 'openid email offline_access') {
    const begun = await party.begin({ scope, prompt: 'consent' })
    let { url } = await by.follow(begun.url)
    if (url.includes('/interaction/')) {
      const answer = await by.post(`/interaction/${uidOf(url)}/consent`, { answer: 'allow' })
      url = (await by.follow(answer.location ?? '')).url
    }
    const { refresh_token: token = '' } = await party.finish(begun, url)
    expect(token, 'a refresh token').not.to.equal('')
    return token
  }

  const refreshes = async (party: RelyingParty, token: string) => {
    try {
      await refreshTokenGrant(party.config, token)
      return true
    } catch {
      return false
    }
  }

  describe('sessions', () => {
    it('are listed, this one marked, in two reads', async () => {
      await elsewhere()
      const { result: page, statements } = await countWork(stage, () => dana.by.get(SESSIONS))
      expect(statements.filter(each => each.startsWith('read'))).to.deep.equal([
        'read: session_by_id',
        'read: session_list',
      ])
      expect(visibleText(page).match(/This one/g)).to.have.length(1)
      expect(forms(page, 'log-out')).to.have.length(1)
      expect(forms(page, 'log-out-others')).to.have.length(1)
    })

    it('end one by one, with an old factor too: tokens die, apps are told, this one stays', async () => {
      const other = await elsewhere()
      const party = await listening(true)
      const token = await letIn(party, other)
      stage.advance(20 * MINUTE)
      const [form = ''] = await endsOn()
      expect((await dana.by.get(form)).heading).to.match(/^Log out .+\?$/)
      expect(await isIn(other), 'a page changes nothing').to.equal(true)
      const answer = await dana.by.post(form, {})
      expect(answer.location).to.match(/done=one$/)
      expect([await isIn(other), await isIn(dana.by)]).to.deep.equal([false, true])
      expect(await refreshes(party, token)).to.equal(false)
      expect(await toldOf(party.clientId)).to.equal(1)
      expect(await events('session.ended')).to.equal(1)
      // Pressed once more: the list says what is so.
      expect((await dana.by.post(form, {})).location).to.equal(`${stage.origin}${SESSIONS}`)
      expect(await events('session.ended')).to.equal(1)
    })

    it('end once, of ten presses at once; and two different ones both', async () => {
      const [one, two] = [await elsewhere(), await elsewhere()]
      const ends = await endsOn()
      await Promise.all(ends.flatMap(form => Array.from({ length: 5 }, () => dana.by.post(form, {}))))
      expect([await isIn(one), await isIn(two), await isIn(dana.by)]).to.deep.equal([false, false, true])
      expect(await events('session.ended')).to.equal(2)
    })

    it('are none of anybody else’s, and not this one', async () => {
      const mallory = await members.enrolled({ name: 'Mallory' })
      await elsewhere()
      const [form = ''] = await endsOn()
      for (const url of [form, `${SESSIONS}/nothing/log-out`]) {
        expect((await mallory.by.get(url)).status).to.equal(404)
        expect((await mallory.by.post(url, {})).status).to.equal(404)
      }
      const [here] = await rows(
        stage,
        'SELECT uid FROM oidc_sessions WHERE account_id = ? AND ended_at IS NULL',
        [mallory.person.id],
      )
      const own = `${SESSIONS}/${String(here?.uid)}/log-out`
      expect((await mallory.by.post(own, {})).location).to.equal(`${stage.origin}${SESSIONS}`)
      expect(await isIn(mallory.by)).to.equal(true)
      expect(await endsOn()).to.have.length(1)
    })

    it('S9: end by no other site’s form, and by nobody who is logged out', async () => {
      const other = await elsewhere()
      const [form = ''] = await endsOn()
      for (const url of [form, OTHERS]) {
        const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
        expect((await dana.by.post(url, {}, foreign)).status).to.equal(403)
        await createVisitor(stage.origin).post(url, {})
      }
      expect(await isIn(other)).to.equal(true)
    })

    it('all others end in one commit, with what their apps stayed connected by; once', async () => {
      const [one, two] = [await elsewhere(), await elsewhere()]
      const party = await listening(true)
      const here = await letIn(party, dana.by)
      const there = await letIn(party, one)
      const answers = await Promise.all(Array.from({ length: 5 }, () => dana.by.post(OTHERS, {})))
      expect(answers.every(each => each.status === 303)).to.equal(true)
      expect([await isIn(one), await isIn(two), await isIn(dana.by)]).to.deep.equal([false, false, true])
      expect(await refreshes(party, there), 'the other’s').to.equal(false)
      expect(await refreshes(party, here), 'this one’s').to.equal(true)
      expect(await toldOf(party.clientId)).to.equal(1)
      expect(await events('session.others_ended')).to.equal(1)
      const page = await dana.by.get(`${SESSIONS}?done=others`)
      expect(visibleText(page)).to.include('You are logged out everywhere else.')
      await elsewhere()
      expect(visibleText(await dana.by.get(`${SESSIONS}?done=others`))).not.to.include('You are logged out')
    })
  })

  describe('apps', () => {
    it('are shown in the words of the consent page; what was allowed ends with all that was minted, once', async () => {
      const party = await listening(false)
      const kept = await listening(false)
      const tokens = [await letIn(party, dana.by), await letIn(party, await elsewhere())]
      const other = await letIn(kept, dana.by)
      stage.advance(20 * MINUTE)
      const page = await dana.by.get(APPS)
      expect(visibleText(page)).to.include('See your email address').and.to.include('Stay connected')
      expect(forms(page, 'remove')).to.have.length(2)
      const name = `Party ${party.clientId.replace('party', '')}`
      const named = new RegExp(`href="(/account/apps/[\\w-]+/remove)"[^>]*>[^<]*<span[^>]*> ${name}<`)
      const form = named.exec(page.body)?.[1] ?? ''
      expect((await dana.by.get(form)).heading).to.equal(`Remove the access of ${name}?`)
      await Promise.all(Array.from({ length: 5 }, () => dana.by.post(form, {})))
      for (const token of tokens) expect(await refreshes(party, token)).to.equal(false)
      expect(await refreshes(kept, other), 'another app').to.equal(true)
      expect(await toldOf(party.clientId), 'one for each session').to.equal(2)
      expect(await toldOf(kept.clientId)).to.equal(0)
      expect(await events('consent.revoked')).to.equal(1)
      expect(await isIn(dana.by)).to.equal(true)
      expect(visibleText(await dana.by.get(APPS))).not.to.include(name)
      // It asks again, and the end of that login is told in turn.
      await letIn(party, dana.by)
      await dana.by.post(form, {})
      expect(await toldOf(party.clientId)).to.equal(3)
    })

    it('of the vendor’s own are shown while they are logged in, and are logged out of', async () => {
      const party = await listening(true)
      await letIn(party, dana.by)
      const page = await dana.by.get(APPS)
      expect(visibleText(page)).to.include('needs no permission').and.to.include('Logged in')
      const [form = ''] = forms(page, 'remove')
      expect((await dana.by.get(form)).heading).to.match(/^Log out of /)
      await dana.by.post(form, {})
      expect(visibleText(await dana.by.get(APPS))).to.include('No app can use your account now.')
      expect(await toldOf(party.clientId)).to.equal(1)
    })

    it('are none of anybody else’s', async () => {
      const party = await listening(false)
      const token = await letIn(party, dana.by)
      const [form = ''] = forms(await dana.by.get(APPS), 'remove')
      const mallory = await members.enrolled({ name: 'Mallory' })
      expect((await mallory.by.get(form)).status).to.equal(404)
      await mallory.by.post(form, {})
      expect(await refreshes(party, token)).to.equal(true)
    })
  })

  describe('activity', () => {
    it('says what happened to the account, newest first, in pages by key, 90 days back', async () => {
      const add = (at: number, n: number, accountId = dana.person.id) =>
        change(
          stage,
          `INSERT INTO audit_events (at, event, organisation_id, account_id, address, details)
           VALUES (?, 'password.wrong', ?, ?, ?, '{}')`,
          [at, dana.person.organisationId, accountId, `192.0.2.${n}`],
        )
      const yesterday = stage.now() - DAY
      for (let n = 0; n < 30; n++) await add(yesterday - n, n)
      await add(stage.now() - 91 * DAY, 250)
      await add(stage.now(), 251, 'usr_somebody')
      const first = await dana.by.get(ACTIVITY)
      expect(visibleText(first)).to.include('Logged in').and.to.include('192.0.2.0 ')
      const next = /href="([^"]+)" rel="next"/.exec(first.body)?.[1] ?? ''
      const second = await dana.by.get(next.replaceAll('&amp;', '&'))
      const all = visibleText(first) + visibleText(second)
      expect(all).to.include('192.0.2.29 ')
      expect(all).not.to.include('192.0.2.250').and.not.to.include('192.0.2.251')
      expect((await dana.by.get(`${ACTIVITY}?before=x`)).status).to.equal(400)
    })

    it('is there for somebody of no organisation', async () => {
      const { readOwnEvents } = await import('../../src/store/audit/audit-events.ts')
      const { database } = stage.running.services
      const about = { id: `usr_${stage.now()}`, organisationId: null }
      for (const at of [1, 2, 3]) {
        await change(
          stage,
          "INSERT INTO audit_events (at, event, account_id, details) VALUES (?, 'login', ?, '{}')",
          [at, about.id],
        )
      }
      const at = async (place: object) =>
        (await readOwnEvents(database, about, 2, { limit: 5, ...place })).map(each => each.at)
      expect(await at({})).to.deep.equal([3, 2])
      expect(await at({ after: { at: 2, id: Number.MAX_SAFE_INTEGER } })).to.deep.equal([3])
    })
  })
})
