/** The daemon's child for work on repositories, doing what the id of the repository to promote says instead of any work. */
import type { FromJob, ToJob } from '../../runtime/job-runner.ts'
import type { WorkReport } from '../../runtime/repository-work.ts'
import { block } from './block.ts'

process.once('message', ({ job, config }: ToJob) => {
  const [behaviour = 'report', argument] = (job.kind === 'promote' ? job.id : 'report').split(' ')
  say({ kind: 'progress', progress: { phase: `process ${process.pid}`, done: 1, total: 2 } })
  const remarks = behaviour === 'large' ? Array.from({ length: 5000 }, () => 'x'.repeat(200)) : []
  const report: WorkReport = {
    product: config.product,
    result: 'unchanged',
    admitted: [],
    refused: [],
    remarks: [`${config.inference.threads} threads`, job.kind, job.who, job.why, ...remarks],
  }
  switch (behaviour) {
    case 'fail':
      return end({ kind: 'failed', code: argument ?? '', message: 'as it was told' })
    case 'exit':
      return process.exit(3)
    case 'kill':
      return process.kill(process.pid, 'SIGKILL')
    case 'block':
      // Also after it has said what it does.
      setTimeout(() => block(60_000), 10)
      return
    case 'linger':
      return say({ kind: 'done', report })
    default:
      return end({ kind: 'done', report })
  }
})

function say(message: FromJob, then: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, then)
}

function end(message: FromJob): void {
  say(message, () => process.exit(0))
}
