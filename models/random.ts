/** One generator for the whole project. It lives in calibration/ because RANSAC there needs it too. */
export { seededRandom, type Random } from '../calibration/random.ts'
