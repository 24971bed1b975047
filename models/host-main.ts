/**
 * The inference host: a child process that holds the model and answers one request at a time. A graph's run blocks its event loop,
 * so it cannot beat meanwhile; the daemon times the run and kills this process when it takes too long (inference 5.3).
 */
import { Worker } from 'node:worker_threads'
import type { FromHost, HostedInspector, InspectorModule, ToHost } from './host-protocol.ts'

const parent = process.ppid
process.on('disconnect', () => process.exit(0))
// Ctrl-C and systemd signal every process of the service: the daemon still drains, and lets its host go when it is done.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

// A daemon that was killed cannot kill us, and a blocked event loop never sees the channel close. This thread does.
new Worker(`setInterval(() => process.ppid === ${parent} || process.kill(process.pid, 'SIGKILL'), 1000)`, {
  eval: true,
  execArgv: [],
}).unref()

// The module is the daemon's choice: another backend, or a scripted one in tests.
const moduleUrl = process.argv[2]
if (moduleUrl === undefined) throw new Error('usage: host-main <inspector module>')
const { makeInspector } = (await import(moduleUrl)) as InspectorModule

const never = new AbortController().signal
let inspector: HostedInspector | undefined
let step = 'idle'

process.on('message', (message: ToHost) => void answer(message).then(send))

async function answer(message: ToHost): Promise<FromHost> {
  switch (message.kind) {
    case 'open': {
      setInterval(beat, message.beatMs)
      inspector = makeInspector(message.options, enter)
      return inspector.open(never).then(
        () => ({ kind: 'opened', description: opened().describe() }),
        (error: unknown) => ({ kind: 'refused', ...described(error) }),
      )
    }
    case 'inspect': {
      const { request } = message
      const inspection = await opened().inspect(message.sample, never)
      return { kind: 'inspected', request, inspection }
    }
    case 'activate': {
      const { request, repositoryFolder } = message
      return opened()
        .activate(repositoryFolder)
        .then(
          (description) => ({ kind: 'activated', request, description }),
          (error: unknown) => ({ kind: 'not-activated', request, ...described(error) }),
        )
    }
  }
}

function opened(): HostedInspector {
  // The daemon sends nothing else before it was told `opened`. A throw ends the process, and the daemon restarts it.
  if (!inspector) throw new Error('asked before it was opened')
  return inspector
}

function enter(name: string): void {
  step = name
  beat()
}

function beat(): void {
  send({ kind: 'beat', step, rssBytes: process.memoryUsage.rss() })
}

function send(message: FromHost): void {
  if (message.kind !== 'beat') step = 'idle'
  // A closed channel means that the daemon is gone; 'disconnect' ends this process.
  process.send?.(message, undefined, undefined, () => {})
}

function described(error: unknown): { code: string; message: string } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'MODEL_FAILED'
  return { code, message: error instanceof Error ? error.message : String(error) }
}
