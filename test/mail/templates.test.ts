import { expect } from 'chai'
import fc from 'fast-check'
import {
  createMailTemplates,
  expiryOf,
  type MailContents,
  type MailName,
  mailNames,
  NOTICES,
} from '../../src/mail/templates.ts'
import { createPaths } from '../../src/paths.ts'
import { createTexts } from '../../src/texts.ts'

const issuer = 'https://login.example.com'
const templates = createMailTemplates({ texts: createTexts(), issuer })
const at = Date.UTC(2026, 4, 14, 9, 31)
const deed = { name: 'Dana Whitlock', at, address: '203.0.113.9' }
const samples: MailContents = {
  invitation: { name: 'Dana', organisation: 'Acme', invitedBy: 'Eve Adams', token: 'tok-invitation', at },
  'password-reset': { ...deed, token: 'tok-reset' },
  unblock: { ...deed, token: 'tok-unblock' },
  'passwords-stopped': deed,
  code: { ...deed, code: '731946' },
  'authenticator-set-up': deed,
  'passkey-added': { ...deed, passkey: 'iCloud Keychain' },
  'passkey-upgraded': { ...deed, passkey: 'iCloud Keychain' },
  'passkey-removed': {
    name: deed.name,
    at: deed.at,
    passkey: 'iCloud Keychain',
    by: 'Priya Raman',
    last: true,
  },
  'passkey-refused': { ...deed, passkey: 'iCloud Keychain' },
  'own-passkey-removed': { ...deed, passkey: 'iCloud Keychain' },
  'passkey-renamed': { ...deed, passkey: 'Work phone', before: 'iCloud Keychain' },
  'recovery-code-used': deed,
  'recovery-code-made': deed,
  'password-changed': deed,
  'name-changed': { ...deed, newName: 'Dana Whitlock-Reyes' },
  'sso-linked': { ...deed, provider: 'Northgate Okta' },
  'account-locked': deed,
  'help-asked': { ...deed, user: 'Dana Whitlock', account: 'dana@northgate.example', userId: 'usr_1' },
  'support-case': {
    name: deed.name,
    account: 'dana@example.com',
    step: 'opened',
    at,
    stop: 'cas_1.stop',
    until: at + 86_400_000,
    address: deed.address,
  },
  'support-set-up': { name: deed.name, token: 'tok-set-up', stop: 'cas_1.stop', at },
  'support-case-ended': { name: deed.name, account: 'dana@example.com', why: 'stopped', at },
  'email-change': { token: 'tok-email-change', at },
  'email-change-ordered': { ...deed, newEmail: 'dana@new.example', token: 'tok-stop' },
  'email-changed': { ...deed, newEmail: 'dana@new.example', token: 'tok-stop' },
  'email-taken': { name: deed.name, at },
  'email-put-back': { ...deed, oldEmail: 'dana@old.example' },
  'second-factor-reset': { name: 'Dana Whitlock', at, by: 'Priya Raman', removePasskeys: true },
}
const show = (name: MailName, contents: Partial<Record<string, unknown>> = {}) =>
  templates.render(name, 'dana@example.com', { ...samples[name], ...contents } as MailContents[typeof name])
