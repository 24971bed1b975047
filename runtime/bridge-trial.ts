/** Does a bridge keep docs/bridge-protocol.md? Each rule is a check with its fix. */
import { frameOfBridge } from '../drivers/bridge-frame.ts'
import { BRIDGE_FORMATS, type BridgeFaultCode } from '../drivers/bridge-protocol.ts'
import type { Frame } from '../drivers/frame.ts'
import { checkFrame, defaultFrameLimits } from '../drivers/frame-check.ts'
import { BridgeUnderTest, type ArrivedFrame, type BridgeUnderTestOptions } from './bridge-under-test.ts'
import type { Check } from './checks.ts'

export interface BridgeTrialOptions extends BridgeUnderTestOptions {
  /** How many are asked for. */
  readonly frames: number
  readonly helloLimitMs: number
  readonly frameLimitMs: number
  readonly signal: AbortSignal
}

export interface BridgeTrial {
  readonly checks: readonly Check[]
  readonly figures?: BridgeFigures
  /** The last one, as the daemon would see it. */
  readonly frame?: Frame
}

export interface BridgeFigures {
  readonly format: string
  readonly width: number
  readonly height: number
  /** Asked for one after the other, as fast as it answers. */
  readonly framesPerSecond: number
  readonly megabytesPerSecond: number
  /** From the trigger to the last byte. */
  readonly answerMs: { readonly median: number; readonly worst: number }
  /** From the stamp to the last byte, where it stamps by CLOCK_MONOTONIC. */
  readonly ageMs?: { readonly median: number; readonly worst: number }
}

/** A bridge that sends without being asked would do so within this. */
const QUIET_MS = 300
const END_LIMIT_MS = 1000
/** The two processes read the clock at different instants of one call. */
const STAMP_SLACK_MS = 1

const FIXES: Record<BridgeFaultCode, string> = {
  magic:
    'write nothing but messages to stdout: keep a copy of it and let 1 mean stderr, dup(1) and dup2(2, 1), before the SDK is loaded',
  version: 'write version 1 and header length 128, both u16 at offsets 4 and 6',
  'header-crc': "take zlib's crc32 of the header's first 124 bytes, after all other fields are set",
  field: 'see the table of the header in docs/bridge-protocol.md',
  size: 'send exactly width x height x bytes per pixel, rows without padding',
  'payload-crc': 'write payloads whole (write may take less than it was given), and one message at a time',
  text: 'see hello, log and telemetry in docs/bridge-protocol.md',
}

/** Rejects with the signal's reason. The bridge is started four times and has ended when this settles. */
export async function tryBridge(options: BridgeTrialOptions): Promise<BridgeTrial> {
  const bridge = new BridgeUnderTest(options)
  try {
    const hello = await checkHello(bridge, options)
    if (hello.state === 'failed') return { checks: [hello] }
    const checks = [hello, await checkQuiet(bridge, options)]
    const { frames, sentAtMs, elapsedMs, check } = await askForFrames(bridge, options)
    checks.push(check)
    const last = frames.at(-1)
    if (last === undefined || bridge.payload === undefined) return { checks }
    checks.push(
      checkFormats(bridge, frames, options),
      checkSequence(frames),
      checkStamps(bridge, frames, sentAtMs),
    )
    const raw = { header: last.header, payload: bridge.payload, exposedAtMs: 0, remarks: [] }
    const frame = await frameOfBridge('bridge', raw, options.signal)
    checks.push(checkContent(frame, frames, options))
    await bridge.stop()
    checks.push(...(await checkEnds(options)))
    return { checks, frame, figures: figuresOf(bridge, frames, { sentAtMs, elapsedMs }) }
  } finally {
    await bridge.stop()
  }
}

/** What went wrong with the stream or the program, if so. */
function troubleOf(bridge: BridgeUnderTest): Pick<Check, 'found' | 'fix'> | undefined {
  if (bridge.fault !== undefined)
    return { found: `it ${bridge.fault.message}`, fix: FIXES[bridge.fault.code] }
  if (bridge.ended === undefined) return undefined
  if (bridge.ended.startsWith('could not be started')) {
    return { found: `it ${bridge.ended}`, fix: 'name a program that is there and may be executed' }
  }
  return { found: `it ${bridge.ended}`, fix: 'let it run until it is told to stop' }
}

async function checkHello(bridge: BridgeUnderTest, options: BridgeTrialOptions): Promise<Check> {
  const name = 'hello'
  const startedMs = performance.now()
  const { helloLimitMs, modality, signal } = options
  await bridge.until(() => bridge.hello !== undefined, helloLimitMs, signal)
  const { hello } = bridge
  if (hello === undefined) {
    const trouble = troubleOf(bridge) ?? {
      found: `nothing within ${helloLimitMs} ms`,
      fix: 'send hello when the device is open, before any start line; flush stdout',
    }
    return { name, state: 'failed', ...trouble }
  }
  if (bridge.framesBeforeHello > 0) {
    return { name, state: 'failed', found: 'a frame came before it', fix: 'send hello first' }
  }
  if (!hello.formats.some((format) => BRIDGE_FORMATS[format].modality === modality)) {
    const other = modality === 'xyz' ? 'rgb' : 'xyz'
    const found = `${hello.name} has ${hello.formats.join(', ')}, none of them ${modality}`
    return { name, state: 'failed', found, fix: `try --modality ${other}, or name all formats in hello` }
  }
  const device = hello.device === undefined ? '' : `, ${hello.device}`
  const found = `${hello.name}${device}: ${hello.formats.join(', ')}, clock ${hello.clock}, after ${(performance.now() - startedMs).toFixed(0)} ms`
  if (hello.clock === 'none') {
    const fix = 'stamp frames by CLOCK_MONOTONIC; without stamps two sensors can hardly be paired'
    return { name, state: 'warning', found, fix }
  }
  return { name, state: 'ok', found }
}

