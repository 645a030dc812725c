// Metadata of a provider on the public internet, where no test goes: what comes from there is a stand-in.

import { expect } from 'chai'
import { documentsOf } from '../../src/sso/oidc-documents.ts'

const ISSUER = 'https://idp.example'

describe('metadata from the public internet', () => {
  function metadata(members: Record<string, unknown> = {}) {
    const told = {
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/auth`,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: 'https://keys.example/jwks',
      ...members,
    }
    const asked: string[] = []
    const documents = documentsOf(
      ISSUER,
      async address => {
        asked.push(address)
        return Response.json(told)
      },
      { allowPrivateNetwork: false, clock: Date.now },
    )
    return { asked, told: documents.metadata.current() }
  }

  it('may name endpoints at other hosts', async () => {
    const { asked, told } = metadata()
    expect(await told).to.include({ jwks_uri: 'https://keys.example/jwks' })
    expect(asked).to.deep.equal([`${ISSUER}/.well-known/openid-configuration`])
  })

  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint']) {
    it(`may not name a ${name} without https`, async () => {
      const { told } = metadata({ [name]: 'http://idp.example/' })
      const error = await told.catch(failure => failure)
      expect(error).to.include({
        fault: 'configuration',
        detail: `${ISSUER} gives no usable ${name}`,
      })
    })
  }
})
