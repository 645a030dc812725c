// What samples of several rooms have in common.

import type { ConsoleFrame } from '../../../src/http/locals/parts.ts'
import type { ViewLocals, ViewName } from '../../../src/http/locals.ts'
import type { Texts } from '../../../src/texts.ts'

export type Sample = { [Name in ViewName]: { view: Name; state: string; locals: ViewLocals[Name] } }[ViewName]

/** The catalogue that headings, errors and notices come from, as the routes take them. */
export type Catalogue = Pick<Texts, 't'>

export const email = 'dana.whitlock@northgate.example'
export const accountUrl = '/account'
export const time = Date.UTC(2026, 4, 14, 9, 31)
export const minute = 60_000
export const challenge = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'

export const creationOptions = JSON.stringify({
  challenge,
  rp: { id: 'localhost', name: 'Sallyport' },
  user: { id: 'dXNlcg', name: email, displayName: 'Dana Whitlock' },
  pubKeyCredParams: [{ alg: -7, type: 'public-key' }],
  authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  timeout: minute,
})

/** What is around the pages of the admins' console; `current`: the section that the page is of. */
export function consoleFrame({ t }: Catalogue, current = '/admin/users'): ConsoleFrame {
  const sections = [
    { text: t('users.heading'), icon: 'shield', href: '/admin/users' },
    { text: t('connections.heading'), icon: 'building', href: '/admin/sso' },
    { text: t('actions.heading'), icon: 'key', href: '/admin/actions' },
    { text: t('sessions.heading'), icon: 'clock', href: '/admin/sessions' },
    { text: t('access.heading'), icon: 'lock', href: '/admin/access' },
    { text: t('audit.heading'), icon: 'list', href: '/admin/audit' },
  ] as const
  return {
    home: '/admin',
    sections: sections.map(each => ({ ...each, current: each.href === current })),
    name: 'Priya Raman',
    initials: 'PR',
    organisation: 'Northgate IT',
    accountUrl,
    logoutUrl: '/sent/logout',
  }
}

export const person = (name: string, why?: string) => ({
  name,
  initials: name
    .split(' ')
    .map(each => each[0])
    .join(''),
  email: `${name.toLowerCase().replace(' ', '.')}@northgate.example`,
  ...(why === undefined ? {} : { why }),
})
