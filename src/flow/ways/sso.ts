// A login at the identity provider of somebody's organisation: they are sent there, and what came back is taken, once,
// by the page that sent them. What it proves is a fact as any other; whose it is follows from who is linked to whom.

import { domainOf, parseAddress } from '../../mail/address.ts'
import type { Services } from '../../services.ts'
import { factOf } from '../../sso/assurance.ts'
import { decideLink, type Link, type LinkRefusal, roleOf } from '../../sso/link.ts'
import { SsoError, type SsoFault, type UpstreamAnswer } from '../../sso/upstream.ts'
import type { Returned, Upstreams } from '../../sso/upstreams.ts'
import { type Account, insertAccount } from '../../store/accounts.ts'
import { auditRow } from '../../store/audit.ts'
import type { Write } from '../../store/database.ts'
import { newId } from '../../store/ids.ts'
import type { PlannedConnection } from '../../store/sso/connections.ts'
import { isProvenDomain } from '../../store/sso/domains.ts'
import { claimAccount, linkIdentity, linkNewIdentity, readIdentity } from '../../store/sso/identities.ts'
import { insertSsoRequest, openRequest, type SsoRequest, useAnswer } from '../../store/sso/requests.ts'
import { type Fact, mergeFacts } from '../assurance.ts'
import type { Visit } from '../visit.ts'
import { chosen, type Handler, type Outcome, type Refused, record, refused } from './outcome.ts'

