/** A bank is one matrix of patch features of good parts: what a part's patches are compared with. */
import { ModelError } from './model-error.ts'

export interface Bank {
  readonly rows: number
  readonly width: number
  /** `rows * width`, normalised (feature-scale.ts). */
  readonly values: Float32Array
  /** Squared Euclidean norm of each row: the search graph's third input. */
  readonly squaredNorms: Float32Array
}

/** @throws ModelError `MODEL_MISMATCH` when the values are no whole number of rows, `NOT_FINITE` for a NaN or infinity. */
export function makeBank(width: number, values: Float32Array): Bank {
  const rows = values.length / width
  if (!Number.isInteger(rows) || rows < 1) {
    throw new ModelError('MODEL_MISMATCH', `a bank of width ${width} was given ${values.length} values`)
  }
  const squaredNorms = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let i = row * width; i < (row + 1) * width; i++) sum += values[i]! * values[i]!
    squaredNorms[row] = sum
    if (!Number.isFinite(squaredNorms[row])) {
      throw new ModelError('NOT_FINITE', `bank row ${row} of ${rows} is not finite`)
    }
  }
  return { rows, width, values, squaredNorms }
}
