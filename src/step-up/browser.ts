// The page's half: a `fetch` that has its user confirm what the API wants confirmed, and then asks once more. Once: what is
// refused again goes to the caller. The request is kept in memory only.

import { parseStepUpChallenge, type StepUpChallenge } from './parse.ts'

export { parseStepUpChallenge, type StepUpChallenge } from './parse.ts'

/** The user did not confirm. */
export class StepUpCancelledError extends Error {
  override name = 'StepUpCancelledError'
  readonly code = 'step_up_cancelled'

  constructor(message = 'the user did not confirm', options?: ErrorOptions) {
    super(message, options)
  }
}

export interface WithStepUpOptions {
  /**
   * Has the user confirm, for example in a window that it opens.
   *
   * @returns the access token to ask again with; undefined where cookies say it all; `false` if the user cancelled
   */
  authorize(challenge: StepUpChallenge): Promise<string | undefined | false>
  /**
   * For an `authorize` that leaves the page: `sessionStorage`. It notes for which URL what was asked, and never a body, so
   * that a page which asks as it loads sends its user off once, not for ever.
   */
  readonly storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
}

interface Storage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** What was asked for within this time is asked for again. */
const AGAIN = 5 * 60 * 1000

/**
 * A `fetch` that, where an API asks for a step-up, calls `authorize` once and then sends the same request once more.
 *
 * A second refusal is given to the caller as it came: asking again for the same would not help. Any other answer, other
 * 401s included, is passed on untouched.
 *
 * @throws StepUpCancelledError (from the returned function) if the user cancelled; else what `fetch` and `authorize` throw
 */
export function withStepUp(
  fetch: typeof globalThis.fetch,
  { authorize, storage }: WithStepUpOptions,
): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    // Sending a request uses its body up.
    const again = request.clone()
    const response = await fetch(request)
    const challenge = parseStepUpChallenge(response)
    const note = `step-up ${again.method} ${again.url}`
    const [askedAt = '', reference] = storage?.getItem(note)?.split(' ') ?? []
    storage?.removeItem(note)
    const isAgain =
      Date.now() - Number.parseInt(askedAt, 10) < AGAIN &&
      reference === `${challenge?.authorizationReference}`
    if (challenge === undefined || isAgain) {
      await again.body?.cancel()
      return response
    }
    await response.body?.cancel()
    storage?.setItem(note, `${Date.now()} ${challenge.authorizationReference}`)
    const token = await authorize(challenge)
    storage?.removeItem(note)
    if (token === false) throw new StepUpCancelledError()
    if (token !== undefined) again.headers.set('Authorization', `Bearer ${token}`)
    return fetch(again)
  }
}
