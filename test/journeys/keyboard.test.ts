// The first login by the keyboard alone: Tab, Enter, the space bar for the one checkbox, and what is typed. What has
// the focus can be seen.

import { expect } from 'chai'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { openTab, type Tab } from './tab.ts'

// In the page: the name of what has the focus, and whether a ring shows it.
const focused = `(() => {
  const element = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  return {
    name: (element.labels?.[0] ?? element).innerText?.trim() ?? '',
    ring: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
  }
})()`

describe('journey: a keyboard and no mouse', function () {
  this.timeout(60_000)
  let stage: Stage
  let tab: Tab

  before(async () => {
    stage = await openStage()
    tab = await openTab(stage)
  })
  after(async () => {
    await tab?.close()
    await stage?.close()
  })

  /** Tab, until what is named has the focus. */
  async function tabTo(name: string): Promise<void> {
    const passed: string[] = []
    while (passed.length < 12) {
      const { name: held, ring } = await tab.page.evaluate<{ name: string; ring: boolean }>(focused)
      if (held === name) {
        expect(ring, `"${name}" shows that it has the focus`).to.equal(true)
        return
      }
      passed.push(held)
      await tab.page.keyboard.press('Tab')
    }
    throw new Error(`Tab does not come to "${name}", but to ${passed.join(', ')}`)
  }

  it('are enough to log in for the first time', async () => {
    const { keyboard } = tab.page
    const person = await stage.person()
    await tab.open(stage.demoOrigin)
    await tabTo('Log in')
    await keyboard.press('Enter')

    await tab.see('Log in')
    await tabTo('Email address')
    await keyboard.type(person.email)
    await keyboard.press('Enter')

    await tab.see('Enter your password')
    await tabTo('Password')
    await keyboard.type(PASSWORD)
    await tabTo('Continue')
    await keyboard.press('Enter')

    await tab.see('Set up two-factor authentication')
    await tabTo('Trouble scanning?')
    await keyboard.press('Enter')
    const key = await tab.page.getByLabel('Setup key').innerText()
    await tabTo('Copy')
    await tabTo('One-time code')
    await keyboard.type(await totp(key, new Date(stage.now())))
    await keyboard.press('Enter')

    await tab.see('Save your recovery code')
    await tabTo('Copy code')
    await keyboard.press('Enter')
    await tab.read('Copied')
    await tabTo('I have safely recorded this code')
    await keyboard.press('Space')
    await tabTo('Continue')
    await keyboard.press('Enter')

    expect(await tab.arrive()).to.include({ email: person.email })
  })
})
