/**
 * Pixel formats of GenICam cameras (PFNC codes) that a picture can be made of, and the way there: to one byte a sample
 * first, whatever its depth or packing, then to interleaved R,G,B.
 */
import { demosaic, type BayerPattern } from './demosaic.ts'
import { int32Of, uint16Of } from './raw-samples.ts'

/** How samples lie in memory. `packed` is GigE Vision's older way (two samples in three bytes, their low bits in the middle one), `p` is PFNC's: bits in a row, lowest first. */
type Packing = 8 | 10 | 12 | 14 | 16 | '10packed' | '12packed' | '10p' | '12p'
type Colours = 'mono' | BayerPattern
type Interleaved = 'RGB' | 'BGR' | 'RGBa' | 'BGRa' | 'UYVY' | 'YUYV'

interface Format {
  readonly name: string
  readonly samples: { readonly packing: Packing; readonly colours: Colours } | Interleaved
}

const mono = (name: string, packing: Packing): Format => ({ name, samples: { packing, colours: 'mono' } })
const bayer = (colours: BayerPattern, packing: Packing): Format => ({
  name: `Bayer${colours}${packing}`,
  samples: { packing, colours },
})

const FORMATS: ReadonlyMap<number, Format> = new Map([
  [0x01080001, mono('Mono8', 8)],
  [0x01100003, mono('Mono10', 10)],
  [0x01100005, mono('Mono12', 12)],
  [0x01100025, mono('Mono14', 14)],
  [0x01100007, mono('Mono16', 16)],
  [0x010c0004, mono('Mono10Packed', '10packed')],
  [0x010c0006, mono('Mono12Packed', '12packed')],
  [0x010a0046, mono('Mono10p', '10p')],
  [0x010c0047, mono('Mono12p', '12p')],
  [0x01080008, bayer('GR', 8)],
  [0x01080009, bayer('RG', 8)],
  [0x0108000a, bayer('GB', 8)],
  [0x0108000b, bayer('BG', 8)],
  [0x0110000c, bayer('GR', 10)],
  [0x0110000d, bayer('RG', 10)],
  [0x0110000e, bayer('GB', 10)],
  [0x0110000f, bayer('BG', 10)],
  [0x01100010, bayer('GR', 12)],
  [0x01100011, bayer('RG', 12)],
  [0x01100012, bayer('GB', 12)],
  [0x01100013, bayer('BG', 12)],
  [0x010a0056, bayer('GR', '10p')],
  [0x010a0058, bayer('RG', '10p')],
  [0x010a0054, bayer('GB', '10p')],
  [0x010a0052, bayer('BG', '10p')],
  [0x010c0057, bayer('GR', '12p')],
  [0x010c0059, bayer('RG', '12p')],
  [0x010c0055, bayer('GB', '12p')],
  [0x010c0053, bayer('BG', '12p')],
  [0x02180014, { name: 'RGB8', samples: 'RGB' }],
  [0x02180015, { name: 'BGR8', samples: 'BGR' }],
  [0x02200016, { name: 'RGBa8', samples: 'RGBa' }],
  [0x02200017, { name: 'BGRa8', samples: 'BGRa' }],
  [0x0210001f, { name: 'YUV422_8_UYVY', samples: 'UYVY' }],
  [0x02100032, { name: 'YUV422_8', samples: 'YUYV' }],
])

export interface GenicamPicture {
  /** PFNC code. */
  readonly pixelFormat: number
  readonly width: number
  readonly height: number
}

/** The format's name, or its code in hex when it is none of those that can be a picture. */
export function pixelFormatName(pixelFormat: number): string {
  return FORMATS.get(pixelFormat)?.name ?? `0x${pixelFormat.toString(16).padStart(8, '0')}`
}

export function isPictureFormat(pixelFormat: number): boolean {
  return FORMATS.has(pixelFormat)
}

export const PICTURE_FORMAT_NAMES: readonly string[] = [...FORMATS.values()].map(({ name }) => name)

/** What a picture takes, bytes: the format's code holds its bits per pixel. */
export function imageBytes({ pixelFormat, width, height }: GenicamPicture): number {
  return Math.ceil((width * height * ((pixelFormat >>> 16) & 0xff)) / 8)
}

/**
 * @param bytes `imageBytes` at least; only read
 * @param rgb where it is written: interleaved 8-bit R,G,B; deeper samples lose their low bits
 * @returns it
 * @throws RangeError for too few bytes, or for a format that is no picture
 */
