import * as tfl from '@tensorflow/tfjs-layers';
import { lcg, setGoldenWeights } from '../measure/golden-network.js';

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;

/** Steps of every sequence: the mask of each fits all others, so that tf.js can hand it to any of them. */
export const STEPS = 4;

/** What there is to build on: sequences [N, STEPS, any], vectors [N, any], pairs of states. */
interface Parts {
  readonly tokens: Symbolic;
  readonly sequences: Symbolic[];
  readonly vectors: Symbolic[];
  readonly states: Symbolic[][];
  pick<T>(from: readonly T[]): T;
}

const initial = { recurrentInitializer: 'glorotNormal', units: 2 } as const;

function recurrent({ pick }: Parts, config: { returnSequences?: boolean } = {}): Layer {
  const make = pick([layers.lstm, layers.gru, layers.simpleRNN] as ((given: object) => Layer)[]);
  return make({ ...initial, goBackwards: pick([false, false, true]), ...config });
}

const words = (maskZero: boolean) => layers.embedding({ inputDim: 5, outputDim: 3, maskZero });
const on = (layer: Layer, x: Symbolic | Symbolic[]) => layer.apply(x) as Symbolic;

/** Each adds what it makes of the parts. */
const additions: readonly ((parts: Parts, x: Symbolic, width: number) => void)[] = [
  (parts, x) => parts.sequences.push(on(recurrent(parts, { returnSequences: true }), x)),
  (parts, x) => parts.vectors.push(on(recurrent(parts), x)),
  ({ sequences, vectors, states }, x) => {
    const lstm = layers.lstm({ ...initial, returnState: true, returnSequences: true });
    const [sequence, h, c] = lstm.apply(x) as Symbolic[];
    sequences.push(sequence!);
    vectors.push(h!, c!);
    states.push([h!, c!]);
  },
  ({ sequences, states, pick }, x) => {
    if (states.length > 0) {
      sequences.push(on(layers.lstm({ ...initial, returnSequences: true }), [x, ...pick(states)]));
    }
  },
  ({ sequences }, x) => sequences.push(on(layers.dense({ units: 3, activation: 'tanh' }), x)),
  ({ sequences }, x) => sequences.push(on(layers.conv1d({ filters: 2, kernelSize: 2, padding: 'same' }), x)),
  ({ sequences, pick }, x) => sequences.push(on(layers.concatenate({ axis: -1 }), [x, pick(sequences)])),
  ({ sequences, pick }, x, width) => {
    const others = sequences.filter(({ shape }) => shape[2] === width);
    sequences.push(on(layers.add(), [x, pick(others)]));
  },
  ({ sequences }, x) => sequences.push(on(layers.masking({ maskValue: 0 }), x)),
  ({ sequences, vectors, pick }) => {
    if (vectors.length > 0) {
      sequences.push(on(layers.repeatVector({ n: STEPS }), pick(vectors)));
    }
  },
  ({ vectors }, x) => vectors.push(on(layers.globalAveragePooling1d({}), x)),
  ({ vectors, pick }, x) => {
    const scores = on(layers.dense({ units: STEPS }), vectors.length > 0 ? pick(vectors) : on(layers.flatten(), x));
    vectors.push(on(layers.softmax(), scores));
  },
  (parts, x, width) => {
    const inside = tfl.input({ shape: [STEPS, width] });
    const outputs = on(recurrent(parts, { returnSequences: true }), on(layers.dense({ units: 2 }), inside));
    parts.sequences.push(on(tfl.model({ inputs: inside, outputs }) as unknown as Layer, x));
  },
  (parts) => {
    const inside = tfl.input({ shape: [STEPS] });
    const outputs = on(recurrent(parts, { returnSequences: true }), on(words(true), inside));
    parts.sequences.push(on(tfl.model({ inputs: inside, outputs }) as unknown as Layer, parts.tokens));
  },
  ({ sequences, pick }, x) => {
    const layer = layers.lstm({ ...initial, returnSequences: true }) as tfl.RNN;
    const both = layers.bidirectional({ layer, mergeMode: pick(['concat', 'sum', null]) as 'concat' });
    sequences.push(...([both.apply(x)].flat() as Symbolic[]));
  },
  (parts, x, width) => {
    const chain = tfl.sequential({
      layers: [
        layers.dense({ units: 2 * STEPS, inputShape: [width] }),
        layers.reshape({ targetShape: [STEPS, 2] }),
        recurrent(parts),
      ],
    });
    parts.sequences.push(on(layers.timeDistributed({ layer: chain as unknown as Layer }), x));
  },
];

/** A network of tokens [N, STEPS] and a sequence [N, STEPS, 2], whose masks come and go; of several outputs. */
export function randomMaskedModel(seed: number): tfl.LayersModel {
  const draws = lcg(7919 * seed, 200);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draws.pop()! * from.length)]!;
  const tokens = tfl.input({ shape: [STEPS] });
  const sequence = tfl.input({ shape: [STEPS, 2] });
  const first = [true, ...(pick([true, false]) ? [false] : [])].map((masks) => on(words(masks), tokens));
  const parts: Parts = { tokens, sequences: [sequence, ...first], vectors: [], states: [], pick };
  for (let i = 0; i < 3 + (seed % 6); i++) {
    const x = pick(parts.sequences);
    pick(additions)(parts, x, x.shape[2]!);
  }
  const all = [...parts.sequences, ...parts.vectors].filter((each) => each !== sequence);
  const outputs = new Set([pick(all), pick(all), all.at(-1)!]);
  const model = tfl.model({ inputs: [tokens, sequence], outputs: [...outputs] });
  setGoldenWeights(model, seed);
  return model;
}
