import { expect } from 'chai'
import { asking, type Console, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, enrol, logIn, uidOf } from '../support/visitor.ts'

onEveryStage('confirming an action', open => {
  let stage: Stage
  let app: Console

  before(async () => {
    stage = await open()
    app = await openConsole(stage)
  })

  it('ends in a token for the API that names the action, and nothing but the action', async () => {
    const person = await stage.person()
    const visitor = createVisitor(stage.origin)
    const enrolled = await enrol(stage, createVisitor(stage.origin), (await app.party.begin()).url, person)
    await logIn(stage, visitor, (await app.party.begin()).url, person, enrolled)
    const begun = await app.party.begin(asking(REQUESTS['device.delete']))
    const page = await visitor.follow(begun.url)
    expect(page.heading, page.body + page.url).to.equal('Confirm: delete 2 devices at Acme')
    const base = `/interaction/${uidOf(page.url)}`
    stage.advance(30_000)
    await visitor.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })
    const { url } = await visitor.follow(base)
    const tokens = await app.party.finish(begun, url)
    const claims = await app.verify(tokens.access_token)
    expect(claims.authorization_details).to.have.length(1)
    expect(claims.authorization_details?.[0]).to.deep.include(REQUESTS['device.delete'])
  })
})
