// Requests that may be sent again (Idempotency-Key): the first under a key is done, and whatever comes after it within
// a day is answered as it was. A key belongs to whoever chose it, and to what they asked for with it.

import { createHash } from 'node:crypto'
import type { Context } from 'koa'
import type { Services } from '../services.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { type KeyedRequest, keepAnswer, readAnswer } from '../store/jobs/idempotency.ts'
import type { Caller } from './bearer.ts'
import { ApiProblem } from './problem.ts'
import { IDEMPOTENCY_KEY } from './schemas.ts'

/**
 * Does what is asked for, once per key.
 *
 * @param body what is asked for, as it was understood
 * @param work does it, and what `keep` gives in the same commit. @returns the answer, which `keep` was told
 * @returns the answer of now, or of the first time
 * @throws ApiProblem for a key that is none, or was used for another request
 */
export async function answerOnce(
  { database, clock }: Services,
  ctx: Context,
  caller: Caller,
  body: unknown,
  work: (keep: (answer: string) => readonly Write[]) => Promise<string>,
): Promise<string> {
  const request = keyedRequest(ctx, caller, body)
  const answered = request && (await earlier(request))
  if (answered !== undefined) return answered
  try {
    return await work(answer => (request === undefined ? [] : [keepAnswer(request, answer, clock())]))
  } catch (error) {
    // The same request came at the same time, and was faster.
    const faster = error instanceof CommitRefused && request ? await earlier(request) : undefined
    if (faster === undefined) throw error
    return faster
  }

  async function earlier(asked: KeyedRequest): Promise<string | undefined> {
    const answer = await readAnswer(database, asked, clock())
    if (answer === 'other') throw new ApiProblem('idempotency_key_reused')
    return answer?.response
  }
}

function keyedRequest(
  ctx: Context,
  { clientId, accountId }: Caller,
  body: unknown,
): KeyedRequest | undefined {
  const key = ctx.get('idempotency-key')
  if (key === '') return undefined
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw new ApiProblem('bad_request', 'The Idempotency-Key must be 1 to 255 visible characters.')
  }
  const asked = `${ctx.method} ${ctx.path}\n${JSON.stringify(body)}`
  const request = createHash('sha256').update(asked).digest('base64url')
  // No key holds a space: those of an app's users are each their own.
  return { clientId, key: accountId === undefined ? key : `${key} ${accountId}`, request }
}
