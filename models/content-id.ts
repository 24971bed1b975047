/** Bundles and repositories are named by what they hold: their manifest names every file's SHA-256, so its hash names all. */
import { createHash } from 'node:crypto'

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** SHA-256 in hex over the manifest with sorted keys and no spaces, so that neither order nor layout changes the name. */
export function contentId(manifest: Json): string {
  return sha256Of(Buffer.from(canonical(manifest)))
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function canonical(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonical).join(',')}]`
  const pairs: string[] = []
  for (const key of Object.keys(value).sort()) {
    const member = value[key]
    if (member !== undefined) pairs.push(`${JSON.stringify(key)}:${canonical(member)}`)
  }
  return `{${pairs.join(',')}}`
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
