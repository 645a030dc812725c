// When the provider must ask somebody something. Runs inside the library, at every authorization request and again
// when an interaction is resumed. Decides on the session's facts alone; what the library keeps in its session (acr,
// amr, loginTs) is ours for show. The library's own checks of acr and max_age are taken out: they compare strings,
// loop, and pass whatever comes fresh from an interaction.

import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { detailsOf, isAction, type RequestedAction } from '../actions/requested.ts'
import { demandOf, lacking, reached, type Shown } from '../actions/rules.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { touchLogin } from '../store/accounts/accounts.ts'
import { auditRow } from '../store/audit/audit.ts'
import { cachedSession } from '../store/oidc/adapter.ts'
import type { ClientMetadata } from '../store/oidc/clients.ts'
import { keepFact } from '../store/sessions/session-facts.ts'
import { linkIdentity } from '../store/sso/identities.ts'
import type { Write } from '../store/statement.ts'
import { unit } from '../store/unit-of-work.ts'
import { type ClientDefaults, readAsked, type ScopeRules, startsFromNothing, subjectOf } from './asked.ts'
import { amrOf, type Fact, mergeFacts, type Verdict } from './assurance.ts'
import { recordOutside } from './outside.ts'
import type { StoredResult } from './progress.ts'
import { requestedAction } from './requested-action.ts'
import { isOutside, judgeAccount, secondFactorDue, ssoDue } from './visit.ts'
import { tellLinked } from './ways/sso.ts'

const { Check, Prompt, base } = interactionPolicy

/** What a client is registered with, of what {@link readAsked} reads. */
export function clientDefaults(metadata: ClientMetadata | undefined): ClientDefaults {
  const values = metadata?.default_acr_values
  const minimum = metadata?.minimum_acr
  return {
    defaultAcrValues: Array.isArray(values) ? values.map(String) : undefined,
    minimumAcr: typeof minimum === 'string' ? minimum : undefined,
    scopeRules: metadata?.scope_rules as ScopeRules | undefined,
  }
}

/**
 * A policy with our checks in its login prompt and step_up behind it: login, step_up, consent.
 *
 * @param host prompts of the plugin's host; default: the library's own
 */
export function joinPolicy(
  services: Services,
  host: readonly interactionPolicy.Prompt[] = base(),
): interactionPolicy.DefaultPolicy {
  const policy = base()
  policy.clear()
  for (const prompt of host) policy.add(prompt)
  const login = policy.get('login')
  if (login === undefined) throw new Error('oidc-provider has no login prompt')
  for (const reason of ['max_age', 'essential_acr', 'essential_acrs']) login.checks.remove(reason)

  login.checks.add(
    new Check('acr_unknown', 'no requested acr is known', 'unmet_authentication_requirements', async ctx => {
      const verdict = await judgeRequest(services, ctx, [])
      if (verdict.outcome === 'unmet') {
        throw unmet('none of the requested acr values is supported')
      }
      return false
    }),
    0,
  )
  login.checks.add(
    new Check('other_user', 'another user logged in than the one asked for', 'login_required', ctx => {
      // The library checks the hint at the first request only, and asks again without end for the claim's subject.
      if (isOtherUser(ctx)) throw new errors.LoginRequired('another user logged in than the one asked for')
      return false
    }),
    0,
  )
  login.checks.add(
    new Check('account_gone', 'the account is gone', 'login_required', async ctx => {
      const { accountId } = ctx.oidc.session ?? {}
      return accountId !== undefined && (await services.accounts.find(accountId))?.status !== 'active'
    }),
  )
  login.checks.add(
    new Check('address_refused', 'the user may not log in from this address', 'access_denied', async ctx => {
      const account = await accountOf(services, ctx)
      if (account === undefined || !isOutside(account, ctx.ip)) return false
      // Where nobody is asked, there is no page that would tell of it.
      if (ctx.oidc.prompts.has('none')) {
        const clientId = String(ctx.oidc.params?.client_id)
        await recordOutside(services, { account, address: ctx.ip, clientId, interaction: undefined })
      }
      return true
    }),
  )
  login.checks.add(
    new Check('sso_due', 'the user logs in by their identity provider', 'login_required', async ctx => {
      const account = await accountOf(services, ctx)
      return account !== undefined && ssoDue(services, account, heldFacts(ctx))
    }),
  )
  login.checks.add(
    new Check('second_factor_due', 'two-factor authentication is due', 'interaction_required', async ctx => {
      const account = await accountOf(services, ctx)
      return account !== undefined && secondFactorDue(account, heldFacts(ctx), services.clock())
    }),
  )

  // The library's asks for whatever details there are; an action of a first-party app is confirmed, and that is all.
  const consent = policy.get('consent')
  if (consent?.checks.some(each => each.reason === 'rar_prompt')) {
    consent.checks.remove('rar_prompt')
    consent.checks.add(
      new Check(
        'rar_prompt',
        'authorization_details were requested',
        'consent_required',
        async ({ oidc }) => {
          const { params, result, client } = oidc
          if (params?.authorization_details === undefined || result?.consent !== undefined) return false
          if (!detailsOf(params.authorization_details)?.some(isAction)) return true
          return (await services.clients.find(String(client?.clientId)))?.firstParty !== true
        },
        ({ oidc }) => ({ rar: JSON.parse(String(oidc.params?.authorization_details)) }),
      ),
    )
  }

  policy.add(
    new Prompt(
      { name: 'step_up', requestable: false },
      new Check(
        'acr_not_met',
        'the requested acr is not met',
        'unmet_authentication_requirements',
        async ctx => {
          const verdict = await judgeRequest(services, ctx, heldFacts(ctx), { ignoreMaxAge: true })
          return verdict.outcome !== 'met'
        },
      ),
      new Check('max_age_passed', 'the authentication is older than max_age', 'login_required', async ctx => {
        const held = heldFacts(ctx)
        const verdict = await judgeRequest(services, ctx, held)
        if (verdict.outcome === 'met') state(ctx, held, verdict)
        return verdict.outcome !== 'met'
      }),
      new Check('action_due', 'the action is not confirmed', 'interaction_required', async ctx => {
        const demand = await demandIn(services, ctx)
        return demand !== undefined && lacking(demand, actionShown(ctx)) !== undefined
      }),
    ),
    policy.indexOf(login) + 1,
  )
  return policy
}

