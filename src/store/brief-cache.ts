// What many requests read and hardly anybody changes is kept for a few seconds by each process: a change reaches every
// replica within that time.

const MOST_KEPT = 1000

/**
 * @param read what is kept, by key; what could not be read is not kept
 * @param clock milliseconds since 1970
 */
export function keepBriefly<T>(
  ms: number,
  clock: () => number,
  read: (key: string) => Promise<T>,
): (key: string) => Promise<T> {
  const kept = new Map<string, { until: number; value: Promise<T> }>()
  return key => {
    const now = clock()
    const held = kept.get(key)
    if (held !== undefined && held.until > now) return held.value
    if (kept.size >= MOST_KEPT) kept.clear()
    const value = read(key)
    kept.set(key, { until: now + ms, value })
    value.catch(() => kept.delete(key))
    return value
  }
}
