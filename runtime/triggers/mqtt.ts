import type { Publisher } from '../publisher.ts'
import { RuntimeError } from '../runtime-error.ts'
import type { TriggerFeed } from './feed.ts'
import { parseRequest } from './request-parser.ts'

/** `cmd/trigger`. The reply says the trigger's id at once; the verdict follows on its own topic and carries it. */
export function mqttFeed(publisher: Pick<Publisher, 'handle'>): TriggerFeed {
  return async (ask, signal) => {
    publisher.handle('trigger', async (json) => {
      if (signal.aborted) throw new RuntimeError('SHUTTING_DOWN', 'the station is stopping')
      return { triggerId: ask(parseRequest(json, 'mqtt')).triggerId }
    })
    if (signal.aborted) return
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  }
}
