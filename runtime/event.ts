import { isoTime, type EventPayload } from './messages.ts'
import type { Message } from './outbox-store.ts'
import type { StationName } from './status.ts'

type Distribute<Event> = Event extends EventPayload
  ? Omit<Event, 'schema' | 'site' | 'station' | 'time'>
  : never
/** What happened; the rest of the payload is the same for all. */
export type StationEvent = Distribute<EventPayload>

export function eventMessage({ site, station, topics }: StationName, event: StationEvent): Message {
  const payload = { schema: 'radar-edge/event@1', site, station, time: isoTime(), ...event }
  return { topic: topics.event, payload: JSON.stringify(payload) }
}
