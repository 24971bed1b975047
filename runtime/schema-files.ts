/** Writes docs/schemas from messages.ts and operations.ts. A test says whether the committed files are up to date. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { MESSAGE_SCHEMAS } from './messages.ts'
import { OPERATIONS } from './operations.ts'

/** File name to JSON Schema text. `io: input` leaves objects open: schemas only grow, subscribers ignore the unknown. */
export function schemaFiles(): Map<string, string> {
  const commands = Object.entries(OPERATIONS).map(([verb, { schema }]) => [`cmd-${verb}`, schema] as const)
  return new Map(
    [...Object.entries(MESSAGE_SCHEMAS), ...commands].map(([name, schema]) => [
      `${name}.json`,
      `${JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), undefined, 2)}\n`,
    ]),
  )
}

export async function writeSchemas(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, text] of schemaFiles()) await writeFile(join(folder, name), text)
}
