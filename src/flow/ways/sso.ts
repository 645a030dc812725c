// A login at the identity provider of somebody's organisation: they are sent there, and what came back is taken, once,
// by the page that sent them. What it proves is a fact as any other; whose it is follows from who is linked to whom.

import { domainOf, parseAddress } from '../../mail/address.ts'
import { mailJob } from '../../mail/outbox.ts'
import { InputError, possibleName } from '../../organisations/directory.ts'
import { setRole } from '../../organisations/users.ts'
import type { Services } from '../../services.ts'
import { factOf, trustedIn } from '../../sso/assurance.ts'
import { decideLink, type Link, type LinkRefusal, roleOf } from '../../sso/link.ts'
import { SsoError, type SsoFault, type UpstreamAnswer } from '../../sso/upstream.ts'
import type { Returned, Upstreams } from '../../sso/upstreams.ts'
import { type Account, emailKey, insertAccount } from '../../store/accounts/accounts.ts'
import { type AuditEntry, auditRow } from '../../store/audit/audit.ts'
import { CommitRefused, type Write } from '../../store/database.ts'
import { newId } from '../../store/ids.ts'
import { clientActor } from '../../store/organisations/actor.ts'
import type { Keyring } from '../../store/seal.ts'
import type { Connection, PlannedConnection } from '../../store/sso/connections.ts'
import { readDomainStanding } from '../../store/sso/domains.ts'
import {
  claimAccount,
  linkIdentity,
  linkNewIdentity,
  noteTwoFactor,
  readIdentity,
  type TwoFactorBy,
} from '../../store/sso/identities.ts'
import { insertSsoRequest, openRequest, type SsoRequest, useAnswer } from '../../store/sso/requests.ts'
import { type Fact, mergeFacts } from '../assurance.ts'
import { NO_PROGRESS, type Progress } from '../progress.ts'
import type { Visit } from '../visit.ts'
import { chosen, type Handler, type Outcome, type Refused, refused } from './outcome.ts'

/** Sends the user to their identity provider; `anew`: it has them say who they are, whomever it knows them as. */
export const sso: Handler = async (services, visit, { anew }) => {
  const { upstreams, connection } = upstreamOf(services, visit)
  const email = visit.progress.account?.email
  try {
    const { url, state, pending } = await upstreams.begin(connection, {
      loginHint: email,
      domainHint: email && domainOf(email),
      twoFactor: visit.twoFactorsWanted,
      acrValues: visit.twoFactorsWanted ? connection.twoFactor.acr : [],
      fresh:
        anew === 'yes' || visit.prompt === 'step_up' || visit.fromNothing || visit.asked.maxAge !== undefined,
    })
    const request = { state, connectionId: connection.id, askedBy: { interaction: visit.uid } }
    return { kind: 'away', url, writes: [insertSsoRequest(services.keyring, request, pending, visit.now)] }
  } catch (error) {
    if (!(error instanceof SsoError)) throw error
    return failed(visit, connection, error.fault, error.detail)
  }
}

/** A password rather than the identity provider, for those whose organisation lets them in by it. */
export const usePassword: Handler = async (_, visit) => ({
  kind: 'advanced',
  progress: chosen(visit, { usePassword: true }),
  writes: [],
})

/**
 * Takes the answer that a request waits with.
 *
 * @param request of this interaction
 */
export async function takeAnswer(services: Services, visit: Visit, request: SsoRequest): Promise<Outcome> {
  const { connection } = upstreamOf(services, visit)
  const returned = openRequest<Returned>(services.keyring, request)
  const used = useAnswer(request, visit.now)
  if (request.connectionId !== connection.id) {
    return failed(visit, connection, 'closed', 'another connection', [used])
  }
  if (!returned.ok) return failed(visit, connection, returned.fault, returned.detail, [used])
  const answer = withAddress(returned.answer)
  const fact = factOf(answer, connection, request.createdAt, visit.now)
  if (fact === undefined) return failed(visit, connection, 'invalid', 'it is of a time to come', [used])
  const link = await linkFor(services, connection, answer)
  if (link.kind === 'refused') {
    return mismatched(visit, connection, `link.${link.reason}`, link.reason, [used])
  }
  if (visit.prompt === 'step_up' && !(link.kind === 'known' && link.account.id === visit.account?.id)) {
    return mismatched(visit, connection, 'other_user', 'a step-up is about the session’s user', [used])
  }
  if (link.kind === 'known') await followGroups(services, connection, answer, link.account)
  // Where something fresh was asked for, what was proven there before is worth what a password is.
  const counted = returned.fresh && fact.earlier === true ? { ...fact, kind: '1fa' } : fact
  const fellShort = (returned.twoFactor && fact.kind !== '2fa') || (returned.fresh && fact.earlier === true)
  const twoFactorBy = counted.kind === '2fa' ? (trustedIn(answer, connection.twoFactor) ?? null) : null
  return settle(services, visit, { connection, answer, counted, fellShort, twoFactorBy, link, used })
}

