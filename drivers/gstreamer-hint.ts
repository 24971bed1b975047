/** The words of gst-launch-1.0, and what to do about them: it has no codes. */

/** Debian's and JetPack's packages of the elements that the pipelines in docs/gstreamer.md use. */
const PACKAGES = [
  [/^(nv|omx)/, "NVIDIA's JetPack (nvidia-l4t-gstreamer)"],
  [/^(v4l2|rtsp|rtp|udp|jpegdec|multifile)/, 'gstreamer1.0-plugins-good'],
  [/^avdec/, 'gstreamer1.0-libav'],
  [/^x264/, 'gstreamer1.0-plugins-ugly'],
  [/^(gdp|h264parse|h265parse|shm|jpegparse)/, 'gstreamer1.0-plugins-bad'],
  [/^(video|tcp|decodebin|appsrc)/, 'gstreamer1.0-plugins-base'],
] as const

/** What of gst-launch's stderr says why it ended: without source lines, and without what always follows an error. */
export function lastWordsOf(said: string): string {
  return said
    .split('\n')
    .filter((line) => line.trim() !== '' && !NOISE.test(line))
    .map((line) => line.trim().replace(/^(?:ERROR|WARNING): (?:from element \/GstPipeline:pipeline0\/)?/, ''))
    .slice(0, 3)
    .join('; ')
}

const NOISE =
  /^Additional debug info:|^\.\.\/|^ERROR: pipeline doesn't want to preroll|^Failed to set pipeline|^$/

/**
 * What to install, where gst-launch's own words tell what is missing: it has no codes for it. Nothing else is decided by
 * them. @returns empty, or a sentence to append
 */
export function hintOf(command: string, said: string): string {
  if (/ENOENT/.test(said)) return `; is there no ${command}? Install gstreamer1.0-tools`
  const element = /no element "([^"]+)"/.exec(said)?.[1]
  if (element === undefined) return ''
  const found = PACKAGES.find(([pattern]) => pattern.test(element))?.[1]
  return `; install ${found ?? 'the plugin'} (gst-inspect-1.0 ${element} shows whether it is there)`
}
