// A new server: the link that its operator reads in the terminal makes the first organisation and its admin, once.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { openTab, type Tab } from './tab.ts'

const ADMIN = 'olu@northgate.example'
const OWN_PASSWORD = 'seven brass kettles hum at dusk'

describe('journey: the first organisation', function () {
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

  it('is made by the link, its admin logs in, and the link is dead', async () => {
    const link = stage.running.firstRun ?? ''
    await tab.open(link)
    await tab.see('Create your organisation')
    await tab.fill('Organisation', 'Northgate IT')
    await tab.fill('Your name', 'Olu Adebayo')
    await tab.fill('Email address', ADMIN)
    await tab.fill('Password', 'too short')
    await tab.press('Create')
    await tab.read('That has fewer than 15 characters.')
    expect(await tab.page.getByLabel('Organisation').inputValue()).to.equal('Northgate IT')
    expect(await tab.page.getByLabel('Password').inputValue()).to.equal('')
    await tab.fill('Password', OWN_PASSWORD)
    await tab.press('Create')
    await tab.see('Northgate IT is ready')
    await tab.read(ADMIN)

    await tab.start()
    await tab.identify(ADMIN)
    await tab.enterPassword(OWN_PASSWORD)
    await tab.see('Set up two-factor authentication')
    await tab.press('Not now')
    expect(await tab.arrive()).to.include({ email: ADMIN, name: 'Olu Adebayo', amr: 'pwd' })

    await tab.open(link)
    await tab.see('This link no longer works')
  })
})
