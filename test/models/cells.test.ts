import fc from 'fast-check'
import t from 'tap'
import { sortIntoCells } from '../../models/cells.ts'
import { awkwardClouds } from '../support/clouds.ts'

t.test('every point stands once, in the cell that holds it, in ascending order within the cell', async () => {
  fc.assert(
    fc.property(awkwardClouds(80), fc.integer({ min: 1, max: 300 }), (points, pointsPerCell) => {
      const cells = sortIntoCells(points, pointsPerCell)
      const [nx, ny, nz] = cells.spans
      const count = points.length / 3
      if (cells.starts.length !== nx * ny * nz + 1 || cells.starts.at(-1) !== count) return false
      if (nx * ny * nz > 1 << 18) return false
      if (new Set(cells.order).size !== count) return false
      for (let cell = 0; cell < nx * ny * nz; cell++) {
        const corner = [cell % nx, Math.floor(cell / nx) % ny, Math.floor(cell / (nx * ny))]
        for (let place = cells.starts[cell]!; place < cells.starts[cell + 1]!; place++) {
          const index = cells.order[place]!
          if (place > cells.starts[cell]! && index <= cells.order[place - 1]!) return false
          const point = [cells.x[place]!, cells.y[place]!, cells.z[place]!]
          for (let axis = 0; axis < 3; axis++) {
            if (point[axis] !== points[index * 3 + axis]) return false
            const within = (point[axis]! - cells.low[axis]!) / cells.sideMetres - corner[axis]!
            if (!(within >= 0 && within < 1)) return false
          }
        }
      }
      return true
    }),
    { numRuns: 200 },
  )
})
