// The console: who gets in, and what is around each of its pages. An admin of an organisation sees that organisation;
// for everybody else, and for every other organisation, there is nothing here. Leaves out the pages.

import type { Context, Middleware } from 'koa'
import { AppError } from '../errors.ts'
import { ACR } from '../flow/assurance.ts'
import type { ConsoleFrame, Tab } from '../http/locals/parts.ts'
import { type FormKind, type Guard, type OwnSession, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { countInvited } from '../store/accounts/invitations.ts'
import { MOST_COUNTED } from '../store/accounts/user-list.ts'
import { type Organisation, readOrganisation } from '../store/organisations/organisations.ts'

/** To look. */
const LOOK = { acr: ACR['2fa'] } as const
/** To change: seconds. */
const CHANGE = { ...LOOK, maxAge: 300 } as const

/** What the navigation leads to. */
export type Section = 'users' | 'sso' | 'actions' | 'sessions' | 'access' | 'audit'

/** An admin, in their organisation. */
export interface AdminSession extends OwnSession {
  readonly account: Account & { readonly organisationId: string }
}

/** Who gets in, by what is done. */
export interface Admins {
  /** For a page. */
  look(): Middleware[]
  /** For a form that changes nothing that matters, such as a choice. */
  choose(kind: FormKind): Middleware[]
  /** For a form that does: its sender's second factor is fresh. */
  change(kind: FormKind): Middleware[]
}

export function createAdmins(guard: Guard): Admins {
  return createKeepers(guard, adminsOnly)
}

/** The guard of a console. @param only lets nobody else through: for them there is nothing */
export function createKeepers(guard: Guard, only: Middleware): Admins {
  return {
    look: () => [guard.requireSession(LOOK), only],
    choose: kind => [guard.requireSessionForForm(kind, LOOK), only],
    change: kind => [guard.requireSessionForForm(kind, CHANGE), only],
  }
}

async function adminsOnly(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  const { role, organisationId } = sessionOf(ctx).account
  if (role !== 'admin' || organisationId === null) throw new AppError('not_found')
  await next()
}

/** Whom {@link Admins} let through. */
export function adminOf(ctx: Context): AdminSession {
  return sessionOf(ctx) as AdminSession
}

/**
 * What is around a page, and the organisation that it is about.
 *
 * @param current the section that the page belongs to
 */
export async function frameOf(
  services: Services,
  guard: Guard,
  ctx: Context,
  current: Section,
): Promise<{ frame: ConsoleFrame; organisation: Organisation }> {
  const organisation = await readOrganisation(services.database, adminOf(ctx).account.organisationId)
  if (organisation === undefined) throw new AppError('not_found')
  return { organisation, frame: frameFor(services, guard, ctx, organisation.name, current) }
}

/** What is around a page, where the organisation's name was read with what the page is about. */
export function frameFor(
  { texts, paths, upstreams }: Services,
  { logoutUrl }: Guard,
  ctx: Context,
  organisation: string,
  current: Section = 'users',
): ConsoleFrame {
  const { account } = adminOf(ctx)
  const home = `${paths.admin}`
  return {
    home,
    sections: [
      { text: texts.t('users.heading'), icon: 'shield', href: `${home}/users`, current: current === 'users' },
      ...(upstreams === undefined
        ? []
        : [
            {
              text: texts.t('connections.heading'),
              icon: 'building' as const,
              href: `${home}/sso`,
              current: current === 'sso',
            },
          ]),
      {
        text: texts.t('actions.heading'),
        icon: 'key',
        href: `${home}/actions`,
        current: current === 'actions',
      },
      {
        text: texts.t('sessions.heading'),
        icon: 'clock',
        href: `${home}/sessions`,
        current: current === 'sessions',
      },
      {
        text: texts.t('access.heading'),
        icon: 'lock',
        href: `${home}/access`,
        current: current === 'access',
      },
      { text: texts.t('audit.heading'), icon: 'list', href: `${home}/audit`, current: current === 'audit' },
    ],
    name: account.name,
    initials: initials(account.name),
    organisation,
    ...(paths.account === undefined ? {} : { accountUrl: paths.account }),
    ...(logoutUrl === undefined ? {} : { logoutUrl }),
  }
}

/** The pages of Security and authentication, two of them with how many they list. */
export async function tabsOf(
  services: Services,
  organisationId: string,
  current: 'users' | 'invitations' | 'coverage',
): Promise<Tab[]> {
  return (await tabsAndHelp(services, organisationId, current)).tabs
}

/** The same, with how many users ask for help. */
export async function tabsAndHelp(
  { database, texts, paths }: Services,
  organisationId: string,
  current: 'users' | 'invitations' | 'coverage',
): Promise<{ tabs: Tab[]; asking: number }> {
  const { users, invited, asking } = await countInvited(database, organisationId)
  const spelt = (n: number) => (n > MOST_COUNTED ? `${texts.number(MOST_COUNTED)}+` : texts.number(n))
  const tab = (page: typeof current, count?: string): Tab => ({
    text: texts.t(`${page}.tab`),
    ...(count === undefined ? {} : { count }),
    href: `${paths.admin}/${page}`,
    current: page === current,
  })
  return { tabs: [tab('users', spelt(users)), tab('invitations', spelt(invited)), tab('coverage')], asking }
}

/** The first letters of the first and the last word. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean)
  const first = (word: string | undefined) => [...(word ?? '')][0] ?? ''
  return `${first(words[0])}${words.length > 1 ? first(words.at(-1)) : ''}`.toUpperCase()
}
