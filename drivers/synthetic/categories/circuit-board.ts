/** A populated circuit board on its 7 mm stand-offs: chips, capacitors, headers, traces, silk screen. */
import type { Category } from '../category.ts'
import { letter } from '../glyphs.ts'
import { valueNoise } from '../noise.ts'
import { box, length, roundedBox, roundedEdge, segment, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy, type Surfel } from '../surfel.ts'

const BOARD = 0.0086
const HALF_WIDTH = 0.045
const HALF_HEIGHT = 0.031

const mask = colour(0x14592f)
const copper = colour(0x267a46)
const gold = colour(0xd9b45a)
const silk = colour(0xe9ebe6)
const black = colour(0x26272a)
const tin = colour(0xd4d6d8)
const ivory = colour(0xe9e4d4)
const stripeBlue = colour(0x2a3c6b)
const dot = colour(0x55575a)

/** A component's box: centre, half size, height over the board. Paints itself where it covers (dx, dy). */
interface Component {
  readonly x: number
  readonly y: number
  readonly reach: number
  paint(dx: number, dy: number, surfel: Surfel): void
}

function chip(options: { x: number; y: number; half: number; pins: number; mark: string }): Component {
  const { half, pins } = options
  const mark = letter(options.mark)
  const unit = (1.5 * half) / mark.widthUnits
  return {
    x: options.x,
    y: options.y,
    reach: half + 0.0022,
    paint(dx, dy, surfel) {
      const body = roundedBox(dx, dy, { halfWidth: half, halfHeight: half, corner: 0.0003 })
      if (body < 0) {
        surfel.heightMetres = BOARD + 0.0019 - roundedEdge(-body, 0.0003)
        lay(surfel, black, 1)
        surfel.roughness = 0.55
        surfel.metalness = 0
        lay(surfel, silk, 0.5 * mark.inkAt(dx / unit + mark.widthUnits / 2, dy / unit + 3.5))
        const dimple = length(dx + half * 0.74, dy - half * 0.74)
        lay(surfel, dot, smoothstep(0.0007, 0.0005, dimple))
        return
      }
      const ax = Math.abs(dx)
      const ay = Math.abs(dy)
      const along = ax > ay ? dy : dx
      const out = Math.max(ax, ay) - half
      if (Math.abs(along) > half * 0.93 || out > 0.0018) return
      const pitch = (2 * half * 0.93) / pins
      const phase = Math.abs(along / pitch - Math.floor(along / pitch) - 0.5)
      if (phase > 0.27) return
      surfel.heightMetres = BOARD + 0.0011 * smoothstep(0.0016, 0.0003, out)
      lay(surfel, tin, 1)
      surfel.metalness = 1
      surfel.roughness = 0.35
    },
  }
}

function canister(options: { x: number; y: number; radius: number; turn: number }): Component {
  const { radius } = options
  return {
    x: options.x,
    y: options.y,
    reach: radius,
    paint(dx, dy, surfel) {
      const away = length(dx, dy)
      if (away > radius) return
      surfel.heightMetres = BOARD + 0.0085 - roundedEdge(radius - away, 0.0008)
      lay(surfel, tin, 1)
      surfel.metalness = 0.9
      surfel.roughness = 0.38
      const stripe = dx * Math.cos(options.turn) + dy * Math.sin(options.turn)
      if (stripe > radius * 0.5) {
        lay(surfel, stripeBlue, 1)
        surfel.metalness = 0
      }
      const cross = Math.min(Math.abs(dx - dy), Math.abs(dx + dy))
      if (away < radius * 0.7) surfel.detailMetres = -0.0001 * smoothstep(0.0004, 0.0001, cross)
      lay(surfel, black, smoothstep(0.0006, 0.0002, radius - away))
    },
  }
}

function header(options: { x: number; y: number; pins: number }): Component {
  const pitch = 0.0032
  const halfWidth = (options.pins * pitch) / 2
  return {
    x: options.x,
    y: options.y,
    reach: halfWidth + 0.003,
    paint(dx, dy, surfel) {
      const shell = box(dx, dy, halfWidth, 0.0034)
      if (shell > 0) return
      lay(surfel, ivory, 1)
      surfel.metalness = 0
      surfel.roughness = 0.5
      surfel.heightMetres = BOARD + (shell > -0.0007 ? 0.0072 : 0.0028)
      const pin = box((dx / pitch - Math.floor(dx / pitch) - 0.5) * pitch, dy, 0.0006, 0.0006)
      if (pin > 0 || shell > -0.0007) return
      lay(surfel, gold, 1)
      surfel.metalness = 1
      surfel.heightMetres = BOARD + 0.0065
    },
  }
}

function passive(options: { x: number; y: number; upright: number; tint: number }): Component {
  const tint = colour(options.tint)
  return {
    x: options.x,
    y: options.y,
    reach: 0.0021,
    paint(dx, dy, surfel) {
      const along = options.upright === 1 ? dy : dx
      const aside = options.upright === 1 ? dx : dy
      const body = box(along, aside, 0.0018, 0.001)
      if (body > 0) return
      const cap = Math.abs(along) > 0.0011
      surfel.heightMetres = BOARD + 0.0011 - roundedEdge(-body, 0.0002)
      lay(surfel, cap ? tin : tint, 1)
      surfel.metalness = cap ? 1 : 0
      surfel.roughness = 0.4
    },
  }
}

