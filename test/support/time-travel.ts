// A clock that everybody in this process reads: the server, the library below it, and an app with its API beside it. For
// tests in which all of them must agree on how old something is; `stage.advance` moves the server's alone. Timers go on
// as they did.

import type { Stage } from './stage.ts'

export interface TimeTravel {
  /** Moves all clocks on. */
  forward(ms: number): void
  /** Brings them back to what they were. */
  end(): void
}

export function timeTravel(): TimeTravel {
  const real = globalThis.Date
  const now = real.now
  let ahead = 0
  real.now = () => now.call(real) + ahead
  globalThis.Date = new Proxy(real, {
    construct: (target, given, newTarget) =>
      Reflect.construct(target, given.length === 0 ? [target.now()] : given, newTarget),
  })
  return {
    forward(ms) {
      ahead += ms
    },
    end() {
      real.now = now
      globalThis.Date = real
    },
  }
}

/** A stage whose `advance` moves the demo app's clock too. */
export function withClock(stage: Stage, { forward }: TimeTravel): Stage {
  return { ...stage, advance: forward }
}
