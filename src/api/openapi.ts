// The OpenAPI 3.1 document of the API, made of the schemas that validate its requests. Pure.

import { z } from 'zod'
import { OWN_API_SCOPE, ownApi } from '../store/own-api.ts'
import { PROBLEMS, type ProblemKind } from './problem.ts'
import {
  ListQuery,
  NAMED,
  NewOrganisation,
  Organisation,
  OrganisationList,
  PlanChange,
  Problem,
  SubscriptionStart,
} from './schemas.ts'

type Json = Readonly<Record<string, unknown>>

/** @param issuer the origin that the API is at */
export function openApiDocument(issuer: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport: organisations',
      version: '1',
      description: `For the vendor’s back office. Access tokens: client credentials, resource ${ownApi(issuer)}, scope ${OWN_API_SCOPE}.`,
    },
    servers: [{ url: `${issuer}/api/v1` }],
    security: [{ clientCredentials: [OWN_API_SCOPE] }],
    paths: {
      '/organisations': {
        post: operation('createOrganisation', 'Create an organisation', {
          parameters: [
            {
              name: 'Idempotency-Key',
              in: 'header',
              description:
                'The same request under the same key, within 24 hours, is answered and not done again.',
              schema: { type: 'string', minLength: 1, maxLength: 255 },
            },
          ],
          takes: NewOrganisation,
          gives: [201, Organisation],
          problems: [...BODY, 'idempotency_key_reused'],
        }),
        get: operation('listOrganisations', 'List organisations in the order of their ids', {
          parameters: Object.entries(ListQuery.shape).map(([name, schema]) => ({
            name,
            in: 'query',
            schema: schemaOf(schema),
          })),
          gives: [200, OrganisationList],
          problems: ['invalid_input'],
        }),
      },
      '/organisations/{id}': {
        parameters: [ID],
        get: operation('readOrganisation', 'Read an organisation', {
          gives: [200, Organisation],
          problems: ['not_found'],
        }),
        patch: operation('changePlan', 'Put an organisation on another plan', {
          takes: PlanChange,
          gives: [200, Organisation],
          problems: [...BODY, 'not_found'],
        }),
      },
      '/organisations/{id}/subscription': {
        parameters: [ID],
        put: operation('subscribe', 'Set when the subscription begins, once', {
          takes: SubscriptionStart,
          gives: [200, Organisation],
          problems: [...BODY, 'not_found', 'already_subscribed'],
        }),
      },
    },
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        clientCredentials: {
          type: 'oauth2',
          flows: {
            clientCredentials: {
              tokenUrl: `${issuer}/token`,
              scopes: { [OWN_API_SCOPE]: 'Create organisations, read them and keep them up to date.' },
            },
          },
        },
      },
    },
  }
}

const BODY: readonly ProblemKind[] = [
  'bad_request',
  'payload_too_large',
  'unsupported_media_type',
  'invalid_input',
]
/** What every operation may answer. */
const ANY: readonly ProblemKind[] = ['invalid_token', 'insufficient_scope', 'internal', 'unavailable']
const ID = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }

interface Operation {
  readonly parameters?: readonly Json[]
  readonly takes?: z.ZodType
  readonly gives: readonly [status: number, schema: z.ZodType]
  readonly problems: readonly ProblemKind[]
}

function operation(operationId: string, summary: string, { parameters, takes, gives, problems }: Operation) {
  const statuses = new Map<number, string[]>()
  for (const kind of [...problems, ...ANY]) {
    const { status, title } = PROBLEMS[kind]
    statuses.set(status, [...(statuses.get(status) ?? []), title])
  }
  const [status, schema] = gives
  return {
    operationId,
    summary,
    ...(parameters === undefined ? {} : { parameters }),
    ...(takes === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: reference(takes) } } } }),
    responses: {
      [status]: { description: summary, content: { 'application/json': { schema: reference(schema) } } },
      ...Object.fromEntries(
        [...statuses].map(([each, titles]) => [
          each,
          {
            description: titles.join('; or: '),
            content: { 'application/problem+json': { schema: reference(Problem) } },
          },
        ]),
      ),
    },
  }
}

const uri = (id: string | undefined) => `#/components/schemas/${String(id)}`

function reference(schema: z.ZodType): Json {
  return { $ref: uri(NAMED.get(schema)?.id) }
}

/** A schema as JSON Schema 2020-12, which OpenAPI 3.1 speaks. */
function schemaOf(schema: z.ZodType): Json {
  return bare(z.toJSONSchema(schema, { io: 'input' }))
}

function namedSchemas(): Json {
  const { schemas } = z.toJSONSchema(NAMED, { io: 'input', uri })
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema)]))
}

/** Where a schema is, and which dialect it speaks, the document says. */
function bare({ $schema: _, $id: __, ...rest }: Readonly<Record<string, unknown>>): Json {
  return rest
}
