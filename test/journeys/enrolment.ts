// A user who has set everything up before the journey begins: by requests alone, which is quicker than a browser and
// goes the same way.

import type { Person, Stage } from '../support/stage.ts'
import { createVisitor, enrol } from '../support/visitor.ts'
import { openApp } from './app.ts'

export interface Enrolled extends Person {
  /** Of the authenticator, base32. */
  readonly secret: string
  readonly recoveryCode: string
}

/** A person with an authenticator and a saved recovery code. */
export async function enrolledPerson(
  stage: Stage,
  options: Parameters<Stage['person']>[0] = {},
): Promise<Enrolled> {
  const person = await stage.person(options)
  const app = await openApp(stage)
  const { url } = await app.begin()
  const { secret, recoveryCode } = await enrol(stage, createVisitor(stage.origin), url, person)
  await app.close()
  return { ...person, secret, recoveryCode }
}
