import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from './graph.js';
import { gaugedTidy, type MemoryGauge } from './memory-gauge.js';
import { type CallWithDelta, inLayer, type Operation, type Parameter } from './operation.js';
import type { StepPlan, Tape } from './tape.js';

/**
 * Sends deltas down the tape and collects the squared gradient norm that each weight tensor leaves:
 * sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2 over the columns that travel together.
 *
 * @param outputDeltas the columns c_{n,r} by the position of the output in `graph.outputs`, [R * N, ...] column by column;
 *   outputs without an entry get none. Disposed here.
 * @param columns R.
 * @returns for each trained parameter that a delta reached, [N].
 */
export function squaredNorms(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDeltas: ReadonlyMap<number, tf.Tensor>,
  columns: number,
  gauge: MemoryGauge,
): Map<Parameter, tf.Tensor> {
  const deltas = new Map<number, tf.Tensor>();
  const norms = new Map<Parameter, tf.Tensor>();
  const waiting = new Map<Operation, CallWithDelta[]>();
  const callsLeft = new Map<Operation, number>();
  for (const { step, leavesNorms } of plan) {
    if (leavesNorms) {
      callsLeft.set(step.operation, (callsLeft.get(step.operation) ?? 0) + 1);
    }
  }
  /** Once the last call of an operation has been passed, its gradients are complete. */
  const leaveNorms = (operation: Operation) => {
    const calls = waiting.get(operation);
    const left = (callsLeft.get(operation) as number) - 1;
    callsLeft.set(operation, left);
    if (left > 0 || !calls) {
      return;
    }
    const trained = operation.parameters.filter((parameter) => parameter.trainable);
    const found = gaugedTidy(gauge, () =>
      inLayer(operation, () => operation.squaredNorms?.(calls, columns) ?? []).filter((norm) => norm !== null),
    );
    trained.forEach((parameter, position) => {
      norms.set(parameter, found[position]);
    });
    tf.dispose(calls.map((each) => each.delta));
    waiting.delete(operation);
  };
  try {
    for (const [output, delta] of outputDeltas) {
      addDelta(deltas, graph.outputs[output], delta);
    }
    for (let i = plan.length - 1; i >= 0; i--) {
      const { step, carriesDelta, leavesNorms } = plan[i];
      const { operation } = step;
      const call = tape.calls[i];
      const delta = deltas.get(step.output);
      if (call && delta) {
        if (carriesDelta) {
          const inputDeltas = gaugedTidy(gauge, () =>
            inLayer(operation, () => operation.backward(call, delta, columns)),
          );
          step.inputs.forEach((id, position) => {
            addDelta(deltas, id, inputDeltas[position]);
          });
        }
        // Not before: what is in one of the maps is disposed when something throws.
        deltas.delete(step.output);
        if (leavesNorms) {
          waiting.set(operation, [...(waiting.get(operation) ?? []), { ...call, delta }]);
        } else {
          delta.dispose();
        }
      }
      if (leavesNorms) {
        leaveNorms(operation);
      }
    }
    return norms;
  } catch (error) {
    tf.dispose([...norms.values()]);
    throw error;
  } finally {
    tf.dispose([...deltas.values()]);
    tf.dispose([...waiting.values()].flatMap((calls) => calls.map((call) => call.delta)));
  }
}

/** Deltas of a tensor that goes to several places add up. */
function addDelta(deltas: Map<number, tf.Tensor>, id: number, delta: tf.Tensor): void {
  const earlier = deltas.get(id);
  if (!earlier) {
    deltas.set(id, delta);
    return;
  }
  deltas.set(id, tf.add(earlier, delta));
  tf.dispose([earlier, delta]);
}
