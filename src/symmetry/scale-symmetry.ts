import type { Graph, Step } from '../network/graph.js';
import type { Operation, Owner, Parameter } from '../network/layers/operation.js';
import { combinations, difference, type LinearForm, solutions, sum, unit } from './elimination.js';

type Variable = Parameter['variable'];

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
   * logScale = s_out - s_in. For a layer of several kernels it is the factor of all of them together; between scales with
   * names, every kernel is listed by its own name.
   */
  readonly layers: readonly { readonly layer: Owner; readonly logScale: LinearForm }[];
}

/** The symmetry of a whole graph, with what else can be asked of it. */
export interface GraphSymmetry extends ScaleSymmetry {
  /** What moves along though nothing trains it (`Operation.inputStatistics`): multiplied by exp(exponent . x). */
  readonly statistics: readonly { readonly variable: Variable; readonly exponent: LinearForm }[];
  /** s of a tensor of the graph. */
  scaleOf(tensor: number): LinearForm;
  /** What holds the exponent of a parameter at 0, in the order of the graph: a few equations that give it together. */
  holds(parameter: Parameter): readonly Hold[];
}

/**
 * Something that holds a scale, or two scales together.
 *
 * - `input`, `output`: the network's inputs (`input` counts them) and its output are not rescaled;
 * - `pins`, `resets`: the `operation` does, see `ScaleBehaviour`;
 * - `ties`: the operation takes its inputs at one scale;
 * - `rules`: those of its names do;
 * - `frozen`: its bias is frozen, or a weight between names;
 * - `shared`: its weights are used several times, and can have one factor only.
 */
export type Hold =
  | { readonly kind: 'input'; readonly input: number }
  | { readonly kind: 'output' }
  | { readonly kind: 'pins' | 'resets' | 'ties' | 'rules' | 'frozen' | 'shared'; readonly operation: Operation };

/**
 * Finds which log-scales s of a network's tensors are free.
 *
 * s = 0 at the graph's inputs and at its outputs. In between, by `operation.scale`:
 * - `ties`: the inputs and the output share one s;
 * - `adds`: s_out is the sum of the inputs' s;
 * - `pins`: s = 0 on all sides;
 * - `resets`: s = 0 at the output, and the inputs are left alone: what stands in front of a normalisation can be scaled
 *   up without end, and then counts for nothing;
 * - `affine`: a trainable kernel lets s_out - s_in be anything, the same in every call that uses the kernel; without
 *   one, or where it is frozen, s_out = s_in. A bias has one s_out in all its calls, and a frozen one has s_out = 0.
 *   Several inputs share one s.
 * - `NamedScales`: one s a name, which kernels and biases take from their places, and what the rules say of them. Every call
 *   has its own s of each name; that weights have one factor in all calls ties them.
 *
 * A parameter is known by its variable, so that all calls of a shared layer agree however the graph lists them.
 */
