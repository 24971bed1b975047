#!/usr/bin/env node
/** The command line. Each command lives in its own file and is loaded when it is asked for. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { ConfigError, EXIT_CONFIG } from './config-error.ts'
import { packageVersion } from './package-version.ts'

/** Work that a signal ended half done. The exit code is the shell's for that signal. */
class Stopped extends Error {
  readonly exitCode: number

  constructor(name: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${name}`)
    this.exitCode = name === 'SIGINT' ? 130 : 143
  }
}

/** Ctrl-C and systemd's stop both ask for a clean end; a second one ends at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const stopped = new Stopped(name)
      if (controller.signal.aborted) process.exit(stopped.exitCode)
      controller.abort(stopped)
    })
  }
  return controller.signal
}

function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isInteger(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`expected a whole number from ${minimum} to ${maximum}`)
    }
    return value
  }
}

function numberBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= minimum && value <= maximum)) {
      throw new InvalidArgumentError(`expected a number from ${minimum} to ${maximum}`)
    }
    return value
  }
}

/** The first letters of a repository's id: enough of them that no two are alike by chance. */
function idPrefix(text: string): string {
  if (/^[0-9a-f]{6,64}$/.test(text)) return text
  throw new InvalidArgumentError("expected a repository's id, or its first 6 hex digits or more")
}

function keyName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text)) return text
  throw new InvalidArgumentError('expected letters, digits, - and _')
}

function list(text: string): string[] {
  return text.split(',').filter((item) => item !== '')
}

/** Several of what `one` reads. */
function listOf<T>(one: (text: string) => T): (text: string) => T[] {
  return (text) => list(text).map(one)
}

function oneOf<T extends string>(...known: readonly T[]): (text: string) => T {
  return (text) => {
    const found = known.find((name) => name === text)
    if (found === undefined) throw new InvalidArgumentError(`expected some of ${known.join(', ')}`)
    return found
  }
}

/** Said several times, each adds one. */
function namedFolder(
  text: string,
  before: readonly { readonly name: string; readonly folder: string }[],
): { readonly name: string; readonly folder: string }[] {
  const [, name, folder] = /^([A-Za-z0-9-]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || folder === undefined) throw new InvalidArgumentError('expected name=folder')
  return [...before, { name, folder }]
}

/** Said several times, each adds one. */
function bridgeSetting(
  text: string,
  before: readonly { readonly name: string; readonly value: string }[],
): { readonly name: string; readonly value: string }[] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('expected name=value')
  return [...before, { name, value }]
}

const parts = wholeNumber(1, 1_000_000)
const seed = wholeNumber(0, 2 ** 31 - 1)
const json = (): Option => new Option('--json', 'print JSON for machines, one object per line')
const config = (): Option => new Option('-c, --config <file>', 'config file').default('radar-edge.yaml')

const program = new Command('radar-edge')
  .description('Inspection runtime for RGB + 3D stations: a verdict and a heatmap for every part.')
  .version(packageVersion())
  .showHelpAfterError()

program
  .command('run')
  .description('run the station until it is told to stop')
  .addOption(config())
  .action(async (options: { config: string }) => {
    const { run } = await import('./commands/run.ts')
    await run({ ...options, signal: stopSignal() })
  })

program
  .command('demo')
  .description('synthetic station, embedded broker, a 3D sensor that dies half way: no hardware needed')
  .option('--parts <n>', 'parts to inspect', parts, 30)
  .option('--category <name>', 'synthetic product', 'hex-nut')
  .option('--teach-parts <n>', 'good parts to teach first', wholeNumber(4, 500), 24)
  .option('--seed <n>', 'seed of the parts', seed, 1)
  .option('--size <pixels>', 'width and height of the frames', wholeNumber(64, 2048), 400)
  .option('--state <folder>', 'keep repositories, outbox and numbering here (default: a temporary folder)')
  .option('--port <n>', 'port of the embedded broker, 0 for a free one', wholeNumber(0, 65_535), 0)
  .option('--save <folder>', 'save the overlay of every part here')
  .addOption(json())
  .action(async (options) => {
    const { demo } = await import('./commands/demo.ts')
    await demo({ ...options, json: options.json === true, signal: stopSignal() })
  })

program
  .command('teach')
  .description("make a product's repository of good parts, and put it into use")
  .addOption(config())
  .option('--product <name>', 'product to teach (default: the one in the config)')
  .option('--parts <n>', "good parts to capture from the station's own sensors", wholeNumber(2, 5000), 40)
  .option(
    '--data <folder>',
    'teach from recorded parts (MVTec 3D-AD layout: train/good, validation/good held out; or loose pairs)',
  )
  .option('--seed <n>', 'seed of plane, coreset and heads', seed, 1)
  .option(
    '--exclude <part ids>',
    'comma-separated; leave these out, and teach again from the other parts of the last teaching',
    list,
    [],
  )
  .option('--restart', 'drop an interrupted teaching instead of going on with it')
  .option('--save <folder>', 'save heatmaps of the parts that look odd here')
  .addOption(json())
  .action(async (options) => {
    const { teachProduct } = await import('./commands/teach.ts')
    const { json, restart, ...rest } = options
    await teachProduct({
      ...rest,
      json: json === true,
      restart: restart === true,
      signal: stopSignal(),
    })
  })

program
  .command('replay')
  .description('inspect recorded parts with the repository in use, and compare with the known truth')
  .addOption(config())
  .requiredOption('--data <folder>', 'MVTec 3D-AD layout or a folder of loose pairs')
  .addOption(new Option('--split <name>', 'only this split').choices(['train', 'validation', 'test']))
  .option('--parts <n>', 'at most this many parts', parts)
  .addOption(json())
  .action(async (options) => {
    const { replay } = await import('./commands/replay.ts')
    await replay({ ...options, json: options.json === true, signal: stopSignal() })
  })

program
  .command('synth')
  .description("write procedural parts in MVTec 3D-AD's layout")
  .requiredOption('--out <folder>', 'where to write')
  .option('--categories <names>', 'comma-separated (default: all)', list)
  .option('--size <pixels>', 'width and height', wholeNumber(32, 4096), 400)
  .option('--train <n>', 'good parts in train', wholeNumber(0, 100_000), 60)
  .option('--validation <n>', 'good parts in validation', wholeNumber(0, 100_000), 20)
  .option('--test-good <n>', 'good parts in test', wholeNumber(0, 100_000), 20)
  .option('--test-per-defect <n>', 'parts per kind of defect in test', wholeNumber(0, 100_000), 5)
  .option('--seed <n>', 'seed', seed, 1)
  .addOption(json())
  .action(async (options) => {
    const { synth } = await import('./commands/synth.ts')
    await synth({ ...options, json: options.json === true, signal: stopSignal() })
  })

const doctorCommand = program
  .command('doctor')
  .description('check machine, config, bundle, repository, sensors and broker; say how to fix what is wrong')
  .addOption(config())
  .addOption(json())
  .action(async (options) => {
    const { doctor } = await import('./commands/doctor.ts')
    process.exitCode = await doctor({ ...options, json: options.json === true, signal: stopSignal() })
  })
doctorCommand
  .command('bridge')
  .description('check a bridge (docs/bridges.md) by its protocol: radar-edge doctor bridge -- ./my-bridge')
  .argument('<command...>', 'the bridge and its arguments, after --')
  .addOption(new Option('--modality <name>', 'what is asked of it').choices(['rgb', 'xyz']).default('xyz'))
  .option('--frames <n>', 'frames to ask for', wholeNumber(2, 1000), 10)
  .option('--hello-limit-ms <n>', 'longest wait for hello', wholeNumber(100, 120_000), 15_000)
  .option('--frame-limit-ms <n>', 'longest wait for a frame', wholeNumber(10, 60_000), 5000)
  .option('--setting <name=value>', 'told to the bridge; may come again', bridgeSetting, [])
  .option('--picture <file>', 'save the last frame as a PNG here')
  .addOption(json())
  .action(async (command: string[], options, self: Command) => {
    const { doctorBridge } = await import('./commands/doctor-bridge.ts')
    // `doctor` has --json too, and takes what comes before the subcommand's own arguments.
    const { json } = self.optsWithGlobals()
    process.exitCode = await doctorBridge({ ...options, command, json: json === true, signal: stopSignal() })
  })
doctorCommand
  .command('sensors')
  .description(
    'list what is connected, capture from each configured sensor: rate, latency, skew, losses; with the fix',
  )
  .addOption(config())
  .option('--captures <n>', 'triggers', wholeNumber(1, 10_000), 10)
  .option('--pictures <folder>', 'save the last frame of each sensor here as a PNG')
  .addOption(json())
  .action(async (_options, self: Command) => {
    const { doctorSensors } = await import('./commands/doctor-sensors.ts')
    // `doctor` has --config and --json too, and takes what comes before the subcommand's own arguments.
    const options = self.optsWithGlobals<{
      config: string
      captures: number
      pictures?: string
      json?: true
    }>()
    process.exitCode = await doctorSensors({ ...options, json: options.json === true, signal: stopSignal() })
  })

const configCommand = program.command('config').description('work with the config file')
configCommand
  .command('check')
  .description(
    'report every problem with file, line, column and the nearest valid key; exit 78 if there is one',
  )
  .argument('[file]', 'config file', 'radar-edge.yaml')
  .addOption(json())
  .action(async (file: string, options) => {
    const { checkConfig } = await import('./commands/config-check.ts')
    process.exitCode = await checkConfig({ file, json: options.json === true })
  })

const repository = program
  .command('repository')
  .description("a product's repositories: look at them, send them elsewhere, take them from elsewhere")
/** What all of its commands take. */
const repositoryCommand = (name: string, description: string): Command =>
  repository
    .command(name)
    .description(description)
    .addOption(config())
    .option('--product <name>', 'product (default: the one in the config)')
    .addOption(json())
repositoryCommand('list', 'every kept repository: what made it, what it predicts, what became of it').action(
  async (options) => {
    const { listCommand } = await import('./commands/repository.ts')
    await listCommand({ ...options, json: options.json === true })
  },
)
repositoryCommand('show', 'everything about one repository')
  .argument('[id]', 'the first digits of its id (default: the one in use)', idPrefix)
  .action(async (id: string | undefined, options) => {
    const { showCommand } = await import('./commands/repository.ts')
    await showCommand({ ...options, ...(id !== undefined && { id }), json: options.json === true })
  })
repositoryCommand('verify', 'check every byte, and that it fits the bundle in use; exit 1 if not')
  .argument('[id]', 'the first digits of its id (default: the one in use)', idPrefix)
  .option('--all', 'every kept repository')
  .action(async (id: string | undefined, options) => {
    const { verifyCommand } = await import('./commands/repository.ts')
    const what = { ...(id !== undefined && { id }), all: options.all === true }
    process.exitCode = await verifyCommand({ ...options, ...what, json: options.json === true })
  })
repositoryCommand('diff', 'what one repository has that another has not: parts, rows, thresholds')
  .argument('<before>', 'the first digits of an id', idPrefix)
  .argument('<after>', 'the first digits of another', idPrefix)
  .action(async (before: string, after: string, options) => {
    const { diffCommand } = await import('./commands/repository.ts')
    await diffCommand({ ...options, before, after, json: options.json === true })
  })
repositoryCommand('history', 'what happened, newest first: who, when, why')
  .argument('[id]', 'only of this repository: the first digits of its id', idPrefix)
  .option('--limit <n>', 'at most so many entries', wholeNumber(1, 100_000), 20)
  .action(async (id: string | undefined, options) => {
    const { historyCommand } = await import('./commands/repository.ts')
    await historyCommand({ ...options, ...(id !== undefined && { id }), json: options.json === true })
  })
repositoryCommand('export', 'write a repository into one file, signed with the key of trust.signing')
  .argument('[id]', 'the first digits of its id (default: the one in use)', idPrefix)
  .requiredOption('--out <file>', 'file, or a folder to put it in under its own name')
  .action(async (id: string | undefined, options) => {
    const { exportCommand } = await import('./commands/repository-exchange.ts')
    await exportCommand({ ...options, ...(id !== undefined && { id }), json: options.json === true })
  })
repositoryCommand(
  'import',
  'take a repository from a file that a key of trust.keys has signed; a candidate yet',
)
  .argument('<file>', 'what `repository export` wrote')
  .option('--who <name>', 'who asks for it (default: whoever runs this)')
  .option('--why <text>', 'why, for the history')
  .action(async (file: string, options) => {
    const { importCommand } = await import('./commands/repository-exchange.ts')
    await importCommand({ ...options, file, json: options.json === true, signal: stopSignal() })
  })
/** What all of those take that change which one is in use. */
const repositoryWork = (name: string, description: string): Command =>
  repositoryCommand(name, description)
    .option('--who <name>', 'who asks for it (default: whoever runs this)')
    .requiredOption('--why <text>', 'why, for the history')
repositoryWork('update', 'learn from the parts that were confirmed since, through the gate')
  .option('--keep-candidate', 'leave it for `repository promote`')
  .action(async (options) => {
    const { workCommand } = await import('./commands/repository-work.ts')
    const job = { kind: 'update', ...(options.keepCandidate && { keepCandidate: true }) } as const
    process.exitCode = await workCommand(job, {
      ...options,
      json: options.json === true,
      signal: stopSignal(),
    })
  })
repositoryWork('forget', 'take parts out again that should never have been taught, through the gate')
  .argument('<parts...>', 'their ids')
  .action(async (forget: string[], options) => {
    const { workCommand } = await import('./commands/repository-work.ts')
    const asked = { ...options, json: options.json === true, signal: stopSignal() }
    process.exitCode = await workCommand({ kind: 'compact', forget }, asked)
  })
repositoryWork('compact', 'drop rows that others stand for, or that the byte budget has no room for').action(
  async (options) => {
    const { workCommand } = await import('./commands/repository-work.ts')
    const asked = { ...options, json: options.json === true, signal: stopSignal() }
    process.exitCode = await workCommand({ kind: 'compact' }, asked)
  },
)
repositoryWork('promote', 'put a candidate or an imported repository into use, through the gate')
  .argument('<id>', 'the first digits of its id', idPrefix)
  .action(async (id: string, options) => {
    const { workCommand } = await import('./commands/repository-work.ts')
    const asked = { ...options, json: options.json === true, signal: stopSignal() }
    process.exitCode = await workCommand({ kind: 'promote', id }, asked)
  })
repositoryWork('rebuild', 'make the one in use anew for the bundle and engine in use').action(
  async (options) => {
    const { workCommand } = await import('./commands/repository-work.ts')
    const asked = { ...options, json: options.json === true, signal: stopSignal() }
    process.exitCode = await workCommand({ kind: 'rebuild' }, asked)
  },
)
repositoryWork('rollback', 'back to the repository before, or to any that was in use and is kept')
  .argument('[id]', 'the first digits of its id (default: the one before)', idPrefix)
  .action(async (id: string | undefined, options) => {
    const { rollbackCommand } = await import('./commands/repository-work.ts')
    const asked = {
      ...options,
      ...(id !== undefined && { id }),
      json: options.json === true,
      signal: stopSignal(),
    }
    await rollbackCommand(asked)
  })

const golden = program
  .command('golden')
  .description(
    'reference parts, good and bad, that gate every change of the repository and test the running model',
  )
const goldenCommand = (name: string, description: string): Command =>
  golden
    .command(name)
    .description(description)
    .addOption(config())
    .option('--product <name>', 'product (default: the one in the config)')
    .addOption(json())
const goldenChange = (name: string, description: string): Command =>
  goldenCommand(name, description)
    .option('--who <name>', 'who asks for it (default: whoever runs this)')
    .option('--why <text>', 'why, for the history')
const label = () => new Option('--label <label>', 'what the parts are').choices(['good', 'bad'])
goldenChange('add', 'add parts of which somebody knows what they are; none of them may be taught')
  .addOption(label())
  .option('--defect <name>', 'what is wrong with a bad part')
  .option('--trigger <ids>', 'comma-separated; inspected parts whose frames are kept, with --label', list)
  .option(
    '--data <folder>',
    'recorded parts: test/good and test/<defect> with masks (MVTec 3D-AD layout), or loose pairs with --label',
  )
  .option('--per-label <n>', 'at most so many recorded parts of each label', parts)
  .option('--parts <n>', "so many from the station's own sensors, if they are synthetic or replayed", parts)
  .action(async (options) => {
    const { goldenAdd } = await import('./commands/golden.ts')
    await goldenAdd({ ...options, json: options.json === true, signal: stopSignal() })
  })
goldenCommand('list', 'what is there').action(async (options) => {
  const { goldenList } = await import('./commands/golden.ts')
  await goldenList({ ...options, json: options.json === true })
})
goldenChange('remove', 'take parts away, also damaged ones')
  .argument('<parts...>', 'their ids')
  .action(async (partIds: string[], options) => {
    const { goldenRemove } = await import('./commands/golden.ts')
    await goldenRemove(partIds, { ...options, json: options.json === true })
  })

program
  .command('accept')
  .description('these rejected parts are good: the next update learns from them')
  .argument('<triggers...>', 'the ids that their verdicts carry')
  .addOption(config())
  .option('--product <name>', 'product (default: the one in the config)')
  .option('--who <name>', 'who says so (default: whoever runs this)')
  .requiredOption('--why <text>', 'why, for the history')
  .addOption(json())
  .action(async (triggers: string[], options) => {
    const { acceptCommand } = await import('./commands/repository-work.ts')
    const asked = { ...options, json: options.json === true, signal: stopSignal() }
    process.exitCode = await acceptCommand(triggers, asked)
  })

program
  .command('keys')
  .description('keys that sign what is sent elsewhere')
  .command('create')
  .description('make a pair: a private key that signs, a public one for the stations that shall believe it')
  .requiredOption('--out <folder>', 'where to write both')
  .requiredOption('--name <name>', 'what stations call it', keyName)
  .addOption(json())
  .action(async (options) => {
    const { createKeysCommand } = await import('./commands/keys.ts')
    await createKeysCommand({ ...options, json: options.json === true })
  })

program
  .command('bundle')
  .description('work with bundles')
  .command('sign')
  .description('check a bundle and sign it with the key of trust.signing: signature.json beside its manifest')
  .argument('<folder>', "the bundle's folder")
  .addOption(config())
  .addOption(json())
  .action(async (folder: string, options) => {
    const { signBundleCommand } = await import('./commands/bundle.ts')
    await signBundleCommand({ ...options, folder, json: options.json === true })
  })

const bench = program.command('bench').description('measure; nothing here is a test')
bench
  .command('anomaly')
  .description('detection and localisation on a data set, per condition: image AUROC, pixel AUROC, AUPRO')
  .requiredOption('--data <folder>', 'one class, or a folder of classes, in MVTec 3D-AD layout')
  .option('--bundle <folder>', 'bundle to measure', 'radar-lite')
  .option('--classes <names>', 'comma-separated (default: all)', list)
  .option('--train <n>', 'at most this many good parts to teach', parts)
  .option('--seed <n>', 'seed', seed, 1)
  .option('--threads <n>', 'threads of ONNX Runtime', wholeNumber(1, 64), 2)
  .option('--false-reject-rate <p>', 'promised false-reject rate', numberBetween(0.0001, 0.5), 0.05)
  .option('--bank-mebibytes <n>', 'byte budget of the banks', numberBetween(0.5, 2048), 16)
  .addOption(json())
  .action(async (options) => {
    const { benchAnomalyCommand } = await import('./commands/bench.ts')
    await benchAnomalyCommand({ ...options, json: options.json === true, signal: stopSignal() })
  })
bench
  .command('miiad')
  .description('MIIAD Bench: detection when parts lack a modality, beside baselines and ablations')
  .option('--data <folder>', 'one class, or a folder of classes: MVTec 3D-AD or Eyecandies layout, or synth')
  .option('--rates <per cents>', 'missing rates', listOf(numberBetween(0, 100)), [30, 70])
  .option('--kinds <names>', 'what is missing: xyz, rgb, both', listOf(oneOf('xyz', 'rgb', 'both')), [
    'xyz',
    'rgb',
    'both',
  ])
  .addOption(
    new Option('--where <place>', 'where it is missing: in train and test, or in one of them')
      .choices(['both', 'train', 'test'])
      .default('both'),
  )
  .option('--seeds <numbers>', 'seeds of splits and teaching', listOf(seed), [1])
  .option('--classes <names>', 'comma-separated (default: all)', list)
  .option('--methods <names>', 'comma-separated (default: all)', list)
  .option('--bundle <folder>', 'bundle to measure', 'radar-lite')
  .option('--ablation <name=folder>', 'bundle with another fusion; can be repeated', namedFolder, [])
  .addOption(
    new Option('--splits <file>', 'splits as this file has them').conflicts([
      'rates',
      'kinds',
      'where',
      'seeds',
    ]),
  )
  .addOption(
    new Option('--merge <files>', 'put report.json files together instead of measuring')
      .argParser(list)
      .conflicts(['data', 'splits', 'rates', 'kinds', 'where', 'seeds', 'classes', 'methods', 'ablation']),
  )
  .option('--out <folder>', 'write report.json, .csv and .md, splits.json and plots here')
  .option('--threads <n>', 'threads of ONNX Runtime', wholeNumber(1, 64), 1)
  .option('--false-reject-rate <p>', 'promised false-reject rate', numberBetween(0.0001, 0.5), 0.05)
  .option('--bank-mebibytes <n>', 'byte budget of the banks', numberBetween(0.5, 2048), 4)
  .addOption(json())
  .action(async ({ rates, ablation, ...options }) => {
    const { benchMiiadCommand } = await import('./commands/bench-miiad.ts')
    await benchMiiadCommand({
      ...options,
      rates: rates.map((rate: number) => rate / 100),
      ablations: ablation,
      json: options.json === true,
      signal: stopSignal(),
    })
  })
bench
  .command('repository')
  .description(
    'what a repository costs and how it lasts: teaching, an ageing lamp, defects confirmed as good',
  )
  .option('--data <folder>', 'also a real class in MVTec 3D-AD layout')
  .option('--category <name>', 'synthetic product', 'flange')
  .option('--size <pixels>', 'width and height of its frames', wholeNumber(32, 2048), 256)
  .option(
    '--only <names>',
    'some of teaching, drift, poisoning, search',
    listOf(oneOf('teaching', 'drift', 'poisoning', 'search')),
  )
  .option('--parts <numbers>', 'numbers of parts to teach', listOf(wholeNumber(3, 5000)), [10, 20, 40, 60])
  .option(
    '--rows <numbers>',
    'rows of the banks to search',
    listOf(wholeNumber(1, 1_000_000)),
    [1000, 2000, 5000, 10_000, 20_000],
  )
  .option('--repeats <n>', 'timed teachings; ten times as many searches', wholeNumber(1, 1000), 3)
  .option('--updates <n>', 'updates of a line', wholeNumber(1, 10_000), 50)
  .option('--per-update <n>', 'parts that each update gets', wholeNumber(1, 200), 5)
  .option('--kills <file>', 'show what the kill test wrote to $REPOSITORY_KILLS_OUT')
  .option('--bundle <folder>', 'bundle to measure', 'radar-lite')
  .option('--seed <n>', 'seed', seed, 1)
  .option('--threads <n>', 'threads of ONNX Runtime', wholeNumber(1, 64), 1)
  .option('--false-reject-rate <p>', 'promised false-reject rate', numberBetween(0.0001, 0.5), 0.05)
  .option('--bank-mebibytes <n>', 'byte budget of the banks', numberBetween(0.5, 2048), 4)
  .option('--least-detection <p>', "the gate's leastDetection", numberBetween(0, 1), 0.9)
  .option('--most-flips <n>', "the gate's mostFlips", wholeNumber(0, 1000), 0)
  .addOption(json())
  .action(async (options) => {
    const { benchRepositoryCommand } = await import('./commands/bench-repository.ts')
    await benchRepositoryCommand({ ...options, json: options.json === true, signal: stopSignal() })
  })
bench
  .command('sensors')
  .description('every sensor adapter against a real peer on this machine: rate, latency, event-loop delay')
  .option('--seconds <n>', 'of each', wholeNumber(1, 600), 10)
  .option('--only <text>', 'only sensors whose name has this in it')
  .addOption(json())
  .action(async (options) => {
    const { benchSensorsCommand } = await import('./commands/bench-sensors.ts')
    await benchSensorsCommand({ ...options, json: options.json === true, signal: stopSignal() })
  })

bench
  .command('kernels')
  .description('the hot kernels beside their plain-loop oracles and a bare matrix product')
  .option('--data <folder>', 'class folder for a real cloud (default: a synthetic one)')
  .option('--repeats <n>', 'timed repeats', wholeNumber(3, 1000), 20)
  .option('--threads <n>', 'threads of ONNX Runtime', wholeNumber(1, 64), 2)
  .addOption(json())
  .action(async (options) => {
    const { benchKernelsCommand } = await import('./commands/bench.ts')
    await benchKernelsCommand({ ...options, json: options.json === true, signal: stopSignal() })
  })

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = EXIT_CONFIG
  } else if (stoppedBy(error) !== undefined) {
    process.exitCode = stoppedBy(error)?.exitCode
  } else {
    process.stderr.write(`radar-edge: ${describeFailure(error)}\n`)
    process.exitCode = 1
  }
}

/** A child process that was ended with us gives the signal as its cause. */
function stoppedBy(error: unknown): Stopped | undefined {
  if (error instanceof Stopped) return error
  return error instanceof Error && error.cause instanceof Stopped ? error.cause : undefined
}

/** Known failures carry a code and a full sentence; anything else is a bug, whose stack belongs in the report. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return code === undefined ? (error.stack ?? error.message) : `${code} ${error.message}`
}
