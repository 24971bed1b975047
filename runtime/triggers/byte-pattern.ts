/** Finds triggers in what comes from a serial port, however it is cut into pieces. One for each connection. */
export interface BytePattern {
  /** @returns for each trigger the id of its part, '' without one */
  take(bytes: Buffer): { readonly partIds: readonly string[]; readonly tooLong: number }
}

/** A message without a delimiter that is longer is noise, and is dropped up to the next delimiter. */
export const MAX_MESSAGE_BYTES = 256

export function fixedPattern(bytes: string): BytePattern {
  const pattern = Buffer.from(bytes, 'latin1')
  let kept: Buffer = Buffer.alloc(0)
  return {
    take(more) {
      const all = Buffer.concat([kept, more])
      const partIds: string[] = []
      let from = 0
      for (let at = all.indexOf(pattern); at >= 0; at = all.indexOf(pattern, from)) {
        partIds.push('')
        from = at + pattern.length
      }
      // A pattern may be cut in two.
      kept = Buffer.from(all.subarray(Math.max(from, all.length - pattern.length + 1)))
      return { partIds, tooLong: 0 }
    },
  }
}

export function delimitedPattern(delimiter: string, prefix = ''): BytePattern {
  const end = Buffer.from(delimiter, 'latin1')
  let kept: Buffer = Buffer.alloc(0)
  let isSkipping = false
  return {
    take(more) {
      let rest: Buffer = Buffer.concat([kept, more])
      const partIds: string[] = []
      let tooLong = 0
      for (let at = rest.indexOf(end); at >= 0; at = rest.indexOf(end)) {
        const message = rest.subarray(0, at).toString('latin1')
        rest = rest.subarray(at + end.length)
        if (isSkipping) isSkipping = false
        else if (at > MAX_MESSAGE_BYTES) tooLong++
        else if (message.startsWith(prefix)) partIds.push(message.slice(prefix.length).trim())
      }
      if (rest.length > MAX_MESSAGE_BYTES + end.length) {
        if (!isSkipping) tooLong++
        isSkipping = true
        rest = rest.subarray(rest.length - end.length + 1)
      }
      kept = Buffer.from(rest)
      return { partIds, tooLong }
    },
  }
}
