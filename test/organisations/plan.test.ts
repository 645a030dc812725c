import { expect } from 'chai'
import { isSpecialPlan, SPECIAL_PLANS } from '../../src/organisations/plan.ts'

describe('plans', () => {
  it('are special as the operator says, whatever their case and spacing', () => {
    for (const plan of ['Enterprise', ' superpower ', 'ENTERPRISE']) {
      expect(isSpecialPlan(plan, SPECIAL_PLANS), plan).to.equal(true)
    }
    for (const plan of ['', 'Trial', 'Enterprise Lite', 'Enter prise']) {
      expect(isSpecialPlan(plan, SPECIAL_PLANS), plan).to.equal(false)
    }
    expect(isSpecialPlan('Gold', ['Gold'])).to.equal(true)
    expect(isSpecialPlan('Enterprise', ['Gold'])).to.equal(false)
  })
})