/** Sends the user to their identity provider. */
export const sso: Handler = async (services, visit) => {
  const { upstreams, connection } = upstreamOf(services, visit)
  const email = visit.progress.account?.email
  try {
    const { url, state, pending } = await upstreams.begin(connection, {
      loginHint: email,
      domainHint: email && domainOf(email),
      twoFactor: visit.twoFactorsWanted,
      acrValues: visit.twoFactorsWanted ? connection.twoFactor.acr : [],
      fresh: visit.prompt === 'step_up' || visit.fromNothing || visit.asked.maxAge !== undefined,
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
  const { upstreams, connection } = upstreamOf(services, visit)
  const returned = openRequest<Returned>(services.keyring, request)
  const used = useAnswer(request, visit.now)
  if (request.connectionId !== connection.id || !(await upstreams.find(connection.id))) {
    return failed(visit, connection, 'closed', 'another connection', [used])
  }
  if (!returned.ok) return failed(visit, connection, returned.fault, returned.detail, [used])
  // What is no address as we write them is none.
  const answer = { ...returned.answer, email: parseAddress(returned.answer.email) }
  const fact = factOf(answer, connection, request.createdAt, visit.now)
  if (fact === undefined) return failed(visit, connection, 'invalid', 'it is of a time to come', [used])
  const link = await linkFor(services, connection, answer)
  if (link.kind === 'refused') return failed(visit, connection, `link.${link.reason}`, link.reason, [used])
  if (visit.prompt === 'step_up' && !(link.kind === 'known' && link.account.id === visit.account?.id)) {
    return failed(visit, connection, 'other_user', 'a step-up is about the session’s user', [used])
  }
  return settle(services, visit, { connection, answer, fact, returned, link, used })
}

type Failure = SsoFault | 'closed' | 'other_user' | `link.${LinkRefusal}`

interface Answered {
  readonly connection: PlannedConnection
  readonly answer: UpstreamAnswer
  readonly fact: Fact
  readonly returned: Returned
  readonly link: Exclude<Link, { kind: 'refused' }>
  readonly used: Write
}

function settle(services: Services, visit: Visit, answered: Answered): Outcome {
  const { connection, answer, fact, returned, link, used } = answered
  const { now, progress } = visit
  const identity = { connectionId: connection.id, subject: answer.subject }
  const fellShort = (returned.twoFactor && fact.kind !== '2fa') || (returned.fresh && fact.earlier === true)
  // Where something fresh was asked for, what was proven there before is what a password of before would be.
  const counted = returned.fresh && fact.earlier === true ? { ...fact, kind: '1fa' } : fact
  const choices = { ...progress.choices, ...(fellShort ? { ssoFellShort: true } : {}) }
  const { linking: _, ...rest } = progress
  const base = { ...rest, upstream: connection.id }
  const named = ({ id, email, epoch }: Pick<Account, 'id' | 'email' | 'epoch'>) => ({ id, email, epoch })
  const kept = (account: Pick<Account, 'id'>) => (progress.account?.id === account.id ? progress.facts : [])
  const about = ({ id }: Pick<Account, 'id'>, event: 'sso.linked' | 'sso.user_created') =>
    auditRow(
      {
        event,
        organisationId: connection.organisationId,
        accountId: id,
        address: visit.visitor.address,
        interaction: visit.cid,
        details: { client: visit.clientId, connection: connection.name },
      },
      now,
    )

  switch (link.kind) {
    case 'known': {
      const { account } = link
      const facts = mergeFacts(kept(account), [counted])
      return {
        kind: 'advanced',
        progress: { ...base, account: named(account), facts, choices },
        writes: [used],
      }
    }
    case 'link': {
      const { account, claim } = link
      const epoch = account.epoch + (claim ? 1 : 0)
      return {
        kind: 'advanced',
        progress: {
          ...base,
          account: named({ ...account, epoch }),
          facts: claim ? [counted] : mergeFacts(kept(account), [counted]),
          choices,
        },
        writes: [
          // Where the two don't see each other (PostgreSQL), and where they do, the link is of the account as it was read.
          linkIdentity(identity, account, now),
          ...(claim ? claimAccount(services.database.dialect, account, now) : []),
          used,
          about(account, 'sso.linked'),
        ],
        refused: { already_exists: { key: 'sso.error.linked_otherwise', values: { name: connection.name } } },
      }
    }
    case 'create': {
      const id = newId('account')
      const account = { id, email: link.email, epoch: 0 }
      return {
        kind: 'advanced',
        progress: { ...base, account, facts: [counted], choices },
        writes: [
          insertAccount(
            {
              ...account,
              organisationId: connection.organisationId,
              name: link.name.slice(0, 100),
              role: roleOf(answer, connection) ?? 'technician',
              status: 'active',
              passwordHash: null,
              mailboxProvenAt: now,
            },
            now,
          ),
          linkNewIdentity(identity, id, now),
          used,
          about(account, 'sso.user_created'),
        ],
        refused: { already_exists: { key: 'sso.error.link.no_account', values: { name: connection.name } } },
      }
    }
    case 'prove':
      return {
        kind: 'advanced',
        progress: {
          ...base,
          account: named(link.account),
          facts: [],
          choices: { ...choices, usePassword: true },
          linking: { subject: answer.subject, fact: counted },
        },
        writes: [used],
      }
  }
}

async function linkFor(
  { database, accounts }: Services,
  connection: PlannedConnection,
  answer: UpstreamAnswer,
): Promise<Link> {
  const { email, subject } = answer
  const linkedId = await readIdentity(database, { connectionId: connection.id, subject })
  const linked = linkedId === undefined ? undefined : await accounts.find(linkedId)
  const asked = linked === undefined && email !== undefined
  return decideLink({
    answer,
    connection,
    linked,
    byEmail: asked ? await accounts.findByEmail(email) : undefined,
    domainProven: asked && (await isProvenDomain(database, domainOf(email), connection.organisationId)),
  })
}

/** The visit's connection, where the step that offered this way has made sure that there is one. */
function upstreamOf({ upstreams }: Services, { upstream, step }: Visit) {
  if (upstreams === undefined || upstream === undefined)
    throw new Error(`step ${step.kind} without an upstream`)
  return { upstreams, connection: upstream } satisfies { upstreams: Upstreams; connection: PlannedConnection }
}

/** Nothing was proven; the page says why, and the log more. */
function failed(
  visit: Visit,
  connection: PlannedConnection,
  fault: Failure,
  detail: string,
  writes: readonly Write[] = [],
): Refused {
  const row = record(visit, 'sso.failed', {
    connection: connection.name,
    fault,
    detail: detail.slice(0, 200),
  })
  return refused(`sso.error.${fault}`, [...writes, row], { name: connection.name })
}
