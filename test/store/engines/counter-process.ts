// Another process that writes the same database. Arguments: its URL, an account's id, and how many times it moves the
// account's epoch, each time in a commit of its own.

import { openDatabase } from '../../../src/store/database.ts'
import { epochMoves } from '../contract.ts'

const [url = '', id = '', times = '0'] = process.argv.slice(2)
if (import.meta.main) {
  const database = await openDatabase(url)
  for (let index = 0; index < Number(times); index++) await database.commit([epochMoves(id)])
  await database.close()
  process.stdout.write('done')
}
