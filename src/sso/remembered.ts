// What an upstream publishes, kept for a while: many logins at once share one request, an upstream that fails is not
// asked again for some seconds, and what is asked for anew is asked for at most so often.

/** How long what came may be used. */
const LIFE = 60 * 60_000
/** How long a failure is the answer. */
const FAILURE_LIFE = 10_000

export interface Remembered<T> {
  /** At most an hour old. @throws what the fetching threw, also within ten seconds before */
  current(): Promise<T>
  /** @param ms also how long a failure is the answer. @throws what the fetching threw, also within `ms` before */
  youngerThan(ms: number): Promise<T>
}

/** @param clock milliseconds since 1970 */
export function remember<T>(fetching: () => Promise<T>, clock: () => number): Remembered<T> {
  let kept: { readonly value: T; readonly at: number } | undefined
  let failed: { readonly error: unknown; readonly at: number } | undefined
  let underWay: Promise<T> | undefined

  async function fetchOnce(): Promise<T> {
    try {
      const value = await fetching()
      kept = { value, at: clock() }
      failed = undefined
      return value
    } catch (error) {
      failed = { error, at: clock() }
      throw error
    } finally {
      underWay = undefined
    }
  }

  // A clock that was set back makes nothing younger.
  const isWithin = (at: number, ms: number) => at <= clock() && clock() - at < ms
  async function get(life: number, failureLife: number): Promise<T> {
    if (kept !== undefined && isWithin(kept.at, life)) return kept.value
    if (failed !== undefined && isWithin(failed.at, failureLife)) throw failed.error
    underWay ??= fetchOnce()
    return underWay
  }
  return { current: () => get(LIFE, FAILURE_LIFE), youngerThan: ms => get(ms, ms) }
}
