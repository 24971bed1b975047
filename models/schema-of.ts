/** Which schema a foreign JSON claims to follow, so that a file of another version is refused by name instead of by its fields. */

/** @returns the text of its key `schema`, or `none`. */
export function schemaOf(json: unknown): string {
  if (typeof json !== 'object' || json === null || !('schema' in json)) return 'none'
  return typeof json.schema === 'string' ? json.schema : 'none'
}
