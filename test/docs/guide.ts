// The pages under docs/step-up, taken apart: each fenced block is a file, or an answer to compare with, and what is a
// file is run as its reader would run it.

import { type ChildProcess, spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/stage.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const pages = join(root, 'docs/step-up')
export const pageNames: readonly string[] = readdirSync(pages).filter(each => each.endsWith('.md'))
export const readPage = (page: string): string => readFileSync(join(pages, page), 'utf8')

export interface Block {
  readonly page: string
  readonly language: string
  /** Of a block whose first line is a comment with nothing but a path: that path. */
  readonly path: string | undefined
  readonly text: string
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string, ...languages: readonly string[]): readonly Block[] {
  return [...readPage(page).matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .map(([, language = '', text = '']) => ({
      page,
      language,
      path: /^(?:\/\/|#) ([\w./-]+\.\w+)\n/.exec(text)?.[1],
      text,
    }))
    .filter(each => languages.length === 0 || languages.includes(each.language))
}

export interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Without the last line break; undefined where none is shown. */
  readonly body: string | undefined
}

/** The answers that a page shows. */
export function answersOf(page: string): readonly Told[] {
  return blocksOf(page, 'http').map(({ text }) => {
    const [head = '', ...body] = text.split('\n\n')
    const [first = '', ...lines] = head.trim().split('\n')
    return {
      status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]),
      headers: Object.fromEntries(lines.map(each => each.split(/: (.*)/s).slice(0, 2))),
      body: body.length === 0 ? undefined : body.join('\n\n').trim(),
    }
  })
}

/** What can be compared of an answer with what a page shows. */
export async function asTold(answer: Response, { headers, body }: Told): Promise<Told> {
  return {
    status: answer.status,
    headers: Object.fromEntries(Object.keys(headers).map(each => [each, answer.headers.get(each) ?? ''])),
    body: body === undefined ? undefined : (await answer.text()).trim(),
  }
}

export interface Workshop {
  /** Where the files of a page are. */
  folder(page: string): string
  /** Writes the files of a page, and others beside them. */
  lay(page: string, others?: Readonly<Record<string, string>>): string
  /** Starts a file of a page, and waits until it takes requests. */
  start(page: string, file: string, env?: Readonly<Record<string, string>>): Promise<{ origin: string }>
  /** Says that a file of a page is run otherwise. */
  note(page: string, file: string): void
  close(): void
}

/** What an app of a reader's has installed, by the name that it is known by. */
const INSTALLED: Readonly<Record<string, string>> = {
  '@hono/node-server': '@hono/node-server',
  '@koa/bodyparser': '@koa/bodyparser',
  '@koa/router': 'koa-router',
  '@sallyport/step-up': '@sallyport/step-up',
  express: 'express',
  fastify: 'fastify',
  hono: 'hono',
  koa: 'koa',
  pg: 'pg',
}

/** @param ran is told `page file` of all that is run */
export function openWorkshop(ran: Set<string>): Workshop {
  const base = mkdtempSync(join(tmpdir(), 'sallyport-guides-'))
  for (const [name, actual] of Object.entries(INSTALLED)) {
    mkdirSync(dirname(join(base, 'node_modules', name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', actual), join(base, 'node_modules', name))
  }
  const running: ChildProcess[] = []
  const folder = (page: string) => join(base, page.replace(/\.md$/, ''))
  return {
    folder,
    note: (page, file) => void ran.add(`${page} ${file}`),
    lay(page, others = {}) {
      const files = Object.fromEntries(blocksOf(page).map(({ path = '', text }) => [path, text]))
      for (const [name, text] of Object.entries({
        'package.json': '{"type":"module"}',
        ...files,
        ...others,
      })) {
        if (name === '') continue
        mkdirSync(dirname(join(folder(page), name)), { recursive: true })
        writeFileSync(join(folder(page), name), text)
      }
      return folder(page)
    },
    async start(page, file, env = {}) {
      ran.add(`${page} ${file}`)
      const port = env.PORT ?? (await freePort())
      const child = spawn(process.execPath, [file], {
        cwd: folder(page),
        env: { PORT: String(port), ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      running.push(child)
      let said = ''
      child.stderr.on('data', chunk => {
        said += chunk
      })
      const origin = `http://localhost:${port}`
      for (let tries = 0; tries < 400; tries++) {
        if (child.exitCode !== null) break
        if (await fetch(origin).catch(() => undefined)) return { origin }
        await new Promise(resolve => setTimeout(resolve, 25))
      }
      throw new Error(`${page}: ${file} does not start\n${said}`)
    },
    close() {
      for (const child of running) child.kill()
      rmSync(base, { recursive: true, force: true })
    },
  }
}
