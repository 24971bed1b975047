/**
 * The page of the fault table from what the tests measured: one JSON row a line on standard input, Markdown on standard
 * output (`npm run sensor-faults`). Of several runs of one case the page shows the worst.
 */
import { readFileSync } from 'node:fs'

/** Faults that an adapter cannot have, and why. Any other that was not measured ends this with an error. */
const IMPOSSIBLE = {
  bridge: { 'packet loss 2 ‰': 'nothing is lost in a socket of this machine' },
  gstreamer: { 'packet loss 2 ‰': 'TCP sends again what was lost' },
  'profiler modbus': { 'packet loss 2 ‰': 'TCP sends again what was lost' },
  'profiler tcp': { 'packet loss 2 ‰': 'TCP sends again what was lost' },
}

const rows = readFileSync(0, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line))

const order = new Map(rows.map((row) => [row.fault, row.order]))
const names = [...order.keys()].sort((a, b) => order.get(a) - order.get(b))

/** @type {Map<string, Map<string, object>>} */
const adapters = new Map()
for (const row of rows) {
  const faults = adapters.get(row.adapter) ?? new Map()
  adapters.set(row.adapter, faults)
  const before = faults.get(row.fault)
  faults.set(row.fault, before === undefined ? row : worseOf(before, row))
}

function worseOf(a, b) {
  const worst = { ...b }
  for (const key of [
    'missingMs',
    'recoveredMs',
    'worstCaptureMs',
    'closeMs',
    'leakedProcesses',
    'leakedDescriptors',
  ]) {
    worst[key] = Math.max(a[key], b[key])
  }
  return worst
}

const cells = ({
  fault,
  periodMs,
  missingMs,
  reason,
  detail,
  recoveredMs,
  worstCaptureMs,
  closeMs,
  ...leaked
}) => [
  fault,
  periodMs,
  missingMs,
  `\`${reason}\``,
  recoveredMs,
  worstCaptureMs,
  closeMs,
  `${leaked.leakedProcesses} / ${leaked.leakedDescriptors}`,
  detail
    .replaceAll(/\/tmp\/[^\s:]*\//g, '…/') // the test's own folders
    .replaceAll('|', '\\|')
    .replaceAll('\n', ' '),
]

const lines = [
  '# What a sensor’s failure costs',
  '',
  'Written by `npm run sensor-faults` from the tests that hold it, on the machine that ran them: a rig with the real adapter and a',
  'real peer, triggered at the period given. *Missing* counts from the fault to the end of the first capture without the',
  'modality (at most three periods or 500 ms), *back* from the peer’s return to the first good sample (at most 5 s), *waited* is',
  'the longest that the line waited for this sensor meanwhile; milliseconds all. *Left* are processes and file descriptors after',
  '`close`. Every adapter has a row for every fault. No camera, profiler or vendor SDK was at hand: the peers are named on each',
  'adapter’s page.',
]
for (const [adapter, faults] of [...adapters].sort(([a], [b]) => a.localeCompare(b))) {
  lines.push(
    '',
    `## ${adapter}`,
    '',
    '| fault | period | missing | reason | back | waited | close | left | what the sample says |',
    '|---|---|---|---|---|---|---|---|---|',
  )
  for (const fault of names) {
    const row = faults.get(fault)
    const reason = IMPOSSIBLE[adapter]?.[fault]
    if (row !== undefined) lines.push(`| ${cells(row).join(' | ')} |`)
    else if (reason !== undefined) lines.push(`| ${fault} | | | | | | | | cannot happen: ${reason} |`)
    else throw new Error(`${adapter}: "${fault}" was not measured`)
  }
}
process.stdout.write(`${lines.join('\n')}\n`)
