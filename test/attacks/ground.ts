// What the attacks share: people with something to lose, and the requests that no page of ours makes. Nothing here
// decides whether an attack succeeded.

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { verifyRegistration } from '../../src/factors/passkey.ts'
import { insertPasskey } from '../../src/store/accounts/credentials.ts'
import { type Row, sql, write } from '../../src/store/database.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { code } from '../support/one-time-codes.ts'
import type { Person, Stage } from '../support/stage.ts'
import {
  type Answer,
  type Begun,
  createVisitor,
  type Enrolled,
  enrol,
  type RelyingParty,
  throughPassword,
  type Visitor,
} from '../support/visitor.ts'

export const MINUTE = 60_000
export const DAY = 24 * 60 * MINUTE

/** Somebody with an authenticator and a saved recovery code, and the browser that set them up. */
export interface Victim extends Enrolled {
  readonly person: Person
  readonly visitor: Visitor
}

export async function victim(
  stage: Stage,
  party: RelyingParty,
  options: Parameters<Stage['person']>[0] = {},
): Promise<Victim> {
  const person = await stage.person(options)
  const visitor = createVisitor(stage.origin)
  const enrolled = await enrol(stage, visitor, (await party.begin()).url, person)
  // The next code is of another step than the one that set it up.
  stage.advance(30_000)
  return { ...enrolled, person, visitor }
}

/** A fresh browser on the page after the password: all that somebody who knows the password gets. */
export async function halfLogin(
  stage: Stage,
  party: RelyingParty,
  { email }: { email: string },
  params: Record<string, string> = {},
): Promise<{ visitor: Visitor; base: string; page: Answer; begun: Begun }> {
  const visitor = createVisitor(stage.origin)
  const begun = await party.begin(params)
  const { base, page } = await throughPassword(visitor, begun.url, email)
  return { visitor, base, page, begun }
}

/** The code that the victim's phone shows now; `steps` later or earlier. */
export function codeOf(stage: Stage, { secret }: { secret: string }, steps = 0): string {
  return code(secret, stage.now() + steps * 30_000)
}

/** A code that is certainly wrong now, and in the steps around. */
export function wrongCode(stage: Stage, { secret }: { secret: string }): string {
  const right = [-2, -1, 0, 1, 2].map(steps => codeOf(stage, { secret }, steps))
  for (let guess = 0; ; guess++) {
    const text = String(guess).padStart(6, '0')
    if (!right.includes(text)) return text
  }
}

/** Gives somebody a passkey, as if registered before. */
export async function givePasskey(
  stage: Stage,
  { id }: Person,
  { backupEligible = false, transports }: { backupEligible?: boolean; transports?: string[] } = {},
): Promise<Authenticator> {
  const authenticator = createAuthenticator({
    origin: stage.origin,
    rpId: 'localhost',
    userHandle: Buffer.from(id).toString('base64url'),
    backupEligible,
  })
  const challenge = randomBytes(32).toString('base64url')
  const verdict = await verifyRegistration({
    response: authenticator.register(challenge, transports === undefined ? {} : { transports }),
    expected: { challenge, origins: [stage.origin], rpId: 'localhost' },
  })
  if (!verdict.ok) throw new Error(verdict.reason)
  const passkey = { ...verdict.credential, accountId: id, rpId: 'localhost', name: 'Passkey' }
  await stage.running.services.database.commit([insertPasskey(passkey, stage.now())])
  return authenticator
}

/** The challenge in the options of a page's passkey button. */
export function challengeOf({ body }: { body: string }): string {
  const found = /challenge(?:&quot;|\\?"):(?:&quot;|\\?")([\w-]+)/.exec(body)?.[1]
  if (found === undefined) throw new Error('no challenge on the page')
  return found
}

let statements = 0

/** Reads from the database behind the server's back. */
export function rows(
  stage: Stage,
  text: string,
  params: readonly (string | number | null)[] = [],
): Promise<Row[]> {
  return stage.running.services.database.read(sql(`test_attack_${++statements}`, text), params)
}

/** Changes the database behind the server's back: what an admin's action will do, or time. */
export async function change(
  stage: Stage,
  text: string,
  params: readonly (string | number | null)[],
): Promise<void> {
  await stage.running.services.database.commit([write(sql(`test_attack_${++statements}`, text), params)])
}

/** How many audit rows of an event there are about an account. */
export async function audited(stage: Stage, event: string, { id }: { id: string }): Promise<number> {
  const [row] = await rows(
    stage,
    'SELECT count(*) AS n FROM audit_events WHERE event = ? AND account_id = ?',
    [event, id],
  )
  return Number(row?.n)
}

/** Sends bytes as they are, for requests that no client library would make. */
export function raw(origin: string, text: string): Promise<string> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text))
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}

/** The error and its parameters in the answer to an app; undefined where the answer is none. */
export function errorOf(location: string | undefined): string | undefined {
  return location === undefined ? undefined : (new URL(location).searchParams.get('error') ?? undefined)
}

export function codeIn(location: string | undefined): string | undefined {
  return location === undefined ? undefined : (new URL(location).searchParams.get('code') ?? undefined)
}

/** Whether a page is an error page of ours: a heading, a reference, and nothing from inside the server. */
export function isErrorPage({ body, heading }: Answer): boolean {
  return (
    heading !== undefined &&
    /SP-[0-9A-Z]{4}-[0-9A-Z]{4}/.test(body) &&
    !/\bat .+:\d+:\d+|node_modules|Error:/.test(body)
  )
}

/** Waits for a mail to somebody in which `pattern` finds something that was not seen before. @returns what it found */
export async function mailed(
  stage: Stage,
  { email }: { email: string },
  pattern: RegExp,
  seen: readonly string[] = [],
): Promise<string> {
  const find = (text: string | undefined) => {
    const found = pattern.exec(text ?? '')
    return found === null ? undefined : (found[1] ?? found[0])
  }
  const fresh = await stage.mail(({ to, text }) => {
    const found = find(text)
    return JSON.stringify(to).includes(`"${email}"`) && found !== undefined && !seen.includes(found)
  })
  return find(fresh.text) ?? ''
}

export const RESET_LINK = /http\S+\/link\/password-reset\/[\w-]+/
export const INVITATION_LINK = /http\S+\/link\/invitation\/[\w-]+/
export const MAILED_CODE = /\b(\d{3} ?\d{3})\b/
