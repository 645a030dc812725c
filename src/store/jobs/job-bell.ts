// A bell for jobs of this process: who enqueued some rings it, and the workers look at once instead of at their next
// turn. Nothing depends on it: a job that was enqueued elsewhere is found within a turn.

export interface JobBell {
  ring(): void
  /** @returns what ends the listening */
  onRing(listener: () => void): () => void
}

export function createJobBell(): JobBell {
  const listeners = new Set<() => void>()
  return {
    ring() {
      for (const each of listeners) each()
    },
    onRing(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
