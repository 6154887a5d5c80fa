import * as tf from '@tensorflow/tfjs';
import * as tfvis from '@tensorflow/tfjs-vis';
import { train } from 'recipe';

/** The recipe of docs/chart.md for tfjs-vis, and what it needs. */
const page = { tf, tfvis, train };

export type VisorPage = typeof page;
Object.assign(globalThis, { page, tfvis });
