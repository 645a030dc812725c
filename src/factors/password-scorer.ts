// The worker of password-strength.ts, and the only place of @zxcvbn-ts. It runs in a thread of its own because the
// word lists take about 150 ms to unpack and a hostile password of 100 characters about 120 ms to score.

import { parentPort } from 'node:worker_threads'
import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'

export interface ScoreQuestion {
  /** Normalised. */
  password: string
  /** Words that are easy to guess for this user. */
  words: string[]
}

export interface ScoreAnswer {
  /** On the list of common passwords, in whatever case. */
  common: boolean
  /** 0 (a few guesses) to 4 (beyond offline attacks on a slow hash). */
  score: number
}

// The time to score grows with the square of the length, so only so many UTF-16 units are looked at.
const SCORED_LENGTH = 100

const zxcvbn = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: SCORED_LENGTH })
const common = new Set(dictionary['passwords-common'].map(word => word.toLowerCase()))

parentPort?.on('message', ({ password, words }: ScoreQuestion) => {
  const answer: ScoreAnswer = {
    common: common.has(password.toLowerCase()),
    score: zxcvbn.check(password, words).score,
  }
  parentPort?.postMessage(answer)
})
