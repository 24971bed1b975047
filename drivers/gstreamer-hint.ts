/** Debian's and JetPack's packages of the elements that the pipelines in docs/gstreamer.md use. */
const PACKAGES = [
  [/^(nv|omx)/, "NVIDIA's JetPack (nvidia-l4t-gstreamer)"],
  [/^(v4l2|rtsp|rtp|udp|jpegdec|multifile)/, 'gstreamer1.0-plugins-good'],
  [/^avdec/, 'gstreamer1.0-libav'],
  [/^x264/, 'gstreamer1.0-plugins-ugly'],
  [/^(gdp|h264parse|h265parse|shm|jpegparse)/, 'gstreamer1.0-plugins-bad'],
  [/^(video|tcp|decodebin|appsrc)/, 'gstreamer1.0-plugins-base'],
] as const

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
