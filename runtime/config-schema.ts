/**
 * The one schema of the config file: types, checks, defaults and the reference page all come from it.
 * Every number has a minimum, a maximum and a unit in its name. Unknown keys are errors.
 */
import * as z from 'zod'
import type { Modality } from '../drivers/frame.ts'
import { CATEGORY_NAMES } from '../drivers/synthetic/catalogue.ts'
import { ConfigError } from './config-error.ts'
import { cronProblem } from './cron.ts'
import { link, linkProblems } from './links/link-config.ts'
import { output } from './outputs/output-config.ts'
import { bridgeSensor } from './sensor-kinds/bridge.ts'
import { genicamSensor } from './sensor-kinds/genicam.ts'
import { genicam3dSensor } from './sensor-kinds/genicam3d.ts'
import { gstreamerCameraSensor, gstreamerDepthSensor } from './sensor-kinds/gstreamer.ts'
import { profilerSensor } from './sensor-kinds/profiler.ts'
import { name, sharedKeys } from './sensor-kinds/sensor.ts'
import { modbusTrigger } from './triggers/modbus-config.ts'
import { serialTrigger } from './triggers/serial-config.ts'

const path = z.string().min(1)
const pixels = z.int().min(16).max(8192)

/** Sensors whose section only names them: their parts are described in a section of the station's. */
const plain = <K extends string>(kind: K, defaultName: string) =>
  z.strictObject({ kind: z.literal(kind), ...sharedKeys(defaultName) })

const rgbSensor = z.discriminatedUnion('kind', [
  plain('synthetic', 'rgb'),
  plain('replay', 'rgb'),
  bridgeSensor('rgb'),
  genicamSensor,
  gstreamerCameraSensor,
])
const xyzSensor = z.discriminatedUnion('kind', [
  plain('synthetic', 'xyz'),
  plain('replay', 'xyz'),
  bridgeSensor('xyz'),
  genicam3dSensor,
  gstreamerDepthSensor,
  profilerSensor,
])

const trigger = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('timer'),
    everyMs: z.int().min(10).max(86_400_000).describe('Period of the timer.'),
    count: z.int().min(1).max(1_000_000_000).optional().describe('Stop after this many triggers.'),
  }),
  z.strictObject({ kind: z.literal('mqtt').describe('Messages on cmd/trigger.') }),
  z.strictObject({
    kind: z.literal('file'),
    folder: path.describe('A file dropped here (.trigger or .json) asks for one inspection.'),
  }),
  z.strictObject({
    kind: z.literal('stdin').describe('One line of standard input asks for one inspection.'),
  }),
  serialTrigger,
  modbusTrigger,
])

function isBrokerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return /^(mqtts?|wss?|tcp|ssl|tls):$/.test(protocol) && hostname !== ''
}

function holdsUser(text: string): boolean {
  const { username, password } = URL.canParse(text) ? new URL(text) : { username: '', password: '' }
  return username !== '' || password !== ''
}

const policy = z.enum(['decide', 'review', 'fail'])

/** When a job is due. */
const jobTimes = (times: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const problem = text === 'off' ? undefined : cronProblem(text)
      if (problem === undefined) return
      context.addIssue({ code: 'custom', message: `expected off or a cron expression: '${text}' ${problem}` })
    })
    .default(times)

