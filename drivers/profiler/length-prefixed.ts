/**
 * A length and that many bytes, in turn: Gocator's and ifm's binary protocols are of this kind. Nothing marks where a frame
 * begins, so a length that cannot be ends the connection: only a new one is in step again.
 */
import { DamageCount, type Profile, type ProfileParser } from './profile.ts'
import { profileFrom, type SampleLayout } from './sample-layout.ts'

export interface LengthPrefixedOptions {
  readonly lengthBytes: 2 | 4
  /** The length counts its own bytes, too. */
  readonly lengthIncludesItself: boolean
  /** Messages with another type are skipped. Absent: all are profiles. */
  readonly type?: { readonly atByte: number; readonly value: number }
  /** Offsets count from the first byte after the length. */
  readonly layout: SampleLayout
  readonly mostBytes: number
}

const MOST_PIECES = 1024

export class LengthPrefixed implements ProfileParser {
  readonly damage = new DamageCount()
  readonly #options: LengthPrefixedOptions
  #kept: Buffer[] = []
  #keptBytes = 0
  #neededBytes = 0

  constructor(options: LengthPrefixedOptions) {
    this.#options = options
  }

  read(bytes: Uint8Array): Profile[] {
    if (this.damage.isFatal) return []
    const { lengthBytes } = this.#options
    this.#kept.push(Buffer.from(bytes))
    this.#keptBytes += bytes.length
    // Joined only when a frame may be whole: a large one that comes in small pieces would be copied for each of them.
    if (this.#keptBytes < this.#neededBytes && this.#kept.length < MOST_PIECES) return []
    const profiles: Profile[] = []
    const all = Buffer.concat(this.#kept)
    let at = 0
    this.#neededBytes = lengthBytes
    while (all.length >= at + lengthBytes) {
      const bodyBytes = this.#bodyBytesAt(all, at)
      if (bodyBytes === undefined) {
        this.#kept = []
        this.#keptBytes = 0
        return profiles
      }
      if (all.length < at + lengthBytes + bodyBytes) {
        this.#neededBytes = lengthBytes + bodyBytes
        break
      }
      const profile = this.#profileOf(all.subarray(at + lengthBytes, at + lengthBytes + bodyBytes))
      if (profile) profiles.push(profile)
      at += lengthBytes + bodyBytes
    }
    const rest = Buffer.from(all.subarray(at))
    this.#kept = [rest]
    this.#keptBytes = rest.length
    return profiles
  }

  #bodyBytesAt(all: Buffer, at: number): number | undefined {
    const { lengthBytes, lengthIncludesItself, mostBytes } = this.#options
    const length = all.readUIntLE(at, lengthBytes)
    const bodyBytes = length - (lengthIncludesItself ? lengthBytes : 0)
    if (bodyBytes > 0 && bodyBytes <= mostBytes) return bodyBytes
    this.damage.note(`a frame that claims ${length} bytes`)
    this.damage.isFatal = true
    return undefined
  }

  #profileOf(body: Buffer): Profile | undefined {
    const { type, layout } = this.#options
    if (
      type !== undefined &&
      (body.length < type.atByte + 2 || body.readUInt16LE(type.atByte) !== type.value)
    ) {
      return undefined
    }
    const profile = profileFrom(body, layout)
    if (typeof profile === 'string') {
      this.damage.note(profile)
      return undefined
    }
    this.damage.good()
    return profile
  }
}
