// The demo's pages. Whatever is put into `html` is escaped, unless it is `html` itself.

const raw = Symbol('markup')

type Markup = { readonly [raw]: string }

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

type Part = Markup | Part[] | string | number | undefined

function render(part: Part): string {
  if (Array.isArray(part)) return part.map(render).join('')
  if (typeof part === 'object') return part[raw]
  return String(part ?? '').replace(/[&<>"']/g, character => entities[character] ?? '')
}

function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return { [raw]: String.raw({ raw: strings }, ...parts.map(render)) }
}

function page(title: string, content: Markup): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title === 'Demo app' ? title : `${title} - Demo app`}</title>
<link rel="stylesheet" href="/demo.css">
</head>
<body>
<header><a href="/">Demo app</a></header>
<main>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`[raw]
}

/** A page that says one thing and shows the way on. */
export function notice(title: string, text: string, way: { href: string; text: string }): string {
  return page(title, html`<p>${text}</p>\n<p><a class="button" href="${way.href}">${way.text}</a></p>`)
}

const shown: [claim: string, meaning: string][] = [
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
  if (Array.isArray(content)) return html`${content.map(String).join(', ')}`
  return html`${typeof content === 'object' ? JSON.stringify(content) : String(content)}`
}

/** The start page: the claims of who is logged in, or the way to log in. */
export function home(claims: Record<string, unknown> | undefined): string {
  if (claims === undefined)
    return page(
      'Demo app',
      html`<p>This app has no passwords. It sends you to the identity provider, which tells it who you are and how that
was verified.</p>
<p><a class="button" href="/login">Log in</a></p>`,
    )
  const rows = shown.map(
    ([claim, meaning]) => html`<tr><th scope="row">${claim}</th><td>${value(claim, claims[claim])}</td>
<td class="meaning">${meaning}</td></tr>
`,
  )
  return page(
    'You are logged in',
    html`<table>
<caption>What the identity provider told this app</caption>
<thead><tr><th scope="col">Claim</th><th scope="col">Value</th><th scope="col" class="meaning">What it says</th></tr></thead>
<tbody>
${rows}</tbody>
</table>
<form method="post" action="/logout"><button class="button">Log out</button></form>
<p><a href="/login/second-factor">Log in again with a fresh second factor</a></p>`,
  )
}
