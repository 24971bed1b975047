/** Reads the config file. Every problem is reported at once, with its place in the file and the nearest valid key. */
import { closest, distance } from 'fastest-levenshtein'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isMap, LineCounter, parseDocument, type Document } from 'yaml'
import * as z from 'zod'
import { messageOf } from '../drivers/message-of.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { configSchema, type Config, type SensorConfig } from './config-schema.ts'
import { bridgeAt, type BridgeSensor } from './sensor-kinds/bridge.ts'

/** A config file is a page; a larger one is a mistake, and parsing it could stall the daemon. */
const MAX_CONFIG_BYTES = 1_048_576

/** @throws ConfigError CONFIG_UNREADABLE or CONFIG_INVALID, with every problem in it. */
export async function readConfig(file: string): Promise<Config> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(
      'CONFIG_UNREADABLE',
      file,
      [{ path: '', message: `cannot be read: ${messageOf(error)}` }],
      { cause: error },
    )
  }
  return resolvePaths(parseConfig(text, file), dirname(resolve(file)))
}

/** @param file only names the place in messages. */
export function parseConfig(text: string, file: string): Config {
  if (text.length > MAX_CONFIG_BYTES) {
    throw new ConfigError('CONFIG_UNREADABLE', file, [
      { path: '', message: `${text.length} bytes, expected at most ${MAX_CONFIG_BYTES}` },
    ])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new ConfigError(
      'CONFIG_UNREADABLE',
      file,
      document.errors.map((error) => ({ ...placeAt(error.pos[0], lines), path: '', message: error.message })),
    )
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    const message = messageOf(error)
    throw new ConfigError('CONFIG_UNREADABLE', file, [{ path: '', message }], { cause: error })
  }
  const result = configSchema.safeParse(value ?? {})
  if (result.success) return result.data
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, document, lines, value))
  throw new ConfigError('CONFIG_INVALID', file, problems)
}

/** Paths in the file are relative to the file, not to wherever the daemon was started. */
function resolvePaths(config: Config, folder: string): Config {
  const at = (path: string): string => resolve(folder, path)
  const { passwordFile, caFile, certFile, keyFile, ...mqtt } = config.mqtt
  const { trust } = config
  return {
    ...config,
    stateDirectory: at(config.stateDirectory),
    bundle: config.bundle.includes('/') ? at(config.bundle) : config.bundle,
    ...(config.backup.folder !== undefined && {
      backup: { ...config.backup, folder: at(config.backup.folder) },
    }),
    sensors: {
      ...(config.sensors.rgb && { rgb: sensorAt(config.sensors.rgb, at) }),
      ...(config.sensors.xyz && { xyz: sensorAt(config.sensors.xyz, at) }),
    },
    ...(config.replay && { replay: { ...config.replay, root: at(config.replay.root) } }),
    triggers: config.triggers.map((trigger) =>
      trigger.kind === 'file' ? { ...trigger, folder: at(trigger.folder) } : trigger,
    ),
    trust: {
      keys: trust.keys.map((key) => ({ ...key, publicKeyFile: at(key.publicKeyFile) })),
      ...(trust.signing && {
        signing: { ...trust.signing, privateKeyFile: at(trust.signing.privateKeyFile) },
      }),
    },
    mqtt: {
      ...mqtt,
      ...(passwordFile !== undefined && { passwordFile: at(passwordFile) }),
      ...(caFile !== undefined && { caFile: at(caFile) }),
      ...(certFile !== undefined && { certFile: at(certFile) }),
      ...(keyFile !== undefined && { keyFile: at(keyFile) }),
    },
  }
}

function sensorAt<S extends SensorConfig>(sensor: S, at: (path: string) => string): S | BridgeSensor {
  return sensor.kind === 'bridge' ? bridgeAt(sensor, at) : sensor
}

type Path = readonly (string | number)[]

function problemsOf(
  issue: z.core.$ZodIssue,
  document: Document,
  lines: LineCounter,
  value: unknown,
): ConfigProblem[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol')
  if (issue.code === 'unrecognized_keys') {
    const valid = keysAt(configSchema, path, value)
    return issue.keys.map((key) => {
      const nearest = nearestOf(key, valid)
      return {
        ...placeOfKey([...path, key], document, lines),
        path: [...path, key].join('.'),
        message: `unknown key, expected one of: ${valid.join(', ')}`,
        ...(nearest !== undefined && { nearest }),
      }
    })
  }
  const written = document.getIn(path)
  const choices = choicesOf(issue)
  const nearest = typeof written === 'string' ? nearestOf(written, choices) : undefined
  const missing = written === undefined
  return [
    {
      ...(missing ? placeOfKey(path.slice(0, -1), document, lines) : placeOfValue(path, document, lines)),
      path: path.join('.'),
      message: missing && issue.code === 'invalid_type' ? `missing: ${issue.message}` : issue.message,
      ...(nearest !== undefined && { nearest }),
    },
  ]
}

function choicesOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String)
  // A section whose `kind` is none of the known ones.
  return issue.code === 'invalid_union' && 'options' in issue ? (issue.options ?? []).map(String) : []
}

function placeAt(offset: number, lines: LineCounter): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

function placeOfValue(
  path: Path,
  document: Document,
  lines: LineCounter,
): { line?: number; column?: number } {
  const node = path.length === 0 ? document.contents : document.getIn(path, true)
  const range =
    node !== null && typeof node === 'object' && 'range' in node ? (node.range as number[] | null) : null
  return range?.[0] === undefined ? {} : placeAt(range[0], lines)
}

/** The place of the key itself rather than of its value: that is what has to be renamed. */
function placeOfKey(path: Path, document: Document, lines: LineCounter): { line?: number; column?: number } {
  const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents
  if (isMap(parent)) {
    for (const pair of parent.items) {
      const key = pair.key as { value?: unknown; range?: number[] } | null
      if (key?.value === path.at(-1) && key?.range?.[0] !== undefined) return placeAt(key.range[0], lines)
    }
  }
  return placeOfValue(path.slice(0, -1), document, lines)
}

/** Two edits in a short word, a third of a long one: more is another word, and a wrong hint is worse than none. */
function nearestOf(written: string, valid: readonly string[]): string | undefined {
  if (valid.length === 0) return undefined
  const nearest = closest(written.toLowerCase(), [...valid])
  const edits = distance(written.toLowerCase(), nearest.toLowerCase())
  return edits <= Math.max(2, Math.floor(nearest.length / 3)) ? nearest : undefined
}

/** The valid keys of the object that stands at `path`, by walking the schema beside the value. */
function keysAt(schema: z.core.$ZodType, path: Path, value: unknown): string[] {
  const inner = unwrap(schema, value)
  const [key, ...rest] = path
  if (key === undefined) return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
  const child = (value as Record<string | number, unknown> | undefined)?.[key]
  if (inner instanceof z.ZodObject) {
    const next = (inner.shape as Record<string, z.core.$ZodType>)[String(key)]
    return next === undefined ? [] : keysAt(next, rest, child)
  }
  if (inner instanceof z.ZodArray) return keysAt(inner.element, rest, child)
  if (inner instanceof z.ZodRecord) return keysAt(inner.valueType, rest, child)
  return []
}

/** Strips default, optional and prefault, and picks the member of a union that the value's `kind` names. */
function unwrap(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.def.innerType, value)
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const kind = (value as { kind?: unknown } | undefined)?.kind
    const member = schema.options.find(
      (option) =>
        option instanceof z.ZodObject && (option.shape as { kind?: z.ZodLiteral }).kind?.value === kind,
    )
    return member === undefined ? schema : unwrap(member, value)
  }
  return schema
}