/** After a login or a step-up was resumed: keeps what was proven with the session, and records it. */
export function keepResumed(services: Services, ctx: KoaContextWithOIDC): void {
  const result = ctx.oidc.result as StoredResult | undefined
  const { session } = ctx.oidc
  const accountId = result?.login?.accountId
  if (session?.accountId === undefined || accountId !== session.accountId) return
  const now = services.clock()
  const account = unit().cache.get(`account:${accountId}`) as Account | undefined
  const facts = result?.progress?.facts ?? []
  for (const fact of facts) {
    if (fact.factor !== 'mail') unit().add(keepFact(session.uid, accountId, fact))
  }
  const sso = facts.find(each => each.factor === 'sso')
  const { linking } = result?.progress ?? {}
  if (linking !== undefined && sso?.credentialId !== undefined && account !== undefined) {
    const identity = { connectionId: sso.credentialId, subject: linking.subject }
    unit().add(
      // Where they stand is said by what is here; by the provider's word from the next login on.
      linkIdentity(identity, account, null, now),
      ssoLinked(ctx, account, linking.provider, now),
      tellLinked(services.keyring, account, linking.provider, ctx.ip, now),
    )
  }
  const stepUp = result?.step_up !== undefined
  unit().add(
    auditRow(
      {
        event: stepUp ? 'step_up' : 'login',
        organisationId: account?.organisationId,
        accountId,
        address: ctx.ip,
        interaction: ctx.oidc.entities.Interaction?.cid,
        details: {
          client: String(ctx.oidc.params?.client_id),
          factors: facts.map(each => each.factor),
          ...(sso === undefined ? {} : { sso: sso.kind }),
        },
      },
      now,
    ),
  )
  if (!stepUp) unit().add(touchLogin(accountId, now))
}

function ssoLinked(ctx: KoaContextWithOIDC, account: Account, connection: string, now: number): Write {
  return auditRow(
    {
      event: 'sso.linked',
      organisationId: account.organisationId,
      accountId: account.id,
      address: ctx.ip,
      interaction: ctx.oidc.entities.Interaction?.cid,
      details: { client: String(ctx.oidc.params?.client_id), connection },
    },
    now,
  )
}

