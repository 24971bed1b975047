/** Streams of another maker's encoders (ffmpeg) through GStreamer's decoders: the ready-made pipelines of docs/gstreamer.md. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { gstreamerCamera } from '../../drivers/gstreamer-sensors.ts'
import { rawLayout } from '../../drivers/pixel-formats.ts'
import { freePort } from '../support/free-port.ts'
import { whyNoGstreamer } from '../support/gstreamer-peers.ts'
import { until } from '../support/processes.ts'

const isInCi = process.env['CI'] !== undefined
const noFfmpeg =
  !isInCi && spawnSync('ffmpeg', ['-version']).error !== undefined
    ? 'SKIP: no ffmpeg on the PATH (Debian: apt-get install ffmpeg)'
    : false
const skip =
  whyNoGstreamer('tcpclientsrc', 'multipartdemux', 'jpegdec', 'tsdemux', 'h264parse', 'avdec_h264') ||
  noFfmpeg

const RGB = 'videoconvert ! video/x-raw,format=RGB'
const STREAMS = [
  {
    name: 'motion JPEG',
    encoder: ['-c:v', 'mjpeg', '-q:v', '2', '-pix_fmt', 'yuvj420p', '-f', 'mpjpeg'],
    pipeline: `tcpclientsrc host=127.0.0.1 port=8081 ! multipartdemux ! jpegdec ! ${RGB}`,
  },
  {
    name: 'H.264 in MPEG-TS',
    encoder: ['-c:v', 'libx264', '-tune', 'zerolatency', '-g', '25', '-pix_fmt', 'yuv420p', '-f', 'mpegts'],
    pipeline: `tcpclientsrc host=127.0.0.1 port=8081 ! tsdemux ! h264parse ! avdec_h264 output-corrupt=false ! ${RGB}`,
  },
] as const

/** Listens for one client, and sends it a picture whose left half is orange and whose right half is blue. */
async function encoder(t: Test, port: number, parameters: readonly string[]): Promise<void> {
  const colour = (name: string) => `color=c=${name}:s=160x240:r=25`
  const scene = `${colour('0xC86432')}[left];${colour('0x3264C8')}[right];[left][right]hstack`
  const child = spawn(
    'ffmpeg',
    ['-v', 'error', '-re', '-f', 'lavfi', '-i', scene, ...parameters, `tcp://127.0.0.1:${port}?listen=1`],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `)
  let listening = ''
  const look = setInterval(
    () => void readFile('/proc/net/tcp', 'utf8').then((text) => (listening = text)),
    20,
  )
  await until(() => wanted.test(listening) || child.exitCode !== null)
  clearInterval(look)
  if (child.exitCode !== null) throw new Error(`ffmpeg ended with status ${child.exitCode}`)
}

for (const { name, encoder: parameters, pipeline } of STREAMS) {
  t.test(`${name} comes in its colours`, { skip, timeout: 60_000 }, async (t) => {
    const page = await readFile(new URL('../../docs/gstreamer.md', import.meta.url), 'utf8')
    t.ok(page.includes(`\n    ${pipeline}\n`), 'the page shows the pipeline that is tested here')

    const port = await freePort()
    await encoder(t, port, parameters)
    const driver = gstreamerCamera({
      name: 'rgb',
      pipeline: pipeline.replace('8081', String(port)),
      layout: rawLayout('RGB', { width: 320, height: 240 }),
      framesPerSecond: 25,
    })
    const signal = AbortSignal.timeout(30_000)
    await driver.open(signal)
    const sequences: number[] = []
    for (let part = 0; part < 3; part++) {
      const atMs = performance.now()
      const { pixels, width, height, sequence } = await driver.capture(
        { id: `part-${part}`, atMs, source: 'bench' },
        signal,
      )
      t.same([width, height], [320, 240])
      const colourAt = (x: number): number[] => [...pixels.subarray((120 * width + x) * 3).subarray(0, 3)]
      for (const [x, colour] of [
        [80, [200, 100, 50]],
        [240, [50, 100, 200]],
      ] as const) {
        const seen = colourAt(x)
        const farthest = Math.max(...seen.map((value, channel) => Math.abs(value - colour[channel]!)))
        t.ok(farthest <= 8, `${seen.join(' ')} at ${x}, sent ${colour.join(' ')}`)
      }
      sequences.push(sequence)
    }
    t.same(sequences, [...new Set(sequences)], 'each a frame of its own')
    await driver.close()
  })
}
