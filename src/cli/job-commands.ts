// What became of the work that outlives a request: mails, back-channel logouts, resets. Never what is in a job.

import { type JobState, listJobs } from '../store/jobs/jobs.ts'
import { type Command, columns, type Flags, print, UsageError } from './command.ts'
import { withDirectory } from './store.ts'

const STATES: readonly JobState[] = ['waiting', 'running', 'done', 'failed']

export const STATE_FLAG = { value: STATES.join('|'), meaning: 'Only those in this state.' } as const

/** @throws UsageError */
export function wantedState(flags: Flags): { state?: JobState } {
  const state = STATES.find(each => each === flags.text('state'))
  if (flags.has('state') && state === undefined) {
    throw new UsageError(`--state must be one of ${STATES.join(', ')}`)
  }
  return state === undefined ? {} : { state }
}

export const jobList: Command = {
  words: ['job', 'list'],
  summary:
    'List the jobs (mails, back-channel logouts, resets) that wait, were done in the last days, or were given up.',
  flags: {
    kind: {
      value: 'kind',
      meaning: 'Only those of this kind: mail, backchannel-logout, second-factor-reset.',
    },
    state: STATE_FLAG,
  },
  async run(flags, io) {
    const wanted = wantedState(flags)
    const kind = flags.text('kind')
    const jobs = await withDirectory(io, ({ database, clock }) =>
      listJobs(database, { ...wanted, ...(kind === undefined ? {} : { kind }), now: clock() }),
    )
    const iso = (time: number) => new Date(time).toISOString()
    const rows = jobs.map(job => {
      const error = job.lastError === null ? '' : `: ${job.lastError}`
      return [
        job.state,
        `${iso(job.createdAt)}  ${job.kind}: ${job.summary}, tried ${job.attempts}×${error}`,
      ] as const
    })
    const objects = jobs.map(({ runAt, lastError, createdAt, ...rest }) => ({
      ...rest,
      next_try: rest.state === 'waiting' ? iso(runAt) : null,
      last_error: lastError,
      created_at: iso(createdAt),
    }))
    print(io, flags, objects, rows.length === 0 ? 'There are no jobs.\n' : columns(rows))
    return undefined
  },
}
