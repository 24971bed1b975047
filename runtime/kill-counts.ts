/** What test/integration/repository-kill.test.ts writes down: how often a station at work on repositories was killed, and what was lost. */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { RuntimeError } from './runtime-error.ts'

const count = z.int().nonnegative()
const counts = z.record(z.string(), count)
const killCountsSchema = z.object({
  kills: count,
  reports: z.array(
    z.object({
      disk: z.string(),
      kills: count,
      /** Per step of the work and phase of the step. */
      hits: z.record(z.string(), counts),
      /** What was promised before a kill and looked for after it. */
      acknowledged: counts,
      torn: counts,
      problems: z.array(z.string()),
    }),
  ),
})
export type KillCounts = z.infer<typeof killCountsSchema>

/** @throws RuntimeError KILL_COUNTS_UNREADABLE. */
export async function readKillCounts(file: string): Promise<KillCounts> {
  const json = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch((cause: unknown) => {
      throw new RuntimeError('KILL_COUNTS_UNREADABLE', `${file} cannot be read as JSON`, { cause })
    })
  const parsed = killCountsSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new RuntimeError(
    'KILL_COUNTS_UNREADABLE',
    `${file} is not what the kill test writes: ${z.prettifyError(parsed.error)}`,
  )
}
