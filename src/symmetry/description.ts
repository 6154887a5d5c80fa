import { enumerate } from '../names.js';
import type { Graph } from '../network/graph.js';
import type { Operation, Parameter } from '../network/layers/operation.js';
import { isOfTfjs } from '../network/layers/table.js';
import { dependencies } from './elimination.js';
import { type GraphSymmetry, type Hold, type ScaleSymmetry, scaleSymmetry } from './scale-symmetry.js';

/** Layers that trade scale with each other. */
export interface ScaleGroup {
  /** Names of the layers; `layer/weight` where a layer has several kernels, each with a scale. */
  readonly layers: readonly string[];
  /** How many of the alphas can be chosen: the rules give the others. */
  readonly freedom: number;
  /**
   * What the alphas have to obey: the product of all alpha(layer)^power is 1. Powers are whole numbers. No rule: the layer
   * can have any scale, because what follows takes it away.
   */
  readonly rules: readonly Readonly<Record<string, number>>[];
}

/** A layer whose weights cannot be scaled. */
export interface PinnedLayer {
  readonly layer: string;
  /** Why, as the end of a sentence that starts with the layer. */
  readonly reason: string;
}

/** Which layers of a network can trade scale without a change of its function. */
export interface SymmetryDescription {
  /** Number of scales that can be chosen at will. 0: Minimum Sharpness is the plain trace. */
  readonly freedom: number;
  readonly groups: readonly ScaleGroup[];
  /** Layers with weights that are in no group, in the order of the network. */
  readonly pinned: readonly PinnedLayer[];
  /** All of it in plain words, one line a group or layer. */
  toString(): string;
}

/** Puts into words what `scaleSymmetry` finds in a network. */
export function symmetryDescription(graph: Graph): SymmetryDescription {
  const symmetry = scaleSymmetry(graph);
  const groups = groupsOf(graph, symmetry);
  const pinned = pinnedOf(graph, symmetry);
  const { freedom } = symmetry;
  return { freedom, groups, pinned, toString: () => text({ freedom, groups, pinned }) };
}

/** Every weight of the graph once, with an operation that has it. */
function weightsOf(graph: Graph): { parameter: Parameter; operation: Operation }[] {
  const weights = new Map<unknown, { parameter: Parameter; operation: Operation }>();
  for (const { operation } of graph.steps) {
    for (const parameter of operation.parameters) {
      if (!weights.has(parameter.variable)) {
        weights.set(parameter.variable, { parameter, operation });
      }
    }
  }
  return [...weights.values()];
}

/** The layer's name, or `layer/weight` where the layer has several kernels. */
function kernelName(graph: Graph, { layer, name }: Parameter): string {
  const kernels = weightsOf(graph).filter(({ parameter }) => parameter.layer === layer && parameter.role === 'kernel');
  return kernels.length > 1 ? `${layer.name}/${name.slice(name.lastIndexOf('/') + 1)}` : layer.name;
}

const moves = ({ exponent }: ScaleSymmetry['parameters'][number]) => exponent.some((c) => c !== 0);

function groupsOf(graph: Graph, symmetry: ScaleSymmetry): ScaleGroup[] {
  const kernels = symmetry.parameters.filter((each) => each.parameter.role === 'kernel' && moves(each));
  const names = kernels.map(({ parameter }) => kernelName(graph, parameter));
  const rules = dependencies(kernels.map(({ exponent }) => exponent)).map(wholeNumbers);
  // Kernels that share a rule belong together.
  const groups: number[][] = kernels.map((_, i) => [i]);
  for (const rule of rules) {
    const joined = groups.filter((group) => group.some((i) => rule[i] !== 0));
    for (const group of joined) {
      groups.splice(groups.indexOf(group), 1);
    }
    groups.push(joined.flat());
  }
  return groups
    .map((group) => group.sort((a, b) => a - b))
    .sort(([a], [b]) => a - b)
    .map((group) => {
      const own = rules.filter((rule) => group.some((i) => rule[i] !== 0));
      return {
        layers: group.map((i) => names[i]),
        freedom: group.length - own.length,
        rules: own.map((rule) =>
          Object.fromEntries(group.filter((i) => rule[i] !== 0).map((i) => [names[i], rule[i]] as const)),
        ),
      };
    });
}

/** The same ratios in the smallest whole numbers, the first of them positive. */
function wholeNumbers(factors: readonly number[]): number[] {
  const first = factors.find((c) => c !== 0) ?? 1;
  const ratios = factors.map((c) => c / first);
  const whole = (c: number) => Math.abs(c - Math.round(c)) < 1e-6;
  let multiple = 1;
  while (multiple < 1000 && !ratios.every((c) => whole(c * multiple))) {
    multiple++;
  }
  return ratios.map((c) => Math.round(c * multiple) || 0);
}

