// The host's users, as the plugin takes them over.

import { expect } from 'chai'
import { hostAccounts } from '../src/accounts.ts'
import { readAccount } from '../src/store/accounts/accounts.ts'
import { NOW, onEveryDatabase } from './store/contract.ts'

onEveryDatabase('accounts of a host', open => {
  it('are refused under an id that stands for somebody else in conditions: the operator, or a program', async () => {
    const database = await open()
    for (const id of ['operator', 'client back-office']) {
      const host = {
        findByEmail: async (email: string) => ({ id, email }),
        claims: async (sub: string) => ({ sub }),
      }
      const refused = await hostAccounts(host, database, () => NOW)
        .findByEmail('eve@host.example')
        .catch((error: Error) => error)
      expect(refused).to.be.an('error').with.property('message').that.includes(`the id "${id}"`)
      expect(await readAccount(database, id)).to.equal(undefined)
    }
  })

  it('have their names and addresses from it, also where their passwords are ours', async () => {
    const claims = async (sub: string) => ({ sub })
    const host = { findByEmail: async () => undefined, claims }
    const source = hostAccounts(host, await open(), () => NOW)
    expect(source).to.include({ passwords: 'own', profiles: 'host' })
  })
})
