/** What a bridge says in words: hello, log and telemetry are JSON, and each has its form. */
import * as z from 'zod'
import { BRIDGE_FORMATS, BridgeProtocolError, type BridgeFormat, type BridgeText } from './bridge-protocol.ts'

const text = z.string().max(500)
const formats = Object.keys(BRIDGE_FORMATS) as [BridgeFormat, ...BridgeFormat[]]

// Unknown keys are dropped: a newer bridge may say more.
const hello = z.object({
  name: text.describe('Of the bridge and its version.'),
  device: text.optional(),
  formats: z.array(z.enum(formats)).min(1).max(formats.length),
  clock: z.enum(['monotonic', 'wall', 'device', 'none']),
  pathMs: z.number().min(0).max(10_000).default(0),
})

const log = z.object({ level: z.enum(['info', 'warning', 'error']), text: z.string().max(4000) })

const telemetry = z.object({ temperatureCelsius: z.number().min(-100).max(300).optional() })

const forms = { hello, log, telemetry }

/** `name` and `device` are for people. `clock` is the one that frames are stamped by. `pathMs`: exposure to arrival, at best. */
export type BridgeHello = z.infer<typeof hello>
export type BridgeLog = z.infer<typeof log>
export type BridgeTelemetry = z.infer<typeof telemetry>

/** @throws BridgeProtocolError `text` */
export function readText<K extends BridgeText['kind']>(
  kind: K,
  payload: Uint8Array,
): z.infer<(typeof forms)[K]> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    throw new BridgeProtocolError('text', `sent a ${kind} that is not JSON in UTF-8`)
  }
  const result = forms[kind].safeParse(value)
  if (result.success) return result.data as z.infer<(typeof forms)[K]>
  const { path, message } = result.error.issues[0]!
  throw new BridgeProtocolError(
    'text',
    `sent a ${kind} whose ${path.join('.') || 'value'} is wrong: ${message}`,
  )
}
