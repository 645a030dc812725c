// `npm start` and the server as processes: what a newcomer sees, how it ends, and what it says when it can't begin.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { runUntilStopped } from '../src/server.ts'
import { freePort } from './support/stage.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Started {
  readonly child: ChildProcess
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<number | null>
}

describe('npm start', function () {
  this.timeout(60_000)
  let folder: string
  let port: number
  let demoPort: number

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-start-'))
    port = await freePort()
    demoPort = await freePort()
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function start(env: Record<string, string> = {}): Started {
    const child = spawn(process.execPath, [join(root, 'examples/start.ts')], {
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '',
        PORT: String(port),
        SALLYPORT_DEMO_PORT: String(demoPort),
        SALLYPORT_DATA_DIR: join(folder, 'data'),
        ...env,
      },
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', chunk => {
      output.stdout += chunk
    })
    child.stderr.on('data', chunk => {
      output.stderr += chunk
    })
    return { child, output, ended: new Promise(resolve => child.once('close', resolve)) }
  }

  async function printed(started: Started, what: RegExp): Promise<string> {
    for (const since = Date.now(); Date.now() - since < 40_000; ) {
      const found = what.exec(started.output.stderr)
      if (found !== null) return found[0]
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error(`not printed: ${what}\n${started.output.stderr}`)
  }

  async function stop({ child, ended }: Started, signal: 'SIGINT' | 'SIGTERM'): Promise<number> {
    const since = Date.now()
    child.kill(signal)
    expect(await ended).to.equal(0)
    return Date.now() - since
  }

  const LINK = /http:\/\/localhost:\d+\/link\/first-run\/\S+/

  it('is what the package’s script runs', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(scripts.start).to.equal('node examples/start.ts')
  })

  it('prints both addresses and a link that is in no log, keeps its keys private, and ends within 5 seconds', async () => {
    const first = start()
    const link = await printed(first, LINK)
    expect(first.output.stderr)
      .to.include(`http://localhost:${port}`)
      .and.include(`http://localhost:${demoPort}`)
    expect((await fetch(link)).status).to.equal(200)
    expect((await fetch(`http://localhost:${demoPort}/`)).status).to.equal(200)
    expect(await stop(first, 'SIGINT')).to.be.lessThan(5_000)
    expect(first.output.stdout).not.to.include(new URL(link).pathname.split('/').at(-1))
    expect(statSync(join(folder, 'data/secret-keys')).mode & 0o777).to.equal(0o600)

    const second = start()
    expect(await printed(second, LINK)).not.to.equal(link)
    await stop(second, 'SIGTERM')
  })

  it('finishes the request in hand before it ends', async () => {
    const started = start()
    await printed(started, LINK)
    const slow = fetch(`http://localhost:${port}/forgot-password`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' },
      body: new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode('email=dana%40'))
          await new Promise(resolve => setTimeout(resolve, 1_000))
          controller.enqueue(new TextEncoder().encode('example.com'))
          controller.close()
        },
      }),
      duplex: 'half',
    } as RequestInit)
    await new Promise(resolve => setTimeout(resolve, 300))
    const ended = stop(started, 'SIGINT')
    expect((await slow).status).to.equal(200)
    expect(await ended).to.be.lessThan(5_000)
  })

  it('says in one line that the secret keys are not those of the database', async () => {
    const first = start()
    await printed(first, LINK)
    await stop(first, 'SIGINT')
    const second = start({ SALLYPORT_SECRET_KEYS: 'another key that did not seal anything here' })
    expect(await second.ended).to.equal(2)
    expect(second.output.stderr.trim().split('\n')).to.have.length(1)
    expect(second.output.stderr).to.match(/^SALLYPORT_SECRET_KEYS does not open /)
  })

  describe('with a port that is taken', () => {
    let taken: Server

    beforeEach(() => {
      taken = createServer()
    })
    afterEach(() => taken.close())

    for (const [which, variable] of [
      ['the server’s', 'PORT'],
      ['the demo app’s', 'SALLYPORT_DEMO_PORT'],
    ] as const) {
      it(`says in one line which variable to change: ${which}`, async () => {
        const busy = which === 'the server’s' ? port : demoPort
        await new Promise<void>(resolve => taken.listen(busy, 'localhost', resolve))
        const started = start()
        expect(await started.ended).to.equal(2)
        expect(started.output.stderr.trim().split('\n')).to.have.length(1)
        expect(started.output.stderr).to.include(`set ${variable} to another`)
      })
    }
  })

  it('says in one line why the file of places cannot be used', async () => {
    writeFileSync(join(folder, 'places.csv'), 'network,city')
    for (const [file, why] of [
      ['places.mmdb', 'there is no such file'],
      ['places.csv', 'is not in the MaxMind DB format'],
    ] as const) {
      const started = start({ SALLYPORT_PLACES: file })
      expect(await started.ended).to.equal(2)
      const said = started.output.stderr.trim().split('\n')
      expect(said).to.have.length(1)
      expect(readdirSync(join(folder, 'data'))).to.deep.equal(['secret-keys'])
      expect(said[0])
        .to.match(/^SALLYPORT_PLACES /)
        .and.to.include(join(folder, file))
        .and.to.include(why)
    }
  })

  it('says what a misspelt variable may have meant', async () => {
    const started = start({ SALLYPORT_ISUER: 'http://localhost:1' })
    expect(await started.ended).to.equal(2)
    expect(started.output.stderr).to.include('SALLYPORT_ISUER').and.include('SALLYPORT_ISSUER')
  })
})

describe('a process that is told to end while it starts', () => {
  it('ends by itself, with all closed', async () => {
    const before = process.listenerCount('SIGTERM')
    const done: string[] = []
    const code = await runUntilStopped(async () => {
      process.emit('SIGTERM')
      done.push('started')
      return { close: async () => void done.push('closed') }
    })
    expect({ code, done }).to.deep.equal({ code: 0, done: ['started', 'closed'] })
    expect(process.listenerCount('SIGTERM')).to.equal(before)
  })
})
