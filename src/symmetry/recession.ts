import { addTo, dot, leastSquares, norm, type Vector } from './least-squares.js';

/** What is below this fraction of the lengths involved is a rounding error. */
const NEGLIGIBLE = 1e-9;

/**
 * Finds all terms of sum_b exp(-g_b . x) that vanish as x runs off to infinity while no term grows.
 *
 * A direction d with g_b . d >= 0 for all b, not always 0, is a recession direction: along it the terms with g_b . d > 0
 * vanish. The terms that vanish along none are exactly those that a combination sum_b m_b g_b = 0 with all m_b >= 0 gives
 * a weight m_b > 0 (Goldman and Tucker, 1956). So the shortest vector r = sum_b m_b g_b with all m_b >= 1 decides: r = 0
 * shows that nothing vanishes, and otherwise r is itself a recession direction, since g_b . r < 0 would mean that
 * a larger m_b makes it shorter, and sum_b m_b g_b . r = r . r > 0. Drop what vanishes along r, and ask again.
 *
 * @param forms g_b, one a term, none of them 0, not graded.
 * @returns the directions, to be followed infinitely further in the order given, and whether each term survives.
 */
export function recession(forms: readonly Vector[]): { directions: Float64Array[]; survives: boolean[] } {
  const survives = forms.map(() => true);
  const directions: Float64Array[] = [];
  for (;;) {
    const direction = shortestCombination(forms.filter((_, b) => survives[b]));
    if (!direction) {
      return { directions, survives };
    }
    directions.push(direction);
    forms.forEach((form, b) => {
      if (dot(form, direction) > NEGLIGIBLE * norm(form)) {
        survives[b] = false;
      }
    });
  }
}

/**
 * Whether a few Newton steps on sum_b exp(-g_b . x) find a combination sum_b m_b g_b = 0 with all m_b > 0, so that no term
 * vanishes. Much faster than `recession`, and false only says that it was not found.
 *
 * A step d solves the least-squares problem with normal equations sum_b w_b (1 - g_b . d) g_b = 0, w_b = exp(-g_b . x).
 */
export function surelyBounded(forms: readonly Vector[]): boolean {
  const x = new Float64Array(forms[0]?.length ?? 0);
  for (let step = 0; step < 8; step++) {
    const logs = forms.map((form) => -dot(form, x));
    const top = Math.max(...logs);
    const order = logs.map((_, b) => b).sort((a, b) => logs[b] - logs[a]);
    const roots = order.map((b) => Math.exp((logs[b] - top) / 2));
    const direction = leastSquares(
      order.map((b, i) => Float64Array.from(forms[b], (c) => c * roots[i])),
      Float64Array.from(roots),
    ).x;
    // Weights are at most 1: a combination with coefficients near rounding errors would prove nothing.
    if (order.every((b, i) => roots[i] ** 2 * (1 - dot(forms[b], direction)) > 1e-6)) {
      return true;
    }
    const longest = Math.max(...forms.map((form) => Math.abs(dot(form, direction))));
    addTo(x, direction, Math.min(1, 2 / longest));
  }
  return forms.length === 0;
}

/**
 * The shortest vector sum_b m_b g_b with all m_b >= 1, scaled to length 1; undefined when it is 0.
 *
 * Non-negative least squares in m - 1, by the active-set method of Lawson and Hanson (1974, chapter 23).
 */
function shortestCombination(forms: readonly Vector[]): Float64Array | undefined {
  const lengths = forms.map(norm);
  let surplus = new Map<number, number>();
  let rest = combination(forms, surplus);
  // Forms that rounding alone made look useful: without them the method cannot turn in circles.
  const refused = new Set<number>();

  for (;;) {
    const length = norm(rest);
    const magnitude = lengths.reduce((total, size, b) => total + size * (1 + (surplus.get(b) ?? 0)), 0);
    if (length <= NEGLIGIBLE * magnitude) {
      return undefined;
    }

    const useful = forms
      .map((form, b) => ({ b, slope: dot(form, rest) / lengths[b] }))
      .filter(({ b, slope }) => slope < -NEGLIGIBLE * length && !surplus.has(b) && !refused.has(b))
      .sort((one, other) => one.slope - other.slope)
      .map(({ b }) => b);
    if (useful.length === 0) {
      return rest.map((c) => c / length);
    }
    // All at once is fast and nearly always shorter; one at a time is what the method proves to be.
    const shortens = (next: ReadonlyMap<number, number>) => norm(combination(forms, next)) < length * (1 - 1e-12);
    let next = activeSet(forms, surplus, useful);
    if (!shortens(next)) {
      next = activeSet(forms, surplus, [useful[0]]);
    }
    if (shortens(next)) {
      surplus = next;
      rest = combination(forms, next);
      refused.clear();
    } else {
      refused.add(useful[0]);
    }
  }
}

/** sum_b (1 + surplus_b) g_b. */
function combination(forms: readonly Vector[], surplus: ReadonlyMap<number, number>): Float64Array {
  const total = new Float64Array(forms[0]?.length ?? 0);
  forms.forEach((form, b) => {
    addTo(total, form, 1 + (surplus.get(b) ?? 0));
  });
  return total;
}

/** The best surplus that is positive on some of the forms in use and entering, and 0 elsewhere, reached downhill. */
function activeSet(
  forms: readonly Vector[],
  before: ReadonlyMap<number, number>,
  entering: readonly number[],
): Map<number, number> {
  const surplus = new Map(before);
  for (const b of entering) {
    surplus.set(b, 0);
  }
  const target = combination(forms, new Map()).map((c) => -c);
  for (;;) {
    const active = [...surplus.keys()];
    const rows = Array.from(target, (_, i) => Float64Array.from(active, (b) => forms[b][i]));
    const best = leastSquares(rows, target.slice()).x;
    // As far towards the unconstrained optimum as every surplus stays positive; what reaches 0 leaves.
    let reach = 1;
    active.forEach((b, i) => {
      const now = surplus.get(b) ?? 0;
      if (best[i] < 0) {
        reach = Math.min(reach, now / (now - best[i]));
      }
    });
    active.forEach((b, i) => {
      const now = surplus.get(b) ?? 0;
      const next = reach === 1 ? best[i] : now + reach * (best[i] - now);
      if (next > (reach === 1 ? 0 : NEGLIGIBLE)) {
        surplus.set(b, next);
      } else {
        surplus.delete(b);
      }
    });
    if (reach === 1) {
      return surplus;
    }
  }
}
