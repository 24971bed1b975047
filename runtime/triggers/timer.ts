import { delay, type Clock } from '../../drivers/clock.ts'
import type { TriggerFeed } from './feed.ts'

/** Asks every `everyMs`, the first time at once, on a fixed raster. Ticks that a busy machine missed are not made up. */
export function timerFeed(options: {
  everyMs: number
  count?: number | undefined
  clock: Clock
}): TriggerFeed {
  const { everyMs, count = Infinity, clock } = options
  return async (ask, signal) => {
    let nextMs = clock.now()
    for (let asked = 0; asked < count && !signal.aborted; asked++) {
      ask({ source: 'timer' })
      nextMs += everyMs * Math.max(1, Math.ceil((clock.now() - nextMs) / everyMs))
      await delay(nextMs - clock.now(), signal, clock).catch(() => undefined)
    }
  }
}
