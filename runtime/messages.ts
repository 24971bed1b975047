/**
 * What leaves the station: the one source of every MQTT payload. Types, JSON Schemas (docs/schemas) and tests come from
 * these. Within a version (`@1`) a schema only ever gains optional fields; a subscriber must ignore fields it does not
 * know. Anything else is a new version on a new `radar/v2` root.
 */
import * as z from 'zod'

const time = z.iso.datetime().describe('Wall-clock time, ISO 8601, UTC. Order by seq, not by time.')
const count = z.int().min(0)
const milliseconds = z.number().min(0)
const condition = z.enum(['complete', 'rgb-only', 'xyz-only', 'none'])
const origin = {
  site: z.string(),
  station: z.string(),
  time,
}

const modality = z.object({
  sensor: z.string().describe('Name of the sensor in the config.'),
  state: z
    .enum(['ok', 'degraded', 'missing', 'stale', 'frozen', 'rejected'])
    .describe(
      'Whether this modality took part, and if not, what kind of absence it is. A degraded one took part, but its frame shows less than a good one would.',
    ),
  reason: z
    .enum(['timeout', 'lost', 'frozen', 'bad-frame', 'stale', 'rejected'])
    .optional()
    .describe('Reason code when it took no part. Why a frame is degraded is said by flags and detail.'),
  detail: z.string().optional().describe('One sentence for a person.'),
  ageMs: milliseconds.optional().describe('From the start of exposure to the verdict.'),
})

export const heatmapScaleSchema = z.object({
  encoding: z.literal('png-grey16'),
  thresholdValue: z
    .literal(16384)
    .describe('Pixel value of the map threshold: at and above it the map is anomalous.'),
  zeroValue: z.literal(0),
  clippedAt: z.literal(65535).describe('Highest pixel value: four times the threshold or more.'),
  linear: z.literal(true),
})

const heatmap = z
  .union([
    z.object({
      topic: z.string().describe('Where the 16-bit heatmap of this verdict is published, QoS 0.'),
      overlayTopic: z.string().optional().describe('Where its colour overlay is published, QoS 0.'),
      scale: heatmapScaleSchema,
    }),
    z.object({
      dropped: z
        .enum(['offline', 'link-busy'])
        .describe('Why no heatmap will follow: pictures go before verdicts.'),
    }),
  ])
  .describe('Absent when there is no map, or when the config publishes none.')

export const verdictSchema = z
  .object({
    schema: z.literal('radar-edge/verdict@1'),
    ...origin,
    seq: z
      .int()
      .min(1)
      .describe('Gap-free number of this verdict; a gap event names any that were given up.'),
    durable: z
      .boolean()
      .describe('False while the outbox is volatile: this number may be given again after a restart.'),
    historical: z
      .boolean()
      .describe('True when made before the connection it is sent on: late, never overwrite a live value.'),
    triggerId: z.string(),
    source: z.enum(['timer', 'mqtt', 'file', 'stdin', 'serial', 'modbus', 'demo', 'teach', 'bench']),
    partId: z.string().optional(),
    product: z.string(),
    outcome: z.enum(['pass', 'fail', 'unknown']).describe('What the model says.'),
    action: z
      .enum(['accept', 'reject', 'review'])
      .describe("What the line should do: the outcome under the recipe's policy for this condition."),
    reason: z
      .enum([
        'nothing-captured',
        'deadline',
        'host-starting',
        'host-lost',
        'host-busy',
        'no-repository',
        'model-failed',
        'not-finite',
        'overrun',
        'shutting-down',
      ])
      .optional()
      .describe('Why the outcome is unknown.'),
    detail: z.string().optional().describe('The reason in one sentence for a person.'),
    score: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'Normality: the predicted share of good parts that look at least this odd. Small is anomalous.',
      ),
    threshold: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('The part fails when score < threshold; equals the promised false-reject rate.'),
    distance: z.number().optional().describe('Mahalanobis distance over the bank scores.'),
    bankScores: z.record(z.string(), z.number()).optional(),
    condition: condition.describe('Which modalities the verdict rests on.'),
    instruction: z.int().optional().describe("RADAR's instruction: 0 complete, 1 rgb-only, 2 xyz-only."),
    degraded: z
      .boolean()
      .describe('A configured modality took no part, or its frame shows less than a good one would.'),
    modalities: z.object({ rgb: modality.optional(), xyz: modality.optional() }),
    skewMs: milliseconds
      .optional()
      .describe('Between the two exposures; also when it is too much, and one of the frames is stale.'),
    flags: z
      .array(z.string())
      .describe('What to know about this part, e.g. captured-late: exposed long after its trigger.'),
    regions: z
      .array(
        z.object({
          x: z.number(),
          y: z.number(),
          width: z.number(),
          height: z.number(),
          peak: z.number().describe('1 is the threshold.'),
        }),
      )
      .describe('Hot regions of the map in frame pixels, hottest first.'),
    heatmap: heatmap.optional(),
    provenance: z
      .object({
        bundleId: z.string(),
        repositoryId: z.string(),
        backend: z.string(),
        planeId: z.string().optional(),
      })
      .optional()
      .describe('What decided; absent when nothing did.'),
    timingMs: z
      .record(z.string(), milliseconds)
      .describe('Per step; total is from the trigger to the finished verdict.'),
  })
  .describe('Exactly one per trigger. QoS 1, not retained; delivered at least once, so drop a repeated seq.')

