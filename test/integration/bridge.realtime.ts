/** Bridges as processes of their own: the shipped references, and one with faults, over the real protocol. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BridgeDriver, type BridgeOptions } from '../../drivers/bridge.ts'
import type { DriverError, Trigger } from '../../drivers/driver.ts'
import type { Modality } from '../../drivers/frame.ts'
import {
  bridgePeer,
  PYTHON,
  REFERENCE_BRIDGE,
  REFERENCE_BRIDGE_IN_C,
  skipWithoutNumpy as skip,
  type BridgeFault,
} from '../support/bridge-peer.ts'
import { driverContract } from '../support/driver-contract.ts'
import { ended, until } from '../support/processes.ts'
import { measureSensorFault, type SensorFaultCase } from '../support/sensor-faults.ts'

const PICTURE = ['64x48', 'ABC32f', '20'] as const
const signal = () => AbortSignal.timeout(10_000)
const now = (): Trigger => ({ id: 'now', atMs: performance.now(), source: 'bench' })

function driverOf<M extends Modality>(
  modality: M,
  options: Pick<BridgeOptions<M>, 'address'> & Partial<BridgeOptions<M>>,
): BridgeDriver<M> {
  return new BridgeDriver({
    name: 'scanner',
    modality,
    trigger: { kind: 'software' },
    settings: {},
    ...options,
  })
}

t.test('the reference in Python, asked for frames', { skip }, async (t) => {
  driverContract(t, {
    make: () => driverOf('xyz', { address: { command: [PYTHON, REFERENCE_BRIDGE, ...PICTURE] } }),
    makeWaiting: () =>
      driverOf('xyz', {
        address: { command: [PYTHON, REFERENCE_BRIDGE, ...PICTURE] },
        trigger: { kind: 'hardware' },
      }),
    size: { width: 64, height: 48 },
  })
})

const hasCompiler = spawnSync('gcc', ['--version']).error === undefined && existsSync('/usr/include/zlib.h')
const skipC =
  hasCompiler || process.env['CI'] !== undefined ? false : 'SKIP: no gcc or zlib1g-dev (Debian packages)'

t.test('the reference in C', { skip: skipC }, async (t) => {
  const program = join(t.testdir(), 'bridge')
  const options = ['-O2', '-Wall', '-Wextra', '-Werror', '-o', program, REFERENCE_BRIDGE_IN_C, '-lm', '-lz']
  const built = spawnSync('gcc', options, { encoding: 'utf8' })
  t.equal(built.status, 0, built.stderr)
  t.test('frames that come by themselves', async (t) =>
    driverContract(t, {
      make: () =>
        driverOf('rgb', {
          address: { command: [program, '60', '40', 'RGB8', '50'] },
          trigger: { kind: 'free', framesPerSecond: 50 },
        }),
      size: { width: 60, height: 40 },
    }),
  )
  for (const format of ['C16', 'C32f', 'ABC32f'] as const) {
    t.test(`${format}: a dome of 20 mm, half a metre away, in metres`, async (t) => {
      const driver = driverOf('xyz', { address: { command: [program, '65', '49', format] } })
      await driver.open(signal())
      const { pointsMetres } = await driver.capture(now(), signal())
      const at = (row: number, column: number) => [
        ...pointsMetres.subarray((row * 65 + column) * 3, (row * 65 + column + 1) * 3),
      ]
      const near = (found: number[], expected: number[]) =>
        t.ok(
          found.every((value, axis) => Math.abs(value - expected[axis]!) < 1e-4),
          `${found.join()} is ${expected.join()}`,
        )
      near(at(0, 0), [-0.08, -0.06, 0.5])
      near(at(24, 32), [0, 0, 0.48])
      near(at(48, 64), [0.08, 0.06, 0.5])
      await driver.close()
    })
  }
})

t.test('what a bridge does wrong', { skip }, async (t) => {
  const open = async (t: Test, fault: BridgeFault | '') => {
    const peer = bridgePeer(shortFolder(t), PICTURE)
    peer.install()
    peer.setFault(fault)
    const losses: DriverError[] = []
    const size = { width: 64, height: 48 }
    const driver = driverOf('xyz', { address: { command: peer.command }, size })
    await driver.open(signal(), (error) => losses.push(error))
    t.teardown(() => driver.close())
    return { driver, peer, losses }
  }

  for (const [fault, message] of [
    ['garbage', /where a message must begin with 'RDRB'/],
    ['printing', /sent 494e464f[0-9a-f ]* 'INFO: exposure set to 20 ms.+where a message must begin/],
  ] as const) {
    t.test(`${fault}: the bridge is lost, and told why`, async (t) => {
      const { driver, losses } = await open(t, fault)
      await t.rejects(driver.capture(now(), signal()), { code: 'DRIVER_LOST', message })
      await t.rejects(driver.capture(now(), signal()), { code: 'DRIVER_LOST', message })
      t.match(losses, [{ code: 'DRIVER_LOST', message }])
      t.equal(losses.length, 1)
    })
  }

  t.test('a frame of another size is refused, the next one may be right', async (t) => {
    const { driver, peer } = await open(t, 'size')
    const message = 'scanner: the bridge sent 64x24, config says 64x48'
    await t.rejects(driver.capture(now(), signal()), { code: 'DRIVER_BAD_FRAME', message })
    peer.setFault('')
    t.match(await driver.capture(now(), signal()), { height: 48 })
    t.match((await driver.report()).counters, { refused: 1, frames: 2 })
  })

  t.test('a sequence number that comes again is refused; a gap is remarked', async (t) => {
    const { driver, peer } = await open(t, '')
    await driver.capture(now(), signal())
    peer.setFault('repeat')
    await t.rejects(driver.capture(now(), signal()), {
      code: 'DRIVER_BAD_FRAME',
      message: /sequence number 1 after 1/,
    })
    peer.setFault('gap')
    const { remarks } = await driver.capture(now(), signal())
    t.match(remarks, [
      { code: 'frames-missing', detail: 'comes after 1001 that the bridge counted and never sent' },
    ])
    t.match((await driver.report()).counters, { repeated: 1, missing: 1001 })
  })

  t.test("an answer to an earlier trigger is not this one's", async (t) => {
    const { driver, peer } = await open(t, '')
    await driver.capture(now(), signal())
    peer.setFault('late')
    const impatient = new AbortController()
    const capture = t.rejects(driver.capture(now(), impatient.signal))
    await t.rejects(driver.capture(now(), signal()), { message: /busy with the capture before/ })
    await until(() => (driver.counters?.late ?? 0) > 0)
    peer.setFault('')
    impatient.abort(new Error('no patience'))
    await capture
    t.ok(await driver.capture(now(), signal()))
  })

  t.test('a stamp that this machine’s clock cannot have shown is remarked', async (t) => {
    const { driver } = await open(t, 'epoch')
    const { remarks, exposedAtMs } = await driver.capture(now(), signal())
    t.match(remarks, [
      { code: 'clock-implausible', detail: /before its arrival, which this machine's CLOCK_MONOTONIC/ },
    ])
    t.ok(Math.abs(exposedAtMs - performance.now()) < 1000)
  })

  t.test('one that obeys nothing is killed when it is closed', async (t) => {
    const { driver } = await open(t, 'deaf')
    const capture = t.rejects(driver.capture(now(), AbortSignal.timeout(300)))
    await capture
    const startedMs = performance.now()
    await driver.close()
    t.ok(performance.now() - startedMs < 3000)
  })

  t.test('a program that is no bridge is not opened, and says why', async (t) => {
    const openBy = (...command: [string, ...string[]]) =>
      driverOf('xyz', { address: { command } }).open(signal())
    await t.rejects(openBy('/no/such/bridge'), {
      code: 'DRIVER_UNAVAILABLE',
      message: /scanner: the bridge could not be started: .*ENOENT/,
    })
    await t.rejects(openBy(PYTHON, '-c', 'import sys; sys.exit("no camera on this bus")'), {
      code: 'DRIVER_UNAVAILABLE',
      message: 'scanner: the bridge ended with status 1: no camera on this bus',
    })
    await t.rejects(openBy(PYTHON, '-c', 'import os, time; os.close(1); time.sleep(60)'), {
      code: 'DRIVER_UNAVAILABLE',
      message: /closed its stdout, where its frames go/,
    })
    await t.rejects(driverOf('xyz', { address: { socket: join(t.testdir(), 'none') } }).open(signal()), {
      code: 'DRIVER_UNAVAILABLE',
      message: /scanner: the bridge is not to be had: connect ENOENT/,
    })
  })
})

t.test('faults of a bridge that the daemon starts', { skip }, async (t) => {
  const caseOf = (
    t: Test,
  ): {
    base: Omit<SensorFaultCase<'xyz'>, 'fault' | 'fail' | 'reasons'>
    peer: ReturnType<typeof bridgePeer>
  } => {
    const peer = bridgePeer(shortFolder(t), PICTURE)
    return {
      peer,
      base: {
        adapter: 'bridge',
        modality: 'xyz',
        make: () => driverOf('xyz', { address: { command: peer.command }, size: { width: 64, height: 48 } }),
        start: async () => {
          peer.setFault('')
          peer.install()
        },
        stop: async () => peer.uninstall(),
        periodMs: 50,
      },
    }
  }
  const gone = (peer: ReturnType<typeof bridgePeer>) => async () => {
    peer.uninstall()
    peer.signal('SIGKILL')
  }

  t.test('killed', async (t) => {
    const { base, peer } = caseOf(t)
    const row = await measureSensorFault(t, { ...base, fault: 'killed', fail: gone(peer), reasons: ['lost'] })
    t.match(row.detail, /the bridge was ended by SIGKILL/)
  })

  t.test('stopped', async (t) => {
    const { base, peer } = caseOf(t)
    await measureSensorFault(t, {
      ...base,
      fault: 'stopped',
      fail: async () => peer.signal('SIGSTOP'),
      // Three captures until it is lost and killed; the next one that is started runs.
      lastsMs: 1500,
      mend: async () => undefined,
      reasons: ['timeout'],
    })
  })

  t.test('absent at start', async (t) => {
    const { base } = caseOf(t)
    await measureSensorFault(t, {
      ...base,
      fault: 'absent at start',
      fail: async () => undefined,
      reasons: ['lost'],
    })
  })

  t.test('back after 10 s', async (t) => {
    const { base, peer } = caseOf(t)
    await measureSensorFault(t, { ...base, fault: 'back after 10 s', fail: gone(peer), reasons: ['lost'] })
  })

  for (const [fault, word, reasons] of [
    ['slow', 'slow', ['timeout']],
    ['half frames', 'half', ['timeout', 'lost']],
    ['wrong size', 'size', ['bad-frame']],
  ] as const) {
    t.test(fault, async (t) => {
      const { base, peer } = caseOf(t)
      await measureSensorFault(t, { ...base, fault, fail: async () => peer.setFault(word), reasons })
    })
  }
})

const skipSocket =
  skip ||
  (spawnSync('socat', ['-V']).error === undefined || process.env['CI'] !== undefined
    ? false
    : 'SKIP: no socat on the PATH (Debian: apt-get install socat)')

/** The path of a unix socket has 107 bytes at most. */
function shortFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A bridge that knows stdin and stdout only, behind a unix socket, as docs/bridges.md has it. */
function socatBridge(path: string) {
  let socat: ChildProcess | undefined
  return {
    async start() {
      await rm(path, { force: true })
      const command = [PYTHON, REFERENCE_BRIDGE, ...PICTURE].join(' ')
      const options = ['-b', '65536', `UNIX-LISTEN:${path},fork`, `EXEC:${command}`]
      socat = spawn('socat', options, { stdio: 'ignore', detached: true })
      await until(() => existsSync(path))
    },
    async stop() {
      if (socat?.pid === undefined || socat.exitCode !== null || socat.signalCode !== null) return
      const gone = once(socat, 'exit')
      process.kill(-socat.pid, 'SIGKILL')
      await gone
    },
  }
}

