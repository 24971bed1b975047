/**
 * A cable of its own for a network camera: the camera's process lives in a network namespace, and a veth pair leads there.
 * Needs root and iproute2.
 */
import { spawnSync } from 'node:child_process'

export interface CameraCable {
  /** Of this machine's end. */
  readonly hostAddress: string
  readonly cameraAddress: string
  /** Put before a command, it runs at the camera's end: `ip netns exec <namespace>`. */
  readonly atCamera: readonly [string, ...string[]]
  unplug(): void
  plug(): void
  /** With everything that was made. Twice is fine. */
  remove(): void
}

/** Why there can be no cable, or false. */
export function whyNoCameraCable(): string | false {
  if (process.getuid?.() !== 0) return 'SKIP: only root may lay a cable (network namespaces)'
  const name = `probe${process.pid}`
  const { error, status } = spawnSync('ip', ['netns', 'add', name])
  if (error) return 'SKIP: no ip on the PATH (Debian: apt-get install iproute2)'
  if (status !== 0) return 'SKIP: this machine gives out no network namespaces'
  spawnSync('ip', ['netns', 'delete', name])
  return false
}

let laid = 0

/** @throws Error with what `ip` says */
export function layCameraCable({ mtuBytes = 9000 } = {}): CameraCable {
  // Names of 15 characters at most, and addresses of their own for each process that runs beside this one.
  const index = (process.pid * 8 + (laid++ % 8)) % 16_384
  const namespace = `cam-${process.pid}-${laid}`
  const [host, camera] = [`vh${index.toString(36)}`, `vc${index.toString(36)}`]
  const addressOf = (last: number): string => `10.78.${index >> 6}.${((index & 63) << 2) + last}`
  const [hostAddress, cameraAddress] = [addressOf(1), addressOf(2)]
  const remove = (): void => {
    spawnSync('ip', ['link', 'delete', host])
    spawnSync('ip', ['netns', 'delete', namespace])
  }
  try {
    ip(`netns add ${namespace}`)
    ip(`link add ${host} mtu ${mtuBytes} type veth peer name ${camera} mtu ${mtuBytes} netns ${namespace}`)
    ip(`addr add ${hostAddress}/30 dev ${host}`)
    ip(`link set ${host} up`)
    ip(`-n ${namespace} addr add ${cameraAddress}/30 dev ${camera}`)
    ip(`-n ${namespace} link set ${camera} up`)
    ip(`-n ${namespace} link set lo up`)
  } catch (error) {
    remove()
    throw error
  }
  return {
    hostAddress,
    cameraAddress,
    atCamera: ['ip', 'netns', 'exec', namespace],
    unplug: () => ip(`-n ${namespace} link set ${camera} down`),
    plug: () => ip(`-n ${namespace} link set ${camera} up`),
    remove,
  }
}

function ip(command: string): void {
  const { status, stderr, error } = spawnSync('ip', command.split(' '), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${command}: ${error?.message ?? stderr}`)
}
