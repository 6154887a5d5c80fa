/** Coefficients of a linear form over the free scales of a network. */
export type LinearForm = readonly number[];

/** The form that is one unknown. */
export function unit(index: number, size: number): LinearForm {
  return Array.from({ length: size }, (_, i) => (i === index ? 1 : 0));
}

export function sum(a: LinearForm, b: LinearForm): LinearForm {
  return a.map((c, i) => c + b[i]);
}

export function difference(a: LinearForm, b: LinearForm): LinearForm {
  return a.map((c, i) => c - b[i]);
}

/**
 * Solves a homogeneous system by Gauss-Jordan elimination: which unknowns stay free, and how a form over all unknowns
 * reads over the free ones. The coefficients are small integers, mostly 0 and +-1, and stay small: whatever is below
 * 1e-9 is a rounding error. Rows are kept sparse by choosing the last unknown with a coefficient of +-1 as the pivot.
 * Whatever stands in a row behind its unknowns is carried along.
 */
export function solutions(equations: readonly LinearForm[], unknowns: number) {
  const rows = new Map<number, number[]>();
  const dependent: number[][] = [];
  const eliminate = (row: number[]) => {
    for (const [pivot, known] of rows) {
      subtract(row, known, row[pivot]);
    }
  };
  for (const equation of equations) {
    const row = [...equation];
    eliminate(row);
    const pivot = pivotOf(row.slice(0, unknowns));
    if (pivot < 0) {
      dependent.push(row);
      continue;
    }
    const scaled = row.map((c) => c / row[pivot]);
    for (const known of rows.values()) {
      subtract(known, scaled, known[pivot]);
    }
    rows.set(pivot, scaled);
  }
  const free = Array.from({ length: unknowns }, (_, i) => i).filter((i) => !rows.has(i));
  const substitute = (form: LinearForm): LinearForm => {
    const row = [...form];
    eliminate(row);
    return free.map((i) => row[i]);
  };
  return { freedom: free.length, substitute, eliminate, dependent };
}

/** Forms with what they are made of behind their coefficients: both go through the same elimination. */
const labelled = (forms: readonly LinearForm[]) => forms.map((form, i) => [...form, ...unit(i, forms.length)]);

/**
 * For any form, factors c with form = sum_i c_i forms_i, where there are any: 0 for every one of the forms that depends on
 * those before it.
 */
export function combinations(forms: readonly LinearForm[], unknowns: number): (form: LinearForm) => number[] {
  const { eliminate } = solutions(labelled(forms), unknowns);
  return (form) => {
    const row = [...form, ...forms.map(() => 0)];
    eliminate(row);
    return row.slice(unknowns).map((c) => -c);
  };
}

/** One list of factors c with sum_i c_i forms_i = 0 for each form that depends on those before it. */
export function dependencies(forms: readonly LinearForm[]): number[][] {
  const unknowns = forms[0]?.length ?? 0;
  return solutions(labelled(forms), unknowns).dependent.map((row) => row.slice(unknowns));
}

/** target -= factor * row, in place. */
function subtract(target: number[], row: readonly number[], factor: number): void {
  if (factor === 0) {
    return;
  }
  for (let i = 0; i < target.length; i++) {
    const c = target[i] - factor * row[i];
    target[i] = Math.abs(c) < 1e-9 ? 0 : c;
  }
}

function pivotOf(row: readonly number[]): number {
  const last = (fits: (c: number) => boolean) => row.reduce((found, c, i) => (fits(c) ? i : found), -1);
  const unit = last((c) => Math.abs(c) === 1);
  return unit >= 0 ? unit : last((c) => c !== 0);
}
