/** Watching processes that a test started. */
import { existsSync, readFileSync } from 'node:fs'

/** Ended and reaped, or a zombie of an init that does not reap. */
export function ended(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return true
  return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

/** Polls what other processes do; tap's own time limit is the deadline. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
