// Organisations on the command line, as the vendor's back office keeps them: plan, start of the subscription, and whom
// the enforcement that follows from it stops.

import { entriesOf } from '../organisations/access-list.ts'
import { accessListOf, setAccessList } from '../organisations/access-setting.ts'
import { createOrganisation, InputError } from '../organisations/directory.ts'
import {
  type EnforcementReport,
  enforcementReport,
  stoppedUsers,
} from '../organisations/enforcement-report.ts'
import { LOG_OUT_ALL, logOutHandler, orderLogOutAll } from '../organisations/log-outs.ts'
import { isSpecialPlan } from '../organisations/plan.ts'
import { END_DAYS, INACTIVE_HOURS, type Range, sessionPolicy } from '../organisations/session-policy.ts'
import { sessionSettingsOf, setSessionPolicy } from '../organisations/session-timeout.ts'
import {
  everyOrganisation,
  type OrganisationChange,
  setPlan,
  subscribe,
} from '../organisations/subscription.ts'
import type { ListedUser } from '../store/accounts/user-list.ts'
import type { Job } from '../store/jobs/jobs.ts'
import type { Organisation } from '../store/organisations/organisations.ts'
import { allOf, type Command, columns, type Flags, type Io, print, UsageError } from './command.ts'
import { timeOf } from './dates.ts'
import { readText } from './json-file.ts'
import { withDirectory } from './store.ts'

const ORG = { value: 'id', required: true, meaning: 'The id of the organisation.' } as const
const BEGINS = '2026-11-24 (UTC) or 2026-11-24T09:00:00Z. 2FA is enforced a day later.'

export const orgCreate: Command = {
  words: ['org', 'create'],
  summary: 'Create an organisation.',
  flags: {
    name: { value: 'name', required: true, meaning: 'Its name, as its users know it.' },
    plan: { value: 'plan', required: true, meaning: 'Its plan, such as Enterprise.' },
    'subscribed-at': {
      value: 'ISO date',
      meaning: `When its subscription begins: ${BEGINS} Without it, org subscribe sets it later.`,
    },
  },
  async run(flags, io) {
    const begins = flags.text('subscribed-at')
    const input = {
      name: flags.needed('name'),
      plan: flags.needed('plan'),
      subscribedAt: begins === undefined ? null : timeOf('subscribed-at', begins),
    }
    const organisation = await withDirectory(io, directory => createOrganisation(directory, input))
    const { id, name } = organisation
    print(io, flags, objectOf(organisation), `Organisation created: ${name}\n  id  ${id}\n`)
    return undefined
  },
}

export const orgList: Command = {
  words: ['org', 'list'],
  summary: 'List the organisations, with their plans and when their subscriptions begin.',
  flags: {},
  async run(flags, io) {
    const all = await withDirectory(io, async directory => allOf(everyOrganisation(directory)))
    const rows = all.map(({ id, name, plan, subscribedAt }) => {
      const begins = subscribedAt === null ? 'no subscription' : `from ${iso(subscribedAt)}`
      return [id, `${name}, ${plan}, ${begins}`] as const
    })
    print(io, flags, all.map(objectOf), rows.length === 0 ? 'There are no organisations.\n' : columns(rows))
    return undefined
  },
}

export const orgUpdate: Command = {
  words: ['org', 'update'],
  summary: 'Change an organisation’s plan.',
  flags: { org: ORG, plan: { value: 'plan', required: true, meaning: 'Its plan, such as Enterprise.' } },
  async run(flags, io) {
    const change = await withDirectory(io, each => setPlan(each, flags.needed('org'), flags.needed('plan')))
    const { name, plan } = change.organisation
    printChange(flags, io, change, `${name}: plan ${plan}`)
    return undefined
  },
}

