// Whose a login at an upstream is: pure decisions, each refusal by name.

import { expect } from 'chai'
import { decideLink, type LinkFacts, roleOf } from '../../src/sso/link.ts'
import type { Account } from '../../src/store/accounts/accounts.ts'

const ORGANISATION = 'org_1'

const account = (change: Partial<Account> = {}): Account => ({
  id: 'usr_1',
  organisationId: ORGANISATION,
  email: 'dana@heron.example',
  name: 'Dana',
  role: 'technician',
  status: 'active',
  passwordHash: 'hash',
  mailboxProvenAt: 1,
  epoch: 0,
  secondFactorResetAt: null,
  passkeyOfferAfter: null,
  subscribedAt: 0,
  accessList: '',
  sessionPolicy: undefined,
  authenticator: undefined,
  recoveryCode: undefined,
  passkeys: 0,
  breakGlass: false,
  ssoOnly: false,
  ...change,
})

const facts = ({ answer, connection, ...change }: Partial<LinkFacts> = {}): LinkFacts => ({
  answer: { email: 'dana@heron.example', emailVerified: true, name: 'Dana', groups: [], ...answer },
  connection: { organisationId: ORGANISATION, createsUsers: false, adminGroups: [], ...connection },
  linked: undefined,
  byEmail: undefined,
  domain: 'ours',
  ...change,
})
const creates = { organisationId: ORGANISATION, createsUsers: true, adminGroups: [] }
const unverified = { email: 'dana@heron.example', emailVerified: false, name: 'Dana', groups: [] }

describe('whose a login at an upstream is', () => {
  it('is of the account that is linked to the subject, whatever address comes with it', () => {
    const linked = account()
    const other = account({ id: 'usr_2' })
    expect(decideLink(facts({ linked, byEmail: other }))).to.deep.equal({ kind: 'known', account: linked })
    expect(decideLink(facts({ linked, domain: 'not_proven', answer: unverified }))).to.include({
      kind: 'known',
    })
  })

  it('links once by a verified address of a proven domain, to an account of the organisation', () => {
    expect(decideLink(facts({ byEmail: account() }))).to.include({ kind: 'link', claim: false })
    // SAML has no word for it.
    const byEmail = account()
    const silent = { ...unverified, emailVerified: undefined }
    expect(decideLink(facts({ byEmail, answer: silent }))).to.include({ kind: 'link' })
  })

  it('X1: wants proof by an existing login where the upstream does not say that the mailbox is the user’s', () => {
    expect(decideLink(facts({ byEmail: account(), answer: unverified }))).to.include({ kind: 'prove' })
  })

  it('X2: claims an account whose mailbox nobody has proven, so that nothing of a stranger’s stays', () => {
    for (const status of ['active', 'invited'] as const) {
      const byEmail = account({ mailboxProvenAt: null, status })
      expect(decideLink(facts({ byEmail }))).to.include({ kind: 'link', claim: true })
      expect(decideLink(facts({ byEmail, answer: unverified })), 'nor is it proven here').to.deep.equal({
        kind: 'refused',
        reason: 'no_account',
      })
    }
  })

  it('makes an account only where the connection says so, and the mailbox is the user’s', () => {
    expect(decideLink(facts())).to.deep.equal({ kind: 'refused', reason: 'no_account' })
    expect(decideLink(facts({ connection: creates }))).to.deep.equal({
      kind: 'create',
      email: 'dana@heron.example',
      name: 'Dana',
    })
    expect(decideLink(facts({ connection: creates, answer: unverified }))).to.include({ kind: 'refused' })
  })

  const refusals: [string, Partial<LinkFacts>][] = [
    ['no_email', { answer: { ...unverified, email: undefined } }],
    ['domain_not_proven', { domain: 'not_proven', byEmail: account(), connection: creates }],
    ['other_connection', { domain: 'of_another_connection', byEmail: account(), connection: creates }],
    ['other_organisation', { byEmail: account({ organisationId: 'org_2' }), connection: creates }],
    ['other_organisation', { byEmail: account({ organisationId: null, role: 'support' }) }],
    ['other_organisation', { linked: account({ organisationId: 'org_2' }) }],
    ['not_active', { linked: account({ status: 'deactivated' }) }],
    ['not_active', { linked: account({ status: 'locked' }) }],
    ['not_active', { byEmail: account({ status: 'locked' }) }],
    ['not_active', { byEmail: account({ status: 'deactivated', mailboxProvenAt: null }) }],
  ]
  for (const [reason, change] of refusals) {
    it(`refuses ${reason}: ${JSON.stringify(Object.keys(change))}`, () => {
      expect(decideLink(facts(change))).to.deep.equal({ kind: 'refused', reason })
    })
  }
})

describe('the role that groups give', () => {
  it('is none where the connection names no groups, else admin for their members and technician for the rest', () => {
    const connection = { adminGroups: ['it-admins'] }
    expect(roleOf({ groups: ['it-admins'] }, { adminGroups: [] })).to.equal(undefined)
    expect(roleOf({ groups: ['staff', 'it-admins'] }, connection)).to.equal('admin')
    expect(roleOf({ groups: ['IT-ADMINS'] }, connection)).to.equal('technician')
    expect(roleOf({ groups: [] }, connection)).to.equal('technician')
    expect(roleOf({ groups: undefined }, connection), 'left out').to.equal(undefined)
  })
})
