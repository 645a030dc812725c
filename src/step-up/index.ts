// What an app imports. The middlewares are apart, each by its framework's name: `@sallyport/step-up/express`, `/koa`,
// `/fastify`, `/fetch`; so are what an app's back end needs to send a user to the provider (`/client`) and what its pages
// need (`/browser`).

export {
  actionReference,
  type ConfirmedAction,
  canonicalAction,
  type ProtectedAction,
  sameAction,
} from './action.ts'
export { type ApiRequest, type ProtectedApi, type ProtectedApiOptions, protectedApi } from './api.ts'
export { type Challenge, type ChallengeContext, stepUpChallenge } from './challenge.ts'
export { type CheckResult, type Claims, checkStepUp, meetsAcr, type Requirement } from './check.ts'
export { ACR, ACR_ORDER, type ChallengeError, ERROR, PARAMETER, PROTECTED_ACTION } from './constants.ts'
export {
  InsufficientAuthorizationError,
  InsufficientScopeError,
  InsufficientUserAuthenticationError,
  InvalidRequestError,
  InvalidTokenError,
  MissingTokenError,
  StepUpError,
  UnavailableError,
} from './errors.ts'
export { type Proof, proofOf, type StepUpOptions } from './guard.ts'
export { parseStepUpChallenge, type StepUpChallenge } from './parse.ts'
export {
  memoryStore,
  type PendingStore,
  type Query,
  type SpentStore,
  type SqlStoreOptions,
  type Store,
  sqlStore,
  sqlStoreTable,
} from './store.ts'
