/** The command line as a user runs it: a process of its own with a config file in a folder. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { builtPackage } from './built-package.ts'

/** The built command line. */
export const main = join(await builtPackage(), 'dist', 'runtime', 'main.js')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** @param onStart e.g. to send a signal; the process's output is collected all the same. */
export async function radarEdge(
  args: readonly string[],
  onStart: (child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  onStart(child)
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  const [stdout, stderr] = await output
  return { code, signal, stdout, stderr }
}

/** Every line of standard output must be one JSON object. */
export function jsonLines({ stdout }: Pick<Ended, 'stdout'>): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Writes a config that suits a small synthetic station and a slow machine; returns the file. */
export async function writeConfig(folder: string, changes: Record<string, unknown> = {}): Promise<string> {
  const patient = { kind: 'synthetic', deadlineMs: 15_000, openDeadlineMs: 60_000 }
  const file = join(folder, 'radar-edge.yaml')
  const config = {
    station: { site: 'plant', name: 'cell' },
    product: 'cookie',
    recipes: { cookie: { falseRejectRate: 0.1, bankMebibytes: 1 } },
    sensors: { rgb: { ...patient, name: 'camera' }, xyz: { ...patient, name: 'scanner' } },
    synthetic: { category: 'cookie', width: 60, height: 60 },
    skewToleranceMs: 15_000,
    deadlines: { verdictMs: 60_000, shutdownMs: 20_000 },
    mqtt: { embeddedPort: 0 },
    http: { port: 0 },
    ...changes,
  }
  await writeFile(file, stringify(config))
  return file
}
