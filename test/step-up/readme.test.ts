// The package's page is true of the package: its example runs and answers as is shown, its tables say what the code says.

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import * as stepUp from '@sallyport/step-up'
import { expect } from 'chai'
import { refusal } from '../../src/step-up/errors.ts'
import { openAuthority } from './authority.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const source = (file: string) => readFileSync(join(root, 'src/step-up', file), 'utf8')
const page = source('README.md')
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text = '']) => ({
  language,
  text,
}))
const js = blocks.filter(each => each.language === 'js').map(each => each.text)
const [whole = ''] = js.filter(each => each.includes('app.listen('))

/** The cells of the rows between two marks, without head and rule. */
function rows(mark: string): string[][] {
  const text = new RegExp(`<!-- ${mark} -->\n(.*)\n<!-- /${mark} -->`, 's').exec(page)?.[1] ?? ''
  return text
    .split('\n')
    .slice(2)
    .map(line =>
      line
        .slice(1, -1)
        .split(' | ')
        .map(cell => cell.trim().replaceAll('`', '')),
    )
}

/** The members of an interface, as the source has them. */
function members(file: string, name: string): string[] {
  const body = new RegExp(`^export interface ${name}\\b.*?^}`, 'ms').exec(source(file))?.[0] ?? ''
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = '']) => member)
}

describe('the page of the package for apps', function () {
  this.timeout(60_000)
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'step-up-readme-'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('shows ten lines of Express, and the answer that they give', async () => {
    expect(
      whole
        .trim()
        .split('\n')
        .filter(each => each !== ''),
    ).to.have.length.at.most(10)
    const authority = await openAuthority()
    const program = whole
      .replace('https://id.example.com', authority.issuer)
      .replace('app.listen(3000)', "app.set('env', 'test')\nexport const server = app.listen(0, 'localhost')")
    writeFileSync(join(folder, 'app.mjs'), program)
    const { server } = (await import(pathToFileURL(join(folder, 'app.mjs')).href)) as { server: Server }
    try {
      if (!server.listening) await new Promise(resolve => server.once('listening', resolve))
      const answered = async (claims: Record<string, unknown>) => {
        const token = await authority.sign({ aud: 'https://api.example.com', ...claims })
        return new Promise<{ status: string; headers: NodeJS.Dict<string | string[]>; body: string }>(
          resolve => {
            const headers = {
              authorization: `Bearer ${token}`,
              'content-type': 'application/json',
              'content-length': '18',
            }
            const { port } = server.address() as AddressInfo
            request(
              { port, host: 'localhost', path: '/devices', method: 'DELETE', headers },
              async response => {
                let body = ''
                for await (const chunk of response) body += chunk
                const status = `HTTP/1.1 ${response.statusCode} ${response.statusMessage}`
                resolve({ status, headers: response.headers, body })
              },
            ).end('{"ids":["dev_17"]}')
          },
        )
      }
      const { status, headers } = await answered({})
      const [first, ...shown] = (blocks.find(each => each.language === 'http')?.text ?? '').trim().split('\n')
      expect(first).to.equal(status)
      expect(shown).to.have.length(3)
      for (const line of shown) {
        const [name = '', value] = line.split(/: (.*)/)
        expect(headers[name.toLowerCase()], name).to.equal(value)
      }
      const details = [{ type: 'protected_action', action: 'device.delete', objects: ['dev_17'] }]
      const { body } = await answered({ authorization_details: details })
      expect(body).to.equal('{"deleted":["dev_17"]}')
    } finally {
      server.close()
      server.closeAllConnections()
      await authority.close()
    }
  })

  it('shows nothing that does not fit together', async () => {
    const given = `
      import type { Hono } from 'hono'
      import type { Response as ExpressResponse } from 'express'
      import type { ProtectedApi, PendingStore } from '@sallyport/step-up'
      import type { StepUpChallenge } from '@sallyport/step-up/browser'
      declare global {
        const api: ProtectedApi, hono: Hono, onPostgres: PendingStore
        const pool: { query(text: string, values: unknown[]): Promise<{ rows: unknown[] }> }
        const sqlite: { prepare(text: string): { all(...values: unknown[]): unknown[] } }
        const response: Response, body: string, headers: Record<string, string>
        const req: { originalUrl: string; session: { id: string; user: string } }, res: ExpressResponse
        function confirmInAWindow(challenge: StepUpChallenge): Promise<string | undefined | false>
      }
    `
    writeFileSync(join(folder, 'given.d.mts'), given)
    // The whole program is run above.
    const files = js
      .filter(each => each !== whole)
      .map((text, index) => {
        writeFileSync(join(folder, `example-${index}.mjs`), text)
        return `example-${index}.mjs`
      })
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object
    }
    const loose = {
      types: ['node'],
      allowJs: true,
      checkJs: true,
      noImplicitAny: false,
    }
    const options = { ...compilerOptions, ...loose, exactOptionalPropertyTypes: false }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: [...files, 'given.d.mts'] }),
    )
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch(
      (error: unknown) => error as { stdout: string },
    )
    expect(stdout).to.equal('')
  })

  it('tells every option', () => {
    const api = rows('api options').flatMap(([name = '']) => name.split(', '))
    const known = [...members('api.ts', 'ProtectedApiOptions'), ...members('provider.ts', 'ProviderOptions')]
    expect(api.toSorted()).to.deep.equal(known.toSorted())
    const route = rows('route options').map(([name = '']) => name)
    expect(route.toSorted()).to.deep.equal(members('guard.ts', 'StepUpOptions').toSorted())
  })

  it('tells every error', () => {
    const made = [
      refusal([], {}),
      ...Object.values(stepUp.ERROR).map(error => refusal([{ error }], {})),
      new stepUp.UnavailableError('x'),
    ]
    const known = made.map(({ name, status, code }) => [name, String(status), code])
    expect(rows('errors').map(cells => cells.slice(0, 3))).to.have.deep.members(known)
    const classes = Object.keys(stepUp).filter(each => each.endsWith('Error') && each !== 'StepUpError')
    expect(known.map(([name]) => name)).to.have.members(classes)
  })
})
