// Keys of stores: of a fixed length, and telling nothing of what they are made from.

import { createHash } from 'node:crypto'

/** SHA-256 of some texts, which cannot be shifted into one another; base64url, 43 characters. */
export function digest(...texts: readonly [string, ...string[]]): string {
  const [only] = texts
  const text = texts.length === 1 ? only : JSON.stringify(texts)
  return createHash('sha256').update(text).digest('base64url')
}
