// What journeys of single sign-on share: logins of an app, and users who are made here and at their identity provider,
// whose clock is the machine's. So no journey of theirs moves the server's by more than seconds, and the next code is
// taken by forgetting the last one.

import { createUser } from '../../src/organisations/directory.ts'
import { change } from '../attacks/ground.ts'
import { code } from '../support/one-time-codes.ts'
import type { SamlGround, SsoGround } from '../support/sso.ts'
import type { Person, Stage } from '../support/stage.ts'
import type { App, Login } from './app.ts'
import type { Tab } from './tab.ts'

export const MFA = 'urn:sallyport:acr:2fa'
/** The page that sends its user to the identity provider. */
export const PAGE = 'Log in with Heron ID'
/** The page of the step-up for deleting devices. */
export const DELETE = 'Confirm: delete 2 devices at Acme'

/** The app sends the browser to log in. */
export async function beginIn(tab: Tab, app: App, params: Record<string, string> = {}): Promise<Login> {
  const login = await app.begin(params)
  await tab.open(login.url)
  return login
}

/** From the app to the identity provider, and back to the app. */
export async function logInBy(
  tab: Tab,
  app: App,
  email: string,
  logInThere: () => Promise<void>,
): Promise<void> {
  await beginIn(tab, app)
  await tab.identify(email)
  await logInThere()
  await tab.see(`Welcome to ${app.name}`)
}

/** The app is told of a logout, and nobody is known here. */
export async function seeLoggedOut(tab: Tab): Promise<void> {
  await tab.letGo()
  await tab.start()
  await tab.see('Log in')
}

/** Somebody of the organisation, invited unless they have a password. */
export async function memberOf(
  stage: Stage,
  { organisationId, email }: Pick<SsoGround | SamlGround, 'organisationId' | 'email'>,
  name: string,
  password?: string,
): Promise<Person> {
  const address = email(name)
  const { id } = await createUser(stage.directory, {
    ...{ organisationId, email: address, name: `${name} Whitlock`, role: 'technician' as const },
    ...(password === undefined ? {} : { password }),
  })
  return { id, email: address, organisationId }
}

/** The code that an authenticator shows now, whether or not it was used. */
export async function codeNow(stage: Stage, secret: string): Promise<string> {
  await change(stage, 'UPDATE authenticators SET last_step = last_step - ?', [2])
  return code(secret, stage.now())
}

/** From the set-up page to the one after the recovery code's. @returns the authenticator's secret, base32 */
export async function setUpAuthenticator(stage: Stage, tab: Tab): Promise<string> {
  await tab.see('Set up two-factor authentication')
  const key = await tab.page.locator('output#key').textContent()
  const secret = key?.replaceAll(' ', '') ?? ''
  await tab.enterCode(code(secret, stage.now()))
  await tab.see('Save your recovery code')
  await tab.page.getByLabel('I have safely recorded this code').check()
  await tab.press('Continue')
  return secret
}

/** The session here is over; that at the identity provider goes on. */
export async function forgetHere(tab: Tab): Promise<void> {
  await tab.context.clearCookies({ domain: 'localhost' })
}