export function rgbOf(
  bytes: Uint8Array,
  picture: GenicamPicture,
  rgb: Uint8Array = new Uint8Array(picture.width * picture.height * 3),
): Uint8Array {
  const { pixelFormat, width, height } = picture
  const format = FORMATS.get(pixelFormat)
  if (format === undefined) throw new RangeError(`${pixelFormatName(pixelFormat)} is no picture`)
  const needed = imageBytes(picture)
  if (bytes.length < needed) throw new RangeError(`expected ${needed} bytes, got ${bytes.length}`)
  const { samples } = format
  const count = width * height
  const exact = bytes.subarray(0, needed)
  if (typeof samples === 'string') {
    interleaved(exact, samples, rgb)
    return rgb
  }
  const plane = bytePlane(exact, samples.packing, count)
  if (samples.colours === 'mono') spread(plane, rgb)
  else demosaic(plane, { width, height }, samples.colours, rgb)
  return rgb
}

/** The high eight bits of each sample. */
function bytePlane(bytes: Uint8Array, packing: Packing, count: number): Uint8Array {
  switch (packing) {
    case 8:
      return bytes
    case 10:
    case 12:
    case 14:
    case 16: {
      const plane = new Uint8Array(count)
      const samples = uint16Of(bytes)
      const shift = packing - 8
      for (let at = 0; at < count; at++) plane[at] = samples[at]! >> shift
      return plane
    }
    case '10packed':
    case '12packed': {
      // High byte, low bits of both, high byte.
      const plane = new Uint8Array(count)
      for (let at = 0; at < count; at++) plane[at] = bytes[(at >> 1) * 3 + (at & 1) * 2]!
      return plane
    }
    case '10p':
    case '12p': {
      const plane = new Uint8Array(count)
      const bits = packing === '10p' ? 10 : 12
      for (let at = 0; at < count; at++) {
        const bit = at * bits + bits - 8
        const byte = bit >> 3
        plane[at] = ((bytes[byte]! | ((bytes[byte + 1] ?? 0) << 8)) >> (bit & 7)) & 0xff
      }
      return plane
    }
  }
}

/** Each byte three times: a word of four pixels becomes three words. Little-endian; a third faster than byte by byte. */
function spread(plane: Uint8Array, rgb: Uint8Array): void {
  const from = int32Of(plane)
  const to = new Int32Array(rgb.buffer, rgb.byteOffset, from.length * 3)
  for (let word = 0, at = 0; word < from.length; word++, at += 3) {
    const four = from[word]!
    const second = (four >>> 8) & 0xff
    const third = (four >>> 16) & 0xff
    to[at] = Math.imul(four & 0xff, 0x010101) | (second << 24)
    to[at + 1] = Math.imul(second, 0x0101) | Math.imul(third, 0x01010000)
    to[at + 2] = third | Math.imul(four >>> 24, 0x01010100)
  }
  for (let at = from.length * 4; at < plane.length; at++) rgb.fill(plane[at]!, at * 3, at * 3 + 3)
}

function interleaved(bytes: Uint8Array, order: Interleaved, rgb: Uint8Array): void {
  switch (order) {
    case 'RGB':
      return rgb.set(bytes)
    case 'BGR':
      return picked(bytes, rgb, { stride: 3, red: 2 })
    case 'RGBa':
      return picked(bytes, rgb, { stride: 4, red: 0 })
    case 'BGRa':
      return picked(bytes, rgb, { stride: 4, red: 2 })
    case 'UYVY':
      return fromYuv(bytes, rgb, { luma: 1, u: 0 })
    case 'YUYV':
      return fromYuv(bytes, rgb, { luma: 0, u: 1 })
  }
}

function picked(bytes: Uint8Array, rgb: Uint8Array, { stride, red }: { stride: 3 | 4; red: 0 | 2 }): void {
  for (let from = 0, to = 0; to < rgb.length; from += stride, to += 3) {
    rgb[to] = bytes[from + red]!
    rgb[to + 1] = bytes[from + 1]!
    rgb[to + 2] = bytes[from + 2 - red]!
  }
}

/** BT.601, full range, as GenICam defines YUV. @param at places in the four bytes of two pixels. */
function fromYuv(bytes: Uint8Array, rgb: Uint8Array, at: { luma: 0 | 1; u: 0 | 1 }): void {
  // It rounds and clamps.
  const clamped = new Uint8ClampedArray(rgb.buffer, rgb.byteOffset, rgb.length)
  for (let pixel = 0, to = 0; to < rgb.length; pixel++, to += 3) {
    const pair = (pixel >> 1) * 4
    const y = bytes[pixel * 2 + at.luma]!
    const u = bytes[pair + at.u]! - 128
    const v = bytes[pair + at.u + 2]! - 128
    clamped[to] = y + 1.402 * v
    clamped[to + 1] = y - 0.344136 * u - 0.714136 * v
    clamped[to + 2] = y + 1.772 * u
  }
}
