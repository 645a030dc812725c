// The first-run page says what is wrong with a field beside that field, in the words of every other page.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { createVisitor } from '../support/visitor.ts'

describe('the first-run page', () => {
  let stage: Stage

  before(async () => {
    stage = await openStage()
  })
  after(() => stage?.close())

  const GOOD = {
    organisation: 'Northgate IT',
    name: 'Olu Adebayo',
    email: 'olu@northgate.example',
    password: 'quiet otters borrow nine lanterns',
  }
  const refused: [keyof typeof GOOD, string, string][] = [
    ['organisation', ' ', 'Enter the name of your organisation.'],
    ['organisation', 'x'.repeat(201), 'That has more than 200 characters. Shorten it.'],
    ['name', '', 'Enter your name.'],
    ['name', 'x'.repeat(201), 'That has more than 200 characters. Shorten it.'],
    ['email', '', 'Enter your email address.'],
    ['email', 'olu', 'Enter an email address such as name@example.com.'],
    ['password', '', 'Enter a new password.'],
    ['password', 'too short', 'That has fewer than 15 characters. Add a word or two.'],
    ['password', 'x'.repeat(257), 'That has more than 256 characters. Shorten it.'],
    ['password', 'password password password', 'That is easy to guess.'],
    ['password', 'northgate lanterns borrow otters', 'That contains your name, your email address or ours.'],
  ]

  for (const [field, value, words] of refused) {
    it(`says of ${field} "${value.slice(0, 20)}": ${words}`, async () => {
      const link = stage.running.firstRun ?? ''
      const answer = await createVisitor(stage.origin).post(link, { ...GOOD, [field]: value })
      expect(answer.status).to.equal(400)
      const errors = [
        ...answer.body.matchAll(/<p class="error" id="([\w-]+)-error">.*?<span>(.*?)<\/span>/gs),
      ]
      expect(errors.map(([, where]) => where)).to.deep.equal([field])
      expect(errors[0]?.[2]).to.include(words)
    })
  }
})