function pinnedOf(graph: Graph, symmetry: GraphSymmetry): PinnedLayer[] {
  const exponents = new Map(symmetry.parameters.map((each) => [each.parameter.variable, each]));
  const reasons = new Map<string, string>();
  const weights = weightsOf(graph);
  const layers = new Set(weights.map(({ parameter }) => parameter.layer));
  for (const layer of layers) {
    const own = weights.filter(({ parameter }) => parameter.layer === layer);
    const kernels = own.filter(({ parameter }) => parameter.role === 'kernel');
    for (const { parameter } of kernels) {
      const found = exponents.get(parameter.variable);
      if (!found) {
        reasons.set(kernelName(graph, parameter), 'is fixed, because it is frozen');
      } else if (!moves(found)) {
        reasons.set(kernelName(graph, parameter), `is fixed ${heldBy(symmetry.holds(parameter))}`);
      }
    }
    if (kernels.length === 0) {
      const follows = own.some(({ parameter }) => {
        const found = exponents.get(parameter.variable);
        return found !== undefined && moves(found);
      });
      reasons.set(
        layer.name,
        follows ? 'has a bias only, which follows the scale that reaches it' : withoutKernel(own),
      );
    }
  }
  return [...reasons].map(([layer, reason]) => ({ layer, reason }));
}

/** Why a layer without a kernel stays as it is. */
function withoutKernel(weights: readonly { parameter: Parameter; operation: Operation }[]): string {
  const { parameter, operation } = weights[0];
  if (weights.every((weight) => !weight.parameter.trainable)) {
    return 'is fixed, because it is frozen';
  }
  if (parameter.role === 'bias') {
    return 'has a bias only, at a scale that is fixed';
  }
  return operation.scaleUnknown
    ? 'is fixed, because it is measured as a whole'
    : 'is fixed: it passes scales on and keeps its own weights';
}

/** What holds a scale, as the end of a sentence. */
function heldBy(holds: readonly Hold[]): string {
  const texts = [...new Set(holds.map(holdText))];
  if (texts.length === 0) {
    return 'beside a frozen kernel of the same layer';
  }
  return `${texts.length === 1 ? 'by' : 'between'} ${enumerate(texts)}`;
}

function holdText(hold: Hold): string {
  if (hold.kind === 'input' || hold.kind === 'output') {
    return `the network's ${hold.kind}`;
  }
  const { description, layer } = hold.operation;
  switch (hold.kind) {
    case 'pins':
      return `the ${description} of '${layer.name}' (${whyPinned(hold.operation)})`;
    case 'resets':
      return `the normalization of '${layer.name}' (which sets the scale anew)`;
    case 'ties':
      return `'${layer.name}' (which takes all its inputs at one scale)`;
    case 'rules':
      return `what '${layer.name}' takes for its own scales`;
    case 'frozen':
      return `the frozen ${typeof hold.operation.scale === 'object' ? 'weights' : 'bias'} of '${layer.name}'`;
    case 'shared':
      return `'${layer.name}' (whose weights are used several times)`;
  }
}

/** Why an operation lets no scale through. */
function whyPinned({ layer, description, scaleUnknown }: Operation): string {
  const className = layer.getClassName();
  if (description === className && !isOfTfjs(layer)) {
    return 'a class of your own';
  }
  return scaleUnknown ? 'measured as a whole' : 'not homogeneous';
}

const LEGEND =
  "alpha(layer) is what the layer's kernel is multiplied by. Biases follow, and the network computes the same.";

function text({ freedom, groups, pinned }: Omit<SymmetryDescription, 'toString'>): string {
  const count = freedom === 1 ? '1 scale is free.' : `${freedom} scales are free.`;
  return [
    freedom === 0 ? 'No layers can trade scale: Minimum Sharpness is the plain trace.' : `${count} ${LEGEND}`,
    ...groups.map(groupText),
    ...pinned.map(({ layer, reason }) => `'${layer}' ${reason}.`),
  ].join('\n');
}

function groupText({ layers, rules }: ScaleGroup): string {
  return rules.length === 0
    ? `'${layers[0]}' can have any scale: a normalization behind it takes it away.`
    : `${enumerate(layers.map((layer) => `'${layer}'`))} trade scale: ${rules.map(ruleText).join('; ')}.`;
}

/** alpha(a) * alpha(b)^2 = alpha(c) */
function ruleText(rule: Readonly<Record<string, number>>): string {
  const product = (sign: number) =>
    Object.entries(rule)
      .filter(([, power]) => sign * power > 0)
      .map(([layer, power]) => `alpha(${layer})${Math.abs(power) === 1 ? '' : `^${Math.abs(power)}`}`)
      .join(' * ') || '1';
  return `${product(1)} = ${product(-1)}`;
}
