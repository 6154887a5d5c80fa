import type * as tfl from '@tensorflow/tfjs-layers';
import { ruleOf } from './layers/table.js';
import type { Layer, Operation, Parameter, ParameterRole } from './operation.js';

/** One call of an operation in the network. Tensors are numbered; a step's output is numbered after its inputs. */
export interface Step {
  readonly operation: Operation;
  readonly inputs: readonly number[];
  readonly output: number;
}

/** A network as a list of elementary steps in topological order, nested models and activations unfolded. */
export interface Graph {
  readonly inputs: readonly number[];
  readonly output: number;
  readonly steps: readonly Step[];
}

/** A model called as a layer. Its own graph takes the place of the call. */
type Container = Layer & { inputs: tfl.SymbolicTensor[]; outputs: tfl.SymbolicTensor[] };

function isContainer(layer: Layer): layer is Container {
  return 'inputLayers' in layer;
}

/** Layers that carry state from batch to batch, which the trace kernel does not follow. */
function checkLayer(layer: Layer): void {
  if (layer.stateful) {
    throw new Error(
      `Layer '${layer.name}' (${layer.getClassName()}) is stateful, so that its samples are not independent: build it with ` +
        'stateful: false.',
    );
  }
}

/**
 * Takes a model apart.
 *
 * @throws Error with one line that names a layer that cannot be measured and says why.
 */
export function unfold(model: tfl.LayersModel): Graph {
  const trainable = new Set(model.trainableWeights);
  const steps: Step[] = [];
  const operationsOf = new Map<Layer, Operation[]>();
  let tensors = 0;

  function operations(layer: Layer): Operation[] {
    let known = operationsOf.get(layer);
    if (!known) {
      checkLayer(layer);
      const parameter = (variable: tfl.LayerVariable, role: ParameterRole): Parameter => ({
        name: variable.originalName,
        layer,
        variable,
        role,
        trainable: trainable.has(variable),
      });
      known = ruleOf(layer.getClassName())(layer, parameter);
      operationsOf.set(layer, known);
    }
    return known;
  }

  function callLayer(layer: Layer, inputs: number[]): number[] {
    if (isContainer(layer)) {
      return unfoldContainer(layer, inputs);
    }
    const chain = operations(layer);
    if (chain.length === 0) {
      return inputs;
    }
    let current = inputs;
    for (const operation of chain) {
      steps.push({ operation, inputs: current, output: tensors });
      current = [tensors++];
    }
    return current;
  }

  function unfoldContainer(container: Container, inputs: number[]): number[] {
    const numbered = new Map<number, number>(container.inputs.map((symbol, i) => [symbol.id, inputs[i]]));
    const visit = (symbol: tfl.SymbolicTensor): number => {
      const seen = numbered.get(symbol.id);
      if (seen !== undefined) {
        return seen;
      }
      const layer = symbol.sourceLayer as Layer;
      const node = layer.inboundNodes[symbol.nodeIndex as number];
      const outputs = callLayer(layer, node.inputTensors.map(visit));
      if (outputs.length !== node.outputTensors.length) {
        throw new Error(
          `Layer '${layer.name}' (${layer.getClassName()}) has ${node.outputTensors.length} outputs, ` +
            'and sharpness can follow layers with one output only: return one tensor from it.',
        );
      }
      node.outputTensors.forEach((output, i) => {
        numbered.set(output.id, outputs[i]);
      });
      return numbered.get(symbol.id) as number;
    };
    return container.outputs.map(visit);
  }

  const container = model as unknown as Container;
  const inputs = container.inputs.map(() => tensors++);
  const outputs = unfoldContainer(container, inputs);
  if (outputs.length !== 1) {
    throw new Error(
      `The model has ${outputs.length} outputs, and sharpness is measured for one: build a tf.model with the output ` +
        'that matters and measure that.',
    );
  }
  return { inputs, output: outputs[0], steps };
}

/** The weights of a graph, each once, in the order of its steps. */
export function parametersOf(graph: Graph): Parameter[] {
  const parameters = new Map(
    graph.steps.flatMap(({ operation }) => operation.parameters.map((parameter) => [parameter.variable, parameter])),
  );
  return [...parameters.values()];
}
