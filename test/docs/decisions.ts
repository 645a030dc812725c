// What suffices to delete two devices by two factors of the last five minutes, case by case: for the recipes in other
// languages, held to the same answers as the package.

export const NOW = 1_800_000_000
export const ACTION = {
  type: 'protected_action',
  action: 'device.delete',
  objects: ['dev_17', 'dev_23'],
} as const
export const REQUIREMENT = { acr: 'urn:sallyport:acr:2fa', maxAge: 300, action: ACTION } as const

export interface Decision {
  readonly name: string
  readonly claims: Readonly<Record<string, unknown>>
  /** What is answered: nothing, the action alone, or both. */
  readonly lacks: 'nothing' | 'confirmation' | 'both'
}

const detail = { ...ACTION, confirmation_id: 'c1' }
const suffices = { acr: 'urn:sallyport:acr:2fa', auth_time: NOW - 60, authorization_details: [detail] }
const of = (name: string, lacks: Decision['lacks'], changed: Record<string, unknown>): Decision => ({
  name,
  lacks,
  claims: Object.fromEntries(
    Object.entries({ ...suffices, ...changed }).filter(([, value]) => value !== undefined),
  ),
})
const details = (changed: Record<string, unknown>) => ({ authorization_details: [{ ...detail, ...changed }] })
const absent = (name: string) => ({
  authorization_details: [Object.fromEntries(Object.entries(detail).filter(([each]) => each !== name))],
})

export const decisions: readonly Decision[] = [
  of('all that is asked for', 'nothing', {}),
  of('a stronger level', 'nothing', { acr: 'phr' }),
  of('the strongest level', 'nothing', { acr: 'phrh' }),
  of('a weaker level', 'both', { acr: 'urn:sallyport:acr:1fa' }),
  of('another level', 'both', { acr: 'urn:elsewhere:high' }),
  of('a level in capitals', 'both', { acr: 'PHR' }),
  of('an empty level', 'both', { acr: '' }),
  of('no level', 'both', { acr: undefined }),
  of('null for a level', 'both', { acr: null }),
  of('a list of levels', 'both', { acr: ['urn:sallyport:acr:2fa'] }),
  of('the oldest that passes', 'nothing', { auth_time: NOW - 300 }),
  of('a second older', 'both', { auth_time: NOW - 301 }),
  of('a clock a minute ahead', 'nothing', { auth_time: NOW + 60 }),
  of('a clock more than a minute ahead', 'both', { auth_time: NOW + 61 }),
  of('no time', 'both', { auth_time: undefined }),
  of('null for a time', 'both', { auth_time: null }),
  of('a time that is a text', 'both', { auth_time: String(NOW) }),
  of('a time in milliseconds', 'both', { auth_time: NOW * 1000 }),
  of('true for a time', 'both', { auth_time: true }),
  of('objects in another order', 'nothing', details({ objects: ['dev_23', 'dev_17'] })),
  of('an object twice', 'nothing', details({ objects: ['dev_17', 'dev_23', 'dev_17'] })),
  of('another action beside it', 'nothing', {
    authorization_details: [{ ...detail, action: 'device.rename' }, detail],
  }),
  of('no confirmation id', 'nothing', absent('confirmation_id')),
  of('no fields, said', 'nothing', details({ fields: {} })),
  of('an object less', 'confirmation', details({ objects: ['dev_17'] })),
  of('an object more', 'confirmation', details({ objects: ['dev_17', 'dev_23', 'dev_24'] })),
  of('another object', 'confirmation', details({ objects: ['dev_17', 'dev_24'] })),
  of('objects joined', 'confirmation', details({ objects: ['dev_17,dev_23'] })),
  of('objects in a text', 'confirmation', details({ objects: 'dev_17' })),
  of('an object that is a number', 'confirmation', details({ objects: ['dev_17', 23] })),
  of('no objects', 'confirmation', absent('objects')),
  of('another action', 'confirmation', details({ action: 'device.rename' })),
  of('an action of another case', 'confirmation', details({ action: 'Device.delete' })),
  of('another type', 'confirmation', details({ type: 'payment' })),
  of('a field more', 'confirmation', details({ fields: { site: 'Acme' } })),
  of('fields that are a list', 'confirmation', details({ fields: ['Acme'] })),
  of('a member that narrows', 'confirmation', details({ locations: ['https://elsewhere.example'] })),
  of('no details', 'confirmation', { authorization_details: undefined }),
  of('null for details', 'confirmation', { authorization_details: null }),
  of('details that are no list', 'confirmation', { authorization_details: detail }),
  of('an empty list', 'confirmation', { authorization_details: [] }),
  of('a list of other things', 'confirmation', {
    authorization_details: [null, 1, 'device.delete', [detail]],
  }),
  of('nothing at all', 'both', { acr: undefined, auth_time: undefined, authorization_details: undefined }),
]

/** The errors that a decision is answered with. */
export const errorsFor = ({ lacks }: Decision): string[] => [
  ...(lacks === 'both' ? ['insufficient_user_authentication'] : []),
  ...(lacks === 'nothing' ? [] : ['insufficient_authorization']),
]