type Failure = SsoFault | 'closed'
/** What is wrong with who somebody is there. */
type Mismatch = 'other_user' | 'linked_otherwise' | `link.${LinkRefusal}`

interface Answered {
  readonly connection: PlannedConnection
  readonly answer: UpstreamAnswer
  /** What it proves here. */
  readonly counted: Fact
  /** It was asked for more. */
  readonly fellShort: boolean
  readonly twoFactorBy: TwoFactorBy
  readonly link: Exclude<Link, { kind: 'refused' }>
  readonly used: Write
}

async function settle(services: Services, visit: Visit, answered: Answered): Promise<Outcome> {
  const { connection, answer, counted, fellShort, twoFactorBy, link, used } = answered
  const progressOf = (account: Named) => about(visit, account, connection, fellShort, counted)

  if (link.kind === 'known') {
    const noted = noteTwoFactor({ connectionId: connection.id, subject: answer.subject }, twoFactorBy)
    return { kind: 'advanced', progress: progressOf(link.account), writes: [used, noted] }
  }
  if (link.kind === 'prove') {
    const { choices, ...progress } = progressOf(link.account)
    return {
      kind: 'advanced',
      progress: {
        ...progress,
        facts: [],
        choices: { ...choices, usePassword: true },
        linking: { subject: answer.subject, fact: counted, provider: connection.name },
      },
      writes: [used],
    }
  }
  const made =
    link.kind === 'create' ? created(visit, answered, link) : linked(services, visit, answered, link)
  try {
    // Before the progress that stands on it: where the writes of a commit don't see each other (PostgreSQL), an account
    // that is made, or whose epoch moves, is none that an interaction could be of.
    await services.database.commit([used, ...made.writes])
  } catch (error) {
    if (!(error instanceof CommitRefused) || error.refusal === 'already_used') throw error
    return mismatched(visit, connection, 'linked_otherwise', error.refusal)
  }
  if (link.kind === 'link') await followGroups(services, connection, answer, link.account)
  const progress = progressOf(made.account)
  return { kind: 'advanced', progress: made.fresh ? { ...progress, facts: [counted] } : progress, writes: [] }
}

type Named = Pick<Account, 'id' | 'email' | 'epoch'>

interface Made {
  readonly account: Named
  readonly writes: readonly Write[]
  /** Nothing that was proven before is of this account as it is now. */
  readonly fresh: boolean
}

function linked(
  { database, keyring }: Services,
  visit: Visit,
  { connection, answer, twoFactorBy }: Answered,
  { account, claim }: Extract<Link, { kind: 'link' }>,
): Made {
  const { now } = visit
  const identity = { connectionId: connection.id, subject: answer.subject }
  return {
    account: { ...account, epoch: account.epoch + (claim ? 1 : 0) },
    writes: [
      // First: the account must be as it was read.
      linkIdentity(identity, account, twoFactorBy, now),
      ...(claim ? claimAccount(database.dialect, account, now) : []),
      row(visit, connection, { event: 'sso.linked', accountId: account.id, details: { claim } }),
      tellLinked(keyring, account, connection.name, visit.visitor.address, now),
    ],
    fresh: claim,
  }
}

/** A new way into the account, told to its owner. */
export function tellLinked(
  keyring: Keyring,
  { id, name, email }: Account,
  provider: string,
  address: string,
  now: number,
): Write {
  const contents = { name, provider, at: now, address }
  return mailJob(keyring, { to: email, accountId: id, template: 'sso-linked', contents, now })
}

function created(
  visit: Visit,
  { connection, answer, twoFactorBy }: Answered,
  { email, name }: Extract<Link, { kind: 'create' }>,
): Made {
  const { now } = visit
  const account = { id: newId('usr'), email, epoch: 0 }
  const role = roleOf(answer, connection) ?? 'technician'
  return {
    account,
    writes: [
      insertAccount(
        {
          ...account,
          organisationId: connection.organisationId,
          // What the provider calls them, if that can be anybody's name here.
          name: possibleName(name ?? '') ?? email,
          role,
          status: 'active',
          passwordHash: null,
          mailboxProvenAt: now,
        },
        now,
      ),
      linkNewIdentity({ connectionId: connection.id, subject: answer.subject }, account.id, twoFactorBy, now),
      row(visit, connection, { event: 'sso.user_created', accountId: account.id, details: { role } }),
    ],
    fresh: true,
  }
}

