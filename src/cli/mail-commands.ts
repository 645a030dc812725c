// Mails on the command line: what became of them, and which addresses take none.

import { queueView } from '../mail/outbox.ts'
import { InputError } from '../organisations/directory.ts'
import { readAccountByEmail } from '../store/accounts/accounts.ts'
import { noteBounce } from '../store/accounts/bounces.ts'
import { type Command, columns, print } from './command.ts'
import { STATE_FLAG, wantedState } from './job-commands.ts'
import { withDirectory } from './store.ts'

export const mailQueue: Command = {
  words: ['mail', 'queue'],
  summary: 'List the mails that wait, were sent in the last days, or were given up.',
  flags: { state: STATE_FLAG },
  async run(flags, io) {
    const wanted = wantedState(flags)
    const mails = await withDirectory(io, ({ database, clock }) =>
      queueView(database, { ...wanted, now: clock() }),
    )
    const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString())
    const rows = mails.map(mail => {
      const error = mail.lastError === null ? '' : `: ${mail.lastError}`
      return [
        mail.state,
        `${iso(mail.createdAt)}  ${mail.template} to ${mail.to}, tried ${mail.attempts}×${error}`,
      ] as const
    })
    const objects = mails.map(({ nextTry, lastError, createdAt, ...rest }) => {
      return { ...rest, next_try: iso(nextTry), last_error: lastError, created_at: iso(createdAt) }
    })
    print(io, flags, objects, rows.length === 0 ? 'There are no mails.\n' : columns(rows))
    return undefined
  },
}

export const mailBounced: Command = {
  words: ['mail', 'bounced'],
  summary:
    'Note that mails to a user come back, as your mail service says: their admins see it. Logins go on.',
  flags: {
    to: { value: 'address', required: true, meaning: 'The email address that the mails were sent to.' },
    reason: { value: 'text', meaning: 'What the mail service said.' },
  },
  async run(flags, io) {
    const to = flags.needed('to')
    const reason = flags.text('reason') ?? 'mails came back'
    await withDirectory(io, async ({ database, clock, actor }) => {
      const account = await readAccountByEmail(database, to)
      if (account === undefined) throw new InputError('to', `no user has the address ${to}`)
      await database.commit(noteBounce(account, { reason, at: clock() }, true, { actorId: actor }))
    })
    print(io, flags, { to, reason }, `Noted: ${to} takes no mail.\n`)
    return undefined
  },
}
