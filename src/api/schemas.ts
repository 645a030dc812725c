// What the API takes and gives, said once: these schemas validate the requests, are the types of the code, and become
// the OpenAPI document. A field that is not named here refuses the request.

import { z } from 'zod'
import { LONGEST_REASON } from '../factors/reset.ts'
import { STANDINGS, STATUSES } from '../store/accounts/user-list.ts'
import { AUDIT_EVENTS } from '../store/audit/audit-meanings.ts'

const TIME = '2026-11-24T09:00:00Z'

/** Text of one line; trimming and what is one line is judged where organisations are made, for everybody. */
const line = (longest: number) => z.string().min(1).max(longest)
/** With a zone: whoever leaves it out means one. */
const time = z.iso.datetime({ offset: true }).meta({ examples: [TIME] })
const name = line(200).meta({ description: 'Its name, as its users know it.', examples: ['Northgate'] })
const plan = line(100).meta({ description: 'Its plan, a text of the vendor’s.', examples: ['Enterprise'] })
/** What ids are made of: anything else is the id of nothing, and never reaches the database. */
export const ID = /^[\w-]{1,64}$/
const organisationId = z
  .string()
  .regex(ID)
  .meta({ examples: ['org_5d1c8e0b9f3a4c6d7e8f90a1b2c3d4'] })

export const NewOrganisation = z.strictObject({
  name,
  plan,
  subscribed_at: time
    .nullable()
    .optional()
    .meta({ description: 'When its subscription begins. Left out or null: no subscription yet.' }),
})

export const PlanChange = z.strictObject({ plan })

export const SubscriptionStart = z.strictObject({
  subscribed_at: time.meta({ description: 'When the subscription begins. It is set once.' }),
})

export const Organisation = z.strictObject({
  id: organisationId,
  name,
  plan,
  subscribed_at: time
    .nullable()
    .meta({ description: 'When its subscription began. Null: no subscription yet.' }),
  enforced_from: time
    .nullable()
    .meta({ description: '24 hours later: two-factor authentication is enforced from then on.' }),
})

export const OrganisationList = z.strictObject({
  organisations: z.array(Organisation),
  next: organisationId.nullable().meta({ description: 'Give it as `after` for more. Null: that was all.' }),
})

/** Items of a page, unless fewer are asked for. */
export const MOST_LISTED = 100
const limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(MOST_LISTED)
  .optional()
  .meta({ description: `At most so many; ${MOST_LISTED} if it is left out.` })
/** Where a list of keys goes on: its last key, in letters that an address takes. */
const after = z
  .string()
  .regex(/^[\w.-]{1,2000}$/)
  .optional()
  .meta({ description: 'The `next` of the page before.' })
const next = z.string().nullable().meta({ description: 'Give it as `after` for more. Null: that was all.' })

export const ListQuery = z.strictObject({
  after: z.string().regex(ID).optional().meta({ description: 'The last id of the page before.' }),
  limit,
})

/** What no database takes, or gives back as something else, is refused. */
const text = (longest: number) =>
  z
    .string()
    .max(longest)
    .refine(each => each.isWellFormed() && !each.includes('\0'), 'has characters that no text has')
const userId = z
  .string()
  .regex(ID)
  .meta({ examples: ['usr_5d1c8e0b9f3a4c6d7e8f90a1b2c3d4'] })
const role = z.enum(['admin', 'technician'])
const status = z.enum(STATUSES)
const secondFactor = z.enum(STANDINGS).meta({
  description:
    '`set_up`: an authenticator app or a passkey. `at_provider`: neither, and at the last login their identity provider said that they proved two factors. `not_set_up`: none of these. `reset_pending`: reset, and to be set up at the next login.',
})

/** Which users; what is left out is not asked. */
const UserFilter = z.strictObject({
  q: text(200)
    .optional()
    .meta({ description: 'Words that name or address have words beginning with: `ben oka`, `@northgate`.' }),
  role: role.optional(),
  second_factor: secondFactor.optional(),
  status: status.optional(),
})

export const UserQuery = UserFilter.extend({ after, limit })

export const User = z.strictObject({
  id: userId,
  name: z.string(),
  email: z.string(),
  role,
  status,
  second_factor: secondFactor,
  passkeys: z.int().min(0).meta({ description: 'How many they have.' }),
  last_login_at: time.nullable().meta({ description: 'Null: not yet.' }),
  mail_refused: z.boolean().meta({ description: 'Their address takes no mail.' }),
})

export const UserList = z.strictObject({ users: z.array(User), next })

const MOST_RESET = 10_000
/** So many ids of the longest kind, with some room. */
export const MOST_RESET_BYTES = 1024 * 1024

