/** What this machine should allow a GigE Vision camera, and does not. */
import { readFile } from 'node:fs/promises'
import type { DeviceReport } from './driver.ts'

export interface NetworkFindings {
  readonly counters: Readonly<Record<string, number>>
  readonly packetBytes: number
}

const CAP_NET_ADMIN_BIT = 12n
const CAP_NET_RAW_BIT = 13n
const RECEIVE_BUFFER_BYTES = 16_777_216
const JUMBO_BYTES = 8000
const ETHERNET_BYTES = 1500

/** What the kernel gives a socket that asks for more; Infinity for one who may do anything to the network. */
export async function socketBufferLimitBytes(): Promise<number> {
  if (await hasCapability(CAP_NET_ADMIN_BIT)) return Infinity
  const limit = await readFile('/proc/sys/net/core/rmem_max', 'utf8').catch(() => 'Infinity')
  return Number(limit)
}

export async function networkAdvice(findings: NetworkFindings): Promise<DeviceReport['advice']> {
  return adviceOf(findings, {
    hasRawSockets: await hasCapability(CAP_NET_RAW_BIT),
    receiveBufferLimitBytes: await socketBufferLimitBytes(),
  })
}

async function hasCapability(bit: bigint): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
  return (BigInt(`0x${capabilities}`) & (1n << bit)) !== 0n
}

export interface NetworkRights {
  readonly hasRawSockets: boolean
  readonly receiveBufferLimitBytes: number
}

export function adviceOf(
  { counters, packetBytes }: NetworkFindings,
  { hasRawSockets, receiveBufferLimitBytes }: NetworkRights,
): DeviceReport['advice'] {
  const advice: { found: string; fix: string }[] = []
  if (!hasRawSockets && receiveBufferLimitBytes < RECEIVE_BUFFER_BYTES) {
    advice.push({
      found: `no right to raw sockets, and socket buffers of ${receiveBufferLimitBytes} bytes at most: frames lose packets`,
      fix: `AmbientCapabilities=CAP_NET_RAW in the unit, or sysctl -w net.core.rmem_max=${RECEIVE_BUFFER_BYTES} net.core.rmem_default=${RECEIVE_BUFFER_BYTES / 2}`,
    })
  }
  const { packets = 0 } = counters
  const missing = counters['missing packets'] ?? 0
  if (missing > 0) {
    const perMille = ((1000 * missing) / (packets + missing)).toFixed(2)
    advice.push({
      found: `${missing} packets missing (${perMille} of a thousand)`,
      fix: 'look at cable and switch, set packetDelayNs when cameras share a link, and the receive ring of the network card to its largest (ethtool -G)',
    })
  }
  if (packetBytes > 0 && packetBytes <= ETHERNET_BYTES) {
    advice.push({
      found: `packets of ${packetBytes} bytes`,
      fix: `where card and switch know jumbo frames: ip link set <interface> mtu 9000, then packetBytes: auto (${JUMBO_BYTES} and more)`,
    })
  }
  return advice
}
