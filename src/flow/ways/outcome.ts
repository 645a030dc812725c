// What a way of proving something comes to. A handler verifies one thing; it commits nothing but the reservation of
// an attempt. What it proved, burnt and has to record is committed together by the routes.

import type { PasskeySignals } from '../../factors/passkey-signals.ts'
import type { Form } from '../../http/forms.ts'
import type { Services } from '../../services.ts'
import type { AuditEntry } from '../../store/audit/audit.ts'
import { auditRow } from '../../store/audit/audit.ts'
import type { Write } from '../../store/database.ts'
import type { Refusal } from '../../store/statement.ts'
import type { TextKey, TextValues } from '../../texts.ts'
import type { Fact } from '../assurance.ts'
import { mergeFacts } from '../assurance.ts'
import type { Progress } from '../progress.ts'
import type { Way } from '../step.ts'
import type { Visit } from '../visit.ts'

export interface Message {
  readonly key: TextKey
  readonly values?: TextValues
}

export type Outcome =
  /** Something was proven or chosen: the progress and the writes are committed, then the next step is shown. */
  | {
      readonly kind: 'advanced'
      readonly progress: Progress
      readonly writes: readonly Write[]
      /** Which of the next step's ways its page shows; default: the first. */
      readonly show?: Way
      /** What to say if a conditional write was too late. */
      readonly refused?: Partial<Record<Refusal, Message>>
    }
  /** The user goes to their identity provider; the writes are committed before. */
  | { readonly kind: 'away'; readonly url: string; readonly writes: readonly Write[] }
  /** Nothing was proven: the page is shown again with the message. Writes (audit) are committed. */
  | {
      readonly kind: 'refused'
      readonly message: Message
      readonly writes?: readonly Write[]
      /** What the page tells the browser of passkeys. */
      readonly signals?: PasskeySignals
      /** It was about who somebody is at their identity provider: the same session there would come to the same. */
      readonly identity?: true
    }
  /** The interaction ends with an error for the app. */
  | {
      readonly kind: 'ended'
      readonly error: string
      readonly description: string
      readonly writes: readonly Write[]
    }

export type Refused = Outcome & { readonly kind: 'refused' }

export type Handler = (services: Services, visit: Visit, form: Form) => Promise<Outcome>

export function refused(key: TextKey, writes: readonly Write[] = [], values?: TextValues): Refused {
  return { kind: 'refused', message: values === undefined ? { key } : { key, values }, writes }
}

/** The progress with one more fact. */
export function proven(
  visit: Visit,
  fact: Omit<Fact, 'verifiedAt'>,
  change: Partial<Progress> = {},
): Progress {
  return {
    ...visit.progress,
    ...change,
    facts: mergeFacts(visit.progress.facts, [{ ...fact, verifiedAt: visit.now }]),
  }
}

/** The progress with one more choice. */
export function chosen(visit: Visit, choice: Progress['choices'], change: Partial<Progress> = {}): Progress {
  return { ...visit.progress, ...change, choices: { ...visit.progress.choices, ...choice } }
}

/** Who does something, where and when: in an interaction, or on a page of their own. */
export interface Occasion extends Pick<Visit, 'account' | 'visitor' | 'clientId' | 'now'> {
  readonly cid?: string | undefined
}

/** An audit row about the occasion's account. */
export function record(
  visit: Occasion,
  event: AuditEntry['event'],
  details: AuditEntry['details'] = {},
): Write {
  return auditRow(
    {
      event,
      organisationId: visit.account?.organisationId,
      accountId: visit.account?.id,
      address: visit.visitor.address,
      interaction: visit.cid,
      details: { client: visit.clientId, ...details },
    },
    visit.now,
  )
}

/** The account, where the step that offered this way has made sure that there is one. */
export function accountOf(visit: Visit) {
  if (visit.account === undefined) throw new Error(`step ${visit.step.kind} without an account`)
  return visit.account
}
