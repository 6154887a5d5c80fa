import * as tf from '@tensorflow/tfjs';
import * as tfvis from '@tensorflow/tfjs-vis';
import { sharpnessChart } from '../../src/chart.js';
import { minimumSharpness } from '../../src/index.js';

/** What docs/chart.md takes for its recipe of tfjs-vis. */
const page = { tf, tfvis, minimumSharpness, sharpnessChart };

export type VisorPage = typeof page;
(globalThis as unknown as { page: VisorPage }).page = page;
