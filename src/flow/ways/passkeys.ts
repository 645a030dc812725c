// Passkeys: logging in with one, and adding one. What the library leaves to us is in `factors/passkey.ts`; here the
// challenge is spent, the credential looked up by its id and its owner, and the counter moved, all in one commit.

import { noteNotified } from '../../factors/attempts.ts'
import {
  type AssertionRefusal,
  authenticationOptions,
  deviceFamily,
  newChallenge,
  openChallenge,
  readAssertion,
  readRegistrationChallenge,
  registrationOptions,
  userHandleOf,
  verifyAssertion,
  verifyRegistration,
} from '../../factors/passkey.ts'
import { mailJob } from '../../mail/outbox.ts'
import type { Services } from '../../services.ts'
import { type Account, offerPasskeyAfter } from '../../store/accounts.ts'
import {
  insertPasskey,
  type Passkey,
  readPasskey,
  readPasskeys,
  spend,
  usePasskey,
} from '../../store/credentials.ts'
import { CommitRefused, type Database, type Write } from '../../store/database.ts'
import { digest } from '../../store/ids.ts'
import type { Visit } from '../visit.ts'
import {
  accountOf,
  chosen,
  type Handler,
  type Occasion,
  type Outcome,
  proven,
  type Refused,
  record,
  refused,
} from './outcome.ts'

/** Whoever wants no passkey is asked again after this time. */
export const OFFER_AGAIN_MS = 30 * 24 * 60 * 60 * 1000

/** Options for logging in: of the account's passkeys where it is known who it is, else of whatever the browser has. */
export async function loginOptions({ keyring, config, database }: Services, visit: Visit, known: boolean) {
  const passkeys =
    known && visit.account !== undefined ? await readPasskeys(database, visit.account.id) : undefined
  return JSON.stringify(
    await authenticationOptions({
      rpId: rpId(config.issuer),
      challenge: newChallenge({
        key: keyring.keys('passkey-challenge')[0],
        purpose: 'login',
        binding: visit.uid,
        now: visit.now,
      }),
      ...(passkeys === undefined ? {} : { allow: passkeys }),
    }),
  )
}

/**
 * Options for adding a passkey to an account.
 *
 * @param binding what they are good in alone: an interaction, or a session
 */
export async function creationOptions(
  { keyring, config, database }: Services,
  { account, binding, now }: { readonly account: Account; readonly binding: string; readonly now: number },
) {
  return JSON.stringify(
    await registrationOptions({
      rp: { id: rpId(config.issuer), name: config.productName },
      account: { id: account.id, name: account.email, displayName: account.name },
      existing: await readPasskeys(database, account.id),
      challenge: newChallenge({
        key: keyring.keys('passkey-challenge')[0],
        purpose: 'register',
        binding,
        now,
      }),
    }),
  )
}

/** Signed by the passkey itself, so what is wrong with it is worth a word to its owner. */
const COPIED: readonly AssertionRefusal[] = ['counter_went_back', 'backup_eligibility_changed']

export const passkey: Handler = async (services, visit, form) => {
  const { keyring, paths, database, accounts } = services
  const response = form.response ?? ''
  const read = readAssertion(response)
  if (read === undefined) return refused('passkey.failed')
  const challenge = openChallenge(read.challenge, {
    keys: keyring.keys('passkey-challenge'),
    purpose: 'login',
    binding: visit.uid,
    now: visit.now,
  })
  if (!challenge.ok) return refused('passkey.error.expired')
  const found = await readPasskey(database, read.credentialId)
  // Where somebody else may be named, a passkey may name them; elsewhere it must be the one who is here.
  const pinned = visit.step.ways.includes('identify') ? undefined : accountOf(visit).id
  const account = found === undefined ? undefined : await accounts.find(found.accountId)
  if (
    found === undefined ||
    account?.status !== 'active' ||
    (pinned !== undefined && pinned !== account.id)
  ) {
    return refused('passkey.error.unknown', [record(visit, 'passkey.refused', { reason: 'unknown' })])
  }
  const about: Visit = { ...visit, account }
  const verdict = await verifyAssertion({
    response,
    expected: {
      challenge: read.challenge,
      origins: [paths.origin],
      rpId: found.rpId,
      userHandle: pinned === undefined ? 'required' : 'optional',
    },
    credential: { ...found, accountHandle: userHandleOf(account.id) },
  })
  const spent = spend('passkey-challenge', challenge.id, challenge.expiresAt)
  if (!verdict.ok) {
    const audit = record(about, 'passkey.refused', {
      reason: verdict.reason,
      credential: found.credentialId,
    })
    if (COPIED.includes(verdict.reason))
      return copied(services, { account, passkey: found, about, spent, audit })
    return refused(
      verdict.reason === 'user_not_verified' ? 'passkey.error.unverified' : 'passkey.error.unknown',
      [audit],
    )
  }
  const switched = visit.progress.account?.id !== account.id
  return {
    kind: 'advanced',
    progress: proven(
      switched ? { ...about, progress: { facts: [], choices: {} } } : about,
      {
        factor: 'passkey',
        kind: found.backupEligible ? 'swk' : 'hwk',
        credentialId: found.credentialId,
      },
      { account: { email: account.email, id: account.id, epoch: account.epoch } },
    ),
    writes: [spent, usePasskey(found, verdict.newCounter, verdict.backedUp, visit.now)],
    refused: { already_used: { key: 'passkey.error.expired' } },
  }
}