async function checkQuiet(bridge: BridgeUnderTest, { signal }: BridgeTrialOptions): Promise<Check> {
  const name = 'waits for triggers'
  bridge.say('start software')
  const came = await bridge.until(() => bridge.framesCount > 0, QUIET_MS, signal)
  const trouble = troubleOf(bridge)
  if (trouble !== undefined) return { name, state: 'failed', ...trouble }
  if (!came) return { name, state: 'ok', found: `no frame within ${QUIET_MS} ms without one` }
  const fix = 'after start software send frames only when a trigger line asks'
  return { name, state: 'failed', found: 'a frame came that nobody asked for', fix }
}

interface Answers {
  readonly frames: readonly ArrivedFrame[]
  /** Of the trigger of each, CLOCK_MONOTONIC. */
  readonly sentAtMs: readonly number[]
  readonly elapsedMs: number
  readonly check: Check
}

async function askForFrames(bridge: BridgeUnderTest, options: BridgeTrialOptions): Promise<Answers> {
  const name = 'answers triggers'
  const frames: ArrivedFrame[] = []
  const sentAtMs: number[] = []
  const startedMs = performance.now()
  const answers = (state: Check['state'], rest: Pick<Check, 'found' | 'fix'>): Answers => {
    return { frames, sentAtMs, elapsedMs: performance.now() - startedMs, check: { name, state, ...rest } }
  }
  for (let number = 1; number <= options.frames; number++) {
    const before = bridge.framesCount
    const sentMs = Number(process.hrtime.bigint()) / 1e6
    bridge.say(`trigger ${number}`)
    const came = await bridge.until(() => bridge.framesCount > before, options.frameLimitMs, options.signal)
    const trouble = troubleOf(bridge)
    if (trouble !== undefined)
      return answers('failed', { ...trouble, found: `frame ${number}: ${trouble.found}` })
    const frame = bridge.frames.at(-1)
    if (!came || frame === undefined) {
      const found = `no frame within ${options.frameLimitMs} ms after trigger ${number}`
      return answers('failed', {
        found,
        fix: 'read stdin while the device works, answer each trigger line once',
      })
    }
    if (bridge.framesCount > before + 1 || frame.header.trigger !== number) {
      const found = `trigger ${number} was answered by ${bridge.framesCount - before} frames, the last one for trigger ${frame.header.trigger}`
      return answers('failed', { found, fix: 'put the number of the trigger line into the field trigger' })
    }
    frames.push(frame)
    sentAtMs.push(sentMs)
  }
  return answers('ok', { found: `${options.frames} of ${options.frames}, every CRC is right` })
}

function checkFormats(
  bridge: BridgeUnderTest,
  frames: readonly ArrivedFrame[],
  { modality }: BridgeTrialOptions,
): Check {
  const name = 'format'
  const formats = [...new Set(frames.map(({ header }) => header.format))]
  const sizes = [...new Set(frames.map(({ header }) => `${header.width}x${header.height}`))]
  const found = `${formats.join(', ')}, ${sizes.join(', ')}`
  if (formats.some((format) => BRIDGE_FORMATS[format].modality !== modality)) {
    return { name, state: 'failed', found, fix: `send what configure asks for: ${modality}` }
  }
  if (formats.some((format) => !bridge.hello?.formats.includes(format))) {
    return { name, state: 'failed', found, fix: 'name this format in hello' }
  }
  if (sizes.length > 1) return { name, state: 'failed', found, fix: 'send frames of one size' }
  return { name, state: 'ok', found }
}

function checkSequence(frames: readonly ArrivedFrame[]): Check {
  const name = 'sequence'
  const numbers = frames.map(({ header }) => header.sequence)
  const found = `${numbers[0]} to ${numbers.at(-1)}`
  const isBack = numbers.some((number, index) => index > 0 && number <= numbers[index - 1]!)
  if (isBack)
    return { name, state: 'failed', found: numbers.join(', '), fix: 'count every exposure, up by 1' }
  if (numbers.at(-1)! - numbers[0]! === numbers.length - 1) return { name, state: 'ok', found }
  const fix = 'up by 1 for each exposure; a gap says that frames were lost'
  return { name, state: 'warning', found: numbers.join(', '), fix }
}

