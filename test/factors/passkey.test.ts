import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  type AssertionVerdict,
  accountIdOf,
  authenticationOptions,
  type ChallengePurpose,
  deviceFamily,
  type ExpectedAssertion,
  newChallenge,
  openChallenge,
  type RegisteredCredential,
  readAssertion,
  readRegistrationChallenge,
  registrationOptions,
  userHandleOf,
  verifyAssertion,
  verifyRegistration,
} from '../../src/factors/passkey.ts'
import {
  type Algorithm,
  type AssertionJson,
  type AssertionKnobs,
  createAuthenticator,
  type RegistrationKnobs,
  YUBIKEY_AAGUID,
} from '../support/authenticator.ts'

const ORIGIN = 'https://login.example'
const RP_ID = 'login.example'
const ACCOUNT = 'acc_01J9ZQ4T7W'
const HANDLE = userHandleOf(ACCOUNT)
const NOW = Date.UTC(2026, 2, 1)
const KEY = new Uint8Array(32).fill(7)

function challengeFor(purpose: ChallengePurpose) {
  return newChallenge({ key: KEY, purpose, binding: 'interaction-1', now: NOW })
}

function expectedFor(challenge: string): ExpectedAssertion {
  return { challenge, origins: [ORIGIN], rpId: RP_ID }
}

function authenticator(
  options: { algorithm?: Algorithm; backupEligible?: boolean; backedUp?: boolean } = {},
) {
  return createAuthenticator({ origin: ORIGIN, rpId: RP_ID, userHandle: HANDLE, ...options })
}

/** What the verifier says of a registration that is otherwise honest. */
async function register(knobs: RegistrationKnobs = {}, device = authenticator()) {
  const challenge = challengeFor('register')
  return verifyRegistration({
    response: device.register(challenge, knobs),
    expected: expectedFor(challenge),
  })
}

async function enrolled(device = authenticator(), knobs: RegistrationKnobs = {}) {
  const verdict = await register(knobs, device)
  if (!verdict.ok) throw new Error(verdict.reason)
  return { device, credential: { ...verdict.credential, accountHandle: HANDLE } }
}

/** What the verifier says of an assertion that is otherwise honest. */
async function login(
  knobs: AssertionKnobs = {},
  stored: Partial<RegisteredCredential & { accountHandle: string }> = {},
  options: {
    device?: ReturnType<typeof authenticator>
    userHandle?: 'optional' | 'required'
    change?(response: AssertionJson): unknown
  } = {},
): Promise<AssertionVerdict> {
  const { device, credential } = await enrolled(options.device)
  const challenge = challengeFor('login')
  const response = device.assert(challenge, knobs)
  return verifyAssertion({
    response: options.change ? options.change(response) : response,
    expected: { ...expectedFor(challenge), ...(options.userHandle && { userHandle: options.userHandle }) },
    credential: { ...credential, ...stored },
  })
}

const refused = (reason: string) => ({ ok: false, reason })