/**
 * A passkey that may have been copied: recorded, and told to its owner, at most once an hour. The challenge is spent
 * first: the same answer posted twice, by a double click, is behind its own counter and is no alarm.
 */
async function copied(
  { database, keyring }: Services,
  found: { account: Account; passkey: Passkey; about: Visit; spent: Write; audit: Write },
): Promise<Outcome> {
  const { account, passkey, about, spent, audit } = found
  const { now, visitor } = about
  const told = [
    noteNotified(digest(passkey.credentialId), now),
    mailJob(keyring, {
      to: account.email,
      accountId: account.id,
      template: 'passkey-refused',
      contents: { name: account.name, passkey: passkey.name, at: now, address: visitor.address },
      now,
    }),
  ]
  let outcome = await refusalOf(database, [spent, audit, ...told])
  if (outcome === 'not_allowed') outcome = await refusalOf(database, [spent, audit])
  return refused(outcome === undefined ? 'passkey.error.copied' : 'passkey.error.expired')
}

async function refusalOf(database: Database, writes: readonly Write[]): Promise<string | undefined> {
  try {
    await database.commit(writes)
    return undefined
  } catch (error) {
    if (error instanceof CommitRefused) return error.refusal
    throw error
  }
}

export const registerPasskey: Handler = async (services, visit, form) => {
  const occasion = { ...visit, account: accountOf(visit) }
  const added = await addPasskey(services, occasion, visit.uid, form.response ?? '')
  if (!added.ok) return added.refused
  return {
    kind: 'advanced',
    progress: chosen(visit, { passkeyOffer: 'taken' }),
    writes: added.writes,
    refused: {
      already_used: { key: 'passkey.error.expired' },
      already_exists: { key: 'passkey.error.notSaved' },
    },
  }
}

/**
 * What a browser made of {@link creationOptions}.
 *
 * @returns the writes that add it, record it and tell its owner; or what to say of it
 */
export async function addPasskey(
  { keyring, config, paths }: Services,
  occasion: Occasion & { readonly account: Account },
  binding: string,
  response: string,
): Promise<
  { readonly ok: true; readonly writes: Write[] } | { readonly ok: false; readonly refused: Refused }
> {
  const { account, now, visitor } = occasion
  const no = (...how: Parameters<typeof refused>) => ({ ok: false, refused: refused(...how) }) as const
  const presented = readRegistrationChallenge(response)
  if (presented === undefined) return no('passkey.error.notSaved')
  const keys = keyring.keys('passkey-challenge')
  const challenge = openChallenge(presented, { keys, purpose: 'register', binding, now })
  if (!challenge.ok) return no('passkey.error.expired')
  const verdict = await verifyRegistration({
    response,
    expected: { challenge: presented, origins: [paths.origin], rpId: rpId(config.issuer) },
  })
  if (!verdict.ok) {
    return no(
      verdict.reason === 'user_not_verified' ? 'passkey.error.unverified' : 'passkey.error.notSaved',
      [record(occasion, 'passkey.refused', { reason: verdict.reason })],
    )
  }
  const { credential } = verdict
  const name = deviceFamily(credential.aaguid) ?? 'Passkey'
  return {
    ok: true,
    writes: [
      spend('passkey-challenge', challenge.id, challenge.expiresAt),
      insertPasskey({ ...credential, accountId: account.id, rpId: rpId(config.issuer), name }, now),
      record(occasion, 'passkey.added', { credential: credential.credentialId, name }),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'passkey-added',
        contents: { name: account.name, passkey: name, at: now, address: visitor.address },
        now,
      }),
    ],
  }
}

export const declinePasskey: Handler = async (_, visit) => ({
  kind: 'advanced',
  progress: chosen(visit, { passkeyOffer: 'declined' }),
  writes: [
    offerPasskeyAfter(accountOf(visit).id, visit.now + OFFER_AGAIN_MS),
    record(visit, 'passkey.offer_declined'),
  ],
})

export const cannotUsePasskey: Handler = async (_, visit) => ({
  kind: 'advanced',
  progress: chosen(visit, { cannotUsePasskey: true }),
  writes: [],
})

/** The relying party id (WebAuthn): the issuer's host name. */
export function rpId(issuer: string): string {
  return new URL(issuer).hostname
}
