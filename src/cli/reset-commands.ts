// The operator's way to reset somebody's second factor, for whoever no admin can help: an organisation's only admin,
// most of all. The same reset as the console's, done at once; the mail goes when a server runs.

import { LONGEST_REASON, orderResetOf, reasonLine, resetHandler } from '../factors/reset.ts'
import { InputError } from '../organisations/directory.ts'
import { newId } from '../store/ids.ts'
import type { Job } from '../store/jobs/jobs.ts'
import { readReset, readResetUsers } from '../store/recovery/second-factor-resets.ts'
import { type Command, columns, print } from './command.ts'
import { withDirectory } from './store.ts'
import { userIdOf } from './user-commands.ts'

export const userReset: Command = {
  words: ['user', 'reset-2fa'],
  summary:
    'Reset the two-factor authentication of users: they are logged out, and set it up again at the next login.',
  flags: {
    org: { value: 'id', required: true, meaning: 'The id of the organisation.' },
    email: { value: 'address', required: true, several: true, meaning: 'The email address of a user.' },
    reason: { value: 'text', required: true, meaning: 'Why, for the audit log.' },
    'remove-passkeys': { meaning: 'Remove their passkeys too: for a device that was lost or stolen.' },
  },
  async run(flags, io) {
    const organisationId = flags.needed('org')
    const reason = reasonLine(flags.needed('reason'))
    if (reason === '' || reason.length > LONGEST_REASON || /\p{Cc}/u.test(flags.needed('reason'))) {
      throw new InputError('reason', `must be one line of at most ${LONGEST_REASON} characters`)
    }
    const users = await withDirectory(io, async ({ database, keyring, clock, actor }) => {
      const ids = await Promise.all(
        (flags.list('email') ?? []).map(email => userIdOf({ database }, organisationId, email)),
      )
      const removePasskeys = flags.has('remove-passkeys')
      const reset = { id: newId('rst'), organisationId, actorId: actor, reason, removePasskeys }
      const ground = { database, keyring }
      await orderResetOf(ground, reset, { users: ids }, [], clock())
      // A server that runs may be at it too: whoever comes first does each of them, once.
      const job = { payload: JSON.stringify({ organisationId, resetId: reset.id, after: 0 }) } as Job
      const work = resetHandler(ground, clock)
      while ((await readReset(database, organisationId, reset.id, clock()))?.state !== 'finished') {
        await work(job, clock(), new AbortController().signal)
      }
      return readResetUsers(database, reset.id, 0, ids.length)
    })
    const rows = users.map(({ name, email, outcome, why }) => ({ name, email, outcome, why: why ?? null }))
    const said = rows.map(
      ({ name, email, outcome, why }) =>
        [
          outcome === 'done' ? 'reset' : `not reset (${why?.replaceAll('_', ' ')})`,
          `${name} <${email}>`,
        ] as const,
    )
    print(io, flags, rows, columns(said))
    return rows.every(each => each.outcome === 'done') ? undefined : 1
  },
}
