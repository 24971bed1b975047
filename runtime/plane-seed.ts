/** Seeds the plane fit of frames without a calibrated plane: the same frame always has the same plane, in every process. */
export const PLANE_SEED = 1
