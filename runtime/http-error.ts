/** What an HTTP request is refused with, and the status that goes with every code, whoever threw it. */
export type HttpErrorCode =
  /** The interface cannot listen; the station goes on without it. */
  | 'HTTP_UNAVAILABLE'
  /** The path, the query or the body is not what the route asks for. */
  | 'BAD_REQUEST'
  /** The request names another host than this one: a page from elsewhere has had its name point here (DNS rebinding). */
  | 'HOST_REFUSED'
  /** A page from elsewhere asks. */
  | 'ORIGIN_REFUSED'
  | 'ROUTE_UNKNOWN'
  | 'METHOD_REFUSED'
  /** Nothing is kept of the part that this picture could be drawn from. */
  | 'PICTURE_ABSENT'
  | 'BODY_TOO_LARGE'
  /** A body that does not say that it is JSON. */
  | 'BODY_NOT_JSON'
  /** Whoever asked has gone; nobody reads this. */
  | 'CLIENT_GONE'
  /** Too many pictures are waited for. */
  | 'TOO_BUSY'

export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: HttpErrorCode

  constructor(code: HttpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A code that is not here is a failure of ours. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['BAD_REQUEST', 400],
  ['BAD_COMMAND', 400],
  ['HOST_REFUSED', 403],
  ['ORIGIN_REFUSED', 403],
  ['ROUTE_UNKNOWN', 404],
  ['PART_UNKNOWN', 404],
  ['PICTURE_ABSENT', 404],
  ['REPOSITORY_UNKNOWN', 404],
  ['METHOD_REFUSED', 405],
  ['JOB_BUSY', 409],
  ['NOT_TEACHING', 409],
  ['LEDGER_CONFLICT', 409],
  ['NOT_TAUGHT', 409],
  ['TEACHING_UNFINISHED', 409],
  ['BODY_TOO_LARGE', 413],
  ['BODY_NOT_JSON', 415],
  ['CLIENT_GONE', 499],
  ['TOO_BUSY', 503],
  ['SHUTTING_DOWN', 503],
])

export function statusOf(code: string): number {
  return STATUSES.get(code) ?? 500
}