export const NewSecondFactorReset = z
  .strictObject({
    users: z.array(userId).min(1).max(MOST_RESET).optional().meta({
      description: 'Their ids. One that comes twice counts once; one that nobody has is in the result.',
    }),
    filter: UserFilter.optional().meta({ description: 'Everybody who matches now; `{}`: everybody.' }),
    reason: text(LONGEST_REASON)
      .min(1)
      .meta({ description: 'Why, for the audit log. Line breaks become spaces.', examples: ['Phone lost'] }),
    remove_passkeys: z
      .boolean()
      .optional()
      .meta({ description: 'Passkeys go too: for devices that were lost or stolen. Default: they stay.' }),
  })
  .refine(({ users, filter }) => (users === undefined) !== (filter === undefined), {
    message: 'has either users or a filter',
  })
  .meta({ oneOf: [{ required: ['users'] }, { required: ['filter'] }] })

const count = (description: string) => z.int().min(0).meta({ description })
const resetId = z
  .string()
  .regex(ID)
  .meta({ examples: ['rst_5d1c8e0b9f3a4c6d7e8f90a1b2c3d4'] })

export const SecondFactorReset = z.strictObject({
  id: resetId,
  state: z.enum(['running', 'finished']),
  actor: z
    .string()
    .meta({ description: 'Who ordered it: the id of a user, `operator`, or `client` and an id.' }),
  reason: z.string(),
  remove_passkeys: z.boolean(),
  started_at: time,
  finished_at: time.nullable(),
  total: count('Users that it is about.'),
  done: count('Users who were reset.'),
  skipped: count('Users who were not, each for a reason.'),
  waiting: count('The rest.'),
})

export const SecondFactorResetUser = z.strictObject({
  id: userId,
  name: z.string().nullable().meta({ description: 'Null for nobody of the organisation.' }),
  email: z.string().nullable().meta({ description: 'Null for nobody of the organisation.' }),
  outcome: z.enum(['waiting', 'done', 'skipped']),
  why: z
    .enum(['not_found', 'not_active', 'not_set_up', 'at_provider', 'reset_pending', 'not_allowed'])
    .nullable()
    .meta({
      description:
        'Of one that was skipped. `not_found`: the organisation has no such user. `not_active`: deactivated, locked by its owner, or invited and not yet in. `not_set_up`: there is nothing to reset. `at_provider`: nor is there; two factors are proven at their identity provider. `reset_pending`: reset before, and not set up since. `not_allowed`: whoever ordered it is no admin any more.',
    }),
})

export const SecondFactorResetUserList = z.strictObject({
  users: z.array(SecondFactorResetUser),
  next: z.int().nullable().meta({ description: 'Give it as `after` for more. Null: that was all.' }),
})

export const SecondFactorResetUserQuery = z.strictObject({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional()
    .meta({ description: 'The `next` of the page before.' }),
  limit,
})

export const AuditQuery = z.strictObject({
  event: z.enum(AUDIT_EVENTS).optional().meta({ description: 'What happened.' }),
  person: z
    .string()
    .regex(/^(client )?[\w.~-]{1,64}$/)
    .optional()
    .meta({ description: 'Who did it, or to whom: the id of a user, `operator`, or `client` and an id.' }),
  from: time.optional().meta({ description: 'Not before this time.' }),
  to: time.optional().meta({ description: 'Before this time.' }),
  after,
  limit,
})

const Person = z
  .strictObject({
    id: z.string(),
    name: z.string().nullable(),
    email: z.string().nullable(),
  })
  .nullable()

export const AuditEvent = z.strictObject({
  time,
  event: z.string().meta({ description: 'What happened. A later version has more than this one.' }),
  account: Person.meta({ description: 'Whom it is about.' }),
  actor: Person.meta({ description: 'Who did it; null: whom it is about.' }),
  address: z.string().nullable().meta({ description: 'The IP address that it came from.' }),
  interaction: z.string().nullable().meta({ description: 'The same for all of one login.' }),
  details: z.record(z.string(), z.unknown()),
  id: z.int(),
})

export const AuditEventList = z.strictObject({ events: z.array(AuditEvent), next })

export const Problem = z
  .strictObject({
    type: z.string().meta({ description: 'What kind of problem it is, for programs.' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().optional(),
    errors: z
      .array(z.strictObject({ pointer: z.string(), detail: z.string() }))
      .optional()
      .meta({ description: 'What is wrong where in the request, by JSON Pointer (RFC 6901).' }),
  })
  .meta({ description: 'Problem details (RFC 9457).' })

/** By the names that the document gives them. A registry of our own: a host may use the library for itself. */
export const NAMED = z.registry<{ id: string }>()
for (const [id, schema] of Object.entries({
  NewOrganisation,
  PlanChange,
  SubscriptionStart,
  Organisation,
  OrganisationList,
  User,
  UserList,
  NewSecondFactorReset,
  SecondFactorReset,
  SecondFactorResetUser,
  SecondFactorResetUserList,
  AuditEvent,
  AuditEventList,
  Problem,
})) {
  NAMED.add(schema, { id })
}

/** 1 to 255 visible characters. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/
