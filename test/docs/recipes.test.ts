// The recipes in other languages, as far as this machine can run them: each decision is held to the table that the package
// is held to, and where a whole app can be had it is run against a real provider. What is not here is skipped, and says so.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkStepUp } from '@sallyport/step-up'
import { expect } from 'chai'
import { type Authority, confirmed, type Deed, openAuthority, SECRET } from '../step-up/authority.ts'
import { freePort } from '../support/stage.ts'
import { ACTION, decisions, errorsFor, NOW, REQUIREMENT } from './decisions.ts'
import { answersOf, asTold, blocksOf, openWorkshop, pageNames, readPage, type Workshop } from './guide.ts'

const run = promisify(execFile)
/** PYTHON may name one that has the packages of the recipe. */
const PYTHON = process.env.PYTHON ?? 'python3'
const works = (command: string, ...args: string[]) =>
  run(command, args).then(
    () => true,
    () => false,
  )
const headerOf = (errors: readonly string[]) => {
  const [page, index] = errors.length === 2 ? ['README.md', 0] : ['express.md', 1]
  return answersOf(page as string)[index as number]?.headers['WWW-Authenticate']
}
/** What a recipe is to say of the table: the errors, and the header where there are any. */
const expected = decisions.map(each => {
  const errors = errorsFor(each)
  return { name: each.name, errors, ...(errors.length > 0 && { header: headerOf(errors) }) }
})
const claims = decisions.map(each => each.claims)
/** Late in the second, which must not count. */
const table = JSON.stringify({ claims, action: ACTION, now: NOW + 0.9 })
interface Said {
  readonly errors: readonly string[]
  readonly header?: string
}
const named = (said: readonly Said[]) =>
  said.map((each, index) => ({ name: decisions[index]?.name, ...each }))

const DJANGO = `import sys
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["localhost"], ROOT_URLCONF="urls", SECRET_KEY="tests")
import django
django.setup()
from django.core.wsgi import get_wsgi_application
from wsgiref.simple_server import make_server
make_server("localhost", int(sys.argv[1]), get_wsgi_application()).serve_forever()
`
const URLS = `from django.urls import path
from views import devices
urlpatterns = [path("devices", devices)]
`

interface Recipe {
  readonly page: string
  /** Makes what there is to be made in the folder of the page. @returns the command, undefined where it cannot be had */
  command(folder: string, port: number): Promise<readonly [string, ...string[]] | undefined>
}

/** Where Debian puts the sources of Go packages. */
const GO_PACKAGES = '/usr/share/gocode'

const RECIPES: Readonly<Record<string, Recipe>> = {
  FastAPI: {
    page: 'python.md',
    async command(_, port) {
      if (!(await works(PYTHON, '-c', 'import jwt, cryptography, fastapi, uvicorn'))) return undefined
      return [PYTHON, '-m', 'uvicorn', 'main:app', '--port', String(port)]
    },
  },
  Django: {
    page: 'python.md',
    async command(folder, port) {
      if (!(await works(PYTHON, '-c', 'import jwt, cryptography, django'))) return undefined
      writeFileSync(join(folder, 'serve.py'), DJANGO)
      writeFileSync(join(folder, 'urls.py'), URLS)
      return [PYTHON, 'serve.py', String(port)]
    },
  },
  Go: {
    page: 'go.md',
    async command(folder) {
      if (!existsSync(join(GO_PACKAGES, 'src/github.com/coreos/go-oidc'))) return undefined
      if (!(await works('go', 'version'))) return undefined
      // Debian has its second version, which has the same names.
      const source = join(folder, 'gopath/src/recipe')
      mkdirSync(source, { recursive: true })
      for (const { path = '', text } of blocksOf('go.md', 'go')) {
        writeFileSync(join(source, path), text.replace('go-oidc/v3/oidc', 'go-oidc'))
      }
      const env = { ...process.env, GO111MODULE: 'off', GOPATH: `${join(folder, 'gopath')}:${GO_PACKAGES}` }
      await run('go', ['vet', '.'], { cwd: source, env })
      await run('go', ['build', '-o', join(folder, 'recipe'), '.'], { cwd: source, env })
      return [join(folder, 'recipe')]
    },
  },
}