/** What an HTML mail says. */
const words = (html: string) =>
  html
    .replace(/<(style|title)[^>]*>.*?<\/\1>/gs, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
const links = (html: string) =>
  [...html.matchAll(/(?:href|src|url)\s*[=(]\s*["']?([^"')\s>]+)/g)].map(([, url]) => url)

describe('mails', () => {
  it('are all here', () => {
    expect(mailNames).to.have.members(Object.keys(samples))
  })

  for (const name of mailNames) {
    it(`${name}: reads only its declared locals, and says the same as text and as HTML`, () => {
      const { subject, text, html } = show(name)
      expect(subject).to.match(/^\S.{5,70}$/)
      for (const paragraph of text.split('\n-- \n')[0]?.split(/\n+/).filter(Boolean) ?? [])
        expect(words(html).replace(/ (?=[.”,])|(?<=“) /g, '')).to.contain(paragraph.replace(/:$/, '').trim())
      expect(html).to.contain('lang="en"').and.to.contain('color-scheme')
      expect(html).not.to.match(/<(img|script|link|table|form|iframe)\b/)
    })
  }

  for (const name of [
    'authenticator-set-up',
    'passkey-added',
    'own-passkey-removed',
    'passkey-renamed',
    'passkey-upgraded',
    'recovery-code-used',
    'recovery-code-made',
    'password-changed',
    'name-changed',
    'sso-linked',
  ] as const) {
    it(`${name}: says when, from which address, and what to do if it wasn’t you; it has no link`, () => {
      const { text, html } = show(name)
      for (const body of [text, words(html)]) {
        expect(body).to.contain('14 May 2026, 09:31 UTC').and.to.contain('203.0.113.9')
        expect(body).to.match(/It wasn’t you\? Act now: .*set a new password/)
      }
      expect(links(html)).to.be.empty
      expect(text).not.to.contain('://')
    })
  }

  it('say where the address is that they name, where that is known', () => {
    const places = {
      of: (address?: string | null) => (address === deed.address ? 'Bergen, Norway' : undefined),
    }
    const placed = createMailTemplates({ texts: createTexts(), issuer, places })
    const said = 'Place, worked out from the address: Bergen, Norway'
    for (const name of mailNames) {
      const contents = samples[name]
      const { text, html } = placed.render(name, 'dana@example.com', contents)
      const named = 'address' in contents
      for (const body of [text, words(html)]) expect(body.includes(said), name).to.equal(named)
      if (named) expect(text).to.include(`From address: ${deed.address}\n${said}\n\n`)
      expect(show(name).text, name).not.to.include('Place,')
    }
    const elsewhere = placed.render('password-changed', 'dana@example.com', { ...deed, address: '10.0.0.1' })
    expect(elsewhere.text).to.include('From address: 10.0.0.1\n\n')
  })

  for (const name of NOTICES) {
    it(`${name}: has a link to lock the account, for a week, where accounts can be locked`, () => {
      const { text, html } = templates.render(name, 'dana@example.com', samples[name], 'tok-lock')
      const link = `${issuer}/link/lock/tok-lock`
      expect(links(html)).to.deep.equal([link, link])
      expect(text)
        .to.contain(link)
        .and.to.contain('Lock my account')
        .and.to.contain('until 21 May 2026, 09:31 UTC')
    })
  }

  for (const step of ['opened', 'wait', 'first', 'link'] as const) {
    it(`support-case, at the step ${step}: has one link, which stops it as long as it is open`, () => {
      const { text, html } = show('support-case', { step, ...(step === 'opened' ? {} : { until: null }) })
      const link = `${issuer}/link/support-stop/cas_1.stop`
      expect(links(html)).to.deep.equal([link])
      expect(text).to.contain(`This wasn’t me:\n${link}`).and.to.contain('as long as it is open')
      expect(expiryOf('support-case', samples['support-case'])).to.equal(undefined)
    })
  }

  it('support-case, at an address of before: tells of the one of now, and how to put the old one back', () => {
    const account = 'thief@example.net'
    for (const [name, contents] of [
      ['support-case', { account }],
      ['support-case-ended', { account }],
    ] as const) {
      const { text } = show(name, contents)
      expect(text).to.contain(account).and.to.contain('because dana@example.com was the address')
      expect(text, 'it logs in no more').not.to.contain('Forgot password')
    }
  })

  it('support-set-up: has the link that works for a day, and the one that stops the case', () => {
    const { html } = show('support-set-up')
    const link = `${issuer}/link/support-set-up/tok-set-up`
    expect(links(html)).to.deep.equal([link, link, `${issuer}/link/support-stop/cas_1.stop`])
    expect(expiryOf('support-set-up', samples['support-set-up'])).to.equal(at + 24 * 60 * 60 * 1000)
  })

  it('support-case-ended: says why, and links nowhere', () => {
    const said = (['stopped', 'closed', 'logged_in', 'account_changed', 'expired'] as const).map(why => {
      const { text, html } = show('support-case-ended', { why })
      expect(links(html)).to.be.empty
      expect(text).to.contain('The case has changed nothing about your account')
      return text
    })
    expect(new Set(said).size).to.equal(5)
  })

  it('help-asked: leads an admin to the page of whoever asks', () => {
    expect(links(show('help-asked').html)).to.deep.equal([`${issuer}/admin/users/usr_1`])
  })

  for (const name of ['invitation', 'password-reset', 'unblock'] as const) {
    it(`${name}: has one link, as a button and in the clear, and says how long it works`, () => {
      const { text, html } = show(name)
      const link = `${issuer}/link/${name}/${samples[name].token}`
      expect(links(html)).to.deep.equal([link, link])
      expect(words(html)).to.contain(link)
      expect(text.split(link)).to.have.lengthOf(2)
      expect(text).to.match(/works once, until \d+ May 2026, \d\d:\d\d UTC/)
    })
  }

  it('say until when the link or code works: as long as the token does', () => {
    expect(expiryOf('password-reset', samples['password-reset'])).to.equal(at + 30 * 60_000)
    expect(expiryOf('code', samples.code)).to.equal(at + 10 * 60_000)
    expect(expiryOf('invitation', samples.invitation)).to.equal(at + 7 * 24 * 3_600_000)
    expect(expiryOf('password-changed', samples['password-changed'])).to.equal(undefined)
    expect(show('code').text).to.contain('until 14 May 2026, 09:41 UTC')
  })

  it('keep the code out of the subject, which lock screens show', () => {
    expect(show('code').subject).not.to.contain('731946')
    expect(show('code').text).to.match(/^ {4}731946$/m)
  })

  it('name nobody as the inviter where the operator made the account', () => {
    expect(show('invitation', { invitedBy: null }).text).to.contain('Acme has made an account for you')
    expect(show('invitation', { invitedBy: null }).text).not.to.contain('null')
  })

  it('take the product’s name from the operator', () => {
    const own = createMailTemplates({ texts: createTexts(), issuer, product: 'Copperline' })
    const { text, html } = own.render('code', 'dana@example.com', samples.code)
    expect(text + html)
      .to.contain('Copperline')
      .and.not.to.contain('Sallyport')
  })

  it('link poisoning: a link is of the configured origin, whatever the token', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), token => {
        const link = new URL(createPaths(`${issuer}/some/path`).link('unblock', token.toWellFormed()))
        expect(link.origin).to.equal(issuer)
        expect(link.pathname).to.match(/^\/some\/path\/link\/unblock\//)
      }),
    )
    for (const token of ['..', '../../x', '//evil.example', '\\\\evil.example', '@evil.example', '?x', '#x'])
      expect(new URL(createPaths(issuer).link('unblock', token)).host, token).to.equal('login.example.com')
  })

  it('markup and line breaks in a name stay what they are: other people’s words', () => {
    const name = '<img src=x onerror=alert(1)> & "Co"\r\n\r\nUnblock:\nhttps://evil.example/\u202e'
    for (const template of mailNames) {
      const contents = { name, organisation: name, invitedBy: name, passkey: name }
      const { subject, text, html } = show(template, contents)
      expect(html).not.to.contain('<img')
      expect(html).to.contain('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;Co&quot; Unblock: https')
      expect(text).to.contain('<img src=x onerror=alert(1)> & "Co" Unblock: https')
      expect(subject).not.to.match(/[\r\n\u202e]/)
      expect(text.split('\n').filter(line => line.startsWith('https://evil'))).to.be.empty
    }
  })
})
