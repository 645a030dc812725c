// The devices that this console manages: a handful at two sites, in memory, the same for everybody. A restart brings
// them back.

import { randomInt } from 'node:crypto'

export type Device = {
  /** The asset tag on its case. It never changes, so it is what a confirmation names. */
  readonly id: string
  name: string
  readonly site: string
  readonly system: string
  readonly online: boolean
  /** Of its local administrator: what nobody sees without a passkey. */
  readonly password: string
}

export type Fleet = {
  /** By site, in order. */
  list(): readonly Device[]
  find(id: string): Device | undefined
  rename(device: Device, name: string): void
  remove(devices: readonly Device[]): void
  /** The sample devices, as they were at the start. */
  restore(): void
}

/** What can be run on a device, by id. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  'restart-spooler': 'Restart the print spooler',
  'clear-temp': 'Clear temporary files',
  'install-updates': 'Install updates',
}

const SAMPLE: readonly Omit<Device, 'password'>[] = [
  { id: 'ACME-LT-017', name: 'Reception laptop', site: 'Acme', system: 'Windows 11', online: true },
  { id: 'ACME-LT-023', name: 'Sales laptop', site: 'Acme', system: 'Windows 11', online: false },
  { id: 'ACME-SRV-01', name: 'File server', site: 'Acme', system: 'Windows Server 2025', online: true },
  { id: 'BDC-MAC-03', name: 'Surgery iMac', site: 'Bay Dental Care', system: 'macOS 26', online: true },
  {
    id: 'BDC-WS-004',
    name: 'X-ray workstation',
    site: 'Bay Dental Care',
    system: 'Windows 11',
    online: true,
  },
  { id: 'BDC-NAS-01', name: 'Backup storage', site: 'Bay Dental Care', system: 'Debian 13', online: false },
]

export function createFleet(): Fleet {
  const devices = new Map<string, Device>()
  const fleet: Fleet = {
    list: () => [...devices.values()],
    find: id => devices.get(id),
    rename(device, name) {
      device.name = name
    },
    remove(gone) {
      for (const { id } of gone) devices.delete(id)
    },
    restore() {
      devices.clear()
      for (const each of SAMPLE) devices.set(each.id, { ...each, password: password() })
    },
  }
  fleet.restore()
  return fleet
}

function password(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789'
  const group = () => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join('')
  return [group(), group(), group(), group()].join('-')
}
