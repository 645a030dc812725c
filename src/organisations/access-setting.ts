// Setting the addresses from which an organisation's users may log in. A list is set as it was read and is committed with
// its audit row; one that would shut out whoever sets it is refused. Leaves out what a list means (access-list.ts).

import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { changeAccessList, readStoredAccessList } from '../store/organisations/organisations.ts'
import { admits, entriesOf, type ListFault, plainAddress, readAccessList } from './access-list.ts'
import { type Directory, InputError } from './directory.ts'

export interface AccessListChange {
  readonly organisationId: string
  /** As somebody typed it; empty: from anywhere. */
  readonly typed: string
  /** The list that held when it was decided; undefined: whatever holds now. */
  readonly seen?: string | undefined
  /** From where it is set, which the list must let in. The operator's command comes from nowhere. */
  readonly address?: string | undefined
  /** What must be true with it, such as the use of the form that asked for it. */
  readonly also?: readonly Write[]
}

const TRIES = 10

/** @throws InputError if there is no such organisation */
export async function accessListOf(
  { database }: Pick<Directory, 'database'>,
  organisationId: string,
): Promise<string> {
  const list = await readStoredAccessList(database, organisationId)
  if (list === undefined) {
    throw new InputError('organisationId', `${JSON.stringify(organisationId)} is no organisation`)
  }
  return list
}

/**
 * Sets the list. It holds from the next request on; what holds already changes nothing.
 *
 * @returns the list in its one spelling
 * @throws InputError `access_list` for one that can't be read, or that would shut out the address that it is set from;
 * CommitRefused `account_changed` if another list than the one seen holds meanwhile, or whoever acts may not any more, and
 * as one of `also` is refused
 */
export async function setAccessList(
  directory: Pick<Directory, 'database' | 'clock' | 'actor'>,
  { organisationId, typed, seen, address, also = [] }: AccessListChange,
): Promise<{ readonly list: string; readonly changed: boolean }> {
  const { database, clock, actor } = directory
  const read = readAccessList(typed)
  if (!read.ok) {
    throw new InputError('access_list', faultText(read.fault), { reason: 'access_list', fault: read.fault })
  }
  if (address !== undefined && !admits(read.text, address)) {
    throw new InputError('access_list', `would shut out ${plainAddress(address)}, which it is set from`, {
      reason: 'shuts_out',
      address,
    })
  }
  for (let tries = 1; ; tries++) {
    const before = await accessListOf(directory, organisationId)
    if (seen !== undefined && seen !== before) throw new CommitRefused('account_changed')
    if (before === read.text) return { list: before, changed: false }
    const now = clock()
    const held = entriesOf(before)
    const details = { from: held.length, to: read.entries.length, before: held, after: read.entries }
    try {
      await database.commit([
        ...also,
        changeAccessList(organisationId, before, read.text, actor),
        auditRow(
          { event: 'organisation.access_list_set', organisationId, actorId: actor, address, details },
          now,
        ),
      ])
      return { list: read.text, changed: true }
    } catch (error) {
      // Who decides on what holds now looks again; who decided on what they saw is told.
      const again =
        error instanceof CommitRefused && error.refusal === 'account_changed' && seen === undefined
      if (!again || tries === TRIES) throw error
    }
  }
}

function faultText(fault: ListFault): string {
  if (fault.reason === 'too_many') return `has more than ${fault.most} entries`
  const where = `has in line ${fault.line}, ${JSON.stringify(fault.text)},`
  switch (fault.reason) {
    case 'no_address':
      return `${where} neither an address nor a range such as 203.0.113.0/24`
    case 'zone':
      return `${where} a zone (%), which means something on one machine only`
    case 'prefix':
      return `${where} a range whose number of bits is none`
    case 'note':
      return `${where} a note that is too long, or no plain text`
  }
}
