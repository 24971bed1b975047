/** `radar-edge repository update | forget | compact | promote | rollback | rebuild` and `radar-edge accept`: work on a repository, here and now. */
import { monotonicClock } from '../../drivers/clock.ts'
import { productOf } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { idThatBegins } from '../kept-repositories.ts'
import { openPartArchive } from '../part-archive.ts'
import { progressLine } from '../progress.ts'
import { doRepositoryJob, type RepositoryJob } from '../repository-job.ts'
import { shortId } from '../repository-report.ts'
import type { WorkReport } from '../repository-work.ts'
import { archiveOf } from '../shelves.ts'
import { userName } from '../user-name.ts'
import { printJson, withRepositories, type RepositoryOptions } from './repository.ts'

export interface WorkCommandOptions extends RepositoryOptions {
  /** Default: the user of this process. */
  readonly who?: string
  readonly why: string
  readonly signal: AbortSignal
}

type AskedJob = RepositoryJob extends infer Job
  ? Job extends RepositoryJob
    ? Omit<Job, 'who' | 'why'>
    : never
  : never

/** @returns the exit code: 1 when the gate or admission said no. */
export async function workCommand(job: AskedJob, options: WorkCommandOptions): Promise<number> {
  const written = await readConfig(options.config)
  const config = { ...written, product: productOf(options.product ?? written.product) }
  const line = progressLine()
  const named = job.kind === 'promote' ? { ...job, id: await wholeId(job.id, options) } : job
  const { who = userName(), why, signal } = options
  try {
    const report = await doRepositoryJob(
      config,
      { ...named, who, why },
      { signal, onProgress: (progress) => line.update(progress) },
    )
    line.finish()
    if (options.json) printJson({ ...report })
    else process.stdout.write(workText(report))
    return report.result === 'refused' || report.result === 'suspicious' ? 1 : 0
  } finally {
    line.finish()
  }
}

export async function rollbackCommand(options: WorkCommandOptions & { readonly id?: string }): Promise<void> {
  const repositoryId = options.id === undefined ? undefined : await wholeId(options.id, options)
  await withRepositories(options, async ({ product, ledger }) => {
    const { who = userName(), why } = options
    const entry = ledger.rollback({ product, who, why, ...(repositoryId !== undefined && { repositoryId }) })
    if (options.json) printJson({ ...entry })
    else
      process.stdout.write(
        `${product}: back to ${shortId(entry.repositoryId ?? '')}, before it ${shortId(entry.previousId ?? '')}\n`,
      )
  })
}

/** Beside a running station as well as without one. @returns the exit code: 1 when one of the parts is not in the archive. */
export async function acceptCommand(
  triggerIds: readonly string[],
  options: WorkCommandOptions,
): Promise<number> {
  return withRepositories(options, async ({ config, product, ledger }) => {
    const { who = userName(), why } = options
    const archive = await openPartArchive({ ...archiveOf(config), role: 'guest', clock: monotonicClock })
    try {
      const result = await archive.confirm(triggerIds, { as: 'accepted', who, why, product })
      const { confirmed, refused } = result
      if (confirmed.length > 0) {
        ledger.record({
          product,
          action: 'accept',
          who,
          why,
          figures: { count: confirmed.length, triggerIds: confirmed.slice(0, MOST_NAMED) },
        })
      }
      if (options.json) printJson({ ...result })
      else {
        process.stdout.write(`${confirmed.length} accepted: the next update of ${product} learns from them\n`)
        for (const { triggerId, why: reason } of refused) {
          const said = reason === 'used' ? 'was learned from already' : 'is not in the archive (any more)'
          process.stdout.write(`  ${triggerId} ${said}\n`)
        }
      }
      return refused.length > 0 ? 1 : 0
    } finally {
      await archive.close(AbortSignal.timeout(CLOSE_MS))
    }
  })
}

const MOST_NAMED = 200
const CLOSE_MS = 1000

function wholeId(prefix: string, options: RepositoryOptions): Promise<string> {
  return withRepositories(options, ({ root, product }) => idThatBegins(root, product, prefix))
}

const RESULTS = {
  promoted: 'is in use',
  candidate: 'passed the gate and waits for its promotion',
  refused: 'was refused: the repository in use stays',
  suspicious: 'Nothing was learned: too many of the confirmed parts resemble known defects',
  unchanged: 'Nothing was changed',
} as const satisfies Record<WorkReport['result'], string>

function workText({
  product,
  result,
  repositoryId,
  admitted,
  refused,
  changes,
  gate,
  remarks,
}: WorkReport): string {
  const subject = repositoryId === undefined ? product : `${product} ${shortId(repositoryId)}`
  const said =
    result === 'suspicious' || result === 'unchanged'
      ? `${RESULTS[result]} (${product})`
      : `${subject} ${RESULTS[result]}`
  const lines = [said]
  if (admitted.length + refused.length > 0)
    lines.push(`  parts admitted ${admitted.length}, refused ${refused.length}`)
  for (const { partId, reason, detail } of refused) lines.push(`    ${partId} ${reason}: ${detail}`)
  for (const [key, { rowsAfter, added, left, barred, radiusAfter }] of Object.entries(changes ?? {})) {
    lines.push(
      `  bank ${key.padEnd(14)} ${rowsAfter} rows, ${added} new, ${left} left, ${barred} kept out, covering radius ${radiusAfter.toPrecision(3)}`,
    )
  }
  for (const { name, passed, detail } of gate?.checks ?? [])
    lines.push(`  ${passed ? 'ok    ' : 'FAILED'} ${name}: ${detail}`)
  if (gate?.unguarded)
    lines.push('  no bad golden part guards what defects look like: radar-edge golden add --label bad')
  for (const remark of remarks) lines.push(`  remark: ${remark}`)
  return `${lines.join('\n')}\n`
}