/** Chip to header and chip to chip, with the 45 degree corners of a layout program. */
const TRACES = [
  [-0.036, -0.012, -0.028, -0.004],
  [-0.028, -0.004, -0.012, -0.004],
  [-0.036, -0.009, -0.029, -0.002],
  [-0.029, -0.002, -0.012, -0.002],
  [-0.036, -0.006, -0.03, 0],
  [-0.03, 0, -0.012, 0],
  [0.002, -0.006, 0.012, -0.006],
  [0.012, -0.006, 0.018, -0.012],
  [0.002, -0.003, 0.013, -0.003],
  [0.013, -0.003, 0.02, -0.01],
  [0.002, 0.002, 0.016, 0.002],
  [0.016, 0.002, 0.022, 0.008],
  [-0.008, 0.01, -0.008, 0.018],
  [-0.008, 0.018, -0.014, 0.024],
  [-0.004, 0.01, -0.004, 0.024],
  [0, 0.01, 0, 0.017],
  [0, 0.017, 0.007, 0.024],
] as const

export const circuitBoard: Category = {
  name: 'circuit-board',
  radiusMetres: 0.0555,
  fieldMetres: 0.116,
  turnDegrees: 6,
  mat: 'grey-table',
  core: colour(0xc9b98a),
  defects: [
    'missing-piece',
    'misprint',
    'stain',
    'discolouration',
    'dent',
    'warp',
    'scratch',
    'hole',
    'foreign-body',
  ],
  make(random, flaw) {
    const weave = valueNoise(random.seed())
    const slip = (): number => 0.00012 * random.normal()
    const tall = [
      chip({ x: -0.004 + slip(), y: slip(), half: 0.0078, pins: 12, mark: 'RE7' }),
      chip({ x: 0.0245 + slip(), y: -0.0155 + slip(), half: 0.005, pins: 7, mark: '8K2' }),
      canister({ x: 0.0265 + slip(), y: 0.013 + slip(), radius: 0.005, turn: 0.3 * random.normal() }),
      canister({ x: 0.0375 + slip(), y: 0.013 + slip(), radius: 0.005, turn: 0.3 * random.normal() }),
      header({ x: -0.024 + slip(), y: -0.0235, pins: 8 }),
      header({ x: -0.03 + slip(), y: 0.0215, pins: 4 }),
    ]
    const small = [
      [-0.017, -0.0125, 1, 0x2a2a2c],
      [-0.0205, -0.0125, 1, 0x2a2a2c],
      [-0.024, -0.0125, 1, 0xb08d5f],
      [0.009, -0.016, 0, 0xb08d5f],
      [0.009, -0.0195, 0, 0xb08d5f],
      [0.009, -0.023, 0, 0x2a2a2c],
      [0.0125, 0.0125, 1, 0xb08d5f],
      [0.0165, 0.0125, 1, 0x2a2a2c],
      [0.0125, 0.021, 1, 0x2a2a2c],
      [0.0165, 0.021, 1, 0xb08d5f],
      [-0.017, 0.0135, 0, 0x2a2a2c],
      [0.037, -0.003, 0, 0xb08d5f],
    ].map(([x = 0, y = 0, upright = 0, tint = 0]) => passive({ x: x + slip(), y: y + slip(), upright, tint }))
    const lost = random.integer(0, tall.length - 1)
    const components = [...tall.filter((_, index) => flaw !== 'missing-piece' || index !== lost), ...small]
    const title = letter('RADAR EDGE')
    const code = letter('REV 2')
    const silkX = 0.0002 * random.normal()
    const silkY = 0.0002 * random.normal()
    const printed = flaw !== 'misprint'
    return (x, y, surfel) => {
      const outline = roundedBox(x, y, { halfWidth: HALF_WIDTH, halfHeight: HALF_HEIGHT, corner: 0.003 })
      const mount = length(Math.abs(x) - 0.041, Math.abs(y) - 0.027)
      if (outline > 0 || mount < 0.0016) return false
      surfel.heightMetres = BOARD - roundedEdge(-outline, 0.0003)
      lay(surfel, mask, 1)
      shadeBy(surfel, 1 + 0.05 * weave(x * 1600, y * 1600))
      surfel.roughness = 0.4
      for (const trace of TRACES) {
        // Most traces are nowhere near: a comparison is cheaper than a distance.
        if (x < Math.min(trace[0], trace[2]) - 0.0006 || x > Math.max(trace[0], trace[2]) + 0.0006) continue
        const away = segment(x, y, trace)
        if (away > 0.0006) continue
        lay(surfel, copper, smoothstep(0.0005, 0.0003, away))
        surfel.detailMetres = 0.00003 * smoothstep(0.0005, 0.0003, away)
      }
      if (mount < 0.0032) {
        lay(surfel, gold, 1)
        surfel.metalness = 1
        surfel.roughness = 0.35
      }
      if (printed) {
        const inkTitle = title.inkAt((x - silkX + 0.006) / 0.00048, (y - silkY - 0.0262) / 0.00048)
        const inkCode = code.inkAt((x - silkX + 0.006) / 0.00048, (y - silkY + 0.0295) / 0.00048)
        lay(surfel, silk, 0.9 * Math.max(inkTitle, inkCode))
        lay(
          surfel,
          silk,
          0.9 *
            smoothstep(0.00035, 0.0002, Math.abs(box(x - silkX - 0.032, y - silkY - 0.013, 0.0118, 0.0065))),
        )
      }
      for (const component of components) {
        const dx = x - component.x
        const dy = y - component.y
        if (Math.abs(dx) < component.reach && Math.abs(dy) < component.reach) component.paint(dx, dy, surfel)
      }
      return true
    }
  },
}
