// Which browser a session is of, in words for its user: the family and the system, and nothing else of what the header
// says. Names come from the header as anybody may write it, so they are of this list and never text of a stranger's.

/** In this order: most browsers name others, too. */
const BROWSERS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Edge', /\bEdg(e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|CriOS|HeadlessChrome)\//],
  ['Safari', /\bVersion\/.* Safari\//],
]
const SYSTEMS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMacintosh\b/],
  ['Linux', /\bLinux\b/],
]

/**
 * @param userAgent the header `User-Agent`
 * @returns such as `Firefox, Windows`; undefined for what is none of those that people use
 */
export function browserName(userAgent: string): string | undefined {
  const head = userAgent.slice(0, 500)
  const name = (list: typeof BROWSERS) => list.find(([, pattern]) => pattern.test(head))?.[0]
  const named = [name(BROWSERS), name(SYSTEMS)].filter(each => each !== undefined)
  return named.length === 0 ? undefined : named.join(', ')
}
