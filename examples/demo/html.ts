// Markup by tagged templates. Whatever is put into `html` is escaped, unless it is `html` itself.

const raw = Symbol('markup')

export type Markup = { readonly [raw]: string }

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

export function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return { [raw]: String.raw({ raw: strings }, ...parts.map(render)) }
}

/** The text of a whole document. */
export function document(markup: Markup): string {
  return markup[raw].trimStart()
}
