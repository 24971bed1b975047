/** What computed a feature, beside the bundle: another backend or precision gives other numbers, near or far (inference 1.4). */
export const BACKEND = 'onnxruntime-cpu'

/** Backend and precision of this build's only engine; a repository names the one that its rows came from. */
export const ENGINE = `${BACKEND}/fp32`
