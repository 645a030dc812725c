// A process that dies while it seals the audit log. Arguments: the database's URL, and when: "rows" (they are read),
// "seal" (it was sent off) or "sealed" (it is stored, and nobody was told).

import { sealAudit } from '../../../src/store/audit/audit-sealer.ts'
import { openDatabase } from '../../../src/store/database.ts'
import { createKeyring } from '../../../src/store/seal.ts'
import { SECRET_KEY } from '../contract.ts'

const [url = '', when = ''] = process.argv.slice(2)
const die = () => process.kill(process.pid, 'SIGKILL')

if (import.meta.main) {
  const database = await openDatabase(url)
  const dying = {
    ...database,
    async commit(writes: Parameters<typeof database.commit>[0]) {
      if (when === 'rows') die()
      const stored = database.commit(writes)
      if (when === 'seal') die()
      await stored
      die()
    },
  }
  await sealAudit(dying, createKeyring([SECRET_KEY]), Date.now)
}