export const orgSubscribe: Command = {
  words: ['org', 'subscribe'],
  summary: 'Set when an organisation’s subscription begins. It can be set once, and not moved.',
  flags: {
    org: ORG,
    at: { value: 'ISO date', required: true, meaning: `When it begins: ${BEGINS}` },
  },
  async run(flags, io) {
    const at = timeOf('at', flags.needed('at'))
    const change = await withDirectory(io, each =>
      subscribe(each, flags.needed('org'), at).catch((error: unknown) => {
        throw error instanceof InputError && error.field === 'subscribedAt'
          ? new InputError('at', error.fault, error.why)
          : error
      }),
    )
    printChange(flags, io, change, `${change.organisation.name}: subscribed from ${iso(at)}`)
    return undefined
  },
}

export const orgAccessList: Command = {
  words: ['org', 'access-list'],
  summary: 'Show the addresses from which an organisation’s users may log in, or set them.',
  flags: {
    org: ORG,
    set: {
      value: 'file',
      meaning: 'A file with one address or range a line, such as 203.0.113.0/24, in place of the list.',
    },
    clear: { meaning: 'Take the list away: they may log in from anywhere.' },
  },
  async run(flags, io) {
    const organisationId = flags.needed('org')
    const file = flags.text('set')
    if (file !== undefined && flags.has('clear')) throw new UsageError('--set and --clear exclude each other')
    const typed = file === undefined ? (flags.has('clear') ? '' : undefined) : readText('--set', file, io)
    const { list, ...done } = await withDirectory(io, async directory =>
      typed === undefined
        ? { list: await accessListOf(directory, organisationId) }
        : setAccessList(directory, { organisationId, typed }),
    )
    const entries = entriesOf(list)
    const said = entries.length === 0 ? 'From anywhere: there is no list.\n' : `${entries.join('\n')}\n`
    print(io, flags, { entries, ...done }, said)
    return undefined
  },
}

export const orgSessions: Command = {
  words: ['org', 'sessions'],
  summary: 'Say how long sessions of an organisation’s users last, or change it, on a special plan.',
  flags: {
    org: ORG,
    'inactive-hours': {
      value: 'hours',
      meaning: `End them after so long without use: ${spelled(INACTIVE_HOURS)}.`,
    },
    'end-days': {
      value: 'days',
      meaning: `End them so long after the login, in any case: ${spelled(END_DAYS)}.`,
    },
  },
  async run(flags, io) {
    const organisationId = flags.needed('org')
    const hours = numberOf(flags, 'inactive-hours')
    const days = numberOf(flags, 'end-days')
    const wanted = {
      ...(hours === undefined ? {} : { inactiveHours: hours }),
      ...(days === undefined ? {} : { endDays: days }),
    }
    const looks = hours === undefined && days === undefined
    const { settings, policy, changed, own } = await withDirectory(io, async (directory, { ssoPlans }) => {
      const done = looks
        ? await sessionSettingsOf(directory, organisationId).then(read => ({
            settings: read,
            policy: sessionPolicy(read.stored, ssoPlans),
            changed: false,
          }))
        : await setSessionPolicy(directory, { organisationId }, wanted, ssoPlans)
      return { ...done, own: isSpecialPlan(done.settings.stored.plan, ssoPlans) }
    })
    const { inactiveHours, endDays } = policy
    const object = { organisation_id: organisationId, inactive_hours: inactiveHours, end_days: endDays, own }
    const said = `${settings.organisation}: sessions end after ${inactiveHours} h without use, ${endDays} days in any case`
    const aside = looks
      ? own
        ? ''
        : ' (the standard: its plan comes without its own)'
      : changed
        ? ''
        : ' (as it was)'
    print(io, flags, looks ? object : { ...object, changed }, `${said}${aside}\n`)
    return undefined
  },
}

