// For developers who try this console: the claims of a login, and by what the API let a task through.

import { html, type Markup } from './html.ts'
import type { Result } from './tasks.ts'

const meanings: readonly (readonly [claim: string, meaning: string])[] = [
  ['sub', 'Who you are, for this app'],
  ['email', 'Your email address'],
  ['name', 'Your name'],
  ['acr', 'How strongly you were verified'],
  ['amr', 'By what you were verified'],
  ['auth_time', 'When that was'],
]

function value(claim: string, content: unknown): Markup {
  if (content === undefined) return html`<span class="none">not sent</span>`
  if (
    claim === 'auth_time' &&
    typeof content === 'number' &&
    Number.isFinite(new Date(content * 1000).getTime())
  ) {
    const iso = new Date(content * 1000).toISOString()
    return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`
  }
  if (Array.isArray(content) && content.every(each => typeof each === 'string'))
    return html`${content.join(', ')}`
  if (Array.isArray(content)) return html`<pre>[${content.map(shown).join(', ')}]</pre>`
  return html`${typeof content === 'object' ? JSON.stringify(content) : String(content)}`
}

/** JSON, one member a line. */
function shown(detail: object): string {
  const members = Object.entries(detail).map(
    ([name, each]) => `  ${JSON.stringify(name)}: ${JSON.stringify(each)}`,
  )
  return `{\n${members.join(',\n')}\n}`
}

/** Rows of a table: claim, value, meaning. */
export function claimRows(claims: Readonly<Record<string, unknown>>): Markup {
  return html`${meanings.map(
    ([claim, meaning]) => html`<tr><th scope="row">${claim}</th><td>${value(claim, claims[claim])}</td>
<td class="meaning">${meaning}</td></tr>
`,
  )}`
}

const wanted: Readonly<Record<string, string>> = {
  insufficient_user_authentication: 'a stronger or more recent authentication',
  insufficient_authorization: 'your confirmation of this very action',
}

/** How a task got through. */
export function story({ asked, answer: { proof = {} } }: Extract<Result, { kind: 'done' }>): Markup {
  const { authorization_details: details, ...authentication } = proof
  const steps = asked.map(
    error => html`<li>The API wanted ${wanted[error] ?? 'more'}: <code>${error}</code>.</li>\n`,
  )
  const claims = Object.entries({
    ...authentication,
    ...(details !== undefined && { authorization_details: details }),
  })
  return html`<details class="story" open>
<summary>What happened</summary>
<ol>
${steps}${
  asked.length === 0
    ? html`<li>The API wanted nothing more than your login. Its token says:</li>`
    : html`<li>Sallyport asked you, and gave this app a proof, for the API alone and for five minutes.</li>
<li>The API ${details === undefined ? 'took it' : 'took it, once'}. It says:</li>`
}
</ol>
<dl>
${claims.map(([claim, content]) => html`<div><dt>${claim}</dt><dd>${value(claim, content)}</dd></div>\n`)}</dl>
</details>
`
}
