import type { Graph } from '../curvature/graph.js';
import type { Operation, Owner, Parameter } from '../curvature/operation.js';

/** Coefficients of a linear form over the free scales of a network. */
export type LinearForm = readonly number[];

/**
 * The rescalings of a network's layers that leave its function unchanged.
 *
 * Every tensor of the graph has a log-scale s, and what the layers allow leaves `freedom` unknowns x in R^freedom free;
 * everything else is a linear form of x. x = 0 is the network as it stands.
 */
export interface ScaleSymmetry {
  /** Number of free unknowns. */
  readonly freedom: number;
  /**
   * Every trainable parameter once, in the order in which the graph first uses it. Its trace T becomes
   * T exp(-2 exponent . x): the exponent is s_out - s_in for a kernel, s_out for a bias, 0 for a fixed parameter.
   */
  readonly parameters: readonly { readonly parameter: Parameter; readonly exponent: LinearForm }[];
  /**
   * Every layer whose scale can move, in the order of the graph: its kernel is multiplied by exp(logScale . x), with
   * logScale = s_out - s_in. For a layer of several kernels it is the factor of all of them together.
   */
  readonly layers: readonly { readonly layer: Owner; readonly logScale: LinearForm }[];
}

/**
 * Finds which log-scales s of a network's tensors are free (DESIGN: from traces to Minimum Sharpness).
 *
 * s = 0 at the graph's inputs and at its outputs. In between, by `operation.scale`:
 * - `ties`: the inputs and the output share one s;
 * - `adds`: s_out is the sum of the inputs' s;
 * - `pins`: s = 0 on all sides;
 * - `resets`: s = 0 at the output, and the inputs are left alone: what stands in front of a normalisation can be scaled
 *   up without end, and then counts for nothing (DESIGN: from traces to Minimum Sharpness);
 * - `affine`: a trainable kernel lets s_out - s_in be anything, the same in every call that uses the kernel; without
 *   one, or where it is frozen, s_out = s_in. A bias has one s_out in all its calls, and a frozen one has s_out = 0.
 *   Several inputs share one s.
 *
 * A parameter is known by its variable, so that all calls of a shared layer agree however the graph lists them.
 */
export function scaleSymmetry(graph: Graph): ScaleSymmetry {
  // One unknown a trainable kernel: s at the output of its first call. Every other s follows from these.
  const unknownOf = new Map<unknown, number>();
  for (const { operation } of graph.steps) {
    const kernel = rescaledKernel(operation);
    if (kernel && !unknownOf.has(kernel.variable)) {
      unknownOf.set(kernel.variable, unknownOf.size);
    }
  }
  const zero: LinearForm = new Array<number>(unknownOf.size).fill(0);

  const scales = new Map<number, LinearForm>(graph.inputs.map((tensor) => [tensor, zero]));
  const vanishing: LinearForm[] = [];
  const exponents = new Map<unknown, { parameter: Parameter; exponent: LinearForm }>();
  const kernels = new Map<unknown, { layer: Owner; logScale: LinearForm }>();

  for (const { operation, inputs, output } of graph.steps) {
    const { layer, parameters, scale } = operation;
    const entering = inputs.map((tensor) => scales.get(tensor) ?? zero);
    const first = entering[0] ?? zero;
    let leaving = first;
    if (scale === 'adds') {
      leaving = entering.reduce(sum, zero);
    } else if (scale === 'pins') {
      vanishing.push(...entering);
    } else if (scale === 'resets') {
      leaving = zero;
    } else {
      vanishing.push(...entering.slice(1).map((s) => difference(s, first)));
    }

    const kernel = rescaledKernel(operation);
    if (kernel) {
      const known = kernels.get(kernel.variable);
      leaving = known ? sum(first, known.logScale) : unit(unknownOf.get(kernel.variable) as number, unknownOf.size);
      kernels.set(kernel.variable, known ?? { layer, logScale: difference(leaving, first) });
    }
    if (scale === 'affine' && parameters.some(({ role, trainable }) => role === 'bias' && !trainable)) {
      vanishing.push(leaving);
    }

    for (const parameter of parameters.filter(({ trainable }) => trainable)) {
      const { role, variable } = parameter;
      const exponent = role === 'kernel' ? difference(leaving, first) : role === 'bias' ? leaving : zero;
      const known = exponents.get(variable);
      if (known) {
        vanishing.push(difference(exponent, known.exponent));
      } else {
        exponents.set(variable, { parameter, exponent });
      }
    }
    scales.set(output, leaving);
  }
  vanishing.push(...graph.outputs.map((tensor) => scales.get(tensor) ?? zero));

  const { freedom, substitute } = solutions(vanishing, unknownOf.size);
  const layers = new Map<Owner, LinearForm>();
  for (const { layer, logScale } of kernels.values()) {
    const form = substitute(logScale);
    layers.set(layer, sum(layers.get(layer) ?? form.map(() => 0), form));
  }
  return {
    freedom,
    parameters: [...exponents.values()].map(({ parameter, exponent }) => ({
      parameter,
      exponent: substitute(exponent),
    })),
    layers: [...layers]
      .map(([layer, logScale]) => ({ layer, logScale }))
      .filter(({ logScale }) => logScale.some((c) => c !== 0)),
  };
}

/** The kernel that lets an operation change the scale. A frozen one has to keep it, whatever stands beside it. */
function rescaledKernel({ scale, parameters }: Operation): Parameter | undefined {
  const kernels = scale === 'affine' ? parameters.filter(({ role }) => role === 'kernel') : [];
  return kernels.every(({ trainable }) => trainable) ? kernels[0] : undefined;
}

function unit(index: number, size: number): LinearForm {
  return Array.from({ length: size }, (_, i) => (i === index ? 1 : 0));
}

function sum(a: LinearForm, b: LinearForm): LinearForm {
  return a.map((c, i) => c + b[i]);
}

function difference(a: LinearForm, b: LinearForm): LinearForm {
  return a.map((c, i) => c - b[i]);
}

/**
 * Solves a homogeneous system by Gauss-Jordan elimination: which unknowns stay free, and how a form over all unknowns
 * reads over the free ones. The coefficients are small integers, mostly 0 and +-1, and stay small: whatever is below
 * 1e-9 is a rounding error. Rows are kept sparse by choosing the last unknown with a coefficient of +-1 as the pivot.
 */
function solutions(equations: readonly LinearForm[], unknowns: number) {
  const rows = new Map<number, number[]>();
  const eliminate = (row: number[]) => {
    for (const [pivot, known] of rows) {
      subtract(row, known, row[pivot]);
    }
  };
  for (const equation of equations) {
    const row = [...equation];
    eliminate(row);
    const pivot = pivotOf(row);
    if (pivot < 0) {
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
  return { freedom: free.length, substitute };
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
  const unit = row.findLastIndex((c) => Math.abs(c) === 1);
  return unit >= 0 ? unit : row.findLastIndex((c) => c !== 0);
}
