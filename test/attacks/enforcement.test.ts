// Attacks on the day of grace: staying in with one factor when it is over, and having it reopened. The clock stands at
// the last millisecond of the day, and at the first one after it.

import { expect } from 'chai'
import * as client from 'openid-client'
import { createUser, InputError } from '../../src/organisations/directory.ts'
import { GRACE_MS } from '../../src/organisations/enforcement.ts'
import { setPlan, subscribe } from '../../src/organisations/subscription.ts'
import { deactivateUser, reactivateUser, setRole } from '../../src/organisations/users.ts'
import { readOrganisation } from '../../src/store/organisations/organisations.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import { type RelyingParty, relyingParty, uidOf, type Visitor } from '../support/visitor.ts'
import { change, codeIn, errorOf, halfLogin, victim } from './ground.ts'

onEveryStage('the gate', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  afterEach(() => stage.hold(undefined))

  /** Somebody who put it off, in the browser that did, and when the day is over. */
  async function putOff(): Promise<{ person: Person; visitor: Visitor; over: number }> {
    const person = await stage.person({ graceUntil: 'tomorrow' })
    const { visitor, base } = await halfLogin(stage, party, person)
    expect((await visitor.post(`${base}/put-off`, {})).status).to.equal(303)
    expect(codeIn((await visitor.follow(base)).url)).to.be.a('string')
    return { person, visitor, over: await overAt(person) }
  }

  async function overAt({ organisationId }: { organisationId: string }): Promise<number> {
    const organisation = await readOrganisation(stage.directory.database, organisationId)
    return (organisation?.subscribedAt ?? Number.NaN) + GRACE_MS
  }

  /** A refresh token that outlives its session. */
  async function offline(visitor: Visitor): Promise<string> {
    const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
    const page = await visitor.follow(begun.url)
    const allowed = await visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
    const tokens = await party.finish(begun, (await visitor.follow(allowed.location ?? '')).url)
    expect(tokens.refresh_token).to.be.a('string')
    return tokens.refresh_token ?? ''
  }

  async function refresh(token: string): Promise<client.TokenEndpointResponse | string> {
    return client
      .refreshTokenGrant(party.config, token)
      .catch((error: { error?: string }) => String(error.error ?? error))
  }

  const silently = async (visitor: Visitor) =>
    (await visitor.get((await party.begin({ prompt: 'none' })).url)).location

  /** Somebody who has not set up is asked to, and cannot put it off. */
  async function isShut(visitor: Visitor): Promise<void> {
    expect(errorOf(await silently(visitor))).to.equal('interaction_required')
    const due = await visitor.follow((await party.begin()).url)
    expect(due.heading).to.equal('Set up two-factor authentication')
    expect(due.body).not.to.include('Not now')
    expect((await visitor.post(`/interaction/${uidOf(due.url)}/put-off`, {})).status).to.equal(409)
  }

  describe('at 23:59:59.999 and at 24:00:00', () => {
    it('lets a live session on, by a page and with prompt=none, and then asks it to set up', async () => {
      const { visitor, over } = await putOff()
      stage.hold(over - 1)
      expect(codeIn(await silently(visitor))).to.be.a('string')
      expect(codeIn((await visitor.follow((await party.begin()).url)).url)).to.be.a('string')
      stage.hold(over)
      await isShut(visitor)
    })

    it('lets a new login put it off, and then not', async () => {
      const { person, over } = await putOff()
      stage.hold(over - 1)
      const before = await halfLogin(stage, party, person)
      expect(before.page.body).to.include('Not now')
      const late = await halfLogin(stage, party, person)
      expect((await before.visitor.post(`${before.base}/put-off`, {})).status).to.equal(303)
      stage.hold(over)
      // Begun in time, pressed too late.
      expect((await late.visitor.post(`${late.base}/put-off`, {})).status).to.equal(409)
      const after = await halfLogin(stage, party, person)
      expect(after.page.heading).to.equal('Set up two-factor authentication')
      expect(after.page.body).not.to.include('Not now')
    })

    it('lets a refresh token of one factor be turned, and then not: it would last for months', async () => {
      const { visitor, over } = await putOff()
      const token = await offline(visitor)
      stage.hold(over - 1)
      const turned = await refresh(token)
      expect(turned).to.be.an('object').with.property('refresh_token').that.is.a('string')
      stage.hold(over)
      expect(await refresh((turned as { refresh_token: string }).refresh_token)).to.equal('invalid_grant')
      await isShut(visitor)
    })

    it('changes nothing for whoever has set up in time', async () => {
      const { person, visitor } = await victim(stage, party, { graceUntil: 'tomorrow' })
      const token = await offline(visitor)
      stage.hold(await overAt(person))
      expect(codeIn(await silently(visitor))).to.be.a('string')
      expect(await refresh(token)).to.be.an('object')
    })
  })

  describe('is not reopened', () => {
    it('by another plan, a moved start, a role, or going and coming back', async () => {
      const { person, visitor, over } = await putOff()
      stage.hold(over)
      const { directory } = stage
      const organisationId = person.organisationId
      expect(await setPlan(directory, organisationId, 'Free')).to.include({ changed: true })
      await isShut(visitor)
      for (const at of [over, over + GRACE_MS]) {
        const refused = await subscribe(directory, organisationId, at).catch((error: unknown) => error)
        expect(refused).to.be.instanceOf(InputError)
        expect(refused).to.have.nested.property('why.reason', 'already_subscribed')
      }
      await isShut(visitor)
      const boss = {
        organisationId,
        email: `boss.${person.email}`,
        name: 'Second Admin',
        role: 'admin',
      } as const
      await createUser(directory, { ...boss, password: PASSWORD })
      expect(await setRole(directory, { organisationId, userId: person.id }, 'admin')).to.include({
        changed: true,
      })
      await isShut(visitor)
      expect(await deactivateUser(directory, { organisationId, userId: person.id })).to.include({
        changed: true,
      })
      expect(await reactivateUser(directory, { organisationId, userId: person.id })).to.include({
        changed: true,
      })
      const back = await halfLogin(stage, party, person)
      expect(back.page.heading).to.equal('Set up two-factor authentication')
      expect(back.page.body).not.to.include('Not now')
    })

    it('for a new user, nor for one whose second factor was reset', async () => {
      const { person, over } = await putOff()
      stage.hold(over)
      const email = `new.${person.email}`
      const { organisationId } = person
      const input = {
        organisationId,
        email,
        name: 'Newly Come',
        role: 'technician',
        password: PASSWORD,
      } as const
      await createUser(stage.directory, input)
      const fresh = await halfLogin(stage, party, { email })
      expect(fresh.page.heading).to.equal('Set up two-factor authentication')
      expect(fresh.page.body).not.to.include('Not now')
      expect((await fresh.visitor.post(`${fresh.base}/put-off`, {})).status).to.equal(409)

      await change(
        stage,
        'UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = CAST(? AS bigint) WHERE id = ?',
        [stage.now(), person.id],
      )
      const after = await halfLogin(stage, party, person)
      expect(after.page.body).not.to.include('Not now')
      expect((await after.visitor.post(`${after.base}/put-off`, {})).status).to.equal(409)
    })
  })
})
