import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { Studio } from '../../../drivers/synthetic/studio.ts'

const never = (): AbortSignal => new AbortController().signal
const request = {
  want: 'rgb',
  part: { category: 'gear', width: 8, height: 8, seed: 1 },
  noiseSeed: 0,
} as const

/** A studio whose thread runs this script. */
function scripted(t: Test, script: string): Studio {
  const folder = t.testdir({ 'package.json': '{"type":"module"}', 'thread.js': script })
  return new Studio(pathToFileURL(join(folder, 'thread.js')))
}

const READY = `import { parentPort } from 'node:worker_threads'
parentPort.postMessage({ kind: 'ready' })
`

async function entered(t: Test, studio: Studio): Promise<object> {
  const user = {}
  await studio.enter(user, never())
  t.teardown(() => studio.leave(user))
  return user
}

t.test('a thread that dies loses the sensor, and entering again starts another', async (t) => {
  const studio = scripted(t, `${READY} parentPort.on('message', () => process.exit(3))`)
  const user = await entered(t, studio)
  for (let round = 0; round < 2; round++) {
    await t.rejects(studio.ask(request, { user, signal: never() }), {
      code: 'DRIVER_LOST',
      message: /ended with code 3/,
    })
    await t.rejects(studio.ask(request, { user, signal: never() }), { code: 'DRIVER_LOST' })
    await studio.leave(user)
    await studio.enter(user, never())
  }
})

t.test('a thread that throws loses the sensor and says why', async (t) => {
  const studio = scripted(t, `${READY} parentPort.on('message', () => { throw new Error('no more paint') })`)
  const user = await entered(t, studio)
  await t.rejects(studio.ask(request, { user, signal: never() }), {
    code: 'DRIVER_LOST',
    message: /no more paint/,
  })
})

t.test('a thread that cannot start is unavailable', async (t) => {
  const studio = scripted(t, `throw new Error('no lamp')`)
  await t.rejects(studio.enter({}, never()), { code: 'DRIVER_UNAVAILABLE', cause: { message: 'no lamp' } })
})

t.test('an abort while the thread starts rejects with the signal’s reason', async (t) => {
  const studio = scripted(
    t,
    `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => {})`,
  )
  const control = new AbortController()
  const reason = new Error('the line stopped')
  const entering = studio.enter({}, control.signal)
  control.abort(reason)
  await t.rejects(entering, reason)
})

t.test(
  'a thread that never answers is bounded: aborts free the caller, the seventeenth request is refused',
  async (t) => {
    const studio = scripted(t, `${READY} parentPort.on('message', () => {})`)
    const user = await entered(t, studio)
    const control = new AbortController()
    const reason = new Error('too late')
    const asked = Array.from({ length: 16 }, () => studio.ask(request, { user, signal: control.signal }))
    await t.rejects(studio.ask(request, { user, signal: never() }), {
      code: 'DRIVER_BAD_FRAME',
      message: /16 requests behind/,
    })
    control.abort(reason)
    for (const one of asked) await t.rejects(one, reason)
    await t.rejects(studio.ask(request, { user, signal: never() }), { code: 'DRIVER_BAD_FRAME' })
  },
)

t.test('who leaves gets no answer any more; who stays does', async (t) => {
  const studio = scripted(
    t,
    `${READY} parentPort.on('message', ({ id }) => setImmediate(() =>
      parentPort.postMessage({ kind: 'done', id, samples: new Uint8Array([id]) })))`,
  )
  const leaver = await entered(t, studio)
  const stayer = await entered(t, studio)
  const lost = t.rejects(studio.ask(request, { user: leaver, signal: never() }), { code: 'DRIVER_LOST' })
  const kept = studio.ask(request, { user: stayer, signal: never() })
  await studio.leave(leaver)
  await lost
  t.same(await kept, new Uint8Array([1]))
})
