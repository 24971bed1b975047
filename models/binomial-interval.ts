/** Clopper and Pearson's exact interval: what a share counted on a few parts says about the share in the long run. */

export interface BinomialInterval {
  readonly lower: number
  readonly upper: number
}

/** @returns the central interval, 95 % unless told: it covers the true share at least that often. */
export function binomialInterval(successes: number, trials: number, confidence = 0.95): BinomialInterval {
  const tail = (1 - confidence) / 2
  return {
    lower: successes === 0 ? 0 : shareAt((share) => tail - atLeast(successes, trials, share)),
    upper: successes === trials ? 1 : shareAt((share) => 1 - atLeast(successes + 1, trials, share) - tail),
  }
}

/** The share in [0,1] at which a falling function crosses zero. */
function shareAt(falling: (share: number) => number): number {
  let low = 0
  let high = 1
  // 52 halvings are all the bits a double has.
  for (let i = 0; i < 52; i++) {
    const middle = (low + high) / 2
    if (falling(middle) > 0) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(X >= successes) for X ~ Binomial(trials, share); logarithms, because the terms underflow. */
function atLeast(successes: number, trials: number, share: number): number {
  let logTerm = trials * Math.log1p(-share)
  let below = 0
  for (let count = 0; count < successes; count++) {
    below += Math.exp(logTerm)
    logTerm += Math.log(((trials - count) / (count + 1)) * (share / (1 - share)))
  }
  return 1 - below
}
