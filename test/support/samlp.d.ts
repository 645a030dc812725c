// What is used of samlp, which has no types of its own.

declare module 'samlp' {
  import type { Request, RequestHandler } from 'express'

  interface AuthnRequest {
    readonly issuer?: string
    readonly id?: string
    readonly forceAuthn?: string
    readonly assertionConsumerServiceURL?: string
    readonly requestedAuthnContext?: { readonly authnContextClassRef: string }
  }

  const samlp: {
    auth(options: Readonly<Record<string, unknown>>): RequestHandler
    logout(options: Readonly<Record<string, unknown>>): RequestHandler
    metadata(options: Readonly<Record<string, unknown>>): RequestHandler
    sendError(options: Readonly<Record<string, unknown>>): RequestHandler
    parseRequest(
      request: Request,
      options: Readonly<Record<string, unknown>>,
      callback: (error: Error | null, data?: AuthnRequest) => void,
    ): void
  }
  export default samlp
}

declare module 'samlp/lib/sessionParticipants/index.js' {
  export default class SessionParticipants {
    constructor(sessions: readonly object[])
  }
}
