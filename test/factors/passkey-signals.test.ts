import { expect } from 'chai'
import { ownPasskeys, unknownPasskey } from '../../src/factors/passkey-signals.ts'

const account = { id: 'acc_01J9ZQ4T7W', email: 'ada@example.org', name: 'Ada' }
const userId = Buffer.from(account.id).toString('base64url')
const passkey = (credentialId: string, rpId = 'login.example') => ({ credentialId, rpId })

describe('signals about passkeys', () => {
  it('name all passkeys of an account, and what their owner is called', () => {
    expect(JSON.parse(ownPasskeys(account, 'login.example', [passkey('AQ'), passkey('Ag')]))).to.deep.equal([
      [
        'signalAllAcceptedCredentials',
        { rpId: 'login.example', userId, allAcceptedCredentialIds: ['AQ', 'Ag'] },
      ],
      [
        'signalCurrentUserDetails',
        { rpId: 'login.example', userId, name: 'ada@example.org', displayName: 'Ada' },
      ],
    ])
  })

  it('say that there are none where the last one is gone', () => {
    expect(JSON.parse(ownPasskeys(account, 'login.example', []))[0][1]).to.deep.include({
      rpId: 'login.example',
      allAcceptedCredentialIds: [],
    })
  })

  it('go to each domain that the passkeys are bound to, with its own only', () => {
    const signals: [string, { rpId: string; allAcceptedCredentialIds?: string[] }][] = JSON.parse(
      ownPasskeys(account, 'login.example', [passkey('AQ', 'old.example'), passkey('Ag')]),
    )
    const accepted = signals.flatMap(([, { rpId, allAcceptedCredentialIds: ids }]) =>
      ids === undefined ? [] : [[rpId, ids]],
    )
    expect(accepted).to.deep.equal([
      ['login.example', ['Ag']],
      ['old.example', ['AQ']],
    ])
  })

  it('name a passkey that nobody has', () => {
    expect(JSON.parse(unknownPasskey('login.example', 'AQ'))).to.deep.equal([
      ['signalUnknownCredential', { rpId: 'login.example', credentialId: 'AQ' }],
    ])
  })
})