export function scaleSymmetry(graph: Graph): GraphSymmetry {
  // One unknown a trainable kernel: s at the output of its first call. Every other s follows from these, and from the
  // scales that are 0 from the start: they are unknowns too, so that it can be told what holds a form at 0.
  const unknownOf = new Map<unknown, number>();
  for (const { operation } of graph.steps) {
    const kernel = rescaledKernel(operation);
    if (kernel && !unknownOf.has(kernel.variable)) {
      unknownOf.set(kernel.variable, unknownOf.size);
    }
  }
  // And one for every name inside of an operation.
  let given = unknownOf.size;
  const unknownsIn = new Map(
    graph.steps.map((step) => [step, new Map(namesInside(step.operation).map((name) => [name, given++]))] as const),
  );
  const startsAnew = ({ operation: { scale } }: Step) => scale === 'resets' || typeof scale === 'object';
  const started = [...graph.inputs, ...graph.steps.filter(startsAnew)];
  const unknowns = given + started.length;
  const zero: LinearForm = new Array<number>(unknowns).fill(0);
  const equations: { form: LinearForm; hold: Hold }[] = [];
  const vanish = (form: LinearForm, hold: Hold) => equations.push({ form, hold });
  const startAtZero = (start: unknown, hold: Hold) => {
    const form = unit(given + started.indexOf(start as never), unknowns);
    vanish(form, hold);
    return form;
  };

  const scales = new Map(
    graph.inputs.map((tensor, input) => [tensor, startAtZero(tensor, { kind: 'input', input })] as const),
  );
  const exponents = new Map<Variable, { parameter: Parameter; exponent: LinearForm }>();
  const statistics = new Map<Variable, LinearForm>();
  const kernels = new Map<Variable, { layer: Owner; logScale: LinearForm }>();

  for (const step of graph.steps) {
    const { operation, inputs, output } = step;
    const { layer, parameters, scale } = operation;
    const entering = inputs.map((tensor) => scales.get(tensor) ?? zero);
    const first = entering[0] ?? zero;
    let leaving = first;
    let exponentOf = ({ role }: Parameter) =>
      role === 'kernel' ? difference(leaving, first) : role === 'bias' ? leaving : zero;
    if (typeof scale === 'object') {
      const unnamed = startAtZero(step, { kind: 'pins', operation });
      const named = new Map<string, LinearForm>();
      for (const [name, i] of unknownsIn.get(step) ?? []) {
        named.set(name, unit(i, unknowns));
      }
      const at = (name: string | undefined) => (name === undefined ? unnamed : (named.get(name) as LinearForm));
      entering.forEach((s, i) => {
        const name = scale.inputs?.[i];
        if (name !== undefined && !named.has(name)) {
          named.set(name, s);
        } else {
          vanish(difference(s, at(name)), { kind: name === undefined ? 'pins' : 'ties', operation });
        }
      });
      for (const rule of scale.rules ?? []) {
        const terms = Object.entries(rule).map(([name, power]) => at(name).map((c) => power * c));
        vanish(terms.reduce(sum, zero), { kind: 'rules', operation });
      }
      leaving = at(scale.output);
      exponentOf = ({ role, from, to }) =>
        role === 'kernel' ? difference(at(to), at(from)) : role === 'bias' ? at(to) : zero;
      for (const parameter of parameters) {
        const logScale = exponentOf(parameter);
        if (!parameter.trainable) {
          vanish(logScale, { kind: 'frozen', operation });
        } else if (parameter.role === 'kernel' && !kernels.has(parameter.variable)) {
          const ownName: Owner = { name: parameter.name, getClassName: () => layer.getClassName() };
          kernels.set(parameter.variable, { layer: ownName, logScale });
        }
      }
    } else if (scale === 'adds') {
      leaving = entering.reduce(sum, zero);
    } else if (scale === 'pins') {
      for (const s of entering) {
        vanish(s, { kind: 'pins', operation });
      }
    } else if (scale === 'resets') {
      leaving = startAtZero(step, { kind: 'resets', operation });
    } else {
      for (const s of entering.slice(1)) {
        vanish(difference(s, first), { kind: 'ties', operation });
      }
    }

    const kernel = rescaledKernel(operation);
    if (kernel) {
      const known = kernels.get(kernel.variable);
      leaving = known ? sum(first, known.logScale) : unit(unknownOf.get(kernel.variable) as number, unknowns);
      kernels.set(kernel.variable, known ?? { layer, logScale: difference(leaving, first) });
    }
    if (scale === 'affine' && parameters.some(({ role, trainable }) => role === 'bias' && !trainable)) {
      vanish(leaving, { kind: 'frozen', operation });
    }

    for (const variable of operation.inputStatistics ?? []) {
      const known = statistics.get(variable);
      if (known) {
        vanish(difference(first, known), { kind: 'shared', operation });
      } else {
        statistics.set(variable, first);
      }
    }
    for (const parameter of parameters.filter(({ trainable }) => trainable)) {
      const { variable } = parameter;
      const exponent = exponentOf(parameter);
      const known = exponents.get(variable);
      if (known) {
        vanish(difference(exponent, known.exponent), { kind: 'shared', operation });
      } else {
        exponents.set(variable, { parameter, exponent });
      }
    }
    scales.set(output, leaving);
  }
  for (const tensor of graph.outputs) {
    vanish(scales.get(tensor) ?? zero, { kind: 'output' });
  }

  const forms = equations.map(({ form }) => form);
  const { freedom, substitute } = solutions(forms, unknowns);
  // Made when it is first asked for: a measurement does not need it.
  let factorsOf: ReturnType<typeof combinations> | undefined;
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
    statistics: [...statistics].map(([variable, exponent]) => ({ variable, exponent: substitute(exponent) })),
    scaleOf: (tensor) => substitute(scales.get(tensor) ?? zero),
    holds({ variable }) {
      factorsOf ??= combinations(forms, unknowns);
      const factors = factorsOf(exponents.get(variable)?.exponent ?? zero);
      return equations.filter((_, i) => factors[i] !== 0).map(({ hold }) => hold);
    },
  };
}

/** The names of an operation that are none of its inputs. */
function namesInside({ scale, parameters }: Operation): string[] {
  if (typeof scale !== 'object') {
    return [];
  }
  const places = parameters.filter(({ role }) => role !== 'fixed').flatMap(({ from, to }) => [from, to]);
  const names = new Set([...places, scale.output, ...(scale.rules ?? []).flatMap((rule) => Object.keys(rule))]);
  return [...names].filter((name) => name !== undefined).filter((name) => !scale.inputs?.includes(name));
}

/** The kernel that lets an operation change the scale. A frozen one has to keep it, whatever stands beside it. */
function rescaledKernel({ scale, parameters }: Operation): Parameter | undefined {
  const kernels = scale === 'affine' ? parameters.filter(({ role }) => role === 'kernel') : [];
  return kernels.every(({ trainable }) => trainable) ? kernels[0] : undefined;
}
