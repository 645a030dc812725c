// The audit log on the command line: whether it is as it was sealed, and an organisation's part of it as a file.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EXPORT_FORMATS, type ExportFormat, exportAudit } from '../audit-export.ts'
import { didYouMean } from '../did-you-mean.ts'
import type { Directory } from '../organisations/directory.ts'
import { readAccountByEmail } from '../store/accounts/accounts.ts'
import type { AuditEvent } from '../store/audit/audit.ts'
import type { AuditFilter } from '../store/audit/audit-events.ts'
import { AUDIT_EVENTS } from '../store/audit/audit-meanings.ts'
import {
  type AuditFault,
  type AuditProblem,
  type AuditVerdict,
  verifyAudit,
} from '../store/audit/audit-verify.ts'
import { readOrganisation } from '../store/organisations/organisations.ts'
import { type Command, type Flags, print, UsageError } from './command.ts'
import { timeOf } from './dates.ts'
import { withDirectory } from './store.ts'

export const auditVerify: Command = {
  words: ['audit', 'verify'],
  summary: 'Check that the audit log is as it was sealed: nothing changed, removed, inserted or reordered.',
  flags: {
    head: {
      value: 'hash',
      meaning:
        'A head that the server’s log told of: tells whether the end of the audit log was removed since.',
    },
  },
  async run(flags, io) {
    const head = flags.text('head')?.toLowerCase()
    if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
      throw new UsageError('--head must be 64 digits and letters from a to f, as the log tells them')
    }
    const verdict = await withDirectory(io, ({ database, keyring }) =>
      verifyAudit(database, keyring, { head }),
    )
    print(io, flags, objectOf(verdict), reportOf(verdict))
    return verdict.ok ? 0 : 1
  },
}

const iso = (time: number | undefined) => (time === undefined ? null : new Date(time).toISOString())

function objectOf(verdict: AuditVerdict) {
  return {
    ok: verdict.ok,
    seals: verdict.seals,
    rows: verdict.rows,
    not_sealed: verdict.unsealed,
    not_sealed_since: iso(verdict.unsealedSince),
    last_seal: verdict.seq,
    sealed_at: iso(verdict.sealedAt),
    head: verdict.head ?? null,
    problem_count: verdict.problemCount,
    problems: verdict.problems.map(({ fault, seal, firstId, lastId }) => ({
      fault,
      seal,
      first_row: firstId ?? null,
      last_row: lastId ?? null,
    })),
  }
}

const SAID: Readonly<Record<AuditFault, string>> = {
  rows_inserted: 'there are rows that were not sealed there',
  rows_removed: 'rows that were sealed are missing',
  rows_changed: 'rows are not as they were sealed, or not in that order',
  seal_forged: 'this seal was changed, or made without the secret keys, as may be the rows that it covers',
  seal_missing: 'this seal was removed',
  key_unknown:
    'this seal was made under a key that is not in SALLYPORT_SECRET_KEYS: put it back to check the rows',
  head_missing: 'no seal has the head that was given: the end of the log was removed, or sealed anew',
}

function lineOf({ fault, seal, firstId, lastId }: AuditProblem): string {
  const rows = lastId === undefined ? '' : `, rows ${firstId ?? 'from the first'} to ${lastId}`
  const where = fault === 'head_missing' ? 'at the end' : `seal ${seal}${rows}`
  return `  ${where}: ${SAID[fault]}\n`
}

function reportOf(verdict: AuditVerdict): string {
  const { ok, problems, problemCount, seals, rows, unsealed, head, seq, sealedAt } = verdict
  const lines = [
    ok
      ? `The audit log is as it was sealed: ${counted(rows, 'row')} under ${counted(seals, 'seal')}.\n`
      : `THE AUDIT LOG IS NOT AS IT WAS SEALED: ${counted(problemCount, 'problem')}\n`,
    ...problems.map(lineOf),
    problemCount > problems.length ? `  … and ${problemCount - problems.length} more\n` : '',
    unsealed === 0 ? '' : `${counted(unsealed, 'row')} not sealed yet: a running server seals them.\n`,
    head === undefined ? '' : `Head: ${head} (seal ${seq}, ${iso(sealedAt)})\n`,
  ]
  return lines.join('')
}

function counted(count: number, what: string): string {
  return `${count.toLocaleString('en-GB')} ${what}${count === 1 ? '' : 's'}`
}

export const auditExport: Command = {
  words: ['audit', 'export'],
  summary: 'Print an organisation’s audit log, newest first, as CSV or JSON lines.',
  flags: {
    org: { value: 'id', required: true, meaning: 'The id of the organisation.' },
    format: {
      value: EXPORT_FORMATS.join('|'),
      meaning: 'How. Default: csv; with --json: jsonl, an object a line.',
    },
    from: { value: 'ISO date', meaning: 'Only what happened then or later.' },
    to: { value: 'ISO date', meaning: 'Only what happened before.' },
    event: { value: 'event', meaning: 'Only events of this kind, such as login.failed.' },
    person: {
      value: 'id or address',
      meaning: 'Only what this user did or what was done to them, by their id or email address.',
    },
  },
  async run(flags, io) {
    const asked = flags.text('format') ?? (flags.has('json') ? 'jsonl' : 'csv')
    const format: ExportFormat | undefined = EXPORT_FORMATS.find(each => each === asked)
    if (format === undefined) throw new UsageError(`--format must be ${EXPORT_FORMATS.join(' or ')}`)
    const range = { event: eventOf(flags), from: dateOf(flags, 'from'), to: dateOf(flags, 'to') }
    await withDirectory(io, async directory => {
      const organisationId = flags.needed('org')
      if ((await readOrganisation(directory.database, organisationId)) === undefined) {
        throw new UsageError(`--org ${organisationId} is no organisation`)
      }
      const person = await personOf(directory, organisationId, flags.text('person'))
      const filter: AuditFilter = { ...range, person }
      const lines = Readable.from(exportAudit(directory.database, organisationId, format, filter))
      await pipeline(lines, io.stdout, { end: false }).catch(error => {
        // A reader that has seen enough, such as `head`, is no fault.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
      })
    })
    return undefined
  },
}

function eventOf(flags: Flags): AuditEvent | undefined {
  const asked = flags.text('event')
  const event = AUDIT_EVENTS.find(each => each === asked)
  if (asked !== undefined && event === undefined) {
    throw new UsageError(`--event ${asked} is no event${didYouMean(asked, AUDIT_EVENTS)}`)
  }
  return event
}

function dateOf(flags: Flags, name: string): number | undefined {
  const text = flags.text(name)
  return text === undefined ? undefined : timeOf(name, text)
}

/** An id is taken as it is: it may be one of somebody who is gone, or `operator`. */
async function personOf(
  { database }: Directory,
  organisationId: string,
  asked: string | undefined,
): Promise<string | undefined> {
  if (asked === undefined || !asked.includes('@')) return asked
  const account = await readAccountByEmail(database, asked)
  if (account?.organisationId !== organisationId) {
    throw new UsageError(`--person ${asked} is no user of this organisation`)
  }
  return account.id
}
