/**
 * Pixel formats of GenICam cameras (PFNC codes) that a picture can be made of, and the way there: to one byte a sample
 * first, whatever its depth or packing, then to interleaved R,G,B.
 */
import { demosaic, type BayerPattern } from './demosaic.ts'
import { uint16Of } from './raw-samples.ts'

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
 * @returns interleaved 8-bit R,G,B in memory of its own; deeper samples lose their low bits
 * @throws RangeError for too few bytes, or for a format that is no picture
 */
export function rgbOf(bytes: Uint8Array, picture: GenicamPicture): Uint8Array {
  const { pixelFormat, width, height } = picture
  const format = FORMATS.get(pixelFormat)
  if (format === undefined) throw new RangeError(`${pixelFormatName(pixelFormat)} is no picture`)
  const needed = imageBytes(picture)
  if (bytes.length < needed) throw new RangeError(`expected ${needed} bytes, got ${bytes.length}`)
  const { samples } = format
  const count = width * height
  const exact = bytes.subarray(0, needed)
  if (typeof samples === 'string') return interleaved(exact, samples, count)
  const plane = bytePlane(exact, samples.packing, count)
  return samples.colours === 'mono' ? spread(plane) : demosaic(plane, { width, height }, samples.colours)
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

/** Each byte three times: four pixels are three words. */
function spread(plane: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(plane.length * 3)
  const words = new Uint32Array(rgb.buffer, 0, (plane.length >> 2) * 3)
  let at = 0
  for (let word = 0; word < words.length; word += 3, at += 4) {
    const a = plane[at]!
    const b = plane[at + 1]!
    const c = plane[at + 2]!
    const d = plane[at + 3]!
    words[word] = a | (a << 8) | (a << 16) | (b << 24)
    words[word + 1] = b | (b << 8) | (c << 16) | (c << 24)
    words[word + 2] = c | (d << 8) | (d << 16) | (d << 24)
  }
  for (; at < plane.length; at++) rgb.fill(plane[at]!, at * 3, at * 3 + 3)
  return rgb
}

function interleaved(bytes: Uint8Array, order: Interleaved, count: number): Uint8Array {
  switch (order) {
    case 'RGB':
      return new Uint8Array(bytes)
    case 'BGR':
      return picked(bytes, count, { stride: 3, red: 2 })
    case 'RGBa':
      return picked(bytes, count, { stride: 4, red: 0 })
    case 'BGRa':
      return picked(bytes, count, { stride: 4, red: 2 })
    case 'UYVY':
      return fromYuv(bytes, count, { luma: 1, u: 0 })
    case 'YUYV':
      return fromYuv(bytes, count, { luma: 0, u: 1 })
  }
}

function picked(
  bytes: Uint8Array,
  count: number,
  { stride, red }: { stride: 3 | 4; red: 0 | 2 },
): Uint8Array {
  const rgb = new Uint8Array(count * 3)
  for (let pixel = 0, from = 0, to = 0; pixel < count; pixel++, from += stride, to += 3) {
    rgb[to] = bytes[from + red]!
    rgb[to + 1] = bytes[from + 1]!
    rgb[to + 2] = bytes[from + 2 - red]!
  }
  return rgb
}

/** BT.601, full range, as GenICam defines YUV. @param at places in the four bytes of two pixels. */
function fromYuv(bytes: Uint8Array, count: number, at: { luma: 0 | 1; u: 0 | 1 }): Uint8Array {
  // The clamped array rounds and clamps.
  const rgb = new Uint8ClampedArray(count * 3)
  for (let pixel = 0, to = 0; pixel < count; pixel++, to += 3) {
    const pair = (pixel >> 1) * 4
    const y = bytes[pixel * 2 + at.luma]!
    const u = bytes[pair + at.u]! - 128
    const v = bytes[pair + at.u + 2]! - 128
    rgb[to] = y + 1.402 * v
    rgb[to + 1] = y - 0.344136 * u - 0.714136 * v
    rgb[to + 2] = y + 1.772 * u
  }
  return new Uint8Array(rgb.buffer)
}
