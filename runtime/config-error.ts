/** Something in the config file that the daemon will not start with. The process prints every problem and exits 78. */

export type ConfigErrorCode = 'CONFIG_UNREADABLE' | 'CONFIG_INVALID'

export interface ConfigProblem {
  /** 1-based; absent when the problem has no place in the file. */
  readonly line?: number
  readonly column?: number
  /** Dotted path of the key, e.g. `sensors.rgb.deadlineMs`; empty for the file as a whole. */
  readonly path: string
  readonly message: string
  /** The valid key or value nearest to the one that was written. */
  readonly nearest?: string
}

/** sysexits.h EX_CONFIG; systemd's RestartPreventExitStatus names it, so a bad config is not retried for ever. */
export const EXIT_CONFIG = 78

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: ConfigErrorCode
  readonly file: string
  readonly problems: readonly ConfigProblem[]

  constructor(
    code: ConfigErrorCode,
    file: string,
    problems: readonly ConfigProblem[],
    options?: ErrorOptions,
  ) {
    super(problems.map((problem) => formatProblem(file, problem)).join('\n'), options)
    this.code = code
    this.file = file
    this.problems = problems
  }
}

/** `file:line:column: path: message (did you mean 'x'?)`, the form that editors and terminals make clickable. */
export function formatProblem(file: string, problem: ConfigProblem): string {
  const place = problem.line === undefined ? file : `${file}:${problem.line}:${problem.column ?? 1}`
  const path = problem.path === '' ? '' : `${problem.path}: `
  const hint = problem.nearest === undefined ? '' : ` (did you mean '${problem.nearest}'?)`
  return `${place}: ${path}${problem.message}${hint}`
}
