// The last proof of a login ends it: nobody is sent to one more page that has nothing to show.

import { expect } from 'chai'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, enrol, type RelyingParty, relyingParty, throughPassword } from '../support/visitor.ts'

onEveryStage('the last proof of a login', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  async function atCode() {
    const person = await stage.person()
    const { secret } = await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, person)
    stage.advance(30_000)
    const visitor = createVisitor(stage.origin)
    const begun = await party.begin()
    const { base } = await throughPassword(visitor, begun.url, person.email)
    return { visitor, begun, base, right: code(secret, stage.now()) }
  }

  it('is answered with the way back to the app, and knows the browser from then on', async () => {
    const { visitor, begun, base, right } = await atCode()
    const { status, location = '', headers } = await visitor.post(`${base}/otp`, { code: right })
    expect(status).to.equal(303)
    expect(location).to.match(/\/auth\/[\w-]+$/)
    expect(headers.getSetCookie().join()).to.include('sallyport_device')
    const callback = (await visitor.get(location)).location ?? ''
    const tokens = await party.finish(begun, callback)
    expect(tokens.claims()).to.deep.include({ amr: ['pwd', 'otp', 'mfa'] })
  })

  it('finishes once of twenty posts at once, and leads whoever repeats it the same way', async () => {
    const { visitor, base, right } = await atCode()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => visitor.post(`${base}/otp`, { code: right })),
    )
    const ends = answers.filter(each => /\/auth\/[\w-]+$/.test(each.location ?? ''))
    expect(ends).to.have.length(1)
    expect(answers.map(each => each.status)).not.to.include(500)
    const again = await visitor.post(`${base}/otp`, { code: right })
    expect(new URL(again.location ?? '', stage.origin).pathname).to.equal(base)
    expect((await visitor.get(base)).location).to.equal(ends[0]?.location)
  })

  it('finishes nothing, and knows no browser, where it was wrong', async () => {
    const { visitor, base } = await atCode()
    const wrong = await visitor.post(`${base}/otp`, { code: '000000' })
    expect(wrong.status).to.equal(400)
    expect(wrong.headers.getSetCookie().join()).not.to.include('sallyport_device')
    expect((await visitor.get(base)).heading).to.equal('Verify your identity')
  })
})
