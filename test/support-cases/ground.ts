// What the tests of support cases share: somebody who has lost all but the password and the mailbox, and agents.

import { createAgent } from '../../src/organisations/directory.ts'
import { type Row, sql } from '../../src/store/database.ts'
import { MAILED_CODE, mailed } from '../attacks/ground.ts'
import { code } from '../support/one-time-codes.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  type Enrolled,
  enrol,
  type RelyingParty,
  throughPassword,
  type Visitor,
} from '../support/visitor.ts'

export const HOUR = 60 * 60 * 1000
export const STOP_LINK = /http\S+\/link\/support-stop\/[\w.-]+/
export const SET_UP_LINK = /http\S+\/link\/support-set-up\/[\w-]+/
export const SAW =
  'I called her back on the number in the contract, and she named the amount and the date of her last invoice without help.'

export interface Agent {
  readonly person: Person
  readonly enrolled: Enrolled
  readonly by: Visitor
}

let agents = 0

/** A support agent whose second factor is fresh. */
export async function agentOf(stage: Stage, name = 'Sam Ellery'): Promise<Agent> {
  const email = `agent${++agents}@vendor.example`
  const { id } = await createAgent(stage.directory, { email, name, password: PASSWORD })
  const person = { id, email, organisationId: '' }
  const by = createVisitor(stage.origin)
  const enrolled = await enrol(stage, by, '/support/cases', person)
  await by.follow(enrolled.end)
  return { person, enrolled, by }
}

/** Somebody in front of the page for a one-time code, and the page that helps them. */
export async function lockedOut(stage: Stage, party: RelyingParty, person: { email: string }) {
  const visitor = createVisitor(stage.origin)
  const { base } = await throughPassword(visitor, (await party.begin()).url, person.email)
  return { visitor, base, page: await visitor.get(`${base}?with=ask-admin`) }
}

/** Proves the mailbox on that page. */
export async function proveMailbox(stage: Stage, visitor: Visitor, base: string, person: { email: string }) {
  const before = await codesOf(stage, person)
  await visitor.post(`${base}/send-case-code`, {})
  const typed = await mailed(stage, person, MAILED_CODE, before)
  return visitor.post(`${base}/case-code`, { code: typed })
}

async function codesOf(stage: Stage, { email }: { email: string }): Promise<string[]> {
  return (await stage.mails())
    .filter(({ to }) => JSON.stringify(to).includes(`"${email}"`))
    .flatMap(({ text }) => MAILED_CODE.exec(text ?? '')?.[1] ?? [])
}

export const WHY = 'My phone fell into the harbour, and the recovery code was on it.'

/** Opens a case. @returns its number */
export async function openedCase(
  stage: Stage,
  party: RelyingParty,
  person: { id: string; email: string },
  reason = WHY,
): Promise<number> {
  const { visitor, base } = await lockedOut(stage, party, person)
  await proveMailbox(stage, visitor, base, person)
  const answer = await visitor.post(`${base}/open-case`, { reason })
  if (answer.status !== 303) throw new Error(`no case: ${answer.status} ${answer.body}`)
  return caseNumber(stage, person)
}

const newest = sql('test_case_number', 'SELECT max(number) AS number FROM support_cases WHERE account_id = ?')

export async function caseNumber(stage: Stage, { id }: { id: string }): Promise<number> {
  const [row] = await stage.running.services.database.read(newest, [id])
  return Number(row?.number)
}

/** Moves the clock past the wait, and makes the agents' factors fresh again. */
export async function afterTheWait(stage: Stage, ...fresh: Agent[]): Promise<void> {
  stage.advance(25 * HOUR)
  for (const agent of fresh) await refresh(stage, agent)
}

/** Logs an agent in anew: their session may be too old. */
export async function refresh(stage: Stage, { by, person, enrolled }: Agent): Promise<void> {
  by.cookies.clear()
  const { base } = await throughPassword(by, '/support/cases', person.email)
  stage.advance(30_000)
  await by.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })
  await by.follow(base)
}

export function approve(
  { by }: Agent,
  number: number,
  form: Record<string, string> | string = {},
): Promise<Answer> {
  const given = typeof form === 'string' ? form : { evidence: 'call', note: SAW, answer: 'approve', ...form }
  return by.post(`/support/cases/${number}`, given)
}

/** A case that one agent has approved, a day after it was opened, and the path of the link that was mailed. */
export async function approvedCase(
  stage: Stage,
  party: RelyingParty,
  agent: Agent,
  person: { id: string; email: string },
): Promise<{ number: number; link: string }> {
  const number = await openedCase(stage, party, person)
  await afterTheWait(stage, agent)
  const answer = await approve(agent, number)
  if (answer.status !== 303) throw new Error(`not approved: ${answer.status}`)
  return { number, link: new URL(await linkTo(stage, person, SET_UP_LINK)).pathname }
}

const whole = sql('test_case_row', 'SELECT * FROM support_cases WHERE number = ?')

/** A case as it is stored. */
export async function caseRow(stage: Stage, number: number): Promise<Row> {
  const [row] = await stage.running.services.database.read(whole, [number])
  if (row === undefined) throw new Error(`no case ${number}`)
  return row
}

/** The newest link in a mail to somebody. */
export function linkTo(
  stage: Stage,
  person: { email: string },
  pattern: RegExp,
  seen: readonly string[] = [],
): Promise<string> {
  return mailed(stage, person, pattern, seen)
}

/** Logs in after the link was used. @returns the page after the password, and the one that sets up */
export async function setUpAgain(stage: Stage, party: RelyingParty, person: Person) {
  const visitor = createVisitor(stage.origin)
  const before = await codesOf(stage, person)
  const { base, page } = await throughPassword(visitor, (await party.begin()).url, person.email)
  const typed = await mailed(stage, person, MAILED_CODE, before)
  await visitor.post(`${base}/mailed-code`, { code: typed })
  const setUp = await visitor.follow(base)
  return { visitor, base, page, setUp }
}
