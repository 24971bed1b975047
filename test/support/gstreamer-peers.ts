/** What GStreamer pipelines are tested against: programs of Debian's, or the reason why they are not there. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Debian's own: another on the PATH does not know its gi. */
const PYTHON = '/usr/bin/python3'

/** In CI a peer that is missing is a failure, elsewhere a test that says SKIP. */
export function whyNoGstreamer(...elements: readonly string[]): string | false {
  const needed = ['fdsink', 'gdppay', 'videotestsrc', ...elements]
  const missing = needed.filter((element) => spawnSync('gst-inspect-1.0', [element]).status !== 0)
  if (missing.length === 0 || process.env['CI'] !== undefined) return false
  return `SKIP: GStreamer has no ${missing.join(', ')} (Debian: gstreamer1.0-tools, -plugins-{base,good,bad,ugly}, -libav)`
}

/** As above, for `rtspCamera` and the pipeline that reads it. */
export function whyNoRtsp(): string | false {
  const why = whyNoGstreamer('rtspsrc', 'rtph264depay', 'h264parse', 'avdec_h264', 'x264enc')
  if (why !== false || process.env['CI'] !== undefined) return why
  const has = spawnSync(PYTHON, ['-c', "import gi; gi.require_version('GstRtspServer', '1.0')"]).status === 0
  return has ? false : 'SKIP: no RTSP server (Debian: gir1.2-gst-rtsp-server-1.0 python3-gi)'
}

/** A peer in a process of its own, on the same port at each start. */
export interface FramePeer {
  /** Known after the first start. */
  readonly port: number
  /** Resolves when it listens. */
  start(): Promise<void>
  /** A command of its script; resolves when it is obeyed. */
  tell(command: string): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Ends it without a goodbye, in whatever state it is. Twice is fine. */
  kill(): Promise<void>
}

export interface FramePeerOptions {
  /** Where it listens, in the network of `at`. */
  readonly address?: string
  /** A command to run it with. */
  readonly at?: readonly string[]
  readonly size?: string
}

export function rtspCamera(options: FramePeerOptions = {}): FramePeer {
  return framePeer('rtsp-server.py', options)
}

export function frameServer(options: FramePeerOptions = {}): FramePeer {
  return framePeer('frame-server.py', options)
}

function framePeer(
  script: string,
  { address = '127.0.0.1', at = [], size = '640x480' }: FramePeerOptions,
): FramePeer {
  let child: ChildProcess | undefined
  let port = 0
  let answered: (line: string) => void = () => undefined
  const answer = (): Promise<string> => new Promise((resolve) => (answered = resolve))
  return {
    get port() {
      return port
    },
    async start() {
      const command = [
        ...at,
        PYTHON,
        join(import.meta.dirname, script),
        ...['--address', address, '--size', size, '--port', String(port)],
      ]
      const started = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
      child = started
      started.stdin.on('error', () => undefined)
      createInterface(started.stdout).on('line', (line) => answered(line))
      const line = await Promise.race([answer(), once(started, 'exit').then(() => 'ended')])
      const found = /^port (\d+)$/.exec(line)?.[1]
      if (found === undefined) throw new Error(`${script} ${line}`)
      port = Number(found)
    },
    async tell(command) {
      const done = answer()
      child?.stdin?.write(`${command}\n`)
      await done
    },
    signal(signal) {
      child?.kill(signal)
    },
    async kill() {
      const gone = child
      child = undefined
      if (gone === undefined || gone.exitCode !== null || gone.signalCode !== null) return
      const ended = once(gone, 'close')
      gone.kill('SIGKILL')
      await ended
    },
  }
}

/** The pipelines that this process runs. */
export function pipelinePids(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  return children.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('gst-launch-1.0')
    } catch {
      return false
    }
  })
}