describe('passkey challenges', () => {
  const expected = { keys: [KEY], purpose: 'login', binding: 'interaction-1', now: NOW } as const

  it('open for the purpose and the interaction that they were made for', () => {
    const challenge = challengeFor('login')
    const opened = openChallenge(challenge, expected)
    expect(opened).to.include({ ok: true, expiresAt: NOW + 600_000 })
    expect(openChallenge(challenge, expected)).to.deep.equal(opened)
  })

  it('are different each time, and so are the ids that the store burns', () => {
    const challenges = Array.from({ length: 50 }, () => challengeFor('login'))
    const ids = challenges.map(challenge => {
      const opened = openChallenge(challenge, expected)
      return opened.ok && opened.id
    })
    expect(new Set(challenges).size).to.equal(50)
    expect(new Set(ids).size).to.equal(50)
  })

  it('P2: refuses a registration challenge in a login, and the other way round', () => {
    expect(openChallenge(challengeFor('register'), expected)).to.deep.equal(refused('foreign'))
    expect(openChallenge(challengeFor('login'), { ...expected, purpose: 'register' })).to.deep.equal(
      refused('foreign'),
    )
  })

  it("P2: refuses another interaction's challenge", () => {
    const challenge = challengeFor('login')
    expect(openChallenge(challenge, { ...expected, binding: 'interaction-2' })).to.deep.equal(
      refused('foreign'),
    )
    expect(openChallenge(challenge, { ...expected, binding: '' })).to.deep.equal(refused('foreign'))
  })

  it('P2: refuses a challenge after ten minutes', () => {
    const challenge = challengeFor('login')
    expect(openChallenge(challenge, { ...expected, now: NOW + 599_999 })).to.include({ ok: true })
    expect(openChallenge(challenge, { ...expected, now: NOW + 600_000 })).to.deep.equal(refused('expired'))
  })

  it('open under an older key after a rotation, and under no other', () => {
    const challenge = challengeFor('login')
    const other = new Uint8Array(32).fill(8)
    expect(openChallenge(challenge, { ...expected, keys: [other, KEY] })).to.include({ ok: true })
    expect(openChallenge(challenge, { ...expected, keys: [other] })).to.deep.equal(refused('foreign'))
    expect(openChallenge(challenge, { ...expected, keys: [] })).to.deep.equal(refused('foreign'))
  })

  it('have one spelling only, and any other character makes them foreign', () => {
    const challenge = challengeFor('login')
    fc.assert(
      fc.property(
        fc.nat(challenge.length - 1),
        fc.constantFrom(...'ABab01-_'),
        (at, character) =>
          challenge[at] === character ||
          !openChallenge(challenge.slice(0, at) + character + challenge.slice(at + 1), expected).ok,
      ),
    )
  })

  it('are refused, not thrown at, whatever they are', () => {
    fc.assert(fc.property(fc.string(), text => !openChallenge(text, expected).ok))
    for (const text of ['', '=', `${challengeFor('login')}=`, `${challengeFor('login')}\n`, 'A'.repeat(72)])
      expect(openChallenge(text, expected)).to.deep.equal(refused('foreign'))
  })
})

describe('passkey options', () => {
  it('ask for a discoverable passkey with user verification and no attestation', async () => {
    const challenge = challengeFor('register')
    const options = await registrationOptions({
      rp: { id: RP_ID, name: 'Sallyport' },
      account: { id: ACCOUNT, name: 'dana@acme.example', displayName: 'Dana Whitlock' },
      existing: [{ credentialId: 'AAAA', transports: ['internal'] }],
      challenge,
    })
    expect(options.challenge).to.equal(challenge)
    expect(options.rp).to.deep.equal({ id: RP_ID, name: 'Sallyport' })
    expect(options.user).to.deep.equal({
      id: HANDLE,
      name: 'dana@acme.example',
      displayName: 'Dana Whitlock',
    })
    expect(options.authenticatorSelection).to.include({
      residentKey: 'required',
      requireResidentKey: true,
      userVerification: 'required',
    })
    expect(options.attestation).to.equal('none')
    expect(options.pubKeyCredParams.map(({ alg }) => alg)).to.deep.equal([-7, -8, -257])
    expect(options.excludeCredentials).to.deep.equal([
      { id: 'AAAA', transports: ['internal'], type: 'public-key' },
    ])
  })

  it('of a login name no passkeys unless the user is known', async () => {
    const challenge = challengeFor('login')
    const anybody = await authenticationOptions({ rpId: RP_ID, challenge })
    expect(anybody).to.include({ challenge, rpId: RP_ID, userVerification: 'required' })
    expect(anybody.allowCredentials).to.equal(undefined)

    const known = await authenticationOptions({
      rpId: RP_ID,
      challenge,
      allow: [{ credentialId: 'AAAA', transports: [] }],
    })
    expect(known.allowCredentials).to.deep.equal([{ id: 'AAAA', transports: [], type: 'public-key' }])
  })

  it('carry the account id as the user handle, which can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), id => accountIdOf(userHandleOf(id)) === id),
    )
    for (const none of ['', 'A', '!!!!', '_w', `${HANDLE}=`]) expect(accountIdOf(none)).to.equal(undefined)
  })
})