export const statusSchema = z
  .object({
    schema: z.literal('radar-edge/status@1'),
    site: z.string(),
    station: z.string(),
    state: z.enum(['starting', 'online', 'offline']),
    time: time
      .optional()
      .describe('Absent in the last will, which the broker sends later than it was written.'),
    runId: z.string().describe('Differs after every start of the daemon.'),
    reason: z.enum(['shutdown', 'connection-lost']).optional(),
    version: z.string().optional(),
    startedAt: time.optional(),
    uptimeSeconds: count.optional(),
    product: z.string().optional(),
    bundleId: z.string().optional(),
    repositoryId: z.string().optional(),
    counters: z.record(z.string(), count).optional(),
    skewMs: z
      .object({ parts: count, p50: milliseconds, p99: milliseconds, worst: milliseconds })
      .optional()
      .describe('Between the two exposures of the last 1,000 parts that both sensors saw.'),
    outbox: z
      .object({
        durability: z.enum(['durable', 'volatile']),
        lastSeq: count,
        depth: count.describe('Verdicts that the broker has not acknowledged.'),
        evicted: count.describe('Verdicts given up in this run because the outbox was full.'),
      })
      .optional(),
    inferenceHost: z.object({ state: z.string(), restarts: count, rssBytes: count.optional() }).optional(),
    rssBytes: count.optional(),
  })
  .describe('Retained; the last will says offline.')

export const healthSchema = z
  .object({
    schema: z.literal('radar-edge/health@1'),
    ...origin,
    sensors: z.array(
      z.object({
        sensor: z.string(),
        modality: z.enum(['rgb', 'xyz']),
        state: z.enum(['starting', 'ok', 'degraded', 'lost']),
        sinceSeconds: milliseconds.describe('How long it has been in this state.'),
        detail: z.string().optional(),
      }),
    ),
    links: z
      .array(
        z.object({
          link: z.string().describe('Name in the config section links.'),
          state: z.enum(['connecting', 'up', 'down']),
          sinceSeconds: milliseconds.describe('How long it has been in this state.'),
          detail: z.string().optional().describe('Why it is down.'),
        }),
      )
      .optional()
      .describe('Serial ports and Modbus slaves of the line; absent without any.'),
  })
  .describe('Retained. Condition is about a sample, health about a sensor.')

export const eventSchema = z
  .discriminatedUnion('kind', [
    z.object({
      schema: z.literal('radar-edge/event@1'),
      ...origin,
      kind: z.literal('gap'),
      firstSeq: z.int().min(1),
      lastSeq: z.int().min(1),
      detail: z.string(),
    }),
    z.object({
      schema: z.literal('radar-edge/event@1'),
      ...origin,
      kind: z.enum([
        'outbox-volatile',
        'outbox-durable',
        'trigger-refused',
        'sensor',
        'link',
        'output',
        'alarm',
        'clock',
        'job-failed',
        'repository',
      ]),
      detail: z.string(),
      code: z.string().optional(),
      job: z.string().optional().describe('Key in the config section schedule of the job that failed.'),
    }),
  ])
  .describe('QoS 1, not retained. A gap event names verdicts that were given up, both ends included.')

