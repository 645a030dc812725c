// From a task to its end. The API is asked with the token of the login. If it wants more, the user is sent to Sallyport,
// and the task waits here; when they are back, it is sent once more, with the proof that they brought. The console never
// decides by itself what needs confirming: that is the API's to say.

import {
  memoryStore,
  parseStepUpChallenge,
  stepUpClient,
  type WaitingRequest,
} from '@sallyport/step-up/client'
import type { User } from './login.ts'
import type { Session } from './sessions.ts'
import type { Answer, Result, Task } from './tasks.ts'

/** What the browser does next. */
export type Next =
  | { readonly go: URL }
  | { readonly result: Result }
  /** The login's token is over, or there is none. */
  | { readonly logIn: Task }

export type StepUp = {
  /** Asks the API. @throws UnavailableError */
  call(user: User, request: WaitingRequest): Promise<Response>
  /** @throws StepUpLoopError; UnavailableError */
  perform(task: Task, session: Session): Promise<Next>
  /**
   * Goes on where the user comes back from Sallyport.
   *
   * @param callback path and query of the request
   * @throws StepUpRefusedError for an answer to nothing that this browser has asked; StepUpLoopError; UnavailableError
   */
  finish(callback: string, session: Session): Promise<Next>
}

/** What waits with the request. */
type Kept = { readonly task: Task; readonly asked: readonly string[] }

export function createStepUp(options: {
  issuer: string
  clientId: string
  clientSecret: string
  redirectUri: string
  resource: string
  scopes: readonly string[]
}): StepUp {
  const { scopes, ...rest } = options
  const client = stepUpClient({ ...rest, scope: ['openid', ...scopes].join(' '), store: memoryStore() })

  async function call(user: User, { method, path, headers, body }: WaitingRequest): Promise<Response> {
    return fetch(new URL(path, options.resource), {
      method,
      headers: { ...headers, authorization: `Bearer ${user.accessToken}` },
      ...(body !== undefined && { body }),
    })
  }

  /** @param confirmed what has just been asked for, and which action was confirmed by that */
  async function settle(
    task: Task,
    session: Session,
    response: Response,
    confirmed: { asked: readonly string[]; reference?: string | undefined } = { asked: [] },
  ): Promise<Next> {
    const challenge = parseStepUpChallenge(response)
    if (challenge === undefined) return { result: await resultOf(task, response, confirmed.asked) }
    const keep: Kept = { task, asked: challenge.errors }
    const { url } = await client.begin({
      challenge,
      session: session.id,
      ...(session.user !== undefined && { subject: session.user.claims.sub }),
      request: task.request,
      keep,
      after: confirmed.reference,
    })
    return { go: url }
  }

  return {
    call,
    async perform(task, session) {
      const { user } = session
      if (user === undefined || isOver(user)) return { logIn: task }
      return settle(task, session, await call(user, task.request))
    },
    async finish(callback, session) {
      const outcome = await client.finish({ url: callback, session: session.id })
      const { task, asked } = outcome.keep as Kept
      if (outcome.outcome !== 'confirmed') return { result: { kind: outcome.outcome, task } }
      const { reference, accessToken } = outcome
      const response = await outcome.replay()
      // A proof of an action is spent. One of how the user was verified is good for the next request too.
      if (reference === undefined && session.user !== undefined) {
        const expiresAt = Date.now() + session.user.lifetime * 1000
        session.user = { ...session.user, accessToken, expiresAt }
      }
      return settle(task, session, response, { asked, reference })
    },
  }
}

/** Whether the token is over, or would be on its way. */
export function isOver({ expiresAt }: User): boolean {
  return expiresAt - 5_000 < Date.now()
}

async function resultOf(task: Task, response: Response, asked: readonly string[]): Promise<Result> {
  const answer: unknown = await response.json().catch(() => ({}))
  if (response.ok) return { kind: 'done', task, asked, answer: answer as Answer }
  const { message } = answer as { message?: unknown }
  return {
    kind: 'refused',
    task,
    message: typeof message === 'string' ? message : `The API answered ${response.status}.`,
  }
}
