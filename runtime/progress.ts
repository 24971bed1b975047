/** Progress of long work on standard error: one rewritten line on a terminal, a line every few seconds elsewhere. */

export interface Progress {
  /** What is being done, e.g. `encoding parts`. */
  readonly phase: string
  readonly done: number
  readonly total: number
  /** What is known so far, e.g. `novelty 14 %`. */
  readonly note?: string
}

const TERMINAL_INTERVAL_MS = 100
const LOG_INTERVAL_MS = 5000

export interface ProgressLine {
  update(progress: Progress): void
  /** Ends the line, so that what is printed next starts on its own. */
  finish(): void
}

export function progressLine(
  stream: NodeJS.WriteStream = process.stderr,
  now: () => number = () => performance.now(),
): ProgressLine {
  const terminal = stream.isTTY
  const intervalMs = terminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS
  let phase = ''
  let phaseStartedMs = 0
  let printedMs = -Infinity
  let open = false
  return {
    update(progress) {
      const nowMs = now()
      const phaseChanged = progress.phase !== phase
      if (phaseChanged) {
        phase = progress.phase
        phaseStartedMs = nowMs
      }
      const complete = progress.done >= progress.total
      if (!phaseChanged && !complete && nowMs - printedMs < intervalMs) return
      printedMs = nowMs
      const line = formatProgress(progress, nowMs - phaseStartedMs)
      stream.write(terminal ? `\r\u001b[2K${line}` : `${line}\n`)
      open = terminal
    },
    finish() {
      if (open) stream.write('\n')
      open = false
    },
  }
}

/** `encoding parts 12/60 (20 %), 8 s left, novelty 14 %` */
export function formatProgress(progress: Progress, elapsedMs: number): string {
  const { phase, done, total } = progress
  const note = progress.note === undefined ? '' : `, ${progress.note}`
  if (total <= 0) return `${phase}${note}`
  const percent = Math.floor((100 * done) / total)
  const leftMs = done > 0 ? (elapsedMs / done) * (total - done) : 0
  const left = done > 0 && done < total && elapsedMs > 1000 ? `, ${Math.ceil(leftMs / 1000)} s left` : ''
  return `${phase} ${done}/${total} (${percent} %)${left}${note}`
}
