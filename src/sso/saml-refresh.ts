// Metadata that an upstream publishes, read anew when its signature does not hold: it may have changed its keys. At most
// once a minute for each connection, whoever sends whatever, so that nobody makes us ask for it all the time.

import type { Database } from '../store/database.ts'
import { type Connection, refreshSettings } from '../store/sso/connections.ts'
import { outboundFetch } from './outbound.ts'
import { readSamlMetadata } from './saml-metadata.ts'
import { type StoredSaml, samlOf } from './settings.ts'
import { type Outbound, SsoError } from './upstream.ts'

const FLOOR_MS = 60_000
const MOST_REMEMBERED = 1000

/** @returns gives the settings as they are now; undefined: they are as before, or can't be read now */
export function createMetadataRefresh(
  database: Database,
  outbound: Outbound,
): (connection: Connection) => Promise<StoredSaml | undefined> {
  const fetch = outboundFetch(outbound)
  const lastTried = new Map<string, number>()

  return async connection => {
    const held = samlOf(connection)
    if (held.metadataUrl === undefined) return undefined
    const now = outbound.clock()
    if (now - (lastTried.get(connection.id) ?? Number.NEGATIVE_INFINITY) < FLOOR_MS) return undefined
    if (lastTried.size >= MOST_REMEMBERED) lastTried.clear()
    lastTried.set(connection.id, now)
    try {
      const answer = await fetch(held.metadataUrl)
      if (!answer.ok) return undefined
      const { entityId, ssoUrl, sloUrl, certificates } = readSamlMetadata(await answer.text())
      // Another entity is another connection.
      if (entityId !== held.entityId) return undefined
      const newer: StoredSaml = { ...held, ssoUrl, sloUrl, certificates }
      const settings = JSON.stringify(newer)
      if (settings === connection.settings) return undefined
      await database.commit([refreshSettings(connection, settings)])
      return newer
    } catch (error) {
      if (error instanceof SsoError) return undefined
      throw error
    }
  }
}
