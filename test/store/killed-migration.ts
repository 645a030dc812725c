// A process that dies while it migrates. Arguments: the database's URL, and at which table: it kills itself when it
// is about to make it, with the tables before made and nothing committed.

import pg from 'pg'
import sqlite3 from 'sqlite3'
import { openDatabase } from '../../src/store/database.ts'

const [url = '', table = '1'] = process.argv.slice(2)
let made = 0

function dieAt(text: unknown): void {
  const statement = typeof text === 'string' ? text : String((text as { text?: unknown }).text)
  if (!/^create table (?!.?migrations)/i.test(statement)) return
  if (++made === Number(table)) process.kill(process.pid, 'SIGKILL')
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/** Has the statements of a driver looked at before they run. */
function watch(prototype: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const method = prototype[name] as Method
    prototype[name] = function (this: unknown, ...args: unknown[]) {
      dieAt(args[0])
      return method.apply(this, args)
    }
  }
}

if (import.meta.main) {
  watch(sqlite3.Database.prototype as unknown as Record<string, unknown>, ['run', 'all', 'exec'])
  watch(pg.Client.prototype as unknown as Record<string, unknown>, ['query'])
  const database = await openDatabase(url)
  await database.migrate()
  await database.close()
}
