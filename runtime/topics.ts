/** The MQTT topics of one station: `radar/v1/<site>/<station>/…`. */
import { RuntimeError } from './runtime-error.ts'

export interface Topics {
  readonly root: string
  readonly status: string
  readonly health: string
  readonly verdict: string
  readonly event: string
  readonly selfTest: string
  /** The verdict's number is a level of the topic, so that a picture can never be taken for another part's. */
  heatmap(seq: number): string
  overlay(seq: number): string
  command(verb: string): string
  /** Subscription filter for every command. */
  readonly allCommands: string
  reply(verb: string): string
}

/**
 * @param site and @param station one topic level each: not empty, no `/`, `+`, `#` or control characters, no leading `$`.
 * @throws RuntimeError BAD_TOPIC
 */
export function topicsOf(site: string, station: string): Topics {
  const root = ['radar', 'v1', topicLevel('site', site), topicLevel('station', station)].join('/')
  return {
    root,
    status: `${root}/status`,
    health: `${root}/health`,
    verdict: `${root}/verdict`,
    event: `${root}/event`,
    selfTest: `${root}/selftest`,
    heatmap: (seq) => `${root}/heatmap/${seq}`,
    overlay: (seq) => `${root}/overlay/${seq}`,
    command: (verb) => `${root}/cmd/${topicLevel('verb', verb)}`,
    allCommands: `${root}/cmd/+`,
    reply: (verb) => `${root}/reply/${topicLevel('verb', verb)}`,
  }
}

function topicLevel(what: string, value: string): string {
  // Wildcards in a published topic are a protocol error that makes brokers drop the connection (MQTT 5, 3.3.2-2).
  if (value === '' || value.length > 64 || value.startsWith('$') || /[/+#\u0000-\u001f\u007f]/.test(value)) {
    throw new RuntimeError(
      'BAD_TOPIC',
      `${what} ${JSON.stringify(value)} cannot be a topic level: expected 1 to 64 characters without / + # or a leading $`,
    )
  }
  return value
}
