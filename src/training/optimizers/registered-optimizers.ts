import { Asam } from './asam.js';
import { Sam } from './sam.js';
import { SharpnessPenalty } from './sharpness-penalty.js';
import { registerOptimizer } from './wrapped-optimizer.js';

/**
 * Lets `tf.loadLayersModel` load models that were saved with {@link sam}, {@link asam} or {@link sharpnessPenalty}. Call it before
 * loading, as often as you like:
 *
 * ```ts
 * registerOptimizers();
 * const model = await tf.loadLayersModel('file://model/model.json');
 * ```
 *
 * Importing this module registers them as well. But a bundler leaves out a module of which nothing is used, and a program that
 * only loads uses nothing of it but this call.
 */
export function registerOptimizers(): void {
  registerOptimizer(Sam);
  registerOptimizer(Asam);
  registerOptimizer(SharpnessPenalty);
}
