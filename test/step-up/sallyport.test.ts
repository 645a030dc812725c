// The three parties together: an API that is guarded by the package, an app's back end that is led by its challenge, and
// Sallyport, which asks the user. Whatever the API asks for, what comes back must pass.

import { memoryStore, protectedApi } from '@sallyport/step-up'
import { parseStepUpChallenge, stepUpClient } from '@sallyport/step-up/client'
import { requireStepUp } from '@sallyport/step-up/fetch'
import { expect } from 'chai'
import { challengeOf, codeOf, givePasskey, type Victim, victim } from '../attacks/ground.ts'
import type { Authenticator } from '../support/authenticator.ts'
import { type Console, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type TimeTravel, timeTravel } from '../support/time-travel.ts'
import { createVisitor, logIn } from '../support/visitor.ts'

const MINUTE = 60_000
const TWO = 'urn:sallyport:acr:2fa'

onEveryStage('an API, its app and Sallyport', open => {
  let time: TimeTravel
  let stage: Stage
  let app: Console
  let one: Victim & { readonly key: Authenticator }

  before(async () => {
    time = timeTravel()
    stage = { ...(await open()), advance: time.forward }
    app = await openConsole(stage)
    const person = await victim(stage, app.party)
    const key = await givePasskey(stage, person.person)
    one = { ...person, key, visitor: createVisitor(stage.origin) }
    await logIn(stage, one.visitor, (await app.party.begin()).url, one.person, one)
  })
  after(() => time.end())

  const store = memoryStore(() => Date.now())
  const requirements = {
    'a level': { acr: TWO, maxAge: 100 },
    'an age': { maxAge: 60 },
    'a passkey': { acr: 'phr', maxAge: 60 },
    'an action, of the rule off': { action: REQUESTS['device.rename'] },
    'an action, of the rule within': { action: REQUESTS['script.run'] },
    'an action, of the rule always': { action: REQUESTS['device.delete'] },
    'an action, of the rule passkey': { action: REQUESTS['secret.view'] },
    'a level and an action': { acr: TWO, maxAge: 300, action: REQUESTS['device.delete'] },
    'a passkey, and an action of a laxer rule': { acr: 'phr', action: REQUESTS['device.delete'] },
  }

  for (const [name, requirement] of Object.entries(requirements)) {
    it(`leads from the challenge for ${name} to a token that passes, once if it is for an action`, async () => {
      const resource = app.resource
      const api = protectedApi({ issuer: stage.origin, resource, store })
      const guard = requireStepUp({
        api,
        subject: one.person.id,
        clientId: app.party.clientId,
        ...requirement,
      })
      const asking = (token: string) =>
        new Request(`${resource}devices`, { headers: { authorization: `Bearer ${token}` } })

      // The token of an ordinary login, two minutes old.
      const begun = await app.party.begin({ resource, scope: 'openid devices:read' })
      const { url: callback } = await one.visitor.follow(begun.url)
      const { access_token: ordinary } = await app.party.finish(begun, callback)
      time.forward(2 * MINUTE)
      const lacks = await guard(asking(ordinary))
      expect(lacks?.status, await lacks?.text()).to.equal(401)
      const challenge = lacks && parseStepUpChallenge(lacks)
      if (challenge === undefined) throw new Error('no challenge')

      const stepUp = stepUpClient({
        issuer: stage.origin,
        clientId: app.party.clientId,
        clientSecret: app.party.clientSecret,
        redirectUri: app.party.redirectUri,
        resource,
        scope: 'openid devices:read',
        store,
      })
      const { url } = await stepUp.begin({ challenge, session: 'browser', subject: one.person.id })
      const outcome = await stepUp.finish({ url: await answered(url.href), session: 'browser' })
      if (outcome.outcome !== 'confirmed') throw new Error(outcome.outcome)
      const proof = outcome.accessToken
      expect((await guard(asking(proof)))?.status, 'with what came back').to.equal(undefined)
      const again = (await guard(asking(proof)))?.status
      expect(again, 'once more').to.equal('action' in requirement ? 401 : undefined)
    })
  }

  /** What the user does at Sallyport: whatever the page asks for. @returns the callback */
  async function answered(url: string): Promise<string> {
    let page = await one.visitor.follow(url)
    for (let pages = 0; page.url.startsWith(stage.origin); pages++) {
      expect(pages, `at ${page.heading}`).to.be.lessThan(3)
      const base = page.url.replace(/\?.*/, '')
      if (page.body.includes('name="code"')) {
        time.forward(30_000)
        await one.visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
      } else if (page.body.includes('data-passkey')) {
        const response = JSON.stringify(one.key.assert(challengeOf(page)))
        await one.visitor.post(`${base}/passkey`, { response })
      } else await one.visitor.post(`${base}/confirm`, {})
      page = await one.visitor.follow(base)
    }
    return page.url
  }
})