describe('passkey registration', () => {
  for (const [algorithm, number] of [
    ['ES256', -7],
    ['EdDSA', -8],
    ['RS256', -257],
  ] as const)
    it(`accepts a passkey with ${algorithm}, which then logs in`, async () => {
      const { device, credential } = await enrolled(authenticator({ algorithm }))
      expect(credential).to.deep.include({
        credentialId: device.credentialId,
        algorithm: number,
        counter: 1,
        transports: ['hybrid', 'internal'],
        backupEligible: false,
        backedUp: false,
        userVerified: true,
      })
      const challenge = challengeFor('login')
      const response = device.assert(challenge)
      expect(await verifyAssertion({ response, expected: expectedFor(challenge), credential })).to.deep.equal(
        {
          ok: true,
          newCounter: 2,
          backedUp: false,
        },
      )
    })

  it('takes the response as text too, and reads its challenge', async () => {
    const challenge = challengeFor('register')
    const response = JSON.stringify(authenticator().register(challenge))
    expect(readRegistrationChallenge(response)).to.equal(challenge)
    expect(await verifyRegistration({ response, expected: expectedFor(challenge) })).to.include({ ok: true })
  })

  it('keeps what a synced passkey says about itself', async () => {
    const { credential } = await enrolled(authenticator({ backupEligible: true, backedUp: true }))
    expect(credential).to.include({ backupEligible: true, backedUp: true })
  })

  const refusals: [string, RegistrationKnobs, string][] = [
    ['P1: refuses a registration without user verification', { userVerified: false }, 'user_not_verified'],
    ['refuses a registration without user presence', { userPresent: false }, 'user_not_present'],
    [
      'P7: refuses a passkey that is backed up but cannot be',
      { backedUp: true, backupEligible: false },
      'backup_flags',
    ],
    ['refuses another origin', { origin: 'https://login.example.evil.example' }, 'origin_mismatch'],
    ['refuses the origin with another port', { origin: `${ORIGIN}:8443` }, 'origin_mismatch'],
    ['refuses another relying party', { rpId: 'evil.example' }, 'rp_id_mismatch'],
    ['refuses an assertion in the place of a registration', { type: 'webauthn.get' }, 'wrong_ceremony'],
    ['refuses a frame in another origin', { crossOrigin: true }, 'cross_origin'],
    [
      'refuses a frame that names its top origin',
      { crossOrigin: true, topOrigin: 'https://evil.example' },
      'cross_origin',
    ],
    [
      'refuses a top origin without a frame',
      { crossOrigin: false, topOrigin: 'https://evil.example' },
      'cross_origin',
    ],
    ['refuses a frame flag that is no boolean', { crossOrigin: 'false' }, 'cross_origin'],
    ['P4: refuses an id other than the signed one', { id: 'AAAA' }, 'credential_id_mismatch'],
    ['P4: refuses an id that differs from the raw id', { rawId: 'AAAA' }, 'credential_id_mismatch'],
    ['refuses an algorithm that was not offered', { claimedAlgorithm: -37 }, 'algorithm'],
    ['refuses a broken self-attestation', { attestation: 'packed-self-broken' }, 'attestation'],
    ['refuses certificates, which name addresses to fetch', { attestation: 'packed-x5c' }, 'attestation'],
    ['refuses attestation formats that nobody asked for', { attestation: 'apple' }, 'attestation'],
  ]
  for (const [name, knobs, reason] of refusals)
    it(name, async () => expect(await register(knobs)).to.deep.equal(refused(reason)))

  it('accepts a browser that does not say whether it is in a frame', async () => {
    expect(await register({ crossOrigin: undefined })).to.include({ ok: true })
  })

  it('P2: refuses the answer to another challenge, without saying what was expected', async () => {
    const response = authenticator().register(challengeFor('register'))
    const verdict = await verifyRegistration({ response, expected: expectedFor(challengeFor('register')) })
    expect(verdict).to.deep.equal(refused('challenge_mismatch'))
  })

  it('keeps a claimed AAGUID as a name only: a self-signed "YubiKey" is a passkey like any other', async () => {
    const { credential } = await enrolled(authenticator(), {
      attestation: 'packed-self',
      aaguid: YUBIKEY_AAGUID,
    })
    expect(credential.aaguid).to.equal(YUBIKEY_AAGUID)
    const { credential: unattested } = await enrolled(authenticator(), { aaguid: YUBIKEY_AAGUID })
    expect(Object.keys(credential)).to.deep.equal(Object.keys(unattested))
  })

  it('takes one that the browser made by itself, without its user, and remembers so', async () => {
    const challenge = challengeFor('upgrade')
    const expected = { ...expectedFor(challenge), mediation: 'conditional' } as const
    const made = authenticator({ backupEligible: true, backedUp: true })
    const verdict = await verifyRegistration({
      response: made.register(challenge, { userVerified: false, userPresent: false }),
      expected,
    })
    expect(verdict.ok && verdict.credential).to.include({ userVerified: false, backedUp: true })
    for (const [reason, knobs] of [
      ['origin_mismatch', { origin: 'https://evil.example' }],
      ['rp_id_mismatch', { rpId: 'evil.example' }],
      ['wrong_ceremony', { type: 'webauthn.get' }],
      ['cross_origin', { crossOrigin: true }],
      ['attestation', { attestation: 'packed-self-broken' }],
    ] as const) {
      const response = authenticator().register(challenge, { userVerified: false, ...knobs })
      expect(await verifyRegistration({ response, expected })).to.deep.equal(refused(reason))
    }
  })

  it('asks for no user verification where the browser is to make one by itself, else it does', async () => {
    const request = {
      rp: { id: RP_ID, name: 'Sallyport' },
      account: { id: ACCOUNT, name: 'ada@example.org', displayName: 'Ada' },
      existing: [],
      challenge: challengeFor('upgrade'),
    }
    const byItself = await registrationOptions({ ...request, mediation: 'conditional' })
    expect(byItself.authenticatorSelection).to.include({
      residentKey: 'required',
      userVerification: 'preferred',
    })
    const byHand = await registrationOptions(request)
    expect(byHand.authenticatorSelection).to.include({ userVerification: 'required' })
  })

  it('keeps only transports that exist', async () => {
    const { credential } = await enrolled(authenticator(), {
      transports: ['usb', 'usb', '"><script>', 7, null],
    })
    expect(credential.transports).to.deep.equal(['usb'])
    for (const transports of [undefined, 'usb', {}, 5]) {
      const { credential } = await enrolled(authenticator(), { transports })
      expect(credential.transports).to.deep.equal([])
    }
  })
})

