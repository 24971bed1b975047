/** Commands that arrive over MQTT: checked here, done by the handler of their verb, answered in any case. */
import { messageOf } from '../drivers/message-of.ts'
import { errorCodeOf } from './error-code.ts'
import { isoTime, type ReplyPayload } from './messages.ts'
import { RuntimeError } from './runtime-error.ts'
import type { Topics } from './topics.ts'

/** Gets the parsed JSON (`{}` for an empty payload). Throws RuntimeError BAD_COMMAND for what it cannot accept. */
export type CommandHandler = (request: unknown) => Promise<Record<string, unknown>>

export interface CommandPacket {
  readonly topic: string
  readonly payload: Uint8Array
  readonly retained: boolean
  /** MQTT 5 request/response. */
  readonly responseTopic?: string
}

export interface CommandReply {
  readonly topic: string
  readonly payload: string
}

export interface CommandContext {
  readonly site: string
  readonly station: string
  readonly topics: Topics
  readonly handlers: ReadonlyMap<string, CommandHandler>
}

const MAX_COMMAND_BYTES = 65_536

/** Undefined when the topic is none of ours. Never rejects. */
export async function answerCommand(
  packet: CommandPacket,
  context: CommandContext,
): Promise<CommandReply | undefined> {
  const { topics, site, station } = context
  const prefix = topics.allCommands.slice(0, -1)
  const verb = packet.topic.slice(prefix.length)
  if (!packet.topic.startsWith(prefix) || verb === '') return undefined
  const head = { schema: 'radar-edge/reply@1', site, station, time: isoTime() } as const
  let transaction: { transaction?: string } = {}
  let reply: ReplyPayload
  try {
    const request = parseRequest(packet)
    transaction = transactionOf(request)
    const handler = context.handlers.get(verb)
    if (handler === undefined) {
      const known = [...context.handlers.keys()].join(', ')
      throw new RuntimeError('BAD_COMMAND', `no command '${verb}' here; expected one of: ${known}`)
    }
    reply = { ...head, status: 'ok', ...transaction, data: await handler(request) }
  } catch (error) {
    const code = errorCodeOf(error) ?? 'COMMAND_FAILED'
    const detail = messageOf(error)
    reply = { ...head, status: 'error', ...transaction, error: { code, detail } }
  }
  const topic = isPublishable(packet.responseTopic) ? packet.responseTopic : topics.reply(verb)
  return { topic, payload: JSON.stringify(reply) }
}

function parseRequest(packet: CommandPacket): unknown {
  // A retained trigger would inspect a part again after every reconnect.
  if (packet.retained) throw new RuntimeError('BAD_COMMAND', 'a retained command; publish it without retain')
  if (packet.payload.byteLength > MAX_COMMAND_BYTES) {
    const message = `${packet.payload.byteLength} bytes, expected at most ${MAX_COMMAND_BYTES}`
    throw new RuntimeError('BAD_COMMAND', message)
  }
  const text = Buffer.from(packet.payload).toString('utf8').trim()
  if (text === '') return {}
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    const reason = messageOf(error)
    throw new RuntimeError('BAD_COMMAND', `not JSON: ${reason}`, { cause: error })
  }
}

export function transactionOf(request: unknown): { transaction?: string } {
  const given =
    typeof request === 'object' && request !== null && 'transaction' in request && request.transaction
  return typeof given === 'string' && given.length <= 200 ? { transaction: given } : {}
}

function isPublishable(topic: string | undefined): topic is string {
  return topic !== undefined && topic !== '' && !/[+#\0]/.test(topic)
}
