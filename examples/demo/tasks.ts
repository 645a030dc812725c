// What the console does for its user: each task is one request to the API, and the words for how it ended.

import type { WaitingRequest } from '@sallyport/step-up/client'
import type { Device } from './devices.ts'

export type ShownDevice = Omit<Device, 'password'>

export type Task = {
  readonly kind: 'rename' | 'script' | 'delete' | 'password' | 'restore'
  readonly request: WaitingRequest
  /** Where the user came from. */
  readonly page: string
}

/** What the API answers to a task, as far as the console knows it. */
export type Answer = {
  readonly device?: ShownDevice
  readonly deleted?: readonly ShownDevice[]
  readonly script?: string
  readonly password?: string
  readonly proof?: Readonly<Record<string, unknown>>
}

export type Result = { readonly task: Task } & (
  | {
      readonly kind: 'done'
      readonly answer: Answer
      /** What the API asked for before, as its challenge named it; empty: nothing. */
      readonly asked: readonly string[]
    }
  /** The user chose Cancel. */
  | { readonly kind: 'cancelled' }
  /** The user cannot meet what is asked. */
  | { readonly kind: 'unmet' }
  /** The API would not, whoever asks. */
  | { readonly kind: 'refused'; readonly message: string }
)

const json = { 'content-type': 'application/json' }

export const tasks = {
  rename: (id: string, name: string): Task => ({
    kind: 'rename',
    request: { method: 'PATCH', path: api(id), headers: json, body: JSON.stringify({ name }) },
    page: page(id),
  }),
  script: (id: string, script: string): Task => ({
    kind: 'script',
    request: { method: 'POST', path: `${api(id)}/scripts`, headers: json, body: JSON.stringify({ script }) },
    page: page(id),
  }),
  delete: (ids: readonly string[]): Task => ({
    kind: 'delete',
    request: {
      method: 'DELETE',
      path: `/api/devices?${new URLSearchParams(ids.map((id): [string, string] => ['id', id]))}`,
    },
    page: '/',
  }),
  password: (id: string): Task => ({
    kind: 'password',
    request: { method: 'GET', path: `${api(id)}/password` },
    page: page(id),
  }),
  restore: (): Task => ({
    kind: 'restore',
    request: { method: 'POST', path: '/api/devices/restore' },
    page: '/',
  }),
}

/** That it was done. */
export function doneWords({ kind }: Task, { device, deleted = [], script }: Answer): string {
  const [first] = deleted
  switch (kind) {
    case 'rename':
      return `${device?.id} is now called ${device?.name}`
    case 'script':
      return `“${script}” runs on ${device?.name}`
    case 'delete':
      return `${deleted.length} ${deleted.length === 1 ? 'device' : 'devices'} deleted at ${first?.site}`
    case 'password':
      return `The administrator password of ${device?.name}`
    case 'restore':
      return 'The sample devices are back'
  }
}

/** That it was not. */
export const undoneWords: Readonly<Record<Task['kind'], string>> = {
  rename: 'Nothing was renamed',
  script: 'The script was not run',
  delete: 'Nothing was deleted',
  password: 'The password was not shown',
  restore: 'Nothing was restored',
}

function api(id: string): string {
  return `/api/devices/${encodeURIComponent(id)}`
}

function page(id: string): string {
  return `/devices/${encodeURIComponent(id)}`
}