describe('the recipes for other languages', function () {
  this.timeout(120_000)
  let workshop: Workshop

  before(() => {
    workshop = openWorkshop(new Set())
  })
  after(() => workshop?.close())

  it('are held to a table that the package agrees with', () => {
    for (const each of decisions) {
      const result = checkStepUp(each.claims, REQUIREMENT, NOW * 1000)
      const errors = result.ok ? [] : result.challenges.map(({ error }) => error)
      expect(errors, each.name).to.deep.equal(errorsFor(each))
    }
  })

  it('say which versions they were written for, and what they leave out', () => {
    for (const page of pageNames.filter(each => blocksOf(each, 'js').length === 0)) {
      expect(readPage(page), page)
        .to.match(/Written for .*\d/)
        .and.match(/^## What this leaves out$/m)
    }
  })

  describe('in Python', () => {
    let folder: string
    before(async function () {
      if (!(await works('python3', '--version'))) return this.skip()
      folder = workshop.lay('python.md')
    })

    it('decide as the package does, and answer the same header', async () => {
      writeFileSync(
        join(folder, 'table.py'),
        `import json, sys
from step_up import challenge, missing
given = json.load(open("table.json"))
said = []
for claims in given["claims"]:
    errors = missing(claims, given["action"], given["now"])
    said.append({"errors": errors, **({"header": challenge(errors, given["action"])} if errors else {})})
json.dump(said, sys.stdout)
`,
      )
      writeFileSync(join(folder, 'table.json'), table)
      const { stdout } = await run('python3', ['table.py'], { cwd: folder })
      expect(named(JSON.parse(stdout))).to.deep.equal(expected)
    })

    it('are Python, every one of them', async () => {
      const files = blocksOf('python.md', 'python').map(({ path = '' }) => path)
      expect(files).to.have.length(5).and.not.include('')
      await run('python3', ['-m', 'py_compile', ...files], { cwd: folder })
    })
  })

  describe('in Go', () => {
    it('decide as the package does, and answer the same header', async function () {
      if (!(await works('go', 'version'))) return this.skip()
      const folder = workshop.lay('go.md')
      writeFileSync(
        join(folder, 'table.go'),
        `package main
import ("encoding/json"; "os")
func main() {
	var given struct { Claims []map[string]any; Action Action; Now float64 }
	text, _ := os.ReadFile("table.json")
	if err := json.Unmarshal(text, &given); err != nil { panic(err) }
	said := []map[string]any{}
	for _, claims := range given.Claims {
		errors := missing(claims, given.Action, given.Now)
		one := map[string]any{"errors": []string{}}
		if len(errors) > 0 { one = map[string]any{"errors": errors, "header": challenge(errors, given.Action)} }
		said = append(said, one)
	}
	json.NewEncoder(os.Stdout).Encode(said)
}
`,
      )
      writeFileSync(join(folder, 'table.json'), table)
      const { stdout } = await run('go', ['run', 'stepup.go', 'table.go'], { cwd: folder })
      expect(named(JSON.parse(stdout))).to.deep.equal(expected)
    })

    it('are formatted as Go is', async function () {
      if (!(await works('go', 'version'))) return this.skip()
      const folder = workshop.lay('go.md')
      expect((await run('gofmt', ['-l', 'stepup.go', 'main.go'], { cwd: folder })).stdout).to.equal('')
    })
  })

  describe('in Java', () => {
    it('decide as the package does, and answer the same header', async function () {
      if (!(await works('javac', '-version'))) return this.skip()
      const folder = workshop.lay('spring.md')
      // Java reads no JSON by itself, so the table is written as Java.
      const literal = (value: unknown): string => {
        if (typeof value === 'string') return JSON.stringify(value)
        if (typeof value === 'number') return `${value}L`
        if (typeof value !== 'object' || value === null) return String(value)
        if (Array.isArray(value)) return `list(${value.map(each => `(Object) ${literal(each)}`).join(', ')})`
        return `map(${Object.entries(value)
          .map(([name, each]) => `${JSON.stringify(name)}, ${literal(each)}`)
          .join(', ')})`
      }
      writeFileSync(
        join(folder, 'Table.java'),
        `package com.example.api;
import java.util.*;
class Table {
  static List<Object> list(Object... all) { return new ArrayList<>(Arrays.asList(all)); }
  static Map<String, Object> map(Object... all) {
    Map<String, Object> map = new HashMap<>();
    for (int at = 0; at < all.length; at += 2) map.put((String) all[at], all[at + 1]);
    return map;
  }
  public static void main(String[] args) {
    StepUp.Action action = new StepUp.Action("device.delete", List.of("dev_17", "dev_23"));
    List<Map<String, Object>> table = new ArrayList<>();
    ${claims.map(each => `table.add(${literal(each)});`).join('\n    ')}
    for (Map<String, Object> each : table) {
      List<String> errors = StepUp.missing(each, action, ${NOW}L);
      System.out.println(String.join(",", errors) + "\\t" + (errors.isEmpty() ? "" : StepUp.challenge(errors, action)));
    }
  }
}
`,
      )
      await run('javac', ['-d', 'out', 'StepUp.java', 'Table.java'], { cwd: folder })
      const { stdout } = await run('java', ['-cp', 'out', 'com.example.api.Table'], { cwd: folder })
      const said = stdout
        .split('\n')
        .slice(0, -1)
        .map(line => {
          const [errors = '', header = ''] = line.split('\t')
          return { errors: errors === '' ? [] : errors.split(','), ...(header !== '' && { header }) }
        })
      expect(named(said)).to.deep.equal(expected)
    })

    it('are Java by their syntax, where Spring is not to be had', async function () {
      if (!(await works('javac', '-version'))) return this.skip()
      const folder = workshop.lay('spring.md')
      writeFileSync(
        join(folder, 'Syntax.java'),
        `import com.sun.source.util.JavacTask;
import javax.tools.*;
import java.io.File;
import java.util.*;
class Syntax {
  public static void main(String[] files) throws Exception {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null);
    DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
    ((JavacTask) compiler.getTask(null, manager, found, null, null, manager.getJavaFileObjects(files))).parse();
    for (Diagnostic<?> each : found.getDiagnostics()) System.out.println(each);
  }
}
`,
      )
      const files = blocksOf('spring.md', 'java').map(({ path = '' }) => path)
      expect(files).to.have.length(3).and.not.include('')
      expect((await run('java', ['Syntax.java', ...files], { cwd: folder })).stdout).to.equal('')
    })
  })

  describe('in Apache', () => {
    const MODULES = '/usr/lib/apache2/modules'
    const LOADED = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'auth_openidc']
    let authority: Authority
    let httpd: ChildProcess | undefined
    let origin: string

    before(async function () {
      if (!existsSync(join(MODULES, 'mod_auth_openidc.so'))) return this.skip()
      const port = await freePort()
      origin = `http://localhost:${port}`
      authority = await openAuthority([`${origin}/callback`])
      const folder = workshop.lay('apache.md', { 'www/index.html': 'home', 'www/admin/index.html': 'admin' })
      const root = process.getuid?.() === 0
      writeFileSync(
        join(folder, 'httpd.conf'),
        `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/log
Mutex posixsem
${root ? 'User www-data\nGroup www-data' : ''}
${LOADED.map(each => `LoadModule ${each}_module ${MODULES}/mod_${each}.so`).join('\n')}
DocumentRoot ${folder}/www
Include ${folder}/step-up.conf
`,
      )
      // Apache lays its rights down before it serves.
      chmodSync(join(folder, '..'), 0o755)
      const env = {
        ...process.env,
        ISSUER: authority.issuer,
        CLIENT_ID: 'console',
        CLIENT_SECRET: SECRET,
        REDIRECT_URI: `${origin}/callback`,
        PASSPHRASE: 'a text of some length for tests',
      }
      await run('apache2', ['-t', '-f', join(folder, 'httpd.conf')], { env })
      httpd = spawn('apache2', ['-D', 'FOREGROUND', '-f', join(folder, 'httpd.conf')], {
        env,
        stdio: 'ignore',
      })
      for (let tries = 0; tries < 200; tries++) {
        if (await fetch(origin, { redirect: 'manual' }).catch(() => undefined)) return
        await new Promise(resolve => setTimeout(resolve, 50))
      }
      throw new Error('Apache does not start')
    })
    after(async () => {
      httpd?.kill()
      await authority?.close()
    })

    it('a page that wants two factors sends its user to prove them, and shows itself then', async () => {
      const cookies = new Map<string, string>()
      // By fetch it would be a script's request, whatever headers it is given.
      const get = (url: string) =>
        new Promise<{ status: number | undefined; location: string; body: string }>((resolve, reject) => {
          const cookie = [...cookies].map(each => each.join('=')).join('; ')
          const headers = { accept: 'text/html', cookie }
          httpGet(new URL(url, origin), { headers }, async answer => {
            for (const line of answer.headers['set-cookie'] ?? []) {
              const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
              cookies.set(name, value)
            }
            let body = ''
            for await (const chunk of answer) body += chunk
            resolve({ status: answer.statusCode, location: answer.headers.location ?? '', body })
          }).on('error', reject)
        })
      /** @returns where the browser is, after it went to the provider and back */
      const open = async (path: string, deed: Deed, edit = (url: URL) => url) => {
        const { location } = await get(path)
        expect(location).to.match(new RegExp(`^${authority.issuer}/`))
        const callback = await authority.visit(edit(new URL(location)), deed)
        return get((await get(callback.href)).location)
      }
      expect((await open('/', { acr: 'urn:sallyport:acr:1fa' })).body).to.equal('home')
      const { location } = await get('/admin/')
      expect(new URL(location).searchParams.get('acr_values')).to.equal('urn:sallyport:acr:2fa')

      const lowered = (url: URL) => {
        url.searchParams.set('acr_values', 'urn:sallyport:acr:1fa')
        return url
      }
      const weak = await open('/admin/', { acr: 'urn:sallyport:acr:1fa' }, lowered)
      expect(weak.location).to.match(new RegExp(`^${authority.issuer}/`))
      expect((await open('/admin/', { acr: 'phr' })).body).to.equal('admin')
      expect((await get('/admin/')).status).to.equal(200)
      expect((await fetch(`${origin}/admin/`, { redirect: 'manual' })).status).to.equal(401)
    })
  })

  for (const [name, { page, command }] of Object.entries(RECIPES)) {
    describe(`on ${name}`, () => {
      let authority: Authority
      let app: ChildProcess | undefined
      let origin: string

      before(async function () {
        const folder = workshop.lay(page)
        const port = await freePort()
        const [file, ...args] = (await command(folder, port)) ?? []
        if (file === undefined) return this.skip()
        authority = await openAuthority()
        origin = `http://localhost:${port}`
        const env = { PORT: String(port), SPENT_DATABASE: join(folder, `${name}.sqlite`) }
        app = spawn(file, args, {
          cwd: folder,
          env: { ...process.env, ...env, ISSUER: authority.issuer },
          stdio: 'ignore',
        })
        for (let tries = 0; tries < 400; tries++) {
          if (await fetch(origin).catch(() => undefined)) return
          await new Promise(resolve => setTimeout(resolve, 50))
        }
        throw new Error(`${name} does not start`)
      })
      after(async () => {
        app?.kill()
        await authority?.close()
      })

      const deletes = (token?: string, ids: unknown = ACTION.objects) =>
        fetch(`${origin}/devices`, {
          method: 'DELETE',
          headers: {
            'content-type': 'application/json',
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify({ ids }),
        })
      const proof = (claims: object = {}, header = {}) =>
        authority.sign(
          { authorization_details: confirmed('device.delete', ACTION.objects), ...claims },
          header,
        )

      it('what was confirmed is done, once', async () => {
        const token = await proof()
        const all = await Promise.all(Array.from({ length: 8 }, () => deletes(token)))
        expect(all.map(each => each.status).toSorted()).to.deep.equal([200, ...Array(7).fill(401)])
        const done = all.find(each => each.status === 200)
        expect(await done?.json()).to.deep.equal({ deleted: ACTION.objects, by: 'dana' })
      })

      it('the answers are those that the pages show', async () => {
        const [told] = answersOf(page)
        if (told === undefined) throw new Error('no answer is shown')
        const compact = async (answer: Response) => {
          const { body, ...rest } = await asTold(answer, told)
          return { ...rest, body: JSON.stringify(JSON.parse(body ?? '')) }
        }
        expect(await compact(await deletes(await authority.sign()))).to.deep.equal(told)
        const token = await proof()
        await deletes(token)
        expect(await compact(await deletes(token))).to.deep.equal(told)
        const missing = await deletes()
        expect([missing.status, missing.headers.get('www-authenticate')]).to.deep.equal([
          401,
          'Bearer realm="https://api.example"',
        ])
        const weak = await deletes(await proof({ acr: undefined }))
        expect(weak.headers.get('www-authenticate')).to.equal(
          headerOf(['insufficient_user_authentication', 'insufficient_authorization']),
        )
      })

      it('tokens that are not for this API get nowhere', async () => {
        const stranger = await openAuthority()
        const bad = [
          await proof({ aud: 'https://elsewhere.example' }),
          await proof({ exp: Math.floor(Date.now() / 1000) - 60 }),
          await proof({ iss: 'https://elsewhere.example' }),
          await proof({}, { typ: 'JWT' }),
          await proof({ jti: undefined }),
          await proof({ cnf: { jkt: 'a' } }),
          await stranger.sign({ authorization_details: confirmed('device.delete', ACTION.objects) }),
          'x',
        ]
        for (const token of bad) {
          const answer = await deletes(token)
          expect([answer.status, answer.headers.get('www-authenticate')]).to.deep.equal([
            401,
            'Bearer realm="https://api.example", error="invalid_token", error_description="the access token is not valid here"',
          ])
        }
        await stranger.close()
      })

      it('a request that does not say what to do is refused', async () => {
        expect((await deletes(await proof(), 'dev_17')).status).to.be.oneOf([400, 422])
      })
    })
  }
})
