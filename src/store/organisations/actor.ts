// Whoever acts on an organisation, as a condition of what they write: the operator, or an active admin of it.

import type { Param } from '../statement.ts'

/** Whoever works on the command line. */
const OPERATOR = 'operator'

/** Nobody acts who was an admin a moment ago. A condition for writes; {@link actorParams} are its parameters. */
export const actorMayAct = `(? = '${OPERATOR}' OR EXISTS (SELECT 1 FROM accounts b
  WHERE b.id = ? AND b.organisation_id = ? AND b.role = 'admin' AND b.status = 'active'))`

/** How a client that acts by itself is named where accounts are named too: no account of ours has a space in its id. */
const CLIENT = 'client '
const LONGEST_ACTOR = 64

/** The actor that a client is: a program of the vendor's, with a token of its own. */
export function clientActor(clientId: string): string {
  return `${CLIENT}${clientId}`.slice(0, LONGEST_ACTOR)
}

/** Whether an id stands for somebody who is no account: a host's user must not be called so. */
export function isReserved(id: string): boolean {
  return id === OPERATOR || id.startsWith(CLIENT)
}

/** @param actorId an account's id, `operator`, or a {@link clientActor}, which may what the operator may */
export function actorParams(actorId: string, organisationId: string): readonly Param[] {
  return [actorId.startsWith(CLIENT) ? OPERATOR : actorId, actorId, organisationId]
}
