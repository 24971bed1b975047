/**
 * How long the machine let nobody run: a thread of its own sleeps 5 ms at a time and notes by how much it overslept. What this
 * process keeps its event loop busy with is not in it. Bounds on a product's own time may be longer by that much.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'

export interface MachineStalls {
  longestMs(): number
}

const SLEEP_MS = 5
const SCRIPT = `
  const longestMs = new Int32Array(require('node:worker_threads').workerData)
  const nobody = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    const sinceMs = performance.now()
    Atomics.wait(nobody, 0, 0, ${SLEEP_MS})
    const oversleptMs = Math.ceil(performance.now() - sinceMs - ${SLEEP_MS})
    if (oversleptMs > Atomics.load(longestMs, 0)) Atomics.store(longestMs, 0, oversleptMs)
  }`

/** Resolves when it watches. */
export async function machineStalls(t: Pick<Test, 'teardown'>): Promise<MachineStalls> {
  const longestMs = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(SCRIPT, { eval: true, workerData: longestMs.buffer, execArgv: [] })
  await once(worker, 'online')
  worker.unref()
  t.teardown(() => worker.terminate())
  return { longestMs: () => Atomics.load(longestMs, 0) }
}
