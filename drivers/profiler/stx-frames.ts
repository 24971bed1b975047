/**
 * STX, length, command, data, ETX, checksum: SICK's displacement sensors (Profiler 2: length of the data in words, command
 * of two bytes, checksum the XOR of what lies between STX and ETX).
 */
import { DamageCount, type Profile, type ProfileParser } from './profile.ts'
import { profileFrom, type SampleLayout } from './sample-layout.ts'

export interface StxFramesOptions {
  readonly lengthBytes: 1 | 2
  /** The length counts bytes or words. */
  readonly lengthUnitBytes: 1 | 2
  /** Frames with another command are answers to something else, and skipped. */
  readonly command: number
  /** Offsets count from the first byte after the command. */
  readonly layout: SampleLayout
  /** Bounds what is kept of a frame that does not end. */
  readonly mostDataBytes: number
}

const STX = 2
const ETX = 3
const COMMAND_BYTES = 2
/** 0xE001 and up: the sensor did not like what it was sent. */
const FIRST_ERROR_COMMAND = 0xe000

export class StxFrames implements ProfileParser {
  readonly damage = new DamageCount()
  readonly #options: StxFramesOptions
  #kept: Buffer = Buffer.alloc(0)
  /** Bytes of the stretch that is no frame. It counts once, and again for each of the longest frames' length. */
  #strayBytes = 0

  constructor(options: StxFramesOptions) {
    this.#options = options
  }

  read(bytes: Uint8Array): Profile[] {
    const profiles: Profile[] = []
    const all = Buffer.concat([this.#kept, bytes])
    let at = 0
    while (at < all.length) {
      const found = all[at] === STX ? this.#frameAt(all, at) : 'bytes outside of frames'
      if (found === undefined) break
      if (typeof found === 'string') {
        // An STX inside of what is damaged may be the next frame's: one byte on, not the claimed length.
        if (this.#strayBytes % this.#options.mostDataBytes === 0) this.damage.note(found)
        this.#strayBytes++
        at++
        continue
      }
      this.#strayBytes = 0
      at += found.bytes
      const profile = this.#profileOf(found)
      if (profile) profiles.push(profile)
    }
    this.#kept = Buffer.from(all.subarray(at))
    return profiles
  }

  /** @returns undefined when more bytes are needed, or why it is no frame */
  #frameAt(all: Buffer, at: number): { command: number; data: Buffer; bytes: number } | undefined | string {
    const { lengthBytes, lengthUnitBytes, mostDataBytes } = this.#options
    const headBytes = 1 + lengthBytes + COMMAND_BYTES
    if (all.length < at + headBytes) return undefined
    const dataBytes = lengthUnitBytes * all.readUIntBE(at + 1, lengthBytes)
    if (dataBytes > mostDataBytes) return `a frame that claims ${dataBytes} bytes of data`
    const etxAt = at + headBytes + dataBytes
    if (all.length < etxAt + 2) return undefined
    if (all[etxAt] !== ETX) return 'a frame without its ETX'
    let sum = 0
    for (let i = at + 1; i < etxAt; i++) sum ^= all[i] ?? 0
    if (sum !== all[etxAt + 1]) return 'a frame with a wrong checksum'
    const data = all.subarray(at + headBytes, etxAt)
    return { command: all.readUInt16BE(at + 1 + lengthBytes), data, bytes: etxAt + 2 - at }
  }

  #profileOf({ command, data }: { command: number; data: Buffer }): Profile | undefined {
    if (command !== this.#options.command) {
      if (command >= FIRST_ERROR_COMMAND) this.damage.note(`error 0x${command.toString(16)} of the sensor`)
      return undefined
    }
    const profile = profileFrom(data, this.#options.layout)
    if (typeof profile === 'string') {
      this.damage.note(profile)
      return undefined
    }
    this.damage.good()
    return profile
  }
}
