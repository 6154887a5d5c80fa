/**
 * inf over x of sum_b T_b exp(-2 g_b . x), slowly, for a handful of unknowns: Newton with a ridge and step halving, for as
 * long as it takes. Where the infimum is not attained it walks far enough for the vanishing terms to be gone. Shares no
 * code with the package.
 */
export function slowMinimum(forms: readonly (readonly number[])[], coefficients: readonly number[]): number {
  const n = forms[0].length;
  const at = (x: readonly number[]) =>
    forms.map((g, b) => coefficients[b] * Math.exp(-2 * g.reduce((total, c, j) => total + c * x[j], 0)));
  const total = (x: readonly number[]) => at(x).reduce((a, b) => a + b, 0);
  let x = new Array<number>(n).fill(0);
  for (let step = 0; step < 3000; step++) {
    const w = at(x);
    const now = total(x);
    const rows = Array.from({ length: n }, (_, i) => {
      const hessian = Array.from({ length: n }, (_, j) =>
        forms.reduce((sum, g, b) => sum + 4 * w[b] * g[i] * g[j], i === j ? 1e-12 * now : 0),
      );
      return [...hessian, forms.reduce((sum, g, b) => sum + 2 * w[b] * g[i], 0)];
    });
    const d = solve(rows);
    let length = 1;
    let next = x;
    do {
      next = x.map((c, j) => c + length * d[j]);
      length /= 2;
    } while (!(total(next) < now) && length > 1e-12);
    if (!(total(next) < now)) {
      return now;
    }
    x = next;
  }
  return total(x);
}

/** Gaussian elimination with partial pivoting of [A | b]. */
function solve(rows: number[][]): number[] {
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    const pivot = rows.reduce((best, row, i) => (i > k && Math.abs(row[k]) > Math.abs(rows[best][k]) ? i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < n; i++) {
      if (i !== k && rows[k][k] !== 0) {
        const factor = rows[i][k] / rows[k][k];
        rows[i] = rows[i].map((c, j) => c - factor * rows[k][j]);
      }
    }
  }
  return rows.map((row, i) => (row[i] === 0 ? 0 : row[n] / row[i]));
}
