// A case: what the user said, what happened so far, and what an agent may do now. An approval needs what was ticked, and
// what the agent saw in words, since the second agent, and whoever reads the audit log, decides by them. An agent never
// sees a password, a secret or a session, nor the link: that goes to the user's mailbox. Leaves out the list (cases.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { reasonLine } from '../factors/reset.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import { type FormKind, type Guard, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'
import { issueToken } from '../store/accounts/emailed-tokens.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { newToken } from '../store/ids.ts'
import {
  approveCase,
  approveCaseAgain,
  closeCaseBy,
  LINK_MS,
  readCase,
  type SupportCase,
  type ToldCase,
} from '../store/recovery/support-cases.ts'
import { type CaseActor, type CaseState, caseActions, caseState } from './case-state.ts'
import { BADGES } from './cases.ts'
import { createAgents, frameOf } from './console.ts'
import { tellEnd, tellLink, tellOwner } from './notices.ts'
import { lookAgain } from './settle.ts'

/** What an agent can have seen or heard. */
export const EVIDENCE = ['call', 'invoice', 'contact', 'video'] as const
const FEWEST_WORDS = 20
const LONGEST_NOTE = 2000

const ANSWER = {
  kind: 'support-case',
  fields: ['evidence', 'note', 'answer'],
  several: ['evidence'],
  page: '/support/cases/:number',
} as const satisfies FormKind

type Locals = ViewLocals['support-case']
type Said = Partial<Pick<Locals, 'noteError' | 'evidenceError' | 'note' | 'waiting' | 'error'>> & {
  readonly ticked?: readonly string[]
}

