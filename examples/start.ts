// `npm start`: the server, and beside it a demo app that logs its users in by it. Both end together.

import { randomText } from '../src/clients.ts'
import { loadConfig } from '../src/config.ts'
import { announceFirstRun, type Running, runUntilStopped, StartRefused, startServer } from '../src/server.ts'
import { createDemo, demoClient } from './demo/app.ts'

const CLIENT_ID = 'demo'

/** Registers the demo app, with a new secret at every start: nobody else needs it. */
async function registerDemo({ services }: Running, origin: string): Promise<string> {
  const { database, clients, clock } = services
  const secret = randomText(43)
  const client = {
    metadata: { ...demoClient(origin), client_id: CLIENT_ID, client_secret: secret },
    firstParty: true,
  }
  const known = await clients.find(CLIENT_ID)
  await database.commit([
    known === undefined ? clients.insert(client, clock()) : clients.update(client, clock()),
  ])
  return secret
}

process.exitCode = await runUntilStopped(async () => {
  const config = loadConfig(process.env)
  const running = await startServer(config)
  if (config.demoPort === 0) {
    announceFirstRun(running)
    return running
  }
  const origin = `http://localhost:${config.demoPort}`
  const clientSecret = await registerDemo(running, origin)
  const demo = createDemo({ issuer: config.issuer, clientId: CLIENT_ID, clientSecret, origin })
  try {
    await demo.listen(config.demoPort)
  } catch (error) {
    await running.close()
    throw new StartRefused(
      `the demo app's port ${config.demoPort} cannot be used: set SALLYPORT_DEMO_PORT to another, or to 0`,
      { cause: error },
    )
  }
  process.stderr.write(`\nSallyport: ${config.issuer}\nDemo app:  ${origin}\n`)
  announceFirstRun(running)
  return {
    async close() {
      await Promise.all([demo.close(), running.close()])
    },
  }
})
