// One-time codes of an authenticator app (RFC 6238): SHA-1, 6 digits, 30 seconds, which all known apps can do. A code
// is good in its own step and the one after (RFC 6238 §5.2), once. This file says which step a code belongs to; the
// caller moves the stored last step by one conditional write before anything is granted.
//
// Left out: attempt budgets, sealing of the secret, the write.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { generateSync, generateURI, ScureBase32Plugin } from 'otplib'
import { create as createQrCode } from 'qrcode'

const PERIOD_SECONDS = 30
const DIGITS = 6
// RFC 4226 §4 R6 recommends 160 bits.
const SECRET_BYTES = 20
const QUIET_ZONE = 2

const base32 = new ScureBase32Plugin()

/** A new secret of 20 random bytes. */
export function newSecret(): Uint8Array {
  return new Uint8Array(randomBytes(SECRET_BYTES))
}

/** The secret as a person types it into an app: base32 in groups of four, "JBSW Y3DP …". */
export function setupKey(secret: Uint8Array): string {
  return encode(secret).replace(/.{4}(?=.)/g, '$& ')
}

/**
 * The `otpauth:` URI that a QR code holds and a phone opens.
 * @param issuer the name that the app shows above the code
 * @param account whose account it is, an email address as a rule
 */
export function otpauthUri({
  secret,
  issuer,
  account,
}: {
  secret: Uint8Array
  issuer: string
  account: string
}): string {
  // The label is "issuer:account", so neither may have a colon of its own (Key Uri Format of Google Authenticator).
  const label = account.replaceAll(':', ' ')
  return generateURI({ secret: encode(secret), issuer: issuer.replaceAll(':', ' '), label })
}

/**
 * The QR code as SVG markup: black on white with a quiet zone, in whatever theme the page is; the page sets its size.
 * @param uri what it says
 * @param label its accessible name
 */
export function qrSvg(uri: string, label: string): string {
  const { size, data } = createQrCode(uri, { errorCorrectionLevel: 'M' }).modules
  const width = size + 2 * QUIET_ZONE
  let dark = ''
  for (let index = 0; index < data.length; index++)
    if (data[index])
      dark += `M${QUIET_ZONE + (index % size)} ${QUIET_ZONE + Math.floor(index / size)}h1v1h-1z`
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escapeAttribute(label)}"` +
    ` viewBox="0 0 ${width} ${width}" shape-rendering="crispEdges">` +
    `<path fill="#fff" d="M0 0h${width}v${width}H0z"/><path fill="#000" d="${dark}"/></svg>`
  )
}

/**
 * A one-time code as its six ASCII digits, whatever spaces, hyphens and width it was typed with; undefined if that is
 * not what is left.
 */
export function cleanOneTimeCode(input: string): string | undefined {
  // Nobody types more; and compatibility forms grow when they are resolved.
  if (input.length > 64) return undefined
  const code = input.normalize('NFKC').replace(/[\s\p{Pd}\p{Cf}\u2212]/gu, '')
  return /^[0-9]{6}$/.test(code) ? code : undefined
}

export interface TotpCheck {
  secret: Uint8Array
  /** As typed. */
  code: string
  /** Milliseconds since the epoch, by the server's clock. */
  now: number
  /** The last step of which a code was accepted; undefined before the first. */
  lastStep: number | undefined
}

export type TotpVerdict =
  /** `step` is to be burnt: the code counts only if the stored last step is still smaller. */
  | { ok: true; step: number }
  /** `already_used`: right, but of a step that was used or is older. `clock_ahead`: right in up to 30 seconds. */
  | { ok: false; reason: 'wrong' | 'already_used' | 'clock_ahead' }

/** Never throws on a code, whatever is in it. */
export function verifyTotp({ secret, code, now, lastStep = -1 }: TotpCheck): TotpVerdict {
  const typed = cleanOneTimeCode(code)
  if (typed === undefined) return { ok: false, reason: 'wrong' }

  const current = Math.floor(now / 1000 / PERIOD_SECONDS)
  // All are computed and compared, newest first: should two steps have the same code, the newer one is burnt, and the
  // code is good for nothing afterwards.
  const steps = [current + 1, current, current - 1].filter(
    step => step >= 0 && equal(codeOf(secret, step), typed),
  )

  const fresh = steps.find(step => step <= current && step > lastStep)
  if (fresh !== undefined) return { ok: true, step: fresh }
  // Also after the clock stepped back: what was used stays used.
  if (steps.some(step => step <= lastStep)) return { ok: false, reason: 'already_used' }
  return { ok: false, reason: steps.includes(current + 1) ? 'clock_ahead' : 'wrong' }
}

// The library only makes codes here. Its own check throws on odd input and on a last step ahead of the clock, and
// does not tell a used code from a wrong one.
function codeOf(secret: Uint8Array, step: number): string {
  const epoch = step * PERIOD_SECONDS
  return generateSync({ secret, epoch, period: PERIOD_SECONDS, digits: DIGITS, algorithm: 'sha1' })
}

function equal(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

function encode(secret: Uint8Array): string {
  return base32.encode(secret, { padding: false })
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
