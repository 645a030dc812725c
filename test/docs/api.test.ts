// The document of the JSON API: its requests are sent as they stand there, and its table is the code's.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { PROBLEMS } from '../../src/api/problem.ts'
import { createClient } from '../../src/clients.ts'
import { everyOrganisation } from '../../src/organisations/subscription.ts'
import { OWN_API_SCOPES } from '../../src/store/oidc/own-api.ts'
import type { Organisation } from '../../src/store/organisations/organisations.ts'
import { openAdminApp } from '../api/admins.ts'
import { openStage, type Stage } from '../support/stage.ts'

const run = promisify(execFile)
const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')

describe('the document of the API', function () {
  this.timeout(60_000)
  let stage: Stage

  before(async () => {
    stage = await openStage()
  })
  after(() => stage.close())

  it('has requests that do what it says', async () => {
    const { metadata } = await createClient(stage.directory, {
      id: 'back-office',
      name: 'Back office',
      grantTypes: ['client_credentials'],
      scope: OWN_API_SCOPES.join(' '),
    })
    const requests = [...text.matchAll(/^```bash\n(.*?)^```/gms)].map(([, block = '']) => block)
    expect(requests).to.have.length(6)
    const byAdmin = requests.findIndex(each => each.includes('$ADMIN_TOKEN'))
    const env = {
      PATH: process.env.PATH,
      SALLYPORT: stage.origin,
      CLIENT_ID: metadata.client_id,
      CLIENT_SECRET: String(metadata.client_secret),
    }
    const bash = async (lines: readonly string[], more: Record<string, string>) =>
      (await run('bash', ['-euo', 'pipefail', '-c', lines.join('\n')], { env: { ...env, ...more } })).stdout
    const stdout = await bash(
      requests.filter((_, n) => n !== byAdmin),
      {},
    )
    const organisations: Organisation[] = []
    for await (const each of everyOrganisation(stage.directory)) organisations.push(each)
    expect(organisations).to.have.length(1)
    expect(organisations[0]).to.include({
      name: 'Northgate',
      plan: 'Enterprise',
      subscribedAt: Date.UTC(2026, 10, 24, 9),
    })
    expect(stdout).to.include('"enforced_from":"2026-11-25T09:00:00.000Z"').and.to.include('"next":null')
    expect(stdout).to.include('"event":"second_factor.reset_ordered"').and.to.include('Phones were stolen')

    const app = await openAdminApp(stage)
    const organisationId = organisations[0]?.id ?? ''
    const admin = await app.member({ role: 'admin', organisationId })
    const user = await app.member({ organisationId })
    const ordered = await bash(requests.slice(byAdmin, byAdmin + 1), {
      organisation: organisationId,
      ADMIN_TOKEN: await app.tokenOf(admin),
      USER_ID: user.person.id,
    })
    expect(JSON.parse(ordered)).to.include({ actor: admin.person.id, reason: 'Phone lost', total: 1 })
  })

  it('tells every problem', () => {
    const told = [...text.matchAll(/^\| `urn:sallyport:problem:(\w+)` \| (\d+) \| (.*) \|$/gm)].map(
      ([, kind = '', status, title]) => [kind, { status: Number(status), title }],
    )
    expect(Object.fromEntries(told)).to.deep.equal(PROBLEMS)
  })
})
