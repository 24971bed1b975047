/** What `radar-edge doctor` looks at. Each check says what it found and, when that is bad, the exact fix. */
import { mkdir, open, rm, statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../drivers/message-of.ts'
import type { RepositoryManifest } from '../models/repository-manifest.ts'
import { isWallClockSet } from './wall-clock.ts'

export interface Check {
  readonly name: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly found: string
  readonly fix?: string
}

export interface PromiseToCheck {
  readonly id: string
  readonly manifest: Pick<RepositoryManifest, 'product' | 'falseRejectRate' | 'taught'>
  /** Of the recipe in the config. */
  readonly promisedRate: number
}

const MIN_NODE = [20, 19] as const
const MIN_FREE_BYTES = 1 << 30
const MIN_MEMORY_BYTES = 2 ** 31
/** A disk that needs longer than this for one small durable write will be felt in every verdict. */
const SLOW_FSYNC_MS = 50
const BROKER_DEADLINE_MS = 3000

export function checkNode(version: string = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const ok = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])
  return {
    name: 'node',
    state: ok ? 'ok' : 'failed',
    found: `Node.js ${version}`,
    ...(!ok && { fix: `install Node.js ${MIN_NODE.join('.')} or newer` }),
  }
}

export function checkMachine(): Check {
  const memoryBytes = totalmem()
  const supported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)
  const found = `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB`
  if (!supported) return { name: 'machine', state: 'failed', found, fix: 'use Linux on x86-64 or arm64' }
  if (memoryBytes < MIN_MEMORY_BYTES) {
    return {
      name: 'machine',
      state: 'warning',
      found,
      fix: 'less than 2 GiB: lower the recipe’s bankMebibytes',
    }
  }
  return { name: 'machine', state: 'ok', found }
}

/** Time stamps of a clock that was never set poison the history: they start in 1970. */
export function checkWallClock(now: Date = new Date()): Check {
  const ok = isWallClockSet(now.getTime())
  return {
    name: 'wall clock',
    state: ok ? 'ok' : 'failed',
    found: now.toISOString(),
    ...(!ok && { fix: 'set the time, e.g. `timedatectl set-ntp true`' }),
  }
}

export async function checkStateDirectory(folder: string): Promise<Check> {
  const name = 'state directory'
  const probe = join(folder, `.doctor-${process.pid}`)
  try {
    await mkdir(folder, { recursive: true })
    const startedMs = performance.now()
    const file = await open(probe, 'w', 0o600)
    try {
      await file.write('radar-edge doctor')
      await file.sync()
    } finally {
      await file.close()
      await rm(probe, { force: true })
    }
    const fsyncMs = performance.now() - startedMs
    const { bavail, bsize } = await statfs(folder)
    const freeBytes = bavail * bsize
    const found = `${folder}: ${(freeBytes / 2 ** 30).toFixed(1)} GiB free, durable write in ${fsyncMs.toFixed(1)} ms`
    if (freeBytes < MIN_FREE_BYTES)
      return { name, state: 'warning', found, fix: 'free some space: less than 1 GiB is left' }
    if (fsyncMs > SLOW_FSYNC_MS)
      return { name, state: 'warning', found, fix: 'use a faster disk for stateDirectory' }
    return { name, state: 'ok', found }
  } catch (error) {
    const found = messageOf(error)
    return {
      name,
      state: 'failed',
      found,
      fix: `make ${folder} writable for this user, or change stateDirectory`,
    }
  }
}

/** A repository keeps the rate it was taught for: changing the recipe alone changes nothing. */
export function checkPromise({ id, manifest, promisedRate }: PromiseToCheck): Check {
  const { product, falseRejectRate, taught } = manifest
  const name = `repository of ${product}`
  const found = `${id.slice(0, 12)}, taught from ${taught.length} parts for a false-reject rate of ${falseRejectRate}`
  if (falseRejectRate === promisedRate) return { name, state: 'ok', found }
  const fix = `the recipe says ${promisedRate}: teach it again, radar-edge teach --product ${product}`
  return { name, state: 'warning', found, fix }
}

/** As mqtt.js takes them. */
function defaultPortOf(protocol: string): number {
  switch (protocol) {
    case 'ws:':
      return 80
    case 'wss:':
      return 443
    case 'mqtts:':
    case 'ssl:':
    case 'tls:':
      return 8883
    default:
      return 1883
  }
}

/** Only that something listens: a wrong password or certificate shows when the daemon connects. */
export async function checkBroker(url: string): Promise<Check> {
  const { hostname, port, protocol } = new URL(url)
  const target = {
    // An IPv6 address has brackets in a URL only.
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? defaultPortOf(protocol) : Number(port),
  }
  return new Promise((resolve) => {
    const socket = connect({ ...target, timeout: BROKER_DEADLINE_MS })
    const finish = (state: Check['state'], found: string): void => {
      socket.destroy()
      const fix = `start the broker at ${target.host}:${target.port}, open the firewall, or change mqtt.url`
      resolve({ name: 'broker', state, found, ...(state !== 'ok' && { fix }) })
    }
    socket.once('connect', () => finish('ok', `${target.host}:${target.port} answers`))
    socket.once('timeout', () =>
      finish('failed', `${target.host}:${target.port}: no answer in ${BROKER_DEADLINE_MS} ms`),
    )
    socket.once('error', (error) => finish('failed', error.message))
  })
}

/** One line a check, failures with their fix below: what a technician reads on a phone. */
export function formatChecks(checks: readonly Check[]): string {
  const mark: Record<Check['state'], string> = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }
  return checks
    .map((check) => {
      const fix = check.fix === undefined ? '' : `\n          fix: ${check.fix}`
      return `${mark[check.state]} ${check.name}: ${check.found}${fix}\n`
    })
    .join('')
}
