// The console's pages. They work without script, and every text that comes from elsewhere is escaped.

import { SCRIPTS } from './devices.ts'
import { document, html, type Markup } from './html.ts'
import type { User } from './login.ts'
import { claimRows, story } from './proof.ts'
import { doneWords, type Result, type ShownDevice, undoneWords } from './tasks.ts'

const NAME = 'Fleetdesk'

function page(title: string, content: Markup, { user, wide = false }: { user?: User; wide?: boolean } = {}) {
  const menu = html`<nav aria-label="You">
<span class="who">${String(user?.claims.email ?? '')}</span>
<a href="/account">Your login</a>
<form method="post" action="/logout"><button class="quiet">Log out</button></form>
</nav>`
  return document(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title === NAME ? title : `${title} - ${NAME}`}</title>
<link rel="stylesheet" href="/demo.css">
</head>
<body>
<header><a class="brand" href="/"><svg viewBox="0 0 24 24" aria-hidden="true"><rect x="2" y="3" width="20" height="5" rx="2"/>
<rect x="2" y="10" width="14" height="5" rx="2"/><rect x="2" y="17" width="8" height="5" rx="2"/></svg>${NAME}</a>
${user === undefined ? html`` : menu}</header>
${wide ? html`<main>` : html`<main class="narrow">`}
${content}
</main>
</body>
</html>
`)
}

/** A page that says one thing and shows the way on. */
export function notice(title: string, text: string, way: { href: string; text: string }): string {
  return page(
    title,
    html`<h1>${title}</h1>
<p>${text}</p>
<p><a class="button primary" href="${way.href}">${way.text}</a></p>`,
  )
}

export function welcomePage(): string {
  return page(
    NAME,
    html`<h1>${NAME}</h1>
<p>A demo of a device console. It has no passwords: Sallyport tells it who you are and how that was verified, and asks
you again before something that matters.</p>
<p><a class="button primary" href="/login">Log in</a></p>`,
  )
}

export function devicesPage(user: User, devices: readonly ShownDevice[], above: Markup = html``): string {
  const sites = [...new Set(devices.map(each => each.site))]
  return page(
    'Devices',
    html`<h1>Devices</h1>
${above}
${
  sites.length === 0
    ? html`<p>No devices are left.</p>`
    : sites.map(site =>
        siteForm(
          site,
          devices.filter(each => each.site === site),
        ),
      )
}
<form class="aside" method="post" action="/restore"><button class="quiet">Put the sample devices back</button></form>`,
    { user, wide: true },
  )
}

function siteForm(site: string, devices: readonly ShownDevice[]): Markup {
  const rows = devices.map(
    ({ id, name, system, online }) => html`<tr>
<td class="tick"><label><input type="checkbox" name="id" value="${id}"><span class="sr">Choose ${name}</span></label></td>
<th scope="row"><a href="/devices/${encodeURIComponent(id)}">${name}</a><small>${id}</small></th>
<td class="system">${system}</td>
<td><span class="badge ${online ? 'on' : 'off'}">${online ? 'Online' : 'Offline'}</span></td>
</tr>
`,
  )
  return html`<form class="card" method="post" action="/delete">
<table>
<caption>${site}</caption>
<thead><tr><td></td><th scope="col">Device</th><th scope="col" class="system">System</th><th scope="col" class="state">State</th></tr></thead>
<tbody>
${rows}</tbody>
</table>
<p class="bar"><button class="danger">Delete selected<span class="sr"> devices at ${site}</span></button>
<span class="hint">You confirm every time, exactly these devices.</span></p>
</form>
`
}

export function devicePage(user: User, device: ShownDevice): string {
  const { id, name, site, system } = device
  const base = `/devices/${encodeURIComponent(id)}`
  const scripts = Object.entries(SCRIPTS).map(
    ([value, title]) => html`<option value="${value}">${title}</option>`,
  )
  return page(
    name,
    html`<p class="crumbs"><a href="/">Devices</a></p>
<h1>${name}</h1>
<p class="lead">${id}, ${system}, at ${site}</p>
<form class="card" method="post" action="${base}/rename">
<h2><label for="name">Name</label></h2>
<p class="hint" id="name-hint">Asks for nothing more than your login.</p>
<p class="bar"><input id="name" name="name" value="${name}" maxlength="60" required aria-describedby="name-hint" autocomplete="off">
<button>Rename</button></p>
</form>
<form class="card" method="post" action="${base}/script">
<h2><label for="script">Script</label></h2>
<p class="hint" id="script-hint">Asks for two factors, the second within the last 5 minutes.</p>
<p class="bar"><select id="script" name="script" aria-describedby="script-hint">${scripts}</select> <button>Run</button></p>
</form>
<form class="card" method="post" action="${base}/password">
<h2>Administrator password</h2>
<p class="hint">Asks for a passkey, every time.</p>
<p class="bar"><button>Show password</button></p>
</form>`,
    { user, wide: true },
  )
}

/** What became of a task. */
export function resultPage(user: User, result: Result, devices: readonly ShownDevice[]): string {
  if (result.kind === 'done') {
    const { password } = result.answer
    const box = html`<div class="done" role="status">
<p class="words">${doneWords(result.task, result.answer)}</p>
${password === undefined ? html`` : html`<p><output>${password}</output></p><p class="hint">It is shown this once.</p>`}
</div>
${story(result)}`
    return devicesPage(user, devices, box)
  }
  const title = undoneWords[result.task.kind]
  const way = html`<p><a class="button primary" href="${result.task.page}">Back</a></p>`
  const why = { cancelled: html`<p>You chose Cancel, and everything is as it was.</p>`, unmet: unmet(user) }
  return page(
    title,
    html`<h1>${title}</h1>
${result.kind === 'refused' ? html`<p>${result.message}</p>` : why[result.kind]}
${way}`,
    { user },
  )
}

function unmet({ claims }: User): Markup {
  const add = new URL('/account/passkeys/new', String(claims.iss)).href
  return html`<p>This takes a passkey, and your account has none yet. A passkey is your fingerprint, your face or the screen
lock of your device, in place of a password and a code.</p>
<h2>How to get one</h2>
<ol>
<li>On a device with a fingerprint reader, face recognition or a screen lock, open <a href="${add}">Add a passkey</a> at
Sallyport, and choose <b>Continue</b>.</li>
<li>Come back and try this again.</li>
</ol>`
}

/** What the provider told the console about its user. */
export function accountPage(user: User): string {
  return page(
    'Your login',
    html`<h1>Your login</h1>
<div class="card">
<table class="claims">
<caption>What the identity provider told this app</caption>
<thead><tr><th scope="col">Claim</th><th scope="col">Value</th><th scope="col" class="meaning">What it says</th></tr></thead>
<tbody>
${claimRows(user.claims)}</tbody>
</table>
</div>
<p><a href="/login/second-factor">Log in again with a fresh second factor</a></p>`,
    { user, wide: true },
  )
}
