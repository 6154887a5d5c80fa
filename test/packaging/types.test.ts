import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';

/** From one of 2024 to the newest. */
const versions = ['5.4.5', '5.9.3', '6.0.3', '7.0.2'];
let project: PackedProject;

beforeAll(() => {
  const compilers = versions.map((version) => `typescript-${version}@npm:typescript@${version}`);
  project = packedProject('@tensorflow/tfjs@4.22.0', 'rxjs@7.8.2', ...compilers);
});
afterAll(() => project?.remove());

const source = `
  import * as tf from '@tensorflow/tfjs';
  import { earlyStopping, measureSharpness, minimumSharpness, type SharpnessReading } from 'tfjs-sharpness';
  import { type SharpnessChart, sharpnessChart } from 'tfjs-sharpness/chart';
  import { type Controller, learningRateOf, type LowerWhenRisingState, lowerWhenRising, steer } from 'tfjs-sharpness/control';
  import { type LayerRule, registerLayerRule } from 'tfjs-sharpness/layers';
  import { tensorBoardWriter } from 'tfjs-sharpness/node';
  import { sam, type SamOptimizer } from 'tfjs-sharpness/optimizers';
  import { plateau, withEpochLogs } from 'tfjs-sharpness/streams';

  const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [2], activation: 'softmax' })] });
  const optimizer: SamOptimizer = sam(tf.train.sgd(0.1), { rho: 0.05 });
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const x = tf.ones([4, 2]);
  export const reading: Promise<SharpnessReading> = measureSharpness(model, x, { loss: 'categoricalCrossentropy' });
  const sharpness = minimumSharpness({ data: x, every: { epochs: 1 } });
  sharpness.readings$.subscribe(tensorBoardWriter('logs'));
  sharpness.readings$.pipe(plateau({ patience: 3 }), withEpochLogs(sharpness.logs$)).subscribe(({ step, logs }) => [step?.toFixed(), logs.loss.toFixed()]);
  const controller: Controller<LowerWhenRisingState> = lowerWhenRising();
  steer(sharpness.readings$, controller, learningRateOf(model)).values$.subscribe(({ value }) => value.toFixed());
  // Its types need no uPlot.
  export const chart: SharpnessChart = sharpnessChart(document.querySelector<HTMLElement>('#sharpness'), sharpness);
  const rule: LayerRule = () => [];
  registerLayerRule('Passing', rule);
  export const value: number | undefined = sharpness.latest?.minimumSharpness;
  const stopping = earlyStopping({ monitor: 'minimumSharpness', patience: 5 });
  export const fitted = model.fit(x, tf.ones([4, 3]), { callbacks: [sharpness, stopping] });

  // @ts-expect-error: no such loss
  measureSharpness(model, x, { loss: 'crossEntropie' });
  // @ts-expect-error: a model is needed
  measureSharpness(x);
`;

/** Before 5.8 TypeScript knew no `require` of an ES module, node16 never does, and 7 has no node10 any more. */
const settings: [version: string, moduleResolution: string, files: string[]][] = [
  ['5.4.5', 'bundler', ['use.ts']],
  ['5.4.5', 'node16', ['use.mts']],
  ['5.4.5', 'nodenext', ['use.mts']],
  ['5.4.5', 'node10', ['use.ts']],
  ['5.9.3', 'bundler', ['use.ts']],
  ['5.9.3', 'node16', ['use.mts']],
  ['5.9.3', 'nodenext', ['use.mts', 'use.cts']],
  ['5.9.3', 'node10', ['use.ts']],
  ['6.0.3', 'bundler', ['use.ts']],
  ['6.0.3', 'node16', ['use.mts']],
  ['6.0.3', 'nodenext', ['use.mts', 'use.cts']],
  ['6.0.3', 'node10', ['use.ts']],
  ['7.0.2', 'bundler', ['use.ts']],
  ['7.0.2', 'node16', ['use.mts']],
  ['7.0.2', 'nodenext', ['use.mts', 'use.cts']],
];

test.each(settings)('TypeScript %s, moduleResolution %s', (version, moduleResolution, files) => {
  for (const file of files) {
    project.write(file, source);
  }
  const compilerOptions = {
    module: ['bundler', 'node10'].includes(moduleResolution) ? 'esnext' : moduleResolution,
    moduleResolution,
    // What 6.0 wants to hear about node10; before it, there is nothing to say.
    ...(version === '6.0.3' && { ignoreDeprecations: '6.0' }),
    target: 'es2022',
    lib: ['es2022', 'dom'],
    strict: true,
    noEmit: true,
    // tfjs 4.22's own declarations do not pass a strict check of libraries.
    skipLibCheck: true,
    types: [],
  };
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
  const compiler = join(project.folder, `node_modules/typescript-${version}/bin/tsc`);
  project.run(process.execPath, compiler, '--project', 'tsconfig.json');
});