/**
 * Whether somebody logged in just now who is not whom the app asked for, by `id_token_hint` or the claim `sub` (OpenID
 * Connect Core sections 3.1.2.1 and 5.5.1). The library has verified the hint when it came. A pairwise subject is not
 * an account's id, so it says nothing here.
 */
function isOtherUser({ oidc }: KoaContextWithOIDC): boolean {
  const { session, params, result, client } = oidc
  if (session?.accountId === undefined || result?.login === undefined) return false
  if (client?.subjectType === 'pairwise') return false
  const hint = typeof params?.id_token_hint === 'string' ? subjectOf(params.id_token_hint) : undefined
  const claim: unknown = oidc.claims.id_token?.sub?.value
  return [hint, claim].some(each => each !== undefined && each !== session.accountId)
}

/** The action that this request asks to have confirmed. @throws errors.InvalidAuthorizationDetails if it is gone */
export async function actionOf(
  services: Services,
  ctx: KoaContextWithOIDC,
): Promise<RequestedAction | undefined> {
  const account = await accountOf(services, ctx)
  const read = await requestedAction(services, ctx.oidc.params ?? {}, account?.organisationId)
  if (read?.ok === false) throw new errors.InvalidAuthorizationDetails(read.fault)
  return read?.action
}

/** What this session's user has shown of what an action's rule demands. */
export function actionShown(ctx: KoaContextWithOIDC): Shown {
  const submitted = submittedBy(ctx)
  return {
    verified: submitted?.progress?.facts ?? [],
    held: heldFacts(ctx),
    confirmed: submitted?.progress?.choices.confirmed,
  }
}

async function demandIn(services: Services, ctx: KoaContextWithOIDC) {
  const action = await actionOf(services, ctx)
  return action && demandOf(action.rule, action.hash, services.clock())
}

/** What the interaction of this request came to, if it is about the session's user. */
function submittedBy({ oidc: { session, result } }: KoaContextWithOIDC): StoredResult | undefined {
  const submitted = result as StoredResult | undefined
  return submitted?.login?.accountId === session?.accountId ? submitted : undefined
}

/** What this session's user has proven, as far as it counts for this request. */
function heldFacts(ctx: KoaContextWithOIDC): Fact[] {
  const { session, params } = ctx.oidc
  if (session?.accountId === undefined) return []
  const fresh = submittedBy(ctx)?.progress?.facts ?? []
  const stored = cachedSession(session.uid)
  const kept =
    params !== undefined && !startsFromNothing(params) && stored?.account?.id === session.accountId
      ? stored.facts
      : []
  return mergeFacts(kept, fresh)
}

async function accountOf(services: Services, ctx: KoaContextWithOIDC): Promise<Account | undefined> {
  const accountId = ctx.oidc.session?.accountId
  return accountId === undefined ? undefined : services.accounts.find(accountId)
}

async function judgeRequest(
  services: Services,
  ctx: KoaContextWithOIDC,
  facts: readonly Fact[],
  { ignoreMaxAge = false } = {},
): Promise<Verdict> {
  const account = await accountOf(services, ctx)
  const client = await services.clients.find(String(ctx.oidc.params?.client_id))
  const { acr, maxAge } = readAsked(ctx.oidc.params ?? {}, clientDefaults(client?.metadata))
  const asked = maxAge === undefined || ignoreMaxAge ? { acr } : { acr, maxAge }
  const demand = await demandIn(services, ctx)
  const shown = { verified: submittedBy(ctx)?.progress?.facts ?? [], held: facts }
  return judgeAccount(account, asked, facts, services.clock(), services.config.acrAliases, level =>
    demand === undefined ? true : reached(demand, level, shown),
  )
}

/** What the tokens of this request say, and of this request only. */
function state(ctx: KoaContextWithOIDC, held: readonly Fact[], verdict: Verdict & { outcome: 'met' }): void {
  Object.defineProperty(ctx.oidc, 'acr', { value: verdict.acr, configurable: true })
  Object.defineProperty(ctx.oidc, 'amr', { value: amrOf(held), configurable: true })
  Object.defineProperty(ctx.oidc.session, 'authTime', {
    value: () => Math.floor(verdict.authTime / 1000),
    configurable: true,
  })
}

function unmet(description: string): Error {
  return new errors.CustomOIDCProviderError('unmet_authentication_requirements', description)
}
