import * as tf from '@tensorflow/tfjs-core';
import { gaugedTidy, type MemoryGauge } from '../tfjs/memory-gauge.js';
import type { Graph } from './graph.js';
import { type CallWithDelta, inLayer, type Operation, type Parameter } from './layers/operation.js';
import type { StepPlan, Tape } from './tape.js';

/**
 * Squared gradient norm that each weight tensor leaves: sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2 over the columns that
 * travel together.
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
  return sendBack(graph, plan, tape, outputDeltas, columns, gauge, (operation, calls) =>
    (operation.squaredNorms?.(calls, columns) ?? []).filter((norm) => norm !== null),
  );
}

/**
 * What `squaredNorms` has found, in one tensor.
 *
 * @param samples N.
 * @returns [parameters, N]: zeros for a parameter that no delta reached. The norms themselves stay the caller's.
 */
export function stackedNorms(
  parameters: readonly Parameter[],
  norms: ReadonlyMap<Parameter, tf.Tensor>,
  samples: number,
): tf.Tensor2D {
  return tf.tidy(() => tf.stack(parameters.map((each) => norms.get(each) ?? tf.zeros([samples])))) as tf.Tensor2D;
}

/**
 * Sends deltas down the tape and collects what each operation with trained weights leaves.
 *
 * @param outputDeltas deltas of the graph's outputs by their position, [R * N, ...] column by column; outputs without an
 *   entry get none. Disposed here.
 * @param columns R.
 * @param leave what one operation leaves from all its calls that a delta reached: one tensor for each of its trained
 *   parameters.
 */
export function sendBack(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDeltas: ReadonlyMap<number, tf.Tensor>,
  columns: number,
  gauge: MemoryGauge,
  leave: (operation: Operation, calls: readonly CallWithDelta[]) => tf.Tensor[],
): Map<Parameter, tf.Tensor> {
  const deltas = new Map<number, tf.Tensor>();
  const left = new Map<Parameter, tf.Tensor>();
  const waiting = new Map<Operation, CallWithDelta[]>();
  const callsLeft = new Map<Operation, number>();
  for (const { step, leavesNorms } of plan) {
    if (leavesNorms) {
      callsLeft.set(step.operation, (callsLeft.get(step.operation) ?? 0) + 1);
    }
  }
  /** Once the last call of an operation has been passed, its gradients are complete. */
  const passed = (operation: Operation) => {
    const calls = waiting.get(operation);
    const remaining = (callsLeft.get(operation) as number) - 1;
    callsLeft.set(operation, remaining);
    if (remaining > 0 || !calls) {
      return;
    }
    const trained = operation.parameters.filter((parameter) => parameter.trainable);
    const found = gaugedTidy(gauge, () => inLayer(operation, () => leave(operation, calls)));
    trained.forEach((parameter, position) => {
      left.set(parameter, found[position]);
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
        passed(operation);
      }
    }
    return left;
  } catch (error) {
    tf.dispose([...left.values()]);
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
