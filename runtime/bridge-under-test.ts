/** One run of somebody's bridge, and all that it says: for `radar-edge doctor bridge`. */
import { readText, type BridgeHello } from '../drivers/bridge-hello.ts'
import {
  BRIDGE_PROTOCOL_VERSION,
  BridgeParser,
  BridgeProtocolError,
  type BridgeFrameHeader,
  type BridgeHeader,
} from '../drivers/bridge-protocol.ts'
import { monotonicClock } from '../drivers/clock.ts'
import type { Modality } from '../drivers/frame.ts'
import { startProgram, type Program } from '../drivers/program.ts'

export interface ArrivedFrame {
  readonly header: BridgeFrameHeader
  /** Of its last byte, CLOCK_MONOTONIC in milliseconds. */
  readonly arrivedAtMs: number
  /** Its pixels are exactly those of the frame before it. */
  readonly isRepeated: boolean
}

export interface BridgeUnderTestOptions {
  readonly command: readonly [string, ...string[]]
  readonly modality: Modality
  readonly settings: Readonly<Record<string, string>>
}

/** What we are ready to take of a bridge that we know nothing about. */
const LARGEST_PAYLOAD_BYTES = 2 ** 28
const KEPT_FRAMES = 1000

export class BridgeUnderTest {
  hello: BridgeHello | undefined
  fault: BridgeProtocolError | undefined
  /** How it ended. */
  ended: string | undefined
  /** The newest ones. */
  readonly frames: ArrivedFrame[] = []
  framesCount = 0
  framesBeforeHello = 0
  /** Pixels of the newest frame. */
  payload: Uint8Array | undefined
  warnings = 0
  readonly #program: Program
  readonly #waiting = new Set<() => void>()

  constructor({ command: [command, ...rest], modality, settings }: BridgeUnderTestOptions) {
    const clock = monotonicClock
    this.#program = startProgram({ command, arguments: rest, frameDescriptor: 1, clock })
    const parser = new BridgeParser(LARGEST_PAYLOAD_BYTES, {
      begin: ({ payloadBytes }) => Buffer.allocUnsafeSlow(payloadBytes),
      end: (header, payload) => this.#take(header, payload ?? Buffer.alloc(0)),
    })
    this.#program.frames.on('data', (chunk: Uint8Array) => {
      if (this.fault !== undefined) return
      try {
        parser.push(chunk)
      } catch (error) {
        if (!(error instanceof BridgeProtocolError)) throw error
        this.fault = error
      }
      this.#tell()
    })
    void this.#program.ended.then((how) => {
      this.ended = how
      this.#tell()
    })
    const configuration = { protocol: BRIDGE_PROTOCOL_VERSION, modality, trigger: 'software', settings }
    this.say(`configure ${JSON.stringify(configuration)}`)
  }

  say(line: string): void {
    if (this.#program.input.writable) this.#program.input.write(`${line}\n`)
  }

  closeInput(): void {
    this.#program.input.end()
  }

  terminate(): void {
    if (this.#program.pid !== undefined && this.ended === undefined)
      process.kill(this.#program.pid, 'SIGTERM')
  }

  /** Whether it became so in time; a fault, an end or the signal is the end of waiting. */
  async until(isSo: () => boolean, limitMs: number, signal: AbortSignal): Promise<boolean> {
    const isOver = (): boolean => isSo() || this.fault !== undefined || this.ended !== undefined
    if (!isOver() && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          cancel()
          this.#waiting.delete(look)
          signal.removeEventListener('abort', finish)
          resolve()
        }
        const look = (): void => {
          if (isOver()) finish()
        }
        const cancel = monotonicClock.after(limitMs, finish)
        this.#waiting.add(look)
        signal.addEventListener('abort', finish)
      })
    }
    signal.throwIfAborted()
    return isSo()
  }

  /** SIGTERM, and SIGKILL after a second. */
  stop(): Promise<void> {
    return this.#program.stop()
  }

  #take(header: BridgeHeader, payload: Uint8Array): void {
    switch (header.kind) {
      case 'hello':
        if (this.hello !== undefined) throw new BridgeProtocolError('text', 'said hello twice')
        this.hello = readText('hello', payload)
        return
      case 'log':
        if (readText('log', payload).level !== 'info') this.warnings++
        return
      case 'telemetry':
        readText('telemetry', payload)
        return
      case 'frame': {
        if (this.hello === undefined) this.framesBeforeHello++
        const isRepeated = this.payload !== undefined && Buffer.compare(this.payload, payload) === 0
        this.payload = payload
        this.framesCount++
        this.frames.push({ header, isRepeated, arrivedAtMs: Number(process.hrtime.bigint()) / 1e6 })
        if (this.frames.length > KEPT_FRAMES) this.frames.shift()
      }
    }
  }

  #tell(): void {
    for (const look of [...this.#waiting]) look()
  }
}
