/** Bytes as profilers send them, for tests of what reads them. */

export function stxFrame(command: number, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from([data.length / 2, command >> 8, command & 255]), data])
  return Buffer.concat([Buffer.from([2]), body, Buffer.from([3, body.reduce((sum, byte) => sum ^ byte, 0)])])
}

/** X and Z of each sample in turn. */
export function stxProfile(counter: number, values: readonly number[]): Buffer {
  const data = Buffer.alloc(4 + 2 * values.length)
  data.writeUInt32BE(counter, 0)
  values.forEach((value, index) => data.writeInt16BE(value, 4 + 2 * index))
  return stxFrame(2, data)
}

export function lengthPrefixedProfile(counter: number, heights: readonly number[], type = 7): Buffer {
  const frame = Buffer.alloc(10 + 2 * heights.length)
  frame.writeUInt32LE(frame.length, 0)
  frame.writeUInt16LE(type, 4)
  frame.writeUInt32LE(counter, 6)
  heights.forEach((height, index) => frame.writeInt16LE(height, 10 + 2 * index))
  return frame
}

export function asciiProfile(
  counter: number,
  heights: readonly (number | 'INVALID')[],
  end = '\r\n',
): Buffer {
  return Buffer.from(`${[counter, ...heights].join(',')}${end}`)
}
