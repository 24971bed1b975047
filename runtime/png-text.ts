import { crc32 } from 'node:zlib'

/** Signature (8 bytes) and the IHDR chunk (25), which must come first. PNG specification 5.2, 5.6. */
const HEADER_BYTES = 33

/** Adds an iTXt chunk (PNG specification 11.3.3.4), so that a picture in a folder still says what it shows. */
export function pngWithText(png: Buffer, keyword: string, text: string): Buffer {
  // Keyword, null, no compression (two bytes), no language, no translated keyword.
  const data = Buffer.concat([Buffer.from(keyword, 'latin1'), Buffer.alloc(5), Buffer.from(text, 'utf8')])
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write('iTXt', 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length)
  return Buffer.concat([png.subarray(0, HEADER_BYTES), chunk, png.subarray(HEADER_BYTES)])
}