const recipe = z.strictObject({
  falseRejectRate: z
    .number()
    .min(0.0001)
    .max(0.5)
    .default(0.01)
    .describe(
      'Promised share of good parts that fail, in every condition. The repository is calibrated for it when it is taught.',
    ),
  bankMebibytes: z
    .number()
    .min(0.5)
    .max(2048)
    .default(16)
    .describe('Byte budget of the product’s five banks together.'),
  mdm: z
    .strictObject({
      mode: z
        .enum(['one-sided', 'two-sided'])
        .default('one-sided')
        .describe(
          'How the banks’ scores become one distance: one-sided counts only what looks worse than good parts do, two-sided (the textbook’s Mahalanobis distance) also what looks better. The repository is calibrated for it when it is taught.',
        ),
    })
    .prefault({}),
  gate: z
    .strictObject({
      leastDetection: z
        .number()
        .min(0)
        .max(1)
        .default(0.9)
        .describe('Least share of the bad golden parts that a repository must reject before it is used.'),
      mostFlips: z
        .int()
        .min(0)
        .max(1000)
        .default(0)
        .describe('So many golden verdicts that were right may become wrong.'),
    })
    .prefault({})
    .describe('What a new repository must hold before it may be put into use.'),
  policy: z
    .strictObject({
      complete: policy.default('decide').describe('What the line does with a verdict from both sensors.'),
      'rgb-only': policy.default('decide').describe('... from the camera alone.'),
      'xyz-only': policy.default('decide').describe('... from the 3D sensor alone.'),
      none: z.enum(['review', 'fail']).default('review').describe('... when nothing was captured.'),
    })
    .prefault({}),
})

/** The first is of no use without the second. */
const MQTT_PAIRS = [
  ['passwordFile', 'username'],
  ['certFile', 'keyFile'],
  ['keyFile', 'certFile'],
] as const

