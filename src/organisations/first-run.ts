// The first organisation. While there is none, each start prints a link, good for an hour, that makes one with its
// admin; its subscription starts then. The link needs no storage: it is signed, and what it does can be done once. It
// goes to the terminal, past the logger, since who has it owns the server.

import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import Router from 'koa-router'
import { passwordRefusal } from '../account/password-refusal.ts'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { linkUsed } from '../http/link-used.ts'
import type { Services } from '../services.ts'
import { spend } from '../store/accounts/credentials.ts'
import { CommitRefused } from '../store/database.ts'
import { hasOrganisation } from '../store/organisations/organisations.ts'
import type { Texts } from '../texts.ts'
import { type Directory, foundOrganisation, InputError } from './directory.ts'
import { minimumPasswordLength } from './password-rule.ts'

const HOUR = 60 * 60 * 1000
const FIELDS = ['organisation', 'name', 'email', 'password'] as const
/** Set by the operator afterwards; free text. */
const FIRST_PLAN = 'Trial'

/** A link that makes the first organisation. @returns undefined if there is one already */
export async function firstRunLink({
  paths,
  database,
  keyring,
  clock,
}: Services): Promise<string | undefined> {
  if (await hasOrganisation(database)) return undefined
  const token = `${clock() + HOUR}.${randomBytes(16).toString('base64url')}`
  return paths.link('first-run', `${token}.${keyring.sign('link', `first-run ${token}`)}`)
}

export function firstRunRoutes(services: Services): Router {
  const { views, texts, config, paths, clock, keyring, database } = services
  const directory: Directory = {
    database,
    keyring,
    clock,
    actor: 'first-run link',
    productName: config.productName,
  }
  const gone = (ctx: Context) => linkUsed(services, ctx)
  const router = new Router()
  const path = '/link/first-run/:token'

  router.use(path, async (ctx, next) => {
    ctx.set('Referrer-Policy', 'no-referrer')
    await next()
  })

  router.get(path, async ctx => {
    if (!(await works(ctx.params.token))) return gone(ctx)
    form(ctx, 200, {})
  })

  router.post(path, async ctx => {
    requireSameOrigin(ctx, paths.origin)
    const posted = await readForm(ctx, FIELDS)
    if (!(await works(ctx.params.token))) return gone(ctx)
    const { organisation = '', name = '', email = '', password = '' } = posted
    try {
      const made = await foundOrganisation(
        directory,
        {
          organisation: { name: organisation, plan: FIRST_PLAN, subscribedAt: clock() },
          admin: { name, email, password },
        },
        [spend('first-run', 'organisation', Number.MAX_SAFE_INTEGER)],
      )
      ctx.type = 'html'
      ctx.body = views.render('first-run-done', {
        organisation: made.organisation.name,
        email: made.admin.email,
        ...(paths.account === undefined ? {} : { accountUrl: paths.account }),
      })
    } catch (error) {
      if (error instanceof CommitRefused) return gone(ctx)
      if (!(error instanceof InputError)) throw error
      form(ctx, 400, { values: { organisation, name, email }, errors: fieldErrors(texts, error, posted) })
    }
  })

  async function works(link: string | undefined): Promise<boolean> {
    const [expires, nonce, signature, ...rest] = (link ?? '').split('.')
    if (!signature || rest.length > 0 || !(Number(expires) > clock())) return false
    return (
      keyring.verify('link', `first-run ${expires}.${nonce}`, signature) && !(await hasOrganisation(database))
    )
  }

  function form(
    ctx: Context,
    status: number,
    filled: { values?: Record<string, string>; errors?: Record<string, string> },
  ): void {
    ctx.status = status
    ctx.type = 'html'
    ctx.body = views.render('first-run', {
      action: `${paths.base}${ctx.path}`,
      minimum: minimumPasswordLength(clock(), clock()),
      ...filled,
    })
  }

  return router
}

/** The field that cannot be taken, and why. */
function fieldErrors(
  texts: Texts,
  { field, why }: InputError,
  posted: Readonly<Record<string, string>>,
): Record<string, string> {
  const empty = (posted[field] ?? '').trim() === ''
  if (field === 'email') return { email: texts.t(empty ? 'email.error.missing' : 'email.error.malformed') }
  if (field === 'password') {
    const missing = empty || why === undefined || !('ok' in why)
    return { password: missing ? texts.t('newPassword.error.missing') : passwordRefusal(texts, why) }
  }
  const name = field === 'name' ? 'name' : 'organisation'
  if (why?.reason === 'longer_than') {
    return { [name]: texts.t('firstRun.error.tooLong', { maximum: why.maximum }) }
  }
  return { [name]: texts.t(`firstRun.error.${name}`) }
}