t.test('a bridge behind a socket', { skip: skipSocket }, async (t) => {
  t.test('keeps the contract', async (t) => {
    const path = join(shortFolder(t), 'bridge.sock')
    const peer = socatBridge(path)
    await peer.start()
    t.teardown(peer.stop)
    driverContract(t, { make: () => driverOf('xyz', { address: { socket: path } }) })
  })

  t.test('cable out', async (t) => {
    const path = join(shortFolder(t), 'bridge.sock')
    const peer = socatBridge(path)
    const row = await measureSensorFault(t, {
      adapter: 'bridge',
      fault: 'cable out',
      modality: 'xyz',
      make: () => driverOf('xyz', { address: { socket: path } }),
      start: peer.start,
      stop: peer.stop,
      fail: peer.stop,
      reasons: ['lost'],
      periodMs: 50,
    })
    // Which of them is seen first is the system's choice.
    t.match(
      row.detail,
      /the bridge (closed the connection at|is not to be had: (read ECONNRESET|write EPIPE))/,
    )
  })
})

t.test('a daemon that is killed leaves no bridge behind', { skip }, async (t) => {
  const peer = bridgePeer(shortFolder(t), PICTURE)
  peer.install()
  // The bridge's stdin ends with the one who holds it, whatever ended that one.
  const bridge = spawn(peer.command[0], peer.command.slice(1), { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(bridge.stdout, 'data')
  bridge.stdin.destroy()
  await once(bridge, 'exit')
  t.ok(ended(bridge.pid!))
})
