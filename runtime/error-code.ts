import { ModelError } from '../models/model-error.ts'
import { RepositoryError } from '../models/repository.ts'
import { PartError } from '../models/stored-part.ts'
import { HttpError } from './http-error.ts'
import { JobError } from './job-runner.ts'
import { RuntimeError } from './runtime-error.ts'

const OURS = [RuntimeError, JobError, RepositoryError, ModelError, PartError, HttpError]

/** What whoever asked may decide on; undefined for an error that nobody here has thought of. */
export function errorCodeOf(error: unknown): string | undefined {
  for (const kind of OURS) if (error instanceof kind) return error.code
  return undefined
}
