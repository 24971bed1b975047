/**
 * Bytes of a device as samples. Little-endian only: so are the machines that this runs on, and all the protocols that it
 * reads. The result shares the bytes' memory where their alignment allows; a trailing half sample is cut off.
 */

export function uint16Of(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice()
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length >> 1)
}

export function int32Of(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2)
}

export function float32Of(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2)
}
