/** A daemon to be killed: opens a host, gives it a part that blocks it for a minute, and prints the host's process id. */
import { InferenceHost } from '../../models/inference-host.ts'
import { rgbFrame, sampleOf } from './samples.ts'

const never = new AbortController().signal
const host = new InferenceHost({
  bundleFolder: 'bundle',
  threads: 1,
  seed: 1,
  inspectorModule: new URL('./scripted-inspector.ts', import.meta.url),
})
await host.open(never)
const blocked = host.inspect(sampleOf({ rgb: rgbFrame() }, 'block 60000'), never)
setTimeout(() => console.log(host.stats().pid), 100)
await blocked
