import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, layers, SymbolicTensor } from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;
type Listener = (inputs: readonly tf.Tensor[]) => void;

/** Keeps copies of the inputs that a model is trained on. A callback gets no data from tf.js, so the model is tapped. */
export interface MinibatchRecorder {
  /** Keeps the inputs of the training batch that begins, unless a batch is kept already. */
  record(): void;
  /** The batch has ended: what was kept stays, further training calls are not looked at. */
  stop(): void;
  /** Whether a batch is kept. */
  readonly holds: boolean;
  /** The inputs kept, in the order of `model.inputs`, or undefined if there are none. The caller disposes them. */
  take(): tf.Tensor[] | undefined;
  /** Puts the model back as it was and disposes what is kept. */
  remove(): void;
}

/**
 * Taps a model's inputs, wherever a layer takes them in.
 *
 * Only training calls are seen (`kwargs.training` is true in `fit`, `fitDataset` and `trainOnBatch`, not in validation or
 * prediction), and nothing is copied but the batches asked for. A copy shares its values with the original. Of several calls the
 * last one counts.
 *
 * @param isOver whether later calls are none of the batch.
 * @throws Error with one line for an input that no layer takes in.
 */
export function recordMinibatches(model: LayersModel, isOver: () => boolean = () => false): MinibatchRecorder {
  const kept: (tf.Tensor | undefined)[] = model.inputs.map(() => undefined);
  let recording = false;
  const complete = () => kept.every((tensor) => tensor !== undefined);

  const taps = consumers(model).map(({ output, position }, input) =>
    tap(output, (inputs) => {
      if (!recording || isOver()) {
        return;
      }
      kept[input]?.dispose();
      kept[input] = tf.keep(inputs[position].clone());
    }),
  );

  const take = () => {
    recording = false;
    const taken = complete() ? (kept.slice() as tf.Tensor[]) : undefined;
    if (taken === undefined) {
      tf.dispose(kept.filter((tensor) => tensor !== undefined));
    }
    kept.fill(undefined);
    return taken;
  };
  return {
    record() {
      recording = !complete();
    },
    stop() {
      recording = false;
    },
    get holds() {
      return complete();
    },
    take,
    remove() {
      for (const removeTap of taps) {
        removeTap();
      }
      tf.dispose(take() ?? []);
    },
  };
}

/** For each of the model's inputs: a tensor of the graph that is computed from it, and the place among its arguments. */
function consumers(model: LayersModel): { output: SymbolicTensor; position: number }[] {
  const found = new Map<SymbolicTensor, { output: SymbolicTensor; position: number }>();
  const visited = new Set<SymbolicTensor>(model.inputs);
  const queue = [...model.outputs];
  for (const output of queue) {
    if (visited.has(output)) {
      continue;
    }
    visited.add(output);
    output.inputs.forEach((source, position) => {
      if (!found.has(source)) {
        found.set(source, { output, position });
      }
      queue.push(source);
    });
  }
  return model.inputs.map((input) => {
    const consumer = found.get(input);
    if (consumer === undefined) {
      throw new Error(
        `no layer of model "${model.name}" takes in its input "${input.name}", so minibatches cannot be seen: pass { data }.`,
      );
    }
    return consumer;
  });
}

/** A layer with listeners: its graph tensors that are listened to, and how to put the layer back. */
interface TappedLayer {
  readonly listeners: Map<SymbolicTensor, { readonly set: Set<Listener>; readonly untap: () => void }>;
  /** The listened tensor that tf.js looked up last; consumed by the call that follows. */
  next: SymbolicTensor | undefined;
  readonly restore: () => void;
}

// One tap a layer, whatever the number of recorders: so they can be removed in any order.
const tappedLayers = new WeakMap<Layer, TappedLayer>();

/**
 * Calls `listener` with the concrete inputs each time tf.js computes the graph tensor `output` in training.
 *
 * tf.js looks up `output.inputs` and then calls `output.sourceLayer.apply` with their values. The second says what the
 * values are, the first for which of a shared layer's calls: the instances get an own `inputs` and `apply` until the last
 * listener leaves. (`call` would not do: a recurrent layer moves its initial states out of the arguments before it.)
 *
 * Sorting the graph, once before the first batch, looks up `inputs` too. Where the layer is also part of a nested model,
 * a call in there may then be taken for this one: the call proper follows in the same batch, so the last one counts.
 */
function tap(output: SymbolicTensor, listener: Listener): () => void {
  const layer = output.sourceLayer;
  const tapped = tappedLayers.get(layer) ?? tapLayer(layer);
  const listened = tapped.listeners.get(output) ?? {
    set: new Set(),
    untap: replaceProperty(output, 'inputs', (inputs) => ({
      get() {
        tapped.next = output;
        return inputs;
      },
    })),
  };
  tapped.listeners.set(output, listened);
  listened.set.add(listener);
  return () => {
    listened.set.delete(listener);
    if (listened.set.size === 0 && tapped.listeners.delete(output)) {
      listened.untap();
    }
    if (tapped.listeners.size === 0 && tappedLayers.delete(layer)) {
      tapped.restore();
    }
  };
}

function tapLayer(layer: Layer): TappedLayer {
  const restore = replaceProperty(layer, 'apply', (apply) => ({
    value: (...[inputs, kwargs]: Parameters<Layer['apply']>) => {
      const listened = tapped.next && tapped.listeners.get(tapped.next);
      tapped.next = undefined;
      if (listened !== undefined && kwargs?.training === true) {
        for (const listener of listened.set) {
          listener(inputs as tf.Tensor[]);
        }
      }
      return apply.call(layer, inputs, kwargs);
    },
    writable: true,
  }));
  const tapped: TappedLayer = { listeners: new Map(), next: undefined, restore };
  tappedLayers.set(layer, tapped);
  return tapped;
}

/** Gives an object its own version of a property; the function returned brings the former state back. */
function replaceProperty<T extends object, K extends keyof T>(
  target: T,
  key: K,
  replacement: (original: T[K]) => PropertyDescriptor,
): () => void {
  const former = Object.getOwnPropertyDescriptor(target, key);
  const own = { ...replacement(target[key]), configurable: true, enumerable: former?.enumerable ?? false };
  Object.defineProperty(target, key, own);
  return () => {
    const current = Object.getOwnPropertyDescriptor(target, key);
    // Someone else may have put their own version on top: theirs stays, and calls ours, which no longer listens.
    if (current?.value !== own.value || current?.get !== own.get) {
      return;
    }
    if (former === undefined) {
      delete target[key];
    } else {
      Object.defineProperty(target, key, former);
    }
  };
}
