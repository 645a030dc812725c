// Judges a password when it is set, and says why one is refused (NIST SP 800-63B §3.1.1.2: length, blocklist, names;
// no rules of composition). An old password that would be refused today still logs in.
//
// The lists and the scoring live in a worker thread (password-scorer.ts), started by the first judgement; this thread
// is never blocked by them.
//
// Left out: breaches that only a network service knows; hashing (password.ts).

import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { codePoints, createLimiter, MAX_PASSWORD_LENGTH, normalise } from './password.ts'
import type { ScoreAnswer, ScoreQuestion } from './password-scorer.ts'

export interface PasswordRule {
  /** In code points: 8 with a second factor, 15 where the password may be the only one. */
  minLength: 8 | 15
  /** The user's name, email address and organisation, as far as they are known. */
  names: readonly string[]
  /** The name of this product, as its users know it. */
  product: string
}

export type PasswordRefusal =
  | { ok: false; reason: 'too_short'; length: number; minLength: number }
  | { ok: false; reason: 'too_long'; maxLength: number }
  | { ok: false; reason: 'contains_name'; name: string }
  | { ok: false; reason: 'control_characters' | 'common' | 'too_weak' }

export type PasswordVerdict = { ok: true } | PasswordRefusal

const MIN_SCORE = 3

// Shorter parts ("Ann", "Lee") turn up in good passwords by chance.
const MIN_NAME_LENGTH = 4

/**
 * @param password as typed
 * @throws HashQueueFull if too many judgements wait; Error if the scorer died
 */
export async function judgePassword(password: string, rule: PasswordRule): Promise<PasswordVerdict> {
  const normal = normalise(password)
  if (!normal.ok && normal.reason === 'control_characters') return { ok: false, reason: 'control_characters' }
  if (!normal.ok && normal.reason === 'too_long')
    return { ok: false, reason: 'too_long', maxLength: MAX_PASSWORD_LENGTH }
  const text = normal.ok ? normal.password : ''

  const length = codePoints(text)
  if (length < rule.minLength) return { ok: false, reason: 'too_short', length, minLength: rule.minLength }

  const words = nameParts([...rule.names, rule.product])
  const folded = fold(text)
  const name = words.find(word => folded.includes(word))
  if (name !== undefined) return { ok: false, reason: 'contains_name', name }

  const { common, score } = await ask({ password: text, words })
  if (common) return { ok: false, reason: 'common' }
  return score < MIN_SCORE ? { ok: false, reason: 'too_weak' } : { ok: true }
}

/**
 * The words of names and email addresses that a password must not contain, lower-cased: each word, each name written
 * as one word, the local part of an address and the labels of its domain but the last.
 */
function nameParts(names: readonly string[]): string[] {
  const parts = new Set<string>()
  for (const name of names) {
    const at = name.lastIndexOf('@')
    const domain =
      at < 0
        ? []
        : name
            .slice(at + 1)
            .split('.')
            .slice(0, -1)
    for (const text of [at < 0 ? name : name.slice(0, at), ...domain]) {
      const words = fold(text).split(/[^\p{L}\p{M}\p{N}]+/u)
      for (const word of [fold(text), words.join(''), ...words])
        if (codePoints(word) >= MIN_NAME_LENGTH) parts.add(word)
    }
  }
  return [...parts]
}

function fold(text: string): string {
  return text.normalize('NFC').toLowerCase()
}

const limit = createLimiter({ atOnce: 1, waiting: 64 })

let scorer: Worker | undefined

function ask(question: ScoreQuestion): Promise<ScoreAnswer> {
  return limit(() => {
    scorer ??= startScorer()
    return answerOf(scorer, question)
  })
}

function startScorer(): Worker {
  // .ts in the checkout, .js in the package.
  const file = new URL(`./password-scorer${extname(import.meta.url)}`, import.meta.url)
  const worker = new Worker(file, { name: 'password-scorer' })
  const forget = () => {
    if (scorer === worker) scorer = undefined
  }
  // Whoever waits hears of it too; the next question starts a new thread.
  worker.on('error', forget).on('exit', forget)
  return worker
}

/** The limiter has one question asked at a time, so the next message is its answer. */
async function answerOf(worker: Worker, question: ScoreQuestion): Promise<ScoreAnswer> {
  // The thread keeps the process alive while somebody waits for it, and only then.
  worker.ref()
  const off = new AbortController()
  try {
    return await new Promise<ScoreAnswer>((resolve, reject) => {
      const died = (cause: unknown) => reject(new Error('the password scorer ended', { cause }))
      worker.once('message', resolve)
      worker.once('error', died)
      worker.once('exit', died)
      off.signal.addEventListener('abort', () => {
        worker.off('message', resolve).off('error', died).off('exit', died)
      })
      worker.postMessage(question)
    })
  } finally {
    off.abort()
    worker.unref()
  }
}
