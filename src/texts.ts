/**
 * Law: every word that a person reads, on a page or in a mail, comes from one catalogue of ICU messages
 * (`views/texts/<locale>.json`), compiled once. A message gives text or parts of text, never HTML: whoever
 * shows it escapes it. Values are never parsed, so a name may hold braces and angle brackets.
 * Left out: choosing the locale of a request, and what a page looks like.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { IntlMessageFormat } from 'intl-messageformat'
import en from '../views/texts/en.json' with { type: 'json' }
// By itself: the declarations need no more, and there an import attribute would be lost.
import type English from '../views/texts/en.json'

const folder = new URL('../views/texts/', import.meta.url)

/** A key of the catalogue. English defines them; another locale may leave some out. */
export type TextKey = keyof typeof English
/** What a message's placeholders are filled with. */
export type TextValues = Readonly<Record<string, string | number>>
/** A piece of a message: plain, `<b>` emphasised, `<nowrap>` unbreakable, `<time>` a moment. */
export type TextPart = string | { b: string } | { nowrap: string } | { time: string }

/** The catalogue of one locale. */
export interface Texts {
  /** BCP 47 tag, for `<html lang>`. */
  readonly locale: string
  /**
   * The message as plain text; its tags are dropped, what is in them stays.
   * @throws for an unknown key, and for a placeholder without a value
   */
  t(key: TextKey, values?: TextValues): string
  /** The same as parts, in order, for a page or an HTML mail to mark up. */
  rich(key: TextKey, values?: TextValues): readonly TextPart[]
  /** A moment (milliseconds since the epoch) as day and time in UTC: "14 May 2026, 09:31 UTC". */
  utc(time: number): string
  /** A whole number as it is written: `1,240`. */
  number(value: number): string
}

const tags = {
  b: (chunks: readonly unknown[]) => ({ b: chunks.join('') }),
  nowrap: (chunks: readonly unknown[]) => ({ nowrap: chunks.join('') }),
  time: (chunks: readonly unknown[]) => ({ time: chunks.join('') }),
}
const textOf = (part: TextPart): string => (typeof part === 'string' ? part : (Object.values(part)[0] ?? ''))

/** The locales that have a file, English first. */
export const availableLocales = (): readonly string[] => {
  const found = readdirSync(folder).flatMap(file => (file.endsWith('.json') ? [file.slice(0, -5)] : []))
  return ['en', ...found.filter(locale => locale !== 'en').sort()]
}

/** Whether what is in one language serves whoever wants another: it is the same, or any of its regions. */
export const covers = (locale: string, tag: string): boolean => {
  const [one, other] = [locale.toLowerCase(), tag.toLowerCase()]
  return one === other || other.startsWith(`${one}-`) || one.startsWith(`${other}-`)
}

/** What `IntlMessageFormat` parses a message to, as far as its placeholders go. */
interface Element {
  readonly type: number
  readonly value?: unknown
  readonly options?: Readonly<Record<string, { readonly value: readonly Element[] }>>
  readonly children?: readonly Element[]
}
const literal = 0
const pound = 7

/** The placeholders and tags of a message. */
const namesIn = (elements: readonly Element[]): readonly string[] =>
  elements.flatMap(({ type, value, options = {}, children = [] }) => [
    ...(type === literal || type === pound ? [] : [String(value)]),
    ...Object.values(options).flatMap(option => namesIn(option.value)),
    ...namesIn(children),
  ])

const read = (locale: string): Readonly<Record<string, string>> =>
  JSON.parse(readFileSync(new URL(`${locale}.json`, folder), 'utf8'))

const compile = (key: string, message: string, locale: string): IntlMessageFormat => {
  try {
    return new IntlMessageFormat(message, locale)
  } catch (cause) {
    throw new Error(`The text "${key}" of the locale "${locale}" is not an ICU message`, { cause })
  }
}

/**
 * Compiles a locale's messages; English stands in where a translation has no message yet.
 * @param locale one of `availableLocales()`
 * @param own the locale's messages, for a test; otherwise its file
 * @throws for an unknown locale, a message that doesn't parse, and a key or placeholder that English doesn't have
 */
export const createTexts = (locale = 'en', own?: Readonly<Record<string, string>>): Texts => {
  if (!own && !availableLocales().includes(locale)) throw new Error(`No catalogue for the locale "${locale}"`)
  const translated = own ?? (locale === 'en' ? en : read(locale))
  const compiled = new Map<string, IntlMessageFormat>()
  for (const [key, message] of Object.entries({ ...en, ...translated })) {
    if (!Object.hasOwn(en, key)) throw new Error(`The locale "${locale}" has the unknown text "${key}"`)
    const language = Object.hasOwn(translated, key) ? locale : 'en'
    const format = compile(key, message, language)
    const known = namesIn(compile(key, en[key as TextKey], 'en').getAst())
    const unknown = namesIn(format.getAst()).find(name => !known.includes(name))
    if (unknown) throw new Error(`The text "${key}" of the locale "${locale}" has the unknown {${unknown}}`)
    compiled.set(key, format)
  }
  const clock = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: 'UTC',
  })
  const dayAndTime = (time: number): string => {
    const { day, month, year, hour, minute } = Object.fromEntries(
      clock.formatToParts(time).map(part => [part.type, part.value]),
    )
    return `${day} ${month} ${year}, ${hour}:${minute} UTC`
  }

  const rich = (key: TextKey, values: TextValues = {}): readonly TextPart[] => {
    const message = compiled.get(key)
    if (!message) throw new Error(`Unknown text "${key}"`)
    const parts = message.format<TextPart>({ ...values, ...tags })
    return Array.isArray(parts) ? parts : [parts]
  }
  const t = (key: TextKey, values?: TextValues): string => rich(key, values).map(textOf).join('')
  const numbers = new Intl.NumberFormat(locale)
  return { locale, t, rich, utc: dayAndTime, number: value => numbers.format(value) }
}
