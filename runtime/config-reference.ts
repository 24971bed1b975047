/** The reference page of the config file, made from the schema, so that it cannot say anything else. */
import * as z from 'zod'
import { configSchema } from './config-schema.ts'

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Record<string, JsonSchema>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | false
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
}

/** Markdown: a table row per key, dotted paths, in the schema's order. */
export function configReference(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema
  const rows = rowsOf(schema, '', false)
  return [
    '# The config file',
    '',
    'Generated from `runtime/config-schema.ts`; a test keeps it true. One YAML file; an unknown key or a bad value is an',
    'error with file, line, column and the nearest valid key, and the process exits with 78. Paths are relative to the file.',
    '',
    '| key | value | default | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

function rowsOf(schema: JsonSchema, path: string, required: boolean): string[] {
  const variants = schema.oneOf ?? schema.anyOf
  // Keys that several kinds share stand once.
  if (variants !== undefined) {
    return [...new Set(variants.flatMap((variant) => rowsOf(variant, path, required)))]
  }
  if (schema.type === 'array' && schema.items !== undefined && isSection(schema.items)) {
    return [...sectionRow(schema, path), ...rowsOf(schema.items, `${path}[]`, false)]
  }
  if (schema.properties !== undefined) {
    const inner = Object.entries(schema.properties).flatMap(([key, child]) =>
      rowsOf(child, path === '' ? key : `${path}.${key}`, schema.required?.includes(key) ?? false),
    )
    return [...sectionRow(schema, path), ...inner]
  }
  if (typeof schema.additionalProperties === 'object') {
    return [
      ...sectionRow(schema, path),
      ...rowsOf(schema.additionalProperties, `${path}.<${path === 'recipes' ? 'product' : 'key'}>`, false),
    ]
  }
  const fallback =
    schema.default === undefined ? (required ? 'required' : '') : `\`${JSON.stringify(schema.default)}\``
  return [`| \`${path}\` | ${valueOf(schema)} | ${fallback} | ${schema.description ?? ''} |`]
}

function isSection(schema: JsonSchema): boolean {
  return schema.properties !== undefined || schema.oneOf !== undefined || schema.anyOf !== undefined
}

function sectionRow(schema: JsonSchema, path: string): string[] {
  return schema.description === undefined || path === ''
    ? []
    : [`| \`${path}\` | section | | ${schema.description} |`]
}

function valueOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  const range = schema.minimum === undefined ? '' : ` ${schema.minimum} to ${schema.maximum}`
  return `${schema.type ?? 'any'}${range}`
}
