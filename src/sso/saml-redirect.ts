// A message of the HTTP-Redirect binding (bindings §3.4.4): deflated, and signed beside it. node-saml is not asked, since
// it takes a query without a signature for one with a right one, finds parameters by parts of their names, and inflates
// without a limit. Leaves out what the message says.

import { constants, verify } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { LONGEST_MESSAGE, unverified, utf8 } from './saml-gate.ts'
import { SsoError } from './upstream.ts'

const DIGESTS = new Map([
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'sha256'],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha384', 'sha384'],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', 'sha512'],
])

/**
 * Reads a request that came in the query of an address, signed there: the signature is over the parameters as they were
 * encoded by the sender, in the order of SAMLRequest, RelayState, SigAlg.
 *
 * @param query as it stood in the address, without "?"
 * @param certificates PEM
 * @throws {SsoError} invalid: not signed, not by one of the keys, or no message that can be read
 */
export function readSignedQuery(
  query: string,
  certificates: readonly string[],
): { xml: string; relayState: string | undefined } {
  const raw = parametersOf(query)
  const SAMLRequest = raw.get('SAMLRequest')
  const [SigAlg, Signature] = [raw.get('SigAlg'), raw.get('Signature')]
  if (SAMLRequest === undefined || SigAlg === undefined || Signature === undefined)
    throw refused('The request is not signed.')
  const digest = DIGESTS.get(decoded(SigAlg))
  if (digest === undefined) throw refused('Its signature method is not allowed.')
  const signed = ['SAMLRequest', 'RelayState', 'SigAlg']
    .flatMap(name => (raw.has(name) ? [`${name}=${raw.get(name)}`] : []))
    .join('&')
  const signature = Buffer.from(decoded(Signature), 'base64')
  const holds = certificates.some(each =>
    verify(digest, Buffer.from(signed), { key: each, padding: constants.RSA_PKCS1_PADDING }, signature),
  )
  if (!holds) throw unverified()
  const relayState = raw.get('RelayState')
  return {
    xml: inflated(decoded(SAMLRequest)),
    relayState: relayState === undefined ? undefined : decoded(relayState),
  }
}

function parametersOf(query: string): Map<string, string> {
  if (query.length > LONGEST_MESSAGE) throw refused('The message is too long.')
  const parameters = new Map<string, string>()
  for (const pair of query.split('&')) {
    const at = pair.indexOf('=')
    const name = at < 0 ? pair : pair.slice(0, at)
    if (parameters.has(name)) throw refused('The address has a parameter twice.')
    parameters.set(name, at < 0 ? '' : pair.slice(at + 1))
  }
  return parameters
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch {
    throw refused('The address is not encoded as it should be.')
  }
}

function inflated(base64: string): string {
  let bytes: Buffer
  try {
    bytes = inflateRawSync(Buffer.from(base64, 'base64'), { maxOutputLength: LONGEST_MESSAGE })
  } catch {
    throw refused('The message is too long, or not compressed as it should be.')
  }
  return utf8(bytes)
}

function refused(detail: string): SsoError {
  return new SsoError('invalid', detail)
}
