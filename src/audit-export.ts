// An organisation's audit log as a file: CSV for spreadsheets, JSON lines for programs, newest first, one event a line
// whatever anybody called themselves. Made page by page, so that a large log costs no more memory than a small one.

import { csvLine, spellControls } from './csv.ts'
import { type AuditFilter, type AuditRecord, pagesOfAudit } from './store/audit/audit-events.ts'
import type { Database } from './store/database.ts'

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** @returns pieces of whole lines, the first of CSV being its header */
export async function* exportAudit(
  database: Database,
  organisationId: string,
  format: ExportFormat,
  filter: AuditFilter = {},
): AsyncGenerator<string> {
  if (format === 'csv') yield csvLine(COLUMNS)
  for await (const records of pagesOfAudit(database, organisationId, filter)) {
    yield records.map(each => (format === 'csv' ? csvOf(each) : jsonOf(each))).join('')
  }
}

const COLUMNS = [
  'time',
  'event',
  'account_id',
  'account_name',
  'account_email',
  'actor_id',
  'actor_name',
  'actor_email',
  'address',
  'factors',
  'reason',
  'interaction',
  'details',
  'id',
]

function csvOf(record: AuditRecord): string {
  const { account, actor, details } = record
  return csvLine([
    new Date(record.at).toISOString(),
    record.event,
    ...[account, actor].flatMap(each => [each?.id, each?.name, each?.email]),
    record.address,
    [details.factors ?? details.factor ?? ''].flat().join(' '),
    typeof details.reason === 'string' ? details.reason : '',
    record.interaction,
    JSON.stringify(details),
    record.id,
  ])
}

/** An event as programs read it, of a file and of the API. */
export function auditObject({ at, ...record }: AuditRecord) {
  const { id, event, account, actor, address, interaction, details } = record
  return { time: new Date(at).toISOString(), event, account, actor, address, interaction, details, id }
}

/** Whatever a reader takes for the end of a line is spelled out, which JSON allows within texts. */
function jsonOf(record: AuditRecord): string {
  return `${spellControls(JSON.stringify(auditObject(record)))}\n`
}
