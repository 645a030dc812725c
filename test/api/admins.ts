// An app of the vendor's that its customers' admins act in: it has tokens of theirs for the API.

import { expect } from 'chai'
import { ADMIN_SCOPES } from '../../src/store/oidc/own-api.ts'
import { type Member, membersOf } from '../admin/member.ts'
import type { Stage } from '../support/stage.ts'
import { type RelyingParty, relyingParty } from '../support/visitor.ts'

export interface AdminApp {
  readonly party: RelyingParty
  /** Somebody with both factors, who has just proven them. */
  member(options?: Parameters<Stage['person']>[0]): Promise<Member>
  /** A token of theirs, by the session that their browser has. */
  tokenOf(member: Member, params?: Record<string, string>): Promise<string>
  /** Proves the second factor anew. */
  prove(member: Member): Promise<void>
}

export async function openAdminApp(
  stage: Stage,
  scopes: readonly string[] = ADMIN_SCOPES,
): Promise<AdminApp> {
  const party = await relyingParty(stage, {
    metadata: { scope: ['openid', 'offline_access', 'email', 'profile', ...scopes].join(' ') },
  })
  const members = membersOf(stage)
  return {
    party,
    member: options => members.enrolled(options),
    async tokenOf({ by }, params = {}) {
      const begun = await party.begin({
        scope: ['openid', ...scopes].join(' '),
        resource: `${stage.origin}/api`,
        ...params,
      })
      const { url } = await by.follow(begun.url)
      expect(url).to.match(/[?&]code=/)
      return (await party.finish(begun, url)).access_token
    },
    async prove(member) {
      const { url } = await party.begin({ acr_values: 'urn:sallyport:acr:2fa', max_age: '1' })
      stage.advance(30_000)
      await members.prove(member, await member.by.follow(url))
    },
  }
}
