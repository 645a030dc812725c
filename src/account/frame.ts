// What is around the pages of one's own account: the bar, and the tabs. Whoever adds a page that is a tab adds it to the
// list. Leaves out the pages.

import type { AccountFrame, Tab } from '../http/locals/parts.ts'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'

/** The tabs in their order: what each is called, and where it is below the overview. */
const TABS = [
  { text: 'account.tab.overview', path: '' },
  { text: 'account.tab.sessions', path: '/sessions' },
  { text: 'account.tab.apps', path: '/apps' },
  { text: 'account.tab.activity', path: '/activity' },
] as const

/** Where a tab is below the overview. */
export type AccountTab = (typeof TABS)[number]['path']

export function frameFor({ paths }: Services, { logoutUrl }: Guard, { role }: Account): AccountFrame {
  return {
    home: homeOf({ paths }),
    ...(paths.admin === undefined || role !== 'admin' ? {} : { consoleUrl: paths.admin }),
    ...(paths.support === undefined || role !== 'support' ? {} : { supportUrl: paths.support }),
    ...(logoutUrl === undefined ? {} : { logoutUrl }),
  }
}

export function tabsOf({ paths, texts }: Services, current: AccountTab): Tab[] {
  return TABS.map(({ text, path }) => ({
    text: texts.t(text),
    href: `${homeOf({ paths })}${path}`,
    current: path === current,
  }))
}

/** Where the overview is. @throws Error where a host of the plugin leaves these pages out */
export function homeOf({ paths }: Pick<Services, 'paths'>): string {
  if (paths.account === undefined) throw new Error('there are no account pages')
  return paths.account
}
