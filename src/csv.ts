// The one writer of CSV (RFC 4180): a line per row, every cell in quotes. What people called themselves ends up in
// somebody's spreadsheet, which takes a cell that begins with = + - @ for a formula: such a cell gets an apostrophe in
// front, which spreadsheets don't show (OWASP, CSV Injection). Line breaks and other control characters are spelled out,
// so that a row is one line whatever reads it.

export type Cell = string | number | null | undefined

/** Also behind blanks, which some programs skip, and in the wide forms, which some take for the same. */
const FORMULA = /^[\s\u{feff}]*[=+\-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}]|^[\t\r\n]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not get through
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g
const SPELLED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r' }

/** A row with its line end. Nothing and a cell of no characters look the same. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(quoted).join(',')}\r\n`
}

function quoted(cell: Cell): string {
  // A number is no formula, however it begins.
  if (typeof cell === 'number') return `"${cell}"`
  const text = cell ?? ''
  const guarded = FORMULA.test(text) ? `'${text}` : text
  return `"${spellControls(guarded).replaceAll('"', '""')}"`
}

/** Control characters and line separators as `\n`, `\r` or `\u2028`. */
export function spellControls(text: string): string {
  return text.replace(
    CONTROL,
    each => SPELLED[each] ?? `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
