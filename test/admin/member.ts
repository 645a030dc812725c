// People with both factors, and the browser that each has just logged in with.

import { code } from '../support/one-time-codes.ts'
import type { Person, Stage } from '../support/stage.ts'
import { type Answer, createVisitor, type Enrolled, enrol, uidOf, type Visitor } from '../support/visitor.ts'

export interface Member {
  readonly person: Person
  readonly enrolled: Enrolled
  readonly by: Visitor
}

export function membersOf(stage: Stage) {
  return {
    /** Their second factor is fresh. */
    async enrolled(options: Parameters<Stage['person']>[0] = {}): Promise<Member> {
      const person = await stage.person(options)
      const by = createVisitor(stage.origin)
      const enrolled = await enrol(stage, by, '/account', person)
      await by.follow(enrolled.end)
      return { person, enrolled, by }
    },
    /** Answers a page that asks for a one-time code. @returns where that leads */
    async prove({ by, enrolled }: Member, page: Answer & { url: string }) {
      const base = `/interaction/${uidOf(page.url)}`
      stage.advance(30_000)
      await by.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })
      return by.follow(base)
    },
  }
}