/** What is known once somebody has come back. Of another than the one who was named, nothing of before counts. */
function about(
  { progress }: Visit,
  { id, email, epoch }: Named,
  connection: PlannedConnection,
  fellShort: boolean,
  fact: Fact,
): Progress {
  const { linking: _, platformAuthenticator, ...known } = progress
  const same = known.account?.id === id
  const kept = same ? known : NO_PROGRESS
  return {
    ...kept,
    ...(platformAuthenticator === undefined ? {} : { platformAuthenticator }),
    account: { id, email, epoch },
    upstream: connection.id,
    facts: mergeFacts(kept.facts, [fact]),
    choices: { ...kept.choices, ...(fellShort ? { ssoFellShort: true } : {}) },
  }
}

/** Has the user's role follow their groups, where the connection says so. The last admin stays one. */
async function followGroups(
  { database, keyring, clock, config }: Services,
  connection: PlannedConnection,
  answer: UpstreamAnswer,
  { id, role, breakGlass }: Account,
): Promise<void> {
  const wanted = roleOf(answer, connection)
  // Whoever is there for the day on which the provider fails stays what they are, whatever it says.
  if (wanted === undefined || wanted === role || breakGlass) return
  const actor = clientActor(`SSO ${connection.name}`)
  const directory = { database, keyring, clock, actor, productName: config.productName }
  const choice = { organisationId: connection.organisationId, userId: id }
  await setRole(directory, choice, wanted).catch(error => {
    if (!(error instanceof InputError)) throw error
  })
}

/** What is no address as we write them is none. */
function withAddress(answer: UpstreamAnswer): UpstreamAnswer {
  return { ...answer, email: parseAddress(answer.email) }
}

/** Whose an answer is, and what a login by it comes to. */
export async function linkFor(
  { database, accounts }: Pick<Services, 'database' | 'accounts'>,
  connection: Connection,
  said: UpstreamAnswer,
): Promise<Link> {
  const answer = withAddress(said)
  const { email, subject } = answer
  const linkedId = await readIdentity(database, { connectionId: connection.id, subject })
  const linked = linkedId === undefined ? undefined : await accounts.find(linkedId)
  const address = linked === undefined ? email : linked.ssoOnly ? emailKey(linked.email) : undefined
  return decideLink({
    answer,
    connection,
    linked,
    byEmail: linked === undefined && email !== undefined ? await accounts.findByEmail(email) : undefined,
    domain:
      address === undefined
        ? 'not_proven'
        : await readDomainStanding(database, domainOf(address), connection),
  })
}

/** The visit's connection, where the step that offered this way has made sure that there is one. */
function upstreamOf({ upstreams }: Services, { upstream, step }: Visit) {
  if (upstreams === undefined || upstream === undefined)
    throw new Error(`step ${step.kind} without an upstream`)
  return { upstreams, connection: upstream } satisfies { upstreams: Upstreams; connection: PlannedConnection }
}

/** Nothing was proven; the page says why, and the audit log more. */
function failed(
  visit: Visit,
  connection: PlannedConnection,
  fault: Failure | Mismatch,
  detail: string,
  writes: readonly Write[] = [],
): Refused {
  const details = { fault, detail: detail.slice(0, 200) }
  const entry = row(visit, connection, { event: 'sso.failed', accountId: visit.account?.id, details })
  return refused(`sso.error.${fault}`, [...writes, entry], { name: connection.name })
}

/** The same, where another session there might come to something else. */
function mismatched(
  visit: Visit,
  connection: PlannedConnection,
  fault: Mismatch,
  detail: string,
  writes: readonly Write[] = [],
): Refused {
  return { ...failed(visit, connection, fault, detail, writes), identity: true }
}

function row(
  visit: Visit,
  { organisationId, name }: PlannedConnection,
  { details, ...entry }: Pick<AuditEntry, 'event' | 'accountId' | 'details'>,
): Write {
  const { visitor, cid, clientId, now } = visit
  return auditRow(
    {
      ...entry,
      organisationId,
      address: visitor.address,
      interaction: cid,
      details: { client: clientId, connection: name, ...details },
    },
    now,
  )
}
