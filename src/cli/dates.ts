// Dates as the command line takes them.

import { UsageError } from './command.ts'

/** Milliseconds since 1970 of an ISO 8601 date, or date and time with a zone. @throws UsageError */
export function timeOf(flag: string, text: string): number {
  const parts = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.exec(text)
  const time = parts === null ? Number.NaN : Date.parse(text)
  const day = new Date(Date.UTC(Number(parts?.[1]), Number(parts?.[2]) - 1, Number(parts?.[3])))
  if (Number.isNaN(time) || day.getUTCDate() !== Number(parts?.[3])) {
    throw new UsageError(`--${flag} is "${text}": use a date such as 2026-11-24, or 2026-11-24T09:00:00Z`)
  }
  return time
}
