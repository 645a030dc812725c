// What the API takes and gives, said once: these schemas validate the requests, are the types of the code, and become
// the OpenAPI document. A field that is not named here refuses the request.

import { z } from 'zod'

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

export const ListQuery = z.strictObject({
  after: z.string().regex(ID).optional().meta({ description: 'The last id of the page before.' }),
  limit: z.coerce.number().int().min(1).max(100).optional().meta({ description: 'At most so many.' }),
})

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
  Problem,
})) {
  NAMED.add(schema, { id })
}

/** 1 to 255 visible characters. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/