export const configSchema = z
  .strictObject({
    station: z.strictObject({
      site: name.describe('First level of the MQTT topics.'),
      name: name.describe('Second level of the MQTT topics.'),
    }),
    product: name.describe('The recipe in use: whose repository good parts are compared with.'),
    recipes: z
      .record(name, recipe)
      .default({})
      .describe('Recipes by product. A product without an entry has the defaults below.'),
    stateDirectory: path
      .default('./state')
      .describe('Repositories, outbox and numbering live here. Relative to the config file.'),
    bundle: path
      .default('radar-lite')
      .describe(
        'Model bundle: the name of a shipped one, or a folder relative to the config file, with a / in it (./mine).',
      ),
    sensors: z
      .strictObject({ rgb: rgbSensor.optional(), xyz: xyzSensor.optional() })
      .refine((value) => value.rgb !== undefined || value.xyz !== undefined, 'expected rgb, xyz or both'),
    skewToleranceMs: z
      .number()
      .min(0)
      .max(60_000)
      .default(200)
      .describe(
        'Exposures of one trigger may lie this far apart; beyond it the one farther from the trigger is stale.',
      ),
    delayToleranceMs: z
      .number()
      .min(0)
      .max(600_000)
      .default(500)
      .describe(
        'A frame exposed longer than this after its trigger is flagged captured-late in the verdict: the part may have moved on.',
      ),
    synthetic: z
      .strictObject({
        category: z.enum(CATEGORY_NAMES).default('hex-nut').describe('Procedural product to show.'),
        width: pixels.default(400).describe('Width of the frames.'),
        height: pixels.default(400).describe('Height of the frames.'),
        seed: z
          .int()
          .min(0)
          .max(2 ** 31 - 1)
          .default(1)
          .describe('Seed of the parts: the same seed shows the same parts.'),
        defectRate: z.number().min(0).max(1).default(0.25).describe('Share of parts with a defect.'),
      })
      .prefault({})
      .describe('The synthetic station, for sensors of kind synthetic.'),
    replay: z
      .strictObject({
        root: path.describe(
          'MVTec 3D-AD layout, or a folder of loose pairs with equal stems. Relative to the config file.',
        ),
        split: z.enum(['train', 'validation', 'test']).optional().describe('Only this split.'),
        loop: z.boolean().default(false).describe('Start again after the last part.'),
      })
      .optional()
      .describe('Recorded parts, for sensors of kind replay.'),
    triggers: z
      .array(trigger)
      .min(1)
      .max(16)
      .default([{ kind: 'mqtt' }]),
    links: z
      .array(link)
      .max(16)
      .default([])
      .describe('Connections to the line, for triggers and outputs of kind serial and modbus.'),
    outputs: z
      .array(output)
      .max(16)
      .default([])
      .describe('What the line is told of each verdict (docs/line-signals.md).'),
    deadlines: z
      .strictObject({
        verdictMs: z
          .int()
          .min(50)
          .max(600_000)
          .default(3000)
          .describe('Every trigger has its verdict this long after it at the latest.'),
        shutdownMs: z.int().min(100).max(60_000).default(5000).describe('Longest wait for a clean shutdown.'),
      })
      .prefault({}),
    queue: z
      .strictObject({
        triggers: z
          .int()
          .min(1)
          .max(1000)
          .default(16)
          .describe('Triggers that may wait; one more gets an unknown verdict at once.'),
        outboxVerdicts: z
          .int()
          .min(10)
          .max(10_000_000)
          .default(100_000)
          .describe('Verdicts kept while the broker is away; then the oldest goes and a gap event names it.'),
        outboxMebibytes: z.int().min(1).max(65_536).default(256).describe('The same bound in bytes.'),
      })
      .prefault({}),
    mqtt: z
      .strictObject({
        url: z
          .string()
          .refine(isBrokerUrl, 'expected mqtt://host:port or mqtts://host:port')
          .refine((url) => !holdsUser(url), 'holds a user: it would be logged; use username and passwordFile')
          .optional()
          .describe(
            'Broker, as mqtt://host:port or mqtts://host:port. Without it an embedded broker listens on loopback.',
          ),
        embeddedPort: z
          .int()
          .min(0)
          .max(65_535)
          .default(1883)
          .describe('Port of the embedded broker; 0 takes a free one.'),
        username: z.string().optional().describe('User at the broker.'),
        passwordFile: path.optional().describe('File that holds the password; never the password itself.'),
        caFile: path.optional().describe('Certificate authority (PEM) that signed the broker.'),
        certFile: path.optional().describe('Client certificate (PEM).'),
        keyFile: path.optional().describe('Key of the client certificate (PEM).'),
      })
      .prefault({}),
    http: z
      .strictObject({
        enabled: z.boolean().default(true).describe('Off: nothing listens.'),
        host: z
          .string()
          .regex(/^[A-Za-z0-9.:-]+$/, 'expected a name or an address, without a port')
          .default('127.0.0.1')
          .describe(
            'Where it listens. On another than loopback whoever reaches it may also command: there is no password.',
          ),
        port: z.int().min(0).max(65_535).default(8470).describe('0 takes a free one.'),
      })
      .prefault({})
      .describe(
        'The interface of the running station for browsers and scripts on its own machine (docs/openapi.json).',
      ),
    keep: z
      .strictObject({
        recentParts: z
          .int()
          .min(10)
          .max(100_000)
          .default(200)
          .describe('Latest parts of each product whose features are kept, so that they can be confirmed.'),
        goodParts: z
          .int()
          .min(20)
          .max(10_000)
          .default(300)
          .describe(
            'Good parts of each product, taught or confirmed, that repositories are calibrated with and rebuilt from; then the oldest goes.',
          ),
        goodMebibytes: z.int().min(16).max(1_048_576).default(2048).describe('The same bound in bytes.'),
        rejectMebibytes: z
          .int()
          .min(16)
          .max(1_048_576)
          .default(2048)
          .describe('Frames of parts that did not pass, all products together; then the oldest goes.'),
        rejectDays: z.int().min(1).max(3650).default(90).describe('... and no longer than this.'),
        repositories: z
          .int()
          .min(2)
          .max(1000)
          .default(10)
          .describe('Repositories of each product that can be gone back to.'),
      })
      .prefault({})
      .describe('What is kept in the state directory, and how much of it.'),
    inference: z
      .strictObject({
        threads: z.int().min(1).max(64).default(2).describe('Threads of ONNX Runtime in the inference host.'),
      })
      .prefault({}),
    heatmap: z
      .strictObject({
        publish: z
          .enum(['always', 'not-pass', 'never'])
          .default('always')
          .describe('Which parts get a heatmap.'),
        overlay: z.boolean().default(true).describe('Also publish the colour overlay.'),
        maxSize: z
          .int()
          .min(64)
          .max(4096)
          .default(800)
          .describe('Longest side of the published pictures, pixels.'),
      })
      .prefault({}),
    trust: z
      .strictObject({
        keys: z
          .array(
            z.strictObject({
              name: name.describe('As the signature names it.'),
              publicKeyFile: path.describe('Ed25519 public key (PEM).'),
            }),
          )
          .max(100)
          .default([])
          .describe(
            'Whose bundles and repositories are believed when they come from elsewhere. Without any no repository can be imported, and a bundle’s folder is not asked for a signature.',
          ),
        signing: z
          .strictObject({
            name: name.describe('Under this name other stations know the key.'),
            privateKeyFile: path.describe('Ed25519 private key (PEM).'),
          })
          .optional()
          .describe('Signs what this station exports.'),
      })
      .prefault({}),
    schedule: z
      .strictObject({
        selfTest: jobTimes('0 6,14,22 * * *').describe(
          'The golden parts are shown to the running model, and selftest says PASS or FAIL.',
        ),
        drift: jobTimes('*/10 * * * *').describe(
          'Good parts are compared with those of when the repository was new.',
        ),
        update: jobTimes('off').describe('Confirmed parts become a candidate, which the gate judges.'),
        compaction: jobTimes('0 3 * * 0').describe('The banks are thinned out to what they need.'),
        archive: jobTimes('30 * * * *').describe('Old parts and pictures of rejects are deleted.'),
        backup: jobTimes('0 2 * * *').describe('Repositories, their history and golden parts are copied.'),
      })
      .prefault({})
      .describe(
        'When jobs run: minute, hour, day of the month, month and day of the week in the system’s time zone, or off. What was missed while the daemon was down is made up for once.',
      ),
    backup: z
      .strictObject({
        folder: path
          .optional()
          .describe(
            'Where back-ups go, best on another disk. Relative to the config file; default: backup in stateDirectory.',
          ),
        keep: z.int().min(1).max(1000).default(7).describe('The newest that are kept.'),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z
          .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
          .default('info')
          .describe('Lowest level that is logged.'),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const kinds = [config.sensors.rgb?.kind, config.sensors.xyz?.kind]
    if (kinds.includes('replay') && config.replay === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['sensors'],
        message: "a sensor of kind replay needs the section 'replay'",
      })
    }
    for (const [index, { name: keyName }] of config.trust.keys.entries()) {
      if (config.trust.keys.findIndex(({ name: other }) => other === keyName) === index) continue
      context.addIssue({
        code: 'custom',
        path: ['trust', 'keys', index, 'name'],
        message: 'expected another name than a key above has',
      })
    }
    for (const problem of linkProblems(config)) context.addIssue({ code: 'custom', ...problem })
    const both = config.sensors.rgb !== undefined && config.sensors.xyz !== undefined
    if (both && config.sensors.rgb?.name === config.sensors.xyz?.name) {
      context.addIssue({
        code: 'custom',
        path: ['sensors', 'xyz', 'name'],
        message: 'expected another name than the camera has',
      })
    }
    for (const [key, other] of MQTT_PAIRS) {
      if (config.mqtt[key] === undefined || config.mqtt[other] !== undefined) continue
      context.addIssue({ code: 'custom', path: ['mqtt', key], message: `expected ${other} beside it` })
    }
    for (const modality of ['rgb', 'xyz'] as const) {
      const deadlineMs = config.sensors[modality]?.deadlineMs
      if (deadlineMs !== undefined && deadlineMs >= config.deadlines.verdictMs) {
        context.addIssue({
          code: 'custom',
          path: ['sensors', modality, 'deadlineMs'],
          message: `expected less than deadlines.verdictMs (${config.deadlines.verdictMs}), so that time is left to decide`,
        })
      }
    }
  })

export type Config = z.infer<typeof configSchema>
export type SensorConfig = NonNullable<Config['sensors'][Modality]>
export type Recipe = Config['recipes'][string]

const defaultRecipe: Recipe = recipe.parse({})

/** For a name from the command line. @throws ConfigError */
export function productOf(text: string): string {
  const result = name.safeParse(text)
  if (result.success) return result.data
  const message = `'${text}' is no name of a product: ${result.error.issues[0]?.message}`
  throw new ConfigError('CONFIG_INVALID', '--product', [{ path: '', message }])
}

export function recipeOf(config: Config): Recipe {
  return config.recipes[config.product] ?? defaultRecipe
}
