/*
 * All randomness of tf.js that no seed was given for (dropout, noise) starts from `Math.random`: an operation draws one seed
 * there and runs a generator of its own from it, on every backend. So the same draws make the same masks.
 */

/** Runs `work` and appends to `draws` what `Math.random` gives it meanwhile. */
export function recordDraws<T>(draws: number[], work: () => T): T {
  const { random } = Math;
  return withRandom(() => {
    const draw = random();
    draws.push(draw);
    return draw;
  }, work);
}

/** Runs `work` while `Math.random` gives `draws` once more, one after the other, and new ones where they have run out. */
export function replayDraws<T>(draws: readonly number[], work: () => T): T {
  const { random } = Math;
  let next = 0;
  return withRandom(() => draws[next++] ?? random(), work);
}

function withRandom<T>(random: () => number, work: () => T): T {
  const { random: original } = Math;
  Math.random = random;
  try {
    return work();
  } finally {
    Math.random = original;
  }
}
