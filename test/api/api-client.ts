// The JSON API as programs meet it: every answer is compared with the document that the server publishes.

import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect } from 'chai'
import * as client from 'openid-client'
import { createClient } from '../../src/clients.ts'
import type { Stage } from '../support/stage.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export interface Document {
  readonly paths: Record<
    string,
    Record<
      string,
      {
        responses: Record<string, { content: Record<string, unknown> }>
        security: Record<string, string[]>[]
      }
    >
  >
  readonly components: { readonly schemas: Record<string, { properties: Record<string, unknown> }> }
}

export interface Request {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** Default: the token that {@link ApiClient.call} was opened with; null: none. */
  readonly by?: string | null
}

export interface ApiClient {
  readonly document: Document
  readonly ajv: Ajv2020
  /** What was answered, as the document has it: `GET /organisations/{id} 200`. */
  readonly answered: ReadonlySet<string>
  /** @throws where the answer is none that the document announces */
  call(method: string, path: string, request?: Request): Promise<Answer>
  /** The operations that the document announces, with their statuses: as {@link answered}. */
  announced(): string[]
}

/** @param token gives the one that calls are sent with */
export async function openApi(stage: Stage, token: () => string): Promise<ApiClient> {
  const document = (await (await fetch(`${stage.origin}/api/v1/openapi.json`)).json()) as Document
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  ;(addFormats as unknown as (ajv: Ajv2020) => void)(ajv)
  ajv.addSchema(document, 'api')
  const answered = new Set<string>()

  function schemaAt(
    template = '',
    method: string,
    where: string,
    status?: string,
    type = 'application/json',
  ) {
    const steps = ['paths', template, method.toLowerCase(), where, ...(status === undefined ? [] : [status])]
    const pointer = [...steps, 'content', type, 'schema']
    const escaped = pointer.map(each => encodeURIComponent(each.replaceAll('~', '~0').replaceAll('/', '~1')))
    return `api#/${escaped.join('/')}`
  }

  /** What was done is what the document says of requests, and how it was answered, what it says of answers. */
  function matchesDocument(
    method: string,
    path: string,
    request: unknown,
    { status, headers, body }: Answer,
  ): void {
    const bare = path.split('?')[0] ?? ''
    const template = Object.keys(document.paths).find(each =>
      new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(bare),
    )
    const type = headers.get('content-type')?.split(';')[0] ?? ''
    const operation = template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()]
    if (operation === undefined) {
      // Nothing that the document knows: a problem, whatever it is.
      expect(type).to.equal('application/problem+json')
      expect(ajv.validate('api#/components/schemas/Problem', body), ajv.errorsText()).to.equal(true)
      return
    }
    if (status < 300 && request !== undefined) {
      expect(ajv.validate(schemaAt(template, method, 'requestBody'), request), ajv.errorsText()).to.equal(
        true,
      )
    }
    expect(operation.responses, `${method} ${path} ${status}`).to.have.property(String(status))
    expect(operation.responses[status]?.content, `${status}`).to.have.property(type)
    const schema = schemaAt(template, method, 'responses', String(status), type)
    expect(ajv.validate(schema, body), ajv.errorsText()).to.equal(true)
    answered.add(`${method} ${template} ${status}`)
  }

  return {
    document,
    ajv,
    answered,
    async call(method, path, { body, headers = {}, by = token() } = {}) {
      const response = await fetch(`${stage.origin}/api/v1${path}`, {
        method,
        headers: {
          ...(by === null ? {} : { authorization: `Bearer ${by}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const answer = {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      }
      matchesDocument(method, path, body, answer)
      return answer
    },
    announced: () =>
      Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.entries(operations).flatMap(([method, { responses }]) =>
          Object.keys(responses ?? {}).map(status => `${method.toUpperCase()} ${path} ${status}`),
        ),
      ),
  }
}

/** Registers a program that acts by itself. */
export async function machine(stage: Stage, id: string, scope: string): Promise<client.Configuration> {
  const { metadata } = await createClient(stage.directory, {
    id,
    name: id,
    grantTypes: ['client_credentials'],
    scope,
  })
  stage.advance(10_001)
  return configurationOf(stage, id, String(metadata.client_secret))
}

export function configurationOf(stage: Stage, id: string, secret: string): Promise<client.Configuration> {
  return client.discovery(new URL(stage.origin), id, secret, undefined, {
    execute: [client.allowInsecureRequests],
  })
}

/** A program's token for the API. */
export async function tokenOf(
  stage: Stage,
  configuration: client.Configuration,
  scope: string,
): Promise<string> {
  const params = { resource: `${stage.origin}/api`, scope }
  return (await client.clientCredentialsGrant(configuration, params)).access_token
}

export function kindOf({ body }: Answer): string {
  return String(body.type).replace('urn:sallyport:problem:', '')
}
