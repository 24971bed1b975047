/** `radar-edge doctor bridge -- ./my-bridge`: for whoever writes one. */
import { writeFile } from 'node:fs/promises'
import type { Modality } from '../../drivers/frame.ts'
import { conditionOf } from '../../drivers/sample.ts'
import { tryBridge, type BridgeFigures, type BridgeTrial } from '../bridge-trial.ts'
import { formatChecks } from '../checks.ts'
import { drawFrame } from '../heatmap.ts'

export interface DoctorBridgeOptions {
  readonly command: readonly string[]
  readonly modality: Modality
  readonly frames: number
  readonly helloLimitMs: number
  readonly frameLimitMs: number
  readonly setting: readonly { readonly name: string; readonly value: string }[]
  /** Where the last frame is saved, PNG. */
  readonly picture?: string
  readonly json: boolean
  readonly signal: AbortSignal
}

const PICTURE_PIXELS = 1600

/** Prints one check a line and the figures. Resolves to the exit code: 0, or 1 when a check failed. */
export async function doctorBridge(options: DoctorBridgeOptions): Promise<number> {
  const [command, ...rest] = options.command
  if (command === undefined) throw new Error('no bridge was named; the command line forbids it')
  const settings = Object.fromEntries(options.setting.map(({ name, value }) => [name, value]))
  const trial = await tryBridge({ ...options, command: [command, ...rest], settings })
  const picture = await savePicture(trial, options)
  const { checks, figures } = trial
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ checks, ...(figures && { figures }), ...(picture && { picture }) })}\n`,
    )
  } else {
    process.stdout.write(formatChecks(checks))
    if (figures !== undefined) process.stdout.write(`\n${describe(figures)}`)
    if (picture !== undefined) process.stdout.write(`picture  ${picture}\n`)
  }
  return checks.some(({ state }) => state === 'failed') ? 1 : 0
}

async function savePicture(
  { frame }: BridgeTrial,
  { picture, modality }: DoctorBridgeOptions,
): Promise<string | undefined> {
  if (frame === undefined || picture === undefined) return undefined
  const frames = { [modality]: frame }
  const trigger = { id: 'doctor', atMs: 0, source: 'bench' } as const
  const sample = { trigger, frames, absent: {}, condition: conditionOf(frames) }
  await writeFile(picture, await drawFrame(sample, PICTURE_PIXELS))
  return picture
}

function describe(figures: BridgeFigures): string {
  const { format, width, height, framesPerSecond, megabytesPerSecond, answerMs, ageMs } = figures
  const lines = [
    `frames   ${width}x${height} ${format}, ${framesPerSecond.toFixed(1)} per second one after the other, ${megabytesPerSecond.toFixed(1)} MB/s`,
    `answer   ${answerMs.median.toFixed(1)} ms from trigger to the last byte, ${answerMs.worst.toFixed(1)} ms at worst`,
  ]
  if (ageMs !== undefined) {
    lines.push(
      `age      ${ageMs.median.toFixed(1)} ms from exposure to the last byte, ${ageMs.worst.toFixed(1)} ms at worst`,
    )
  }
  return `${lines.join('\n')}\n`
}