export function casePageRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, paths, views, texts, clock } = services
  const agents = createAgents(guard)
  const router = new Router()
  const listUrl = `${paths.support}/cases`

  router.get('/support/cases/:number', ...agents.look(), async ctx => {
    const found = await caseOf(ctx)
    const kept = await guard.pendingForm(ctx, ANSWER)
    const gone = ctx.query.pending !== undefined && kept === undefined
    await show(ctx, found, {
      ...(gone ? { error: texts.t('support.gone') } : {}),
      ...(kept === undefined
        ? {}
        : {
            waiting: {
              id: kept.id,
              text: texts.t(kept.form.answer === 'close' ? 'support.close' : 'support.approve'),
            },
            note: reasonLine(kept.form.note ?? ''),
            ticked: (kept.form.evidence ?? '').split(' '),
          }),
    })
  })

  router.post('/support/cases/:number', ...agents.change(ANSWER), async ctx => {
    const found = await caseOf(ctx)
    const sent = await guard.sentForm(ctx, ANSWER)
    const url = `${listUrl}/${found.number}`
    // Pressed twice: what it did is shown.
    if (sent === undefined) return seeOther(ctx, url)
    const note = reasonLine(sent.form.note ?? '')
    const ticked = (sent.form.evidence ?? '').split(' ')
    const evidence = EVIDENCE.filter(each => ticked.includes(each))
    const closes = sent.form.answer === 'close'
    const fault = faultOf(found, closes, evidence, note)
    if (fault !== undefined) return again(ctx, found, { ...fault, note, ticked }, 400)
    const now = clock()
    const action = closes ? 'close' : 'approve'
    const agentId = sessionOf(ctx).account.id
    if (!caseActions(found, actorOf(ctx), now).includes(action)) {
      return again(ctx, found, { error: texts.t('support.late') }, 409)
    }
    const writes = closes
      ? closing(ctx, found, agentId, note, now)
      : approving(ctx, found, { agentId, evidence, note }, now)
    try {
      await database.commit([...writes, ...sent.taken])
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      // Somebody was faster: another agent, the same one in another tab, or the owner.
      return again(ctx, await caseOf(ctx), { error: texts.t('support.late') }, 409)
    }
    seeOther(ctx, url)
  })

  function faultOf(
    { firstAgent }: SupportCase,
    closes: boolean,
    evidence: readonly string[],
    note: string,
  ): Said | undefined {
    const tooLong = note.length > LONGEST_NOTE
    if (tooLong) return { noteError: texts.t('support.note.long', { most: LONGEST_NOTE }) }
    if (closes) return note === '' ? { noteError: texts.t('support.note.close') } : undefined
    const words = note.split(' ').filter(each => /[\p{L}\p{N}]/u.test(each)).length
    const noteError =
      words < FEWEST_WORDS ? texts.t('support.note.short', { fewest: FEWEST_WORDS, words }) : undefined
    // The second agent decides by what the first one has seen.
    const evidenceError =
      firstAgent === null && evidence.length === 0 ? texts.t('support.evidence.none') : undefined
    if (noteError === undefined && evidenceError === undefined) return undefined
    return {
      ...(noteError === undefined ? {} : { noteError }),
      ...(evidenceError === undefined ? {} : { evidenceError }),
    }
  }

  /** F5: the approval, and the mails that tell of it, are one commit. */
  function approving(
    ctx: Context,
    found: ToldCase,
    approval: { readonly agentId: string; readonly evidence: readonly string[]; readonly note: string },
    now: number,
  ): Write[] {
    const second = found.firstAgent !== null
    const decided = second || !found.needsSecond
    const token = newToken()
    const whom = found.account
    const { evidence, note } = approval
    return [
      second ? approveCaseAgain(found, approval, now) : approveCase(found, approval, now),
      record(ctx, found, 'support_case.approved', { reason: note, evidence, second, link: decided }, now),
      ...(decided
        ? [
            ...issueToken('support-set-up', found.accountId, token, found.id, now),
            ...tellLink(keyring, whom, found.id, token, now),
            lookAgain(found.id, now + LINK_MS, now),
          ]
        : tellOwner(keyring, whom, found.id, 'first', { until: null, address: null }, now)),
    ]
  }

  function closing(ctx: Context, found: ToldCase, agentId: string, note: string, now: number): Write[] {
    return [
      closeCaseBy(found.id, agentId, note, now),
      record(ctx, found, 'support_case.closed', { reason: note }, now),
      ...tellEnd(keyring, found.account, 'closed', now),
    ]
  }

  function record(
    ctx: Context,
    found: SupportCase,
    event: 'support_case.approved' | 'support_case.closed',
    details: Readonly<Record<string, string | boolean | readonly string[]>>,
    now: number,
  ): Write {
    return auditRow(
      {
        event,
        organisationId: found.account.organisationId,
        accountId: found.accountId,
        actorId: sessionOf(ctx).account.id,
        address: ctx.ip,
        details: { case: found.id, ...details },
      },
      now,
    )
  }

  async function caseOf(ctx: Context): Promise<ToldCase> {
    const { number = '' } = ctx.params as Record<string, string>
    const found = /^\d{1,15}$/.test(number) ? await readCase(database, { number: Number(number) }) : undefined
    if (found === undefined) throw new AppError('not_found')
    return found
  }

  function actorOf(ctx: Context): CaseActor {
    return { kind: 'agent', id: sessionOf(ctx).account.id }
  }

  async function again(ctx: Context, found: SupportCase, said: Said, status: number): Promise<void> {
    ctx.status = status
    await show(ctx, found, said)
  }

  async function show(ctx: Context, found: SupportCase, { ticked = [], ...said }: Said): Promise<void> {
    const now = clock()
    const state = caseState(found, now)
    const may = caseActions(found, actorOf(ctx), now)
    const you = sessionOf(ctx).account.id
    const { account, organisation } = found
    ctx.type = 'html'
    ctx.body = views.render('support-case', {
      frame: frameOf(services, guard, ctx),
      listUrl,
      number: String(found.number),
      name: account.name,
      badge: { kind: BADGES[state], text: texts.t(`support.state.${state}`) },
      steps: stepsOf(found, state),
      action: `${listUrl}/${found.number}`,
      ...(may.includes('approve')
        ? {
            approve: {
              ...(found.firstAgent === null
                ? {
                    evidence: EVIDENCE.map(value => ({
                      value,
                      text: texts.t(`support.evidence.${value}`),
                      hint: texts.t(`support.evidence.${value}.hint`),
                      ticked: ticked.includes(value),
                    })),
                  }
                : {}),
              what: texts.t(
                found.firstAgent !== null
                  ? 'support.then.link'
                  : found.needsSecond
                    ? 'support.then.second'
                    : 'support.then.alone',
                { name: account.name },
              ),
              passOn: found.firstAgent === null && found.needsSecond,
            },
          }
        : {}),
      ...(may.includes('close') ? { close: true } : {}),
      ...(may.length === 0 || may.includes('approve') ? {} : { why: whyNot(found, state, you) }),
      ...(found.accountId === you ? { why: texts.t('support.own') } : {}),
      about: {
        email: account.email,
        organisation: organisation === undefined ? '' : `${organisation.name}, ${organisation.plan}`,
        role: texts.t(`role.${account.role}`),
        admins: organisation?.admins ?? 0,
        passkeys: account.passkeys,
        ...(account.lastLoginAt === null ? {} : { lastLoginAt: account.lastLoginAt }),
      },
      reason: found.reason,
      ...(found.firstAgent === null ? {} : { seen: seenOf(found) }),
      events: eventsOf(found, state, you, now),
      ...said,
    })
  }

  function whyNot(found: SupportCase, state: CaseState, you: string): string {
    if (state === 'waiting') return texts.t('support.why.waiting', { until: texts.utc(found.waitUntil) })
    if (state === 'second' && found.firstAgent === you) return texts.t('support.why.first')
    return texts.t('support.why.link', { until: texts.utc(found.linkUntil ?? 0) })
  }

  function stepsOf(found: SupportCase, state: CaseState): Locals['steps'] {
    const hours = Math.round((found.waitUntil - found.openedAt) / 3_600_000)
    const all = [
      { key: 'mailbox', text: texts.t('support.step.mailbox') },
      { key: 'waiting', text: texts.t('support.step.wait', { hours }) },
      { key: 'evidence', text: texts.t('support.step.evidence') },
      ...(found.needsSecond ? [{ key: 'second', text: texts.t('support.step.second') }] : []),
      { key: 'link', text: texts.t('support.step.link') },
    ]
    const current = all.findIndex(each => each.key === state)
    const reached = state === 'used' ? all.length : current >= 0 ? current : reachedBy(found, all.length)
    return all.map(({ text }, i) => ({ text, done: i < reached, current: i === current }))
  }

  /** How far a case got that is over. */
  function reachedBy(found: SupportCase, steps: number): number {
    if (found.approvedAt !== null) return steps
    if (found.firstAgent !== null) return 3
    return found.waitToldAt === null ? 1 : 2
  }

  function seenOf({ names, firstNote, evidence }: SupportCase): NonNullable<Locals['seen']> {
    return {
      by: names.first,
      evidence: EVIDENCE.filter(each => evidence.includes(each)).map(each =>
        texts.t(`support.evidence.${each}`),
      ),
      note: firstNote,
    }
  }

  function eventsOf(found: SupportCase, state: CaseState, you: string, now: number): Locals['events'] {
    const by = (id: string | null, name: string) => (id === you ? texts.t('support.you') : name)
    const at = (time: number | null, text: string, note = '') =>
      time === null ? [] : [{ at: time, text, ...(note === '' ? {} : { note }) }]
    const { names } = found
    const first = { name: by(found.firstAgent, names.first) }
    const second = { name: by(found.secondAgent, names.second) }
    const closer = { name: by(found.closedBy, names.closer) }
    const over = found.closedAt ?? null
    return [
      ...at(found.openedAt, texts.t('support.event.opened')),
      ...at(found.waitUntil <= now ? found.waitUntil : null, texts.t('support.event.waited')),
      ...at(found.firstAt, texts.t('support.event.first', first)),
      ...at(found.secondAt, texts.t('support.event.second', second), found.secondNote),
      ...at(found.approvedAt, texts.t('support.event.link')),
      ...at(found.usedAt, texts.t('support.event.used')),
      ...(over === null || state === 'used'
        ? []
        : at(
            over,
            state === 'closed' ? texts.t('support.event.closed', closer) : texts.t(`support.state.${state}`),
            found.closeNote,
          )),
    ]
  }

  return router
}