function checkStamps(
  bridge: BridgeUnderTest,
  frames: readonly ArrivedFrame[],
  sentAtMs: readonly number[],
): Check {
  const name = 'time stamps'
  const clock = bridge.hello?.clock
  if (clock === 'none') return { name, state: 'ok', found: 'none, as hello says' }
  const stamps = frames.map(({ header }) => header.stampMs)
  const back = stamps.findIndex((stamp, index) => stamp <= (stamps[index - 1] ?? 0))
  if (back !== -1) {
    const found = `frame ${back + 1} is stamped ${stamps[back]!.toFixed(3)} ms, the one before it ${(stamps[back - 1] ?? 0).toFixed(3)} ms`
    return { name, state: 'failed', found, fix: 'stamp the start of exposure, nanoseconds, later each time' }
  }
  if (clock !== 'monotonic') return { name, state: 'ok', found: `rise, by the clock '${clock}'` }
  const wrong = frames.findIndex(
    ({ header: { stampMs }, arrivedAtMs }, index) =>
      stampMs < sentAtMs[index]! - STAMP_SLACK_MS || stampMs > arrivedAtMs + STAMP_SLACK_MS,
  )
  if (wrong === -1) return { name, state: 'ok', found: 'between trigger and arrival, by CLOCK_MONOTONIC' }
  const afterMs = stamps[wrong]! - sentAtMs[wrong]!
  const found = `frame ${wrong + 1} is stamped ${afterMs.toFixed(1)} ms after its trigger and came ${(frames[wrong]!.arrivedAtMs - sentAtMs[wrong]!).toFixed(1)} ms after it`
  const fix =
    "stamp by clock_gettime(CLOCK_MONOTONIC), in nanoseconds, or say another clock in hello ('device')"
  return { name, state: 'failed', found, fix }
}

function checkContent(frame: Frame, frames: readonly ArrivedFrame[], options: BridgeTrialOptions): Check {
  const name = 'content'
  const refusal = checkFrame(frame, options.modality, defaultFrameLimits)
  if (refusal !== undefined) {
    const found = `the last frame ${refusal.detail}`
    const fix = 'check scale, offset and invalid code (metres), the light, and that a part is in view'
    return { name, state: 'failed', found, fix }
  }
  if (frames.some(({ isRepeated }) => isRepeated)) {
    const found = 'a frame has exactly the pixels of the one before it'
    const fix = 'send each exposure once; only a test pattern may repeat itself (freezeCheck: false)'
    return { name, state: 'warning', found, fix }
  }
  return { name, state: 'ok', found: 'could be inspected' }
}

/** Three ways to end, each in a run of its own. */
async function checkEnds(options: BridgeTrialOptions): Promise<Check[]> {
  const ways: readonly { readonly name: string; readonly fix: string; end(bridge: BridgeUnderTest): void }[] =
    [
      { name: 'ends on stop', fix: 'end when the line stop comes', end: (bridge) => bridge.say('stop') },
      {
        name: 'ends with its stdin',
        fix: 'end when reading stdin gives 0 bytes: the daemon may have died and nobody else will tell',
        end: (bridge) => bridge.closeInput(),
      },
      {
        name: 'ends on SIGTERM',
        fix: 'do not ignore SIGTERM, or let a handler close the device within a second',
        end: (bridge) => bridge.terminate(),
      },
    ]
  const checks: Check[] = []
  for (const { name, fix, end } of ways) {
    const bridge = new BridgeUnderTest(options)
    try {
      const hello = await checkHello(bridge, options)
      if (hello.state === 'failed') {
        checks.push({ ...hello, name, found: `started again: ${hello.found}` })
        continue
      }
      bridge.say('start software')
      const startedMs = performance.now()
      end(bridge)
      await bridge.until(() => bridge.ended !== undefined, END_LIMIT_MS, options.signal)
      const tookMs = (performance.now() - startedMs).toFixed(0)
      if (bridge.ended === undefined) {
        checks.push({ name, state: 'failed', found: `still runs after ${END_LIMIT_MS} ms`, fix })
      } else checks.push({ name, state: 'ok', found: `${bridge.ended}, after ${tookMs} ms` })
    } finally {
      await bridge.stop()
    }
  }
  return checks
}

function figuresOf(
  bridge: BridgeUnderTest,
  frames: readonly ArrivedFrame[],
  { sentAtMs, elapsedMs }: Pick<Answers, 'sentAtMs' | 'elapsedMs'>,
): BridgeFigures {
  const { format, width, height, payloadBytes } = frames[0]!.header
  const framesPerSecond = frames.length / (elapsedMs / 1000)
  const ages = frames.map(({ header, arrivedAtMs }) => arrivedAtMs - header.stampMs)
  return {
    format,
    width,
    height,
    framesPerSecond,
    megabytesPerSecond: (framesPerSecond * payloadBytes) / 1e6,
    answerMs: spread(frames.map(({ arrivedAtMs }, index) => arrivedAtMs - sentAtMs[index]!)),
    ...(bridge.hello?.clock === 'monotonic' && { ageMs: spread(ages) }),
  }
}

function spread(values: readonly number[]): { median: number; worst: number } {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: sorted[sorted.length >> 1]!, worst: sorted.at(-1)! }
}
