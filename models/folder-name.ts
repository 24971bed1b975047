/** A part's name comes from the line and may hold anything; on disk it is one folder's name that leads nowhere else. */
import { sha256Of } from './content-id.ts'

/** A file system's 255 bytes, less what else is appended: `.12.partial`. */
const LONGEST = 200

/**
 * Different names have different folders. Readable where it can be (`decodeURIComponent` gives the name back), otherwise `=` and a
 * hash. Never holds a dot: whoever appends something after one can tell it from the name.
 */
export function folderNameOf(name: string): string {
  const isWellFormed = Buffer.from(name).toString() === name
  const readable = isWellFormed ? encodeURIComponent(name).replaceAll('.', '%2E') : ''
  if (readable !== '' && readable.length <= LONGEST) return readable
  return `=${sha256Of(Buffer.from(name, 'utf16le'))}`
}
