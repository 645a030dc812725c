// The OpenAPI 3.1 document of the API, made of the schemas that validate its requests. Pure.

import { z } from 'zod'
import {
  ADMIN_SCOPES,
  OWN_API_SCOPE,
  OWN_API_SCOPES,
  type OwnApiScope,
  ownApi,
} from '../store/oidc/own-api.ts'
import { PROBLEMS, type ProblemKind } from './problem.ts'
import {
  AuditEventList,
  AuditQuery,
  ListQuery,
  NAMED,
  NewOrganisation,
  NewSecondFactorReset,
  Organisation,
  OrganisationList,
  PlanChange,
  Problem,
  SecondFactorReset,
  SecondFactorResetUserList,
  SecondFactorResetUserQuery,
  SubscriptionStart,
  UserList,
  UserQuery,
} from './schemas.ts'

type Json = Readonly<Record<string, unknown>>

/** @param issuer the origin that the API is at */
export function openApiDocument(issuer: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport',
      version: '1',
      description: `Access tokens are for the resource ${ownApi(issuer)}. The vendor’s programs get them by client credentials and act in every organisation. An organisation’s admins act in their own, in an app that gets a token of theirs: with two factors, and for changes with a second factor of the last five minutes.`,
    },
    servers: [{ url: `${issuer}/api/v1` }],
    paths: { ...organisationPaths(), ...consolePaths() },
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        clientCredentials: {
          type: 'oauth2',
          flows: {
            clientCredentials: { tokenUrl: `${issuer}/token`, scopes: described(OWN_API_SCOPES) },
          },
        },
        admin: {
          type: 'oauth2',
          flows: {
            authorizationCode: {
              authorizationUrl: `${issuer}/auth`,
              tokenUrl: `${issuer}/token`,
              scopes: described(ADMIN_SCOPES),
            },
          },
        },
      },
    },
  }
}

const SCOPES: Readonly<Record<OwnApiScope, string>> = {
  [OWN_API_SCOPE.organisations]: 'Create organisations, read them and keep them up to date.',
  [OWN_API_SCOPE.users]: 'Read users, and what became of resets.',
  [OWN_API_SCOPE.resets]: 'Reset the two-factor authentication of users, and follow it.',
  [OWN_API_SCOPE.audit]: 'Read the audit log.',
}

function described(scopes: readonly OwnApiScope[]): Json {
  return Object.fromEntries(scopes.map(each => [each, SCOPES[each]]))
}

const BODY: readonly ProblemKind[] = [
  'bad_request',
  'payload_too_large',
  'unsupported_media_type',
  'invalid_input',
]
/** What every operation may answer. */
const ANY: readonly ProblemKind[] = ['invalid_token', 'insufficient_scope', 'internal', 'unavailable']
/** What each of an organisation's own may answer besides. */
const OWN: readonly ProblemKind[] = ['insufficient_user_authentication', 'not_found']
const ID = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }
const RESET = { ...ID, name: 'reset' }
const KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The same request under the same key, within 24 hours, is answered and not done again.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
}

function organisationPaths(): Json {
  const scopes = [OWN_API_SCOPE.organisations]
  return {
    '/organisations': {
      post: operation('createOrganisation', 'Create an organisation', {
        scopes,
        parameters: [KEY],
        takes: NewOrganisation,
        gives: [201, Organisation],
        problems: [...BODY, 'idempotency_key_reused'],
      }),
      get: operation('listOrganisations', 'List organisations in the order of their ids', {
        scopes,
        parameters: inQuery(ListQuery),
        gives: [200, OrganisationList],
        problems: ['invalid_input'],
      }),
    },
    '/organisations/{id}': {
      parameters: [ID],
      get: operation('readOrganisation', 'Read an organisation', {
        scopes,
        gives: [200, Organisation],
        problems: ['not_found'],
      }),
      patch: operation('changePlan', 'Put an organisation on another plan', {
        scopes,
        takes: PlanChange,
        gives: [200, Organisation],
        problems: [...BODY, 'not_found'],
      }),
    },
    '/organisations/{id}/subscription': {
      parameters: [ID],
      put: operation('subscribe', 'Set when the subscription begins, once', {
        scopes,
        takes: SubscriptionStart,
        gives: [200, Organisation],
        problems: [...BODY, 'not_found', 'already_subscribed'],
      }),
    },
  }
}

/** What an organisation's admins do too. */
function consolePaths(): Json {
  const following = [OWN_API_SCOPE.users, OWN_API_SCOPE.resets]
  return {
    '/organisations/{id}/users': {
      parameters: [ID],
      get: operation('listUsers', 'List an organisation’s users in the order of their names', {
        scopes: [OWN_API_SCOPE.users],
        parameters: inQuery(UserQuery),
        gives: [200, UserList],
        problems: [...OWN, 'invalid_input'],
      }),
    },
    '/organisations/{id}/second-factor-resets': {
      parameters: [ID],
      post: operation('resetSecondFactors', 'Reset the two-factor authentication of users', {
        scopes: [OWN_API_SCOPE.resets],
        parameters: [KEY],
        takes: NewSecondFactorReset,
        gives: [202, SecondFactorReset],
        problems: [...BODY, ...OWN, 'idempotency_key_reused'],
      }),
    },
    '/organisations/{id}/second-factor-resets/{reset}': {
      parameters: [ID, RESET],
      get: operation('readSecondFactorReset', 'Read how far a reset is', {
        scopes: following,
        gives: [200, SecondFactorReset],
        problems: OWN,
      }),
    },
    '/organisations/{id}/second-factor-resets/{reset}/users': {
      parameters: [ID, RESET],
      get: operation('listSecondFactorResetUsers', 'List what became of each user of a reset', {
        scopes: following,
        parameters: inQuery(SecondFactorResetUserQuery),
        gives: [200, SecondFactorResetUserList],
        problems: [...OWN, 'invalid_input'],
      }),
    },
    '/organisations/{id}/audit-events': {
      parameters: [ID],
      get: operation('listAuditEvents', 'List what happened in an organisation, newest first', {
        scopes: [OWN_API_SCOPE.audit],
        parameters: inQuery(AuditQuery),
        gives: [200, AuditEventList],
        problems: [...OWN, 'invalid_input'],
      }),
    },
  }
}

interface Operation {
  /** Any one of them. */
  readonly scopes: readonly OwnApiScope[]
  readonly parameters?: readonly Json[]
  readonly takes?: z.ZodType
  readonly gives: readonly [status: number, schema: z.ZodType]
  readonly problems: readonly ProblemKind[]
}

function operation(
  operationId: string,
  summary: string,
  { scopes, parameters, takes, gives, problems }: Operation,
) {
  const statuses = new Map<number, string[]>()
  for (const kind of [...problems, ...ANY]) {
    const { status, title } = PROBLEMS[kind]
    statuses.set(status, [...(statuses.get(status) ?? []), title])
  }
  const [status, schema] = gives
  return {
    operationId,
    summary,
    security: scopes.flatMap(each => [
      { clientCredentials: [each] },
      ...(ADMIN_SCOPES.includes(each) ? [{ admin: [each] }] : []),
    ]),
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

function inQuery(query: z.ZodObject): Json[] {
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: schemaOf(schema as z.ZodType),
  }))
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
