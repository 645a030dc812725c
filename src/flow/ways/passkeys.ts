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
import { unknownPasskey } from '../../factors/passkey-signals.ts'
import type { Form } from '../../http/forms.ts'
import { mailJob } from '../../mail/outbox.ts'
import type { Services } from '../../services.ts'
import { type Account, offerPasskeyAfter } from '../../store/accounts/accounts.ts'
import {
  insertPasskey,
  type Passkey,
  readPasskey,
  readPasskeys,
  spend,
  usePasskey,
} from '../../store/accounts/credentials.ts'
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
  const rpId = boundTo(passkeys, config.passkeyDomain)
  return JSON.stringify(
    await authenticationOptions({
      rpId,
      challenge: newChallenge({
        key: keyring.keys('passkey-challenge')[0],
        purpose: 'login',
        binding: visit.uid,
        now: visit.now,
      }),
      ...(passkeys === undefined ? {} : { allow: passkeys.filter(each => each.rpId === rpId) }),
    }),
  )
}

/** What to ask for: a ceremony is of one domain. Passkeys of before a change of it go on where there is no newer. */
function boundTo(passkeys: readonly Passkey[] = [], domain: string): string {
  return passkeys.some(each => each.rpId === domain) ? domain : (passkeys.at(-1)?.rpId ?? domain)
}

/** Who makes a passkey: its user, or the browser by itself beside a password that it knows. */
export type Making = 'register' | 'upgrade'

/**
 * Options for adding a passkey to an account.
 *
 * @param of.binding what they are good in alone: an interaction, or a session
 * @param making `upgrade`: for the browser to make it by itself, if it will
 */
export async function creationOptions(
  { keyring, config, database }: Services,
  of: { readonly account: Account; readonly binding: string; readonly now: number },
  making: Making,
) {
  const { account, binding, now } = of
  return JSON.stringify(
    await registrationOptions({
      rp: { id: config.passkeyDomain, name: config.productName },
      account: { id: account.id, name: account.email, displayName: account.name },
      existing: await readPasskeys(database, account.id),
      challenge: newChallenge({
        key: keyring.keys('passkey-challenge')[0],
        purpose: making,
        binding,
        now,
      }),
      ...(making === 'upgrade' ? { mediation: 'conditional' } : {}),
    }),
  )
}

/** Signed by the passkey itself, so what is wrong with it is worth a word to its owner. */
const COPIED: readonly AssertionRefusal[] = ['counter_went_back', 'backup_eligibility_changed']

export const passkey: Handler = async (services, visit, form) => {
  const { config, keyring, paths, database, accounts } = services
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
    const outcome = refused('passkey.error.unknown', [
      record(visit, 'passkey.refused', { reason: 'unknown' }),
    ])
    // It is the browser's own. One that somebody has is not spoken of, whatever keeps it from logging in here.
    const gone = found === undefined && outcome.kind === 'refused'
    return gone ? { ...outcome, signals: unknownPasskey(config.passkeyDomain, read.credentialId) } : outcome
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
      {
        account: { email: account.email, id: account.id, epoch: account.epoch },
        passkeyElsewhere: read.attachment === 'cross-platform' && found.transports.includes('hybrid'),
        // Empty where the browser had not said it yet.
        ...(form.webauthn ? { platformAuthenticator: form.webauthn === 'platform' } : {}),
      },
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

export const registerPasskey: Handler = (services, visit, form) => register(services, visit, form, 'register')

/**
 * A passkey that the browser made by itself beside a password that it knows. Nothing is proven by it, least of all who
 * is there: it is taken because two factors were proven just before, and from the next login on as any other.
 */
export const upgradeToPasskey: Handler = (services, visit, form) => register(services, visit, form, 'upgrade')

async function register(services: Services, visit: Visit, form: Form, making: Making): Promise<Outcome> {
  const occasion = { ...visit, account: accountOf(visit) }
  const added = await addPasskey(services, occasion, visit.uid, form.response ?? '', making)
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
  making: Making,
): Promise<
  { readonly ok: true; readonly writes: Write[] } | { readonly ok: false; readonly refused: Refused }
> {
  const { account, now, visitor } = occasion
  const upgraded = making === 'upgrade'
  const no = (...how: Parameters<typeof refused>) => ({ ok: false, refused: refused(...how) }) as const
  const presented = readRegistrationChallenge(response)
  if (presented === undefined) return no('passkey.error.notSaved')
  const keys = keyring.keys('passkey-challenge')
  const challenge = openChallenge(presented, { keys, purpose: making, binding, now })
  if (!challenge.ok) return no('passkey.error.expired')
  const verdict = await verifyRegistration({
    response,
    expected: {
      challenge: presented,
      origins: [paths.origin],
      rpId: config.passkeyDomain,
      ...(upgraded ? { mediation: 'conditional' } : {}),
    },
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
      insertPasskey({ ...credential, accountId: account.id, rpId: config.passkeyDomain, name }, now),
      record(occasion, 'passkey.added', {
        credential: credential.credentialId,
        name,
        ...(upgraded ? { upgrade: true } : {}),
      }),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: upgraded ? 'passkey-upgraded' : 'passkey-added',
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