describe('passkey login', () => {
  it('says what to look up before anything is verified', () => {
    const device = authenticator()
    const challenge = challengeFor('login')
    const attachment = 'platform'
    const expected = { credentialId: device.credentialId, userHandle: HANDLE, challenge, attachment }
    expect(readAssertion(device.assert(challenge))).to.deep.equal(expected)
    expect(readAssertion(JSON.stringify(device.assert(challenge)))).to.deep.equal(expected)
    expect(readAssertion(device.assert(challenge, { userHandle: null }))?.userHandle).to.equal(undefined)
  })

  it('says whether the browser speaks of another device, and of no third', () => {
    const said = (authenticatorAttachment: unknown) =>
      readAssertion({ ...authenticator().assert(challengeFor('login')), authenticatorAttachment })?.attachment
    expect(said('cross-platform')).to.equal('cross-platform')
    for (const nothing of [undefined, null, '', 'elsewhere', {}]) expect(said(nothing)).to.equal(undefined)
  })

  it('reports that a synced passkey was backed up since', async () => {
    const device = authenticator({ backupEligible: true })
    expect(await login({ backedUp: true }, {}, { device })).to.deep.equal({
      ok: true,
      newCounter: 2,
      backedUp: true,
    })
  })

  it('accepts an authenticator that does not count', async () => {
    expect(await login({ counter: 0 }, { counter: 0 })).to.deep.equal({
      ok: true,
      newCounter: 0,
      backedUp: false,
    })
  })

  const refusals: [string, AssertionKnobs, string][] = [
    ['P1: refuses a login without user verification', { userVerified: false }, 'user_not_verified'],
    ['refuses a login without user presence', { userPresent: false }, 'user_not_present'],
    ['P7: refuses a passkey that became syncable', { backupEligible: true }, 'backup_eligibility_changed'],
    ['P7: refuses a backup of what cannot be backed up', { backedUp: true }, 'backup_flags'],
    ['refuses another origin', { origin: 'https://evil.example' }, 'origin_mismatch'],
    ['refuses the origin without TLS', { origin: 'http://login.example' }, 'origin_mismatch'],
    ['refuses another relying party', { rpId: 'evil.example' }, 'rp_id_mismatch'],
    ['refuses a registration in the place of a login', { type: 'webauthn.create' }, 'wrong_ceremony'],
    ['refuses a frame in another origin', { crossOrigin: true }, 'cross_origin'],
    [
      'refuses a frame that names its top origin',
      { crossOrigin: true, topOrigin: 'https://evil.example' },
      'cross_origin',
    ],
    ['refuses an id that differs from the raw id', { rawId: 'AAAA' }, 'credential_id_mismatch'],
    ['refuses an id other than the one looked up', { id: 'AAAA' }, 'credential_id_mismatch'],
    ["refuses another user's handle", { userHandle: userHandleOf('acc_other') }, 'user_handle_mismatch'],
    ['refuses a missing user handle', { userHandle: null }, 'user_handle_mismatch'],
    ['refuses a broken signature', { breakSignature: true }, 'signature'],
    [
      "refuses another key's signature",
      { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
      'signature',
    ],
  ]
  for (const [name, knobs, reason] of refusals)
    it(name, async () => expect(await login(knobs)).to.deep.equal(refused(reason)))

  it('P7: refuses a synced passkey that says it is not syncable any more', async () => {
    const device = authenticator({ backupEligible: true })
    expect(await login({ backupEligible: false }, {}, { device })).to.deep.equal(
      refused('backup_eligibility_changed'),
    )
  })

  it('P7: refuses a counter that goes back, stands still or drops to zero', async () => {
    for (const counter of [4, 5, 0])
      expect(await login({ counter }, { counter: 5 })).to.deep.equal(refused('counter_went_back'))
    expect(await login({ counter: 6 }, { counter: 5 })).to.include({ ok: true, newCounter: 6 })
  })

  it('P7: raises no alarm about a copied passkey unless the passkey itself signed', async () => {
    const forged = await login({ counter: 1, breakSignature: true }, { counter: 5 })
    expect(forged).to.deep.equal(refused('signature'))
    const flipped = await login({ backupEligible: true, breakSignature: true })
    expect(flipped).to.deep.equal(refused('signature'))
  })

  it('lets the user handle lack where the user was known before, but not differ', async () => {
    expect(await login({ userHandle: null }, {}, { userHandle: 'optional' })).to.include({ ok: true })
    const other = userHandleOf('acc_other')
    expect(await login({ userHandle: other }, {}, { userHandle: 'optional' })).to.deep.equal(
      refused('user_handle_mismatch'),
    )
  })

  it('P2: refuses the answer to another challenge', async () => {
    const { device, credential } = await enrolled()
    const response = device.assert(challengeFor('login'))
    const verdict = await verifyAssertion({
      response,
      expected: expectedFor(challengeFor('login')),
      credential,
    })
    expect(verdict).to.deep.equal(refused('challenge_mismatch'))
  })

  it("refuses a passkey's answer for the passkey of somebody else", async () => {
    const { credential } = await enrolled()
    expect(await login({}, { publicKey: credential.publicKey }), 'the key of another passkey').to.deep.equal(
      refused('signature'),
    )
    expect(
      await login({}, { accountHandle: userHandleOf('acc_victim') }),
      'the account of another user',
    ).to.deep.equal(refused('user_handle_mismatch'))
  })

  it('refuses signed data that was changed on the way', async () => {
    const change = (response: AssertionJson) => {
      const data = Buffer.from(response.response.authenticatorData, 'base64url')
      data.writeUInt32BE(99, 33)
      return {
        ...response,
        response: { ...response.response, authenticatorData: data.toString('base64url') },
      }
    }
    expect(await login({}, {}, { change })).to.deep.equal(refused('signature'))
  })
})

describe('L9: malformed passkey responses', () => {
  const challenge = challengeFor('login')
  const credential = {
    credentialId: 'AAAA',
    accountHandle: HANDLE,
    publicKey: 'AAAA',
    counter: 0,
    backupEligible: false,
  }
  const outcomes = async (response: unknown) => {
    const expected = expectedFor(challenge)
    const verdicts = [
      await verifyRegistration({ response, expected }),
      await verifyAssertion({ response, expected, credential }),
    ]
    readAssertion(response)
    readRegistrationChallenge(response)
    return verdicts.map(verdict => (verdict.ok ? 'ok' : verdict.reason))
  }
  const device = authenticator()
  const registration = device.register(challenge)
  const assertion = device.assert(challenge)
  const circular: Record<string, unknown> = {}
  circular.self = circular

  const odd: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['text that is no JSON', '{"id":'],
    ['a number', 7],
    ['a big integer', 7n],
    ['a function', () => 7],
    ['a list', [assertion]],
    ['a circle', circular],
    ['an empty object', {}],
    ['a polluted prototype', JSON.parse('{"__proto__":{"id":"AAAA","rawId":"AAAA","type":"public-key"}}')],
    ['another type of credential', { ...assertion, type: 'password' }],
    ['a list for an id', { ...assertion, id: ['AAAA'], rawId: ['AAAA'] }],
    ['an id in base64', { ...assertion, id: 'A+/=', rawId: 'A+/=' }],
    ['a NUL in the id', { ...assertion, id: 'AAAA\0', rawId: 'AAAA\0' }],
    ['an endless id', { ...assertion, id: 'A'.repeat(1365), rawId: 'A'.repeat(1365) }],
    ['no response', { ...assertion, response: undefined }],
    ['a list for a response', { ...assertion, response: [] }],
    [
      'empty fields',
      { ...assertion, response: { clientDataJSON: '', authenticatorData: '', signature: '' } },
    ],
    [
      'client data that is no JSON',
      { ...assertion, response: { ...assertion.response, clientDataJSON: 'AAAA' } },
    ],
    [
      'client data that is null',
      { ...assertion, response: { ...assertion.response, clientDataJSON: 'bnVsbA' } },
    ],
    [
      'authenticator data that is too short',
      { ...assertion, response: { ...assertion.response, authenticatorData: 'AAAA' } },
    ],
    ['a number for a user handle', { ...assertion, response: { ...assertion.response, userHandle: 7 } }],
    [
      'an attestation that is no CBOR',
      { ...registration, response: { ...registration.response, attestationObject: '____' } },
    ],
    [
      'nested CBOR',
      {
        ...registration,
        response: {
          ...registration.response,
          attestationObject: Buffer.alloc(11_000, 0x81).toString('base64url'),
        },
      },
    ],
  ]
  for (const [name, response] of odd)
    it(`refuses ${name}`, async () => {
      expect(await outcomes(response)).to.deep.equal(['malformed', 'malformed'])
    })

  it('refuses more than 16 KB unread, parsed or not', async () => {
    const long = { ...assertion, padding: 'x'.repeat(16_384) }
    expect(await outcomes(long)).to.deep.equal(['too_large', 'too_large'])
    expect(await outcomes(JSON.stringify(long))).to.deep.equal(['too_large', 'too_large'])
    expect(await outcomes('['.repeat(1_000_000))).to.deep.equal(['too_large', 'too_large'])
  })

  it('refuses any JSON, and honest responses with any byte changed, without an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async value => !(await outcomes(value)).includes('ok')),
      { numRuns: 50 },
    )
    // EdDSA, since the frame around an ECDSA signature can be read in more than one way.
    const { device, credential } = await enrolled(authenticator({ algorithm: 'EdDSA' }))
    const honest = device.assert(challenge)
    const fields = ['clientDataJSON', 'authenticatorData', 'signature'] as const
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...fields),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (field, position, change) => {
          const bytes = Buffer.from(honest.response[field], 'base64url')
          const at = position % bytes.length
          bytes[at] = (bytes.at(at) ?? 0) ^ change
          const response = {
            ...honest,
            response: { ...honest.response, [field]: bytes.toString('base64url') },
          }
          const verdict = await verifyAssertion({ response, expected: expectedFor(challenge), credential })
          return !verdict.ok
        },
      ),
      { numRuns: 300 },
    )
  })

  it('refuses random bytes for an attestation without an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async bytes => {
        const attestationObject = Buffer.from(bytes).toString('base64url')
        const response = { ...registration, response: { ...registration.response, attestationObject } }
        return !(await verifyRegistration({ response, expected: expectedFor(challenge) })).ok
      }),
      { numRuns: 200 },
    )
  })

  it('keeps the expected challenge to itself, whatever the library says of it', async () => {
    const secret = randomBytes(32).toString('base64url')
    const verdict = await verifyRegistration({ response: registration, expected: expectedFor(secret) })
    expect(JSON.stringify(verdict)).not.to.include(secret)
  })
})

describe('device families', () => {
  it('names authenticators by their AAGUID', () => {
    expect(deviceFamily('fbfc3007-154e-4ecc-8c0b-6e020557d7bd')).to.equal('Apple Passwords')
    expect(deviceFamily(YUBIKEY_AAGUID.toUpperCase())).to.match(/^YubiKey 5/)
  })

  it('names nothing that it does not know', () => {
    for (const aaguid of ['00000000-0000-0000-0000-000000000000', '', 'constructor', '__proto__'])
      expect(deviceFamily(aaguid)).to.equal(undefined)
  })
})
