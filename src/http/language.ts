// Which language a request is answered in: what the app asked for (`ui_locales`), else what the browser prefers
// (Accept-Language), else English. A translation is a file in `views/texts/`; nothing else needs to know of it. What
// speaks is one `Texts` for all, which finds the request's language by itself.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Middleware } from 'koa'
import { covers, type Texts } from '../texts.ts'

export interface Languages {
  /** In the language of the request that is being answered; outside of one, in the first language. */
  readonly texts: Texts
  /** Finds the language of each request. */
  readonly middleware: Middleware
  /** Prefers other languages for the rest of this request. @param wanted BCP 47 tags, as `ui_locales` has them */
  prefer(wanted: readonly string[]): void
}

/** @param all the catalogues, the first being the one for whoever prefers none of them */
export function createLanguages(all: readonly [Texts, ...Texts[]]): Languages {
  const [standard] = all
  const spoken = new AsyncLocalStorage<{ texts: Texts }>()
  const current = (): Texts => spoken.getStore()?.texts ?? standard

  /** The first wanted language that there is: exactly, or any of its regions. */
  const find = (wanted: readonly string[]): Texts | undefined =>
    wanted.map(tag => all.find(each => covers(each.locale, tag))).find(each => each !== undefined)

  return {
    texts: {
      get locale() {
        return current().locale
      },
      t: (key, values) => current().t(key, values),
      rich: (key, values) => current().rich(key, values),
      utc: time => current().utc(time),
      number: value => current().number(value),
    },
    middleware: (ctx, next) => spoken.run({ texts: find(ctx.acceptsLanguages()) ?? standard }, next),
    prefer(wanted) {
      const request = spoken.getStore()
      const found = find(wanted)
      if (request !== undefined && found !== undefined) request.texts = found
    },
  }
}
