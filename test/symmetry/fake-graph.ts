import type { Graph, Step } from '../../src/network/graph.js';
import type {
  Layer,
  NamedPlace,
  NamedScales,
  Operation,
  Parameter,
  ParameterRole,
  ScaleBehaviour,
} from '../../src/network/layers/operation.js';

/** A layer with weights: what the scale symmetry sees of it. */
export type FakeLayer = Operation;

const nothing = () => {
  throw new Error('a fake operation computes nothing');
};

function operation(name: string, scale: ScaleBehaviour, parameters: Parameter[] = []): Operation {
  return {
    layer: { name, getClassName: () => 'Fake' } as Layer,
    description: name,
    scale,
    piecewiseLinear: true,
    parameters,
    forward: nothing,
    backward: nothing,
  };
}

/**
 * A layer by the roles of its weights, for example `['kernel', 'bias']`; `'frozen kernel'` is one that does not train.
 * Its parameters are called `layer/role`.
 */
export function affine(name: string, roles: readonly (ParameterRole | `frozen ${ParameterRole}`)[]): FakeLayer {
  const fake = operation(name, 'affine');
  return {
    ...fake,
    parameters: roles.map((text) => {
      const role = text.replace('frozen ', '') as ParameterRole;
      const variable = {} as Parameter['variable'];
      return { name: `${name}/${role}`, layer: fake.layer, variable, role, trainable: text === role };
    }),
  };
}

/** A layer whose weights stand between names: by role, and frozen where it says so. */
export function named(
  name: string,
  scale: NamedScales,
  weights: Readonly<Record<string, NamedPlace & { role?: ParameterRole; frozen?: boolean }>>,
): FakeLayer {
  const fake = operation(name, scale);
  return {
    ...fake,
    parameters: Object.entries(weights).map(([own, { role = 'kernel', frozen = false, ...place }]) => {
      const variable = {} as Parameter['variable'];
      return { name: `${name}/${own}`, layer: fake.layer, variable, role, ...place, trainable: !frozen };
    }),
  };
}

export const dense = (name: string) => affine(name, ['kernel', 'bias']);

/** Collects steps: `call` adds one and returns the number of its output. Tensor 0 is the input. */
export function network() {
  const steps: Step[] = [];
  let tensors = 1;
  const call = (layer: FakeLayer, ...inputs: number[]) => {
    steps.push({ operation: layer, inputs, output: tensors });
    return tensors++;
  };
  const step = (scale: ScaleBehaviour, ...inputs: number[]) =>
    call(operation(typeof scale === 'string' ? scale : 'named', scale), ...inputs);
  return { call, step, graph: (output: number): Graph => ({ inputs: [0], outputs: [output], steps }) };
}

/** Layers one after the other, with an activation of the given behaviour between them. */
export function chain(layers: readonly FakeLayer[], between: ScaleBehaviour = 'ties'): Graph {
  const { call, step, graph } = network();
  const last = layers.reduce((tensor, layer, l) => call(layer, l === 0 ? tensor : step(between, tensor)), 0);
  return graph(last);
}
