/** What GStreamer pipelines are tested against: programs of Debian's, or the reason why they are not there. */
import { spawnSync } from 'node:child_process'

/** In CI a peer that is missing is a failure, elsewhere a test that says SKIP. */
export function whyNoGstreamer(...elements: readonly string[]): string | false {
  const needed = ['fdsink', 'gdppay', 'videotestsrc', ...elements]
  const missing = needed.filter((element) => spawnSync('gst-inspect-1.0', [element]).status !== 0)
  if (missing.length === 0 || process.env['CI'] !== undefined) return false
  return `SKIP: GStreamer has no ${missing.join(', ')} (Debian: gstreamer1.0-tools, -plugins-{base,good,bad,ugly}, -libav)`
}
