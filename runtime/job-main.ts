/** The daemon's child for work on repositories: one job, its progress and its report, and it is gone. */
import { messageOf } from '../drivers/message-of.ts'
import type { FromJob, ToJob } from './job-runner.ts'
import { doRepositoryJob } from './repository-job.ts'

const asked = new AbortController()
// Without the daemon nobody follows the ledger that this job writes: what is unfinished is left unfinished.
process.on('disconnect', () => process.exit(1))
// The daemon ends its children itself, when it ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

process.once('message', (message: ToJob) => {
  void doRepositoryJob(message.config, message.job, {
    signal: asked.signal,
    onProgress: (progress) => say({ kind: 'progress', progress }),
  })
    .then(
      (report): FromJob => ({ kind: 'done', report }),
      (error: unknown): FromJob => ({ kind: 'failed', code: codeOf(error), message: messageOf(error) }),
    )
    .then((last) => process.send?.(last, undefined, undefined, () => process.exit(0)))
})

function say(message: FromJob): void {
  process.send?.(message, undefined, undefined, () => undefined)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'JOB_FAILED'
}