export const orgLogOut: Command = {
  words: ['org', 'log-out'],
  summary:
    'Log out all users of an organisation everywhere: sessions, tokens and pending logins end. Factors stay.',
  flags: { org: ORG },
  async run(flags, io) {
    const organisationId = flags.needed('org')
    const organisation = await withDirectory(io, async directory => {
      const { database, clock } = directory
      const { organisation: name, logOut } = await sessionSettingsOf(directory, organisationId)
      const choice = { organisationId, seen: logOut?.orderedAt ?? 0 }
      const payload = JSON.stringify(await orderLogOutAll(directory, choice))
      // A server that runs may be at it too: whoever comes first logs each of them out, once.
      const work = logOutHandler(database, clock)
      const job = { kind: LOG_OUT_ALL, payload } as Job
      while ((await sessionSettingsOf(directory, organisationId)).logOut?.finished !== true) {
        await work(job, clock(), new AbortController().signal)
      }
      return name
    })
    print(io, flags, { organisation_id: organisationId }, `${organisation}: everybody is logged out\n`)
    return undefined
  },
}

export const enforcementReportCommand: Command = {
  words: ['enforcement', 'report'],
  summary: 'Say when 2FA is enforced for an organisation, and who would be stopped until they set it up.',
  flags: { org: ORG },
  async run(flags, io) {
    await withDirectory(io, async ({ database, clock }) => {
      const organisationId = flags.needed('org')
      const report = await enforcementReport(database, organisationId, clock())
      if (report === undefined) {
        throw new InputError('organisationId', `${JSON.stringify(organisationId)} is no organisation`)
      }
      const stopped = await allOf(stoppedUsers(database, organisationId))
      print(io, flags, reportObject(report, stopped), reportText(report, stopped))
    })
    return undefined
  },
}

function reportObject(report: EnforcementReport, stopped: readonly ListedUser[]) {
  const { organisation, enforced, enforcedFrom, users, invited, deactivated } = report
  return {
    organisation: objectOf(organisation),
    enforced,
    enforced_from: enforcedFrom === undefined ? null : iso(enforcedFrom),
    users,
    invited,
    deactivated,
    stopped: stopped.map(({ id, name, email, role, status, standing }) => {
      return { id, name, email, role, status, second_factor: standing }
    }),
  }
}

function reportText(report: EnforcementReport, stopped: readonly ListedUser[]): string {
  const { organisation, enforced, enforcedFrom, users, invited, deactivated } = report
  const when =
    enforcedFrom === undefined
      ? 'no subscription is set, so 2FA is not enforced yet'
      : `2FA ${enforced ? 'has been' : 'will be'} enforced from ${iso(enforcedFrom)}`
  const counts = columns([
    ['set up', `${users.set_up}`],
    ['two factors at their identity provider', `${users.at_provider}`],
    ['not set up', `${users.not_set_up}`],
    ['reset pending', `${users.reset_pending}`],
    ['of these invited, and not here yet', `${invited}`],
    ['deactivated, and not in these', `${deactivated}`],
  ])
  if (stopped.length === 0) return `${organisation.name}: ${when}\n${counts}Nobody would be stopped.\n`
  const rows = stopped.map(({ name, email, role, status, standing }) => {
    const why = standing === 'reset_pending' ? 'reset pending' : 'not set up'
    return [`${name} <${email}>`, [why, role, ...(status === 'invited' ? [status] : [])].join(', ')] as const
  })
  const who = enforced
    ? 'Stopped at their next login, until they set up'
    : 'Would be stopped, until they set up'
  return `${organisation.name}: ${when}\n${counts}${who}:\n${columns(rows)}`
}

function spelled({ minimum, maximum, standard }: Range): string {
  return `${minimum} to ${maximum}, by default ${standard}`
}

/** Anything but digits becomes a number that no range has. */
function numberOf(flags: Flags, name: string): number | undefined {
  const text = flags.text(name)
  if (text === undefined) return undefined
  return /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
}

function iso(time: number): string {
  return new Date(time).toISOString()
}

function objectOf({ id, name, plan, subscribedAt }: Organisation) {
  return { id, name, plan, subscribed_at: subscribedAt === null ? null : iso(subscribedAt) }
}

function printChange(
  flags: Flags,
  io: Io,
  { organisation, changed }: OrganisationChange,
  said: string,
): void {
  const people = `${said}${changed ? '' : ' (as it was)'}\n`
  print(io, flags, { ...objectOf(organisation), changed }, people)
}
