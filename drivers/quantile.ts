/**
 * The value that this share of all values does not exceed, by nearest rank: one that was really measured.
 *
 * @param sorted ascending
 * @param share 0 to 1: 0.5 the median, 1 the largest
 * @returns undefined when there are none
 */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}
