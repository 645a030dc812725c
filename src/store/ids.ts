// Identifiers. What grants something (session and token ids, emailed tokens) is stored hashed: who reads the database
// can't use it.

import { createHash, randomBytes } from 'node:crypto'

/** A new identifier such as `usr_3f9a…`: 120 random bits. */
export function newId(prefix: 'org' | 'usr' | 'job' | 'rst' | 'cas' | 'chg' | 'sso' | 'dom'): string {
  return `${prefix}_${randomBytes(15).toString('hex')}`
}

/** 256 random bits, base64url: an emailed token. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** SHA-256, base64url. The input has full entropy, so no slow hash is needed. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
