/** The scalar types that PLY and PCD share, and how to read one from bytes. */
export interface Scalar {
  readonly bytes: number
  readonly kind: 'float' | 'integer'
  read(view: DataView, offset: number, littleEndian: boolean): number
}

export const SCALARS = {
  int8: { bytes: 1, kind: 'integer', read: (view, offset) => view.getInt8(offset) },
  uint8: { bytes: 1, kind: 'integer', read: (view, offset) => view.getUint8(offset) },
  int16: { bytes: 2, kind: 'integer', read: (view, offset, little) => view.getInt16(offset, little) },
  uint16: { bytes: 2, kind: 'integer', read: (view, offset, little) => view.getUint16(offset, little) },
  int32: { bytes: 4, kind: 'integer', read: (view, offset, little) => view.getInt32(offset, little) },
  uint32: { bytes: 4, kind: 'integer', read: (view, offset, little) => view.getUint32(offset, little) },
  int64: {
    bytes: 8,
    kind: 'integer',
    read: (view, offset, little) => Number(view.getBigInt64(offset, little)),
  },
  uint64: {
    bytes: 8,
    kind: 'integer',
    read: (view, offset, little) => Number(view.getBigUint64(offset, little)),
  },
  float32: { bytes: 4, kind: 'float', read: (view, offset, little) => view.getFloat32(offset, little) },
  float64: { bytes: 8, kind: 'float', read: (view, offset, little) => view.getFloat64(offset, little) },
} as const satisfies Record<string, Scalar>
