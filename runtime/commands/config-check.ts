import { ConfigError, EXIT_CONFIG } from '../config-error.ts'
import { readConfig } from '../config.ts'

/** Prints what is wrong with a config file. Resolves to the process's exit code: 0, or 78. */
export async function checkConfig(options: { file: string; json: boolean }): Promise<number> {
  try {
    const config = await readConfig(options.file)
    if (options.json) print({ file: options.file, ok: true, config })
    else process.stdout.write(`${options.file}: ok\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    if (options.json) print({ file: options.file, ok: false, code: error.code, problems: error.problems })
    else process.stderr.write(`${error.message}\n`)
    return EXIT_CONFIG
  }
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
