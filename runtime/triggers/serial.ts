/**
 * A serial port that asks: by bytes, or by an edge of one of its input lines. Whatever was half received, or stood on
 * the line, when the port came up is no trigger: it may be of a part that is long gone.
 */
import { delay, type Clock } from '../../drivers/clock.ts'
import { messageOf } from '../../drivers/message-of.ts'
import type { KeptLink, LinkSession } from '../links/kept-link.ts'
import type { SerialLine } from '../links/line-links.ts'
import { delimitedPattern, fixedPattern, MAX_MESSAGE_BYTES, type BytePattern } from './byte-pattern.ts'
import type { Ask, OnRefused, TriggerFeed } from './feed.ts'
import { parseRequest } from './request-parser.ts'
import type { SerialTriggerConfig } from './serial-config.ts'

export interface SerialFeedOptions {
  readonly link: Pick<KeptLink<SerialLine>, 'use' | 'name'>
  readonly trigger: SerialTriggerConfig
  readonly clock: Clock
  readonly onRefused: OnRefused
}

export function serialFeed(options: SerialFeedOptions): TriggerFeed {
  return async (ask, signal) => {
    if (signal.aborted) return
    const stop = options.link.use((session) => {
      if (options.trigger.line === undefined) listen(session, { ...options, ask, stopped: signal })
      else void watch(session, { ...options, ask, stopped: signal }) // never rejects
    })
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    stop()
  }
}

interface Watching extends SerialFeedOptions {
  readonly ask: Ask
  readonly stopped: AbortSignal
}

function listen(
  { connection }: LinkSession<SerialLine>,
  { trigger, link, onRefused, ask, stopped }: Watching,
): void {
  const pattern = patternOf(trigger)
  const refuse = (detail: string): void =>
    onRefused({ source: 'serial', detail: `link ${link.name}: ${detail}` })
  connection.onBytes((bytes) => {
    if (stopped.aborted) return
    const { partIds, tooLong } = pattern.take(bytes)
    if (tooLong > 0) refuse(`more than ${MAX_MESSAGE_BYTES} bytes without a delimiter were dropped`)
    for (const partId of partIds) {
      if (partId === '') {
        ask({ source: 'serial' })
        continue
      }
      try {
        ask(parseRequest({ partId }, 'serial'))
      } catch (error) {
        // The part is there, whatever its label says.
        ask({ source: 'serial' })
        refuse(`a part's id is unusable: ${messageOf(error)}`)
      }
    }
  })
}

function patternOf({ bytes, delimiter, prefix }: SerialTriggerConfig): BytePattern {
  return delimiter === undefined ? fixedPattern(bytes ?? '') : delimitedPattern(delimiter, prefix)
}

async function watch(
  { connection, signal }: LinkSession<SerialLine>,
  { trigger, link, clock, onRefused, ask, stopped }: Watching,
): Promise<void> {
  const { line = 'cts', edge, pollEveryMs, debounceMs } = trigger
  const ends = AbortSignal.any([signal, stopped])
  let former: boolean | undefined
  let deafUntilMs = -Infinity
  while (!ends.aborted) {
    // Rejects when the port is gone; the link tells.
    const lines = await connection.readLines().catch(() => 'gone' as const)
    if (lines === 'gone' || ends.aborted) return
    if (lines === undefined) {
      const detail = `link ${link.name}: this port has no line ${line}; trigger by bytes, or use an adapter that has it`
      onRefused({ source: 'serial', detail })
      return
    }
    const isOn = lines[line]
    const isEdge = former !== undefined && isOn !== former && isOn === (edge === 'rising')
    if (isEdge && clock.now() >= deafUntilMs) {
      ask({ source: 'serial' })
      deafUntilMs = clock.now() + debounceMs
    }
    former = isOn
    await delay(pollEveryMs, ends, clock).catch(() => undefined)
  }
}