const goldenFinding = z.object({
  partId: z.string(),
  label: z.enum(['good', 'bad']),
  defect: z.string().optional(),
  condition: condition.describe('What was taken to have been captured.'),
  expected: z
    .enum(['pass', 'fail'])
    .optional()
    .describe('The verdict when the repository came into use, else what the label says.'),
  outcome: z.enum(['pass', 'fail', 'unknown']),
  score: z.number().min(0).max(1).optional().describe('Normality, as in a verdict.'),
  drift: z.number().optional().describe('Distance now less the distance when the repository came into use.'),
  detail: z.string().describe('One sentence for a person.'),
})

export const selfTestSchema = z
  .object({
    schema: z.literal('radar-edge/selftest@1'),
    ...origin,
    product: z.string(),
    result: z
      .enum(['PASS', 'FAIL', 'UNTESTED'])
      .describe('UNTESTED: the product has no golden parts to show to the model.'),
    detail: z.string().describe('One sentence for a person.'),
    durationMs: milliseconds,
    parts: count.describe('Golden parts.'),
    inspections: count.describe('Of every part in every condition that it has the frames of.'),
    wrong: count.describe('Inspections with another verdict than expected.'),
    unknown: count.describe('Inspections without a verdict.'),
    bad: z
      .object({ parts: count, found: count })
      .describe('Bad golden parts, and those that failed when seen with all that they were captured with.'),
    largestDrift: z
      .number()
      .min(0)
      .optional()
      .describe('Largest change of a distance since the repository came into use.'),
    failures: z.array(goldenFinding).max(20).describe('The first of the wrong and unknown ones.'),
    provenance: z
      .object({ bundleId: z.string(), repositoryId: z.string(), backend: z.string() })
      .optional()
      .describe('What was tested; absent when nothing was decided.'),
  })
  .describe(
    'Retained. The golden parts shown to the running model, with all sensors and with each alone; once a shift, and when asked for.',
  )

export const replySchema = z
  .object({
    schema: z.literal('radar-edge/reply@1'),
    ...origin,
    status: z.enum(['ok', 'error']),
    transaction: z
      .string()
      .optional()
      .describe('Echo of the command; MQTT 5 correlation data is echoed too.'),
    data: z.record(z.string(), z.unknown()).optional(),
    error: z.object({ code: z.string(), detail: z.string() }).optional(),
  })
  .describe('On reply/<verb>, or on the response topic of an MQTT 5 request.')

export const triggerCommandSchema = z
  .strictObject({
    partId: z.string().min(1).max(200).optional().describe("The line's name for the part."),
    transaction: z.string().max(200).optional().describe('Echoed in the reply.'),
  })
  .describe('Payload of cmd/trigger; an empty payload is allowed too. Never publish it retained.')

export const reloadCommandSchema = z
  .strictObject({ transaction: z.string().max(200).optional().describe('Echoed in the reply.') })
  .describe(
    'Payload of cmd/reload; an empty payload is allowed too. The reply names the repository that is in use.',
  )

export type VerdictPayload = z.infer<typeof verdictSchema>
export type StatusPayload = z.infer<typeof statusSchema>
export type HealthPayload = z.infer<typeof healthSchema>
export type EventPayload = z.infer<typeof eventSchema>
export type SelfTestPayload = z.infer<typeof selfTestSchema>
export type ReplyPayload = z.infer<typeof replySchema>
export type HeatmapScale = z.infer<typeof heatmapScaleSchema>

export const MESSAGE_SCHEMAS = {
  verdict: verdictSchema,
  status: statusSchema,
  health: healthSchema,
  event: eventSchema,
  selftest: selfTestSchema,
  reply: replySchema,
  'cmd-trigger': triggerCommandSchema,
  'cmd-reload': reloadCommandSchema,
  'heatmap-scale': heatmapScaleSchema,
} as const

/** A stored verdict that is sent late. */
export function asHistorical(payload: string): string {
  return JSON.stringify({ ...(JSON.parse(payload) as VerdictPayload), historical: true })
}

/** Wall-clock time for a payload. Everything else in the daemon is monotonic. */
export function isoTime(): string {
  return new Date().toISOString()
}
