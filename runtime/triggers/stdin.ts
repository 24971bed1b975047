import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { messageOf } from '../../drivers/message-of.ts'
import type { OnRefused, TriggerFeed } from './feed.ts'
import { parseRequestText } from './request-parser.ts'

/** One line, one part: its id, a JSON request, or nothing. Ends with its input. */
export function stdinFeed(input: Readable, onRefused: OnRefused): TriggerFeed {
  return async (ask, signal) => {
    const lines = createInterface({ input, crlfDelay: Infinity })
    const close = (): void => lines.close()
    signal.addEventListener('abort', close, { once: true })
    try {
      if (signal.aborted) return
      for await (const line of lines) {
        try {
          ask(parseRequestText(line, 'stdin'))
        } catch (error) {
          onRefused({ source: 'stdin', detail: messageOf(error) })
        }
      }
    } finally {
      close()
      signal.removeEventListener('abort', close)
    }
  }
}
