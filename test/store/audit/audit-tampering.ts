// Somebody who may do everything in the database, but has no secret key: takes the triggers away and writes what they
// like. What was there can be put back, so that one suite tries many things.

import pg from 'pg'
import { type Database, sql, write } from '../../../src/store/database.ts'
import type { Open, Place } from '../contract.ts'

export interface Attacker {
  run(text: string): Promise<void>
  /** Takes away what refuses changes. */
  dropTriggers(): Promise<void>
  /** Remembers the log as it is. */
  keep(): Promise<void>
  /** Puts back what `keep` remembered. */
  restore(): Promise<void>
  close(): Promise<void>
}

const TABLES = ['audit_events', 'audit_seals']
let statements = 0

export async function createAttacker(open: Open, place: Place): Promise<Attacker> {
  const { run, close } = await (place.dialect === 'sqlite' ? sqliteShell(open) : postgresShell(place))
  return {
    run,
    close,
    async dropTriggers() {
      for (const table of TABLES) {
        if (place.dialect === 'postgres') await run(`DROP TRIGGER ${table}_append_only ON ${table}`)
        else for (const kind of ['update', 'delete', 'replace']) await run(`DROP TRIGGER ${table}_${kind}`)
      }
    },
    async keep() {
      for (const each of TABLES) await run(`CREATE TABLE kept_${each} AS SELECT * FROM ${each}`)
    },
    async restore() {
      for (const each of TABLES) {
        await run(`DELETE FROM ${each}`)
        await run(`INSERT INTO ${each} SELECT * FROM kept_${each}`)
      }
    },
  }
}

async function sqliteShell(open: Open): Promise<Pick<Attacker, 'run' | 'close'>> {
  const database: Database = await open()
  return {
    run: text => database.commit([write(sql(`test_tamper_${statements++}`, text), [])]),
    close: async () => undefined,
  }
}

async function postgresShell(place: Place): Promise<Pick<Attacker, 'run' | 'close'>> {
  const client = new pg.Client({ connectionString: await place.url() })
  await client.connect()
  return { run: async text => void (await client.query(text)), close: () => client.end() }
}
