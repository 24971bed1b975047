import { statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../drivers/message-of.ts'
import { openBundle, verifyGolden } from '../../models/bundle.ts'
import { loadRepository } from '../../models/repository.ts'
import { trustedBundleFolder } from '../bundle-folder.ts'
import {
  checkBroker,
  checkMachine,
  checkNode,
  checkPromise,
  checkStateDirectory,
  checkWallClock,
  formatChecks,
  type Check,
} from '../checks.ts'
import { ConfigError, EXIT_CONFIG } from '../config-error.ts'
import { recipeOf, type Config } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { openLedger } from '../ledger.ts'
import { serialPortsOf } from '../links/link-config.ts'
import { checkSerialPorts } from '../port-checks.ts'
import { RuntimeError } from '../runtime-error.ts'
import { openSensors } from '../sensors.ts'

export interface DoctorOptions {
  readonly config: string
  readonly json: boolean
  readonly signal: AbortSignal
}

/** Looks at everything that a station needs. Resolves to the exit code: 0, 1 when a check failed, 78 for the config. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const checks: Check[] = [checkNode(), checkMachine(), checkWallClock()]
  const { config, check } = await checkConfigFile(options.config)
  checks.push(check)
  if (config !== undefined) {
    checks.push(await checkStateDirectory(config.stateDirectory))
    checks.push(...(await checkModel(config)))
    checks.push(...(await checkSerialPorts(serialPortsOf(config))))
    checks.push(...(await checkSensors(config, options.signal)))
    if (config.mqtt.url !== undefined) checks.push(await checkBroker(config.mqtt.url))
  }
  process.stdout.write(options.json ? `${JSON.stringify({ checks })}\n` : formatChecks(checks))
  if (check.state === 'failed') return EXIT_CONFIG
  return checks.some(({ state }) => state === 'failed') ? 1 : 0
}

async function checkConfigFile(file: string): Promise<{ config?: Config; check: Check }> {
  try {
    return { config: await readConfig(file), check: { name: 'config', state: 'ok', found: file } }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const absent = statSync(file, { throwIfNoEntry: false }) === undefined
    const fix = absent
      ? `write ${file} (docs/config.md), or name another with --config`
      : `correct ${file} (docs/config.md)`
    return { check: { name: 'config', state: 'failed', found: error.message, fix } }
  }
}

/** The bundle's hashes and golden vectors on this machine's ONNX Runtime, and the product's repository under it. */
async function checkModel(config: Config): Promise<Check[]> {
  let bundleId: string
  const checks: Check[] = []
  try {
    const bundle = await openBundle(await trustedBundleFolder(config), config.inference)
    try {
      const golden = await verifyGolden(bundle)
      bundleId = bundle.id
      const worst = Math.max(golden.rgb, golden.xyz, golden.fusion)
      const found = `${bundle.manifest.name} ${bundle.manifest.version}, golden vectors off by ${worst.toExponential(1)} at most`
      checks.push({ name: 'bundle', state: 'ok', found })
    } finally {
      await bundle.release()
    }
  } catch (error) {
    return [
      {
        name: 'bundle',
        state: 'failed',
        found: messageOf(error),
        fix: 'install radar-edge again, or name another bundle',
      },
    ]
  }
  const name = `repository of ${config.product}`
  const ledger = openLedger(join(config.stateDirectory, 'repositories'))
  try {
    const folder = ledger.activeFolder(config.product)
    if (folder === undefined) {
      const fix = `radar-edge teach --product ${config.product}`
      return [...checks, { name, state: 'warning', found: 'nothing was taught yet', fix }]
    }
    const { id, manifest } = await loadRepository(folder, { bundleId })
    const promisedRate = recipeOf(config).falseRejectRate
    return [...checks, checkPromise({ id, manifest, promisedRate })]
  } catch (error) {
    const again = `teach it again: radar-edge teach --product ${config.product}`
    const fix = error instanceof RuntimeError ? `move ${ledger.file} away, then ${again}` : again
    return [...checks, { name, state: 'failed', found: messageOf(error), fix }]
  } finally {
    ledger.close()
  }
}

async function checkSensors(config: Config, signal: AbortSignal): Promise<Check[]> {
  const { rig } = await openSensors(config, {}, signal)
  try {
    const trigger = { id: 'doctor', atMs: performance.now(), source: 'bench' as const }
    const sample = await rig.capture(trigger, signal)
    return (['rgb', 'xyz'] as const).flatMap((modality): Check[] => {
      const sensor = config.sensors[modality]
      if (sensor === undefined) return []
      const name = `sensor ${sensor.name}`
      const frame = sample.frames[modality]
      if (frame !== undefined) {
        const afterMs = frame.exposedAtMs - trigger.atMs
        const found = `${frame.width} x ${frame.height}, exposed ${afterMs.toFixed(0)} ms after the trigger`
        return [{ name, state: 'ok', found }]
      }
      const absence = sample.absent[modality]
      const found = absence === undefined ? 'no frame' : `${absence.reason}: ${absence.detail}`
      return [{ name, state: 'failed', found, fix: `check cable, power and the config of ${sensor.name}` }]
    })
  } finally {
    await rig.close()
  }
}
