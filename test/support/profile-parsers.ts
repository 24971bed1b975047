/** The parsers as tests of several files use them, each over the frames of profile-frames.ts. */
import { AsciiLines } from '../../drivers/profiler/ascii-lines.ts'
import { LengthPrefixed } from '../../drivers/profiler/length-prefixed.ts'
import type { ProfileParser } from '../../drivers/profiler/profile.ts'
import type { SampleLayout } from '../../drivers/profiler/sample-layout.ts'
import { StxFrames } from '../../drivers/profiler/stx-frames.ts'
import { asciiProfile, lengthPrefixedProfile, stxProfile } from './profile-frames.ts'

export const asciiOptions = {
  separator: ',',
  counterColumn: 0,
  firstColumn: 1,
  invalidText: 'INVALID',
  invalidCodes: [],
  mostSamples: 64,
  skipsFirst: false,
} as const

const counterAtByte = 0
export const stxLayout: SampleLayout = {
  byteOrder: 'big',
  counterAtByte,
  counterBytes: 4,
  samplesAtByte: 4,
  sample: 'int16',
  order: 'xz',
  invalidCodes: [0x7fff],
}
export const stxOptions = {
  lengthBytes: 1,
  lengthUnitBytes: 2,
  command: 2,
  layout: stxLayout,
  mostDataBytes: 510,
} as const

export const lengthPrefixedOptions = {
  lengthBytes: 4,
  lengthIncludesItself: true,
  type: { atByte: 0, value: 7 },
  layout: {
    byteOrder: 'little',
    counterAtByte: 2,
    counterBytes: 4,
    samplesAtByte: 6,
    sample: 'int16',
    order: 'z',
    invalidCodes: [-32_768],
  },
  mostBytes: 1024,
} as const

export interface ParserCase {
  readonly name: string
  make(): ProfileParser
  /** A frame of this many samples. */
  frame(counter: number, heights: readonly number[]): Buffer
}

export const parserCases: readonly ParserCase[] = [
  { name: 'ascii lines', make: () => new AsciiLines(asciiOptions), frame: asciiProfile },
  {
    name: 'STX frames',
    make: () => new StxFrames(stxOptions),
    frame: (counter, heights) =>
      stxProfile(
        counter,
        heights.flatMap((height, index) => [index, height]),
      ),
  },
  {
    name: 'length-prefixed',
    make: () => new LengthPrefixed(lengthPrefixedOptions),
    frame: lengthPrefixedProfile,
  },
]
