// `npm start`: the server, and beside it a demo app that logs its users in by it and has them confirm what matters. Both
// end together.

import { loadConfig } from '../src/config/config.ts'
import type { Directory } from '../src/organisations/directory.ts'
import { announceFirstRun, runUntilStopped, StartRefused, startServer } from '../src/server.ts'
import { createDemo } from './demo/app.ts'
import { CLIENT_ID, registerDemo } from './registration.ts'

process.exitCode = await runUntilStopped(async () => {
  const config = loadConfig(process.env)
  const running = await startServer(config)
  if (config.demoPort === 0) {
    announceFirstRun(running)
    return running
  }
  const origin = `http://localhost:${config.demoPort}`
  const { database, keyring, clock } = running.services
  const { productName } = config
  const directory: Directory = { database, keyring, clock, actor: 'operator', productName }
  const clientSecret = await registerDemo(directory, origin)
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
