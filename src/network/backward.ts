import * as tf from '@tensorflow/tfjs-core';
import { gaugedTidy, type MemoryGauge } from '../tfjs/memory-gauge.js';
import type { Graph } from './graph.js';
import { type CallWithDelta, inLayer, type Operation, type Parameter, type RecordedCall } from './layers/operation.js';
import type { StepPlan, Tape } from './tape.js';
import { atOnce, type Walk } from './walk.js';

/**
 * Deltas of R columns for N samples: [R * N, ...shape], column by column, or of vectors with an axis for the columns, [R, N, F], for
 * operations that have a way with these (`byColumn`).
 */
export type Delta = tf.Tensor | { readonly byColumn: tf.Tensor3D };

const isByColumn = (delta: Delta): delta is { readonly byColumn: tf.Tensor3D } => !(delta instanceof tf.Tensor);

/** [R * N, ...shape], of either form. */
function columnAfterColumn(delta: Delta): tf.Tensor {
  return isByColumn(delta) ? tf.reshape(delta.byColumn, [-1, delta.byColumn.shape[2]]) : delta;
}

/**
 * Squared gradient norm that each weight tensor leaves: sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2 over the columns that
 * travel together.
 *
 * @param outputDeltas the columns c_{n,r} by the position of the output in `graph.outputs`; outputs without an entry get none.
 *   Disposed here.
 * @param columns R.
 * @param ofDeltas takes sum_r ||d_r||^2, [N], of each operation that says `factorsNorms`. These too are the caller's.
 * @param takes whether somebody else takes the calls of an operation, with what they hold, so that it leaves nothing.
 * @returns for each trained parameter that a delta reached, [N].
 */
export function squaredNorms(...all: Parameters<typeof sendingNormsBack>): Map<Parameter, tf.Tensor> {
  return atOnce(sendingNormsBack(...all));
}

/** `squaredNorms`, layer by layer. */
export function* sendingNormsBack(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDeltas: ReadonlyMap<number, Delta>,
  columns: number,
  gauge: MemoryGauge,
  ofDeltas?: Map<Operation, tf.Tensor>,
  takes?: (operation: Operation, calls: readonly CallWithDelta[]) => boolean,
): Walk<Map<Parameter, tf.Tensor>> {
  try {
    return yield* sendingBackAs<Delta, tf.Tensor>(graph, plan, tape, outputDeltas, gauge, {
      back(operation, call, delta) {
        return operation.byColumn && isByColumn(delta)
          ? [{ byColumn: operation.byColumn.backward(call, delta.byColumn) }]
          : operation.backward(call, columnAfterColumn(delta), columns);
      },
      add: (a, b) =>
        isByColumn(a) && isByColumn(b)
          ? { byColumn: tf.add(a.byColumn, b.byColumn) }
          : tf.add(columnAfterColumn(a), columnAfterColumn(b)),
      leave(operation, calls) {
        const [{ delta }] = calls;
        const plain = () => calls.map((call) => ({ ...call, delta: columnAfterColumn(call.delta) }));
        if (takes?.(operation, plain())) {
          return [];
        }
        const seeDeltaNorm =
          ofDeltas && operation.factorsNorms ? (norm: tf.Tensor) => ofDeltas.set(operation, tf.keep(norm)) : undefined;
        const norms =
          operation.byColumn?.squaredNorms && calls.length === 1 && isByColumn(delta)
            ? operation.byColumn.squaredNorms(calls[0], delta.byColumn, seeDeltaNorm)
            : operation.squaredNorms?.(
                plain().map((call) => ({ ...call, seeDeltaNorm })),
                columns,
              );
        return (norms ?? []).filter((norm) => norm !== null);
      },
    });
  } catch (error) {
    tf.dispose([...(ofDeltas?.values() ?? [])]);
    throw error;
  }
}

/** The operations of which `squaredNorms` gives norms of deltas too. */
export function factoringOperations(plan: readonly StepPlan[]): Operation[] {
  const operations = plan.flatMap(({ step, leavesNorms }) => (leavesNorms ? [step.operation] : []));
  return [...new Set(operations)].filter(({ factorsNorms }) => factorsNorms);
}

/**
 * What `squaredNorms` has found, in one tensor.
 *
 * @param samples N.
 * @returns [rows, N], one for each of `wanted`: zeros where no delta came by. The norms themselves stay the caller's.
 */
export function stackedNorms<Key>(
  wanted: readonly Key[],
  norms: ReadonlyMap<Key, tf.Tensor>,
  samples: number,
): tf.Tensor2D {
  return tf.tidy(() => tf.stack(wanted.map((each) => norms.get(each) ?? tf.zeros([samples])))) as tf.Tensor2D;
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
export function sendingBack(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDeltas: ReadonlyMap<number, tf.Tensor>,
  columns: number,
  gauge: MemoryGauge,
  leave: (operation: Operation, calls: readonly CallWithDelta[]) => tf.Tensor[],
): Walk<Map<Parameter, tf.Tensor>> {
  return sendingBackAs(graph, plan, tape, outputDeltas, gauge, {
    back: (operation, call, delta) => operation.backward(call, delta, columns),
    add: (a, b) => tf.add(a, b),
    leave,
  });
}

/** Numbers as tensors: plain ones, or in a representation of more than one tensor. */
export type Numbers = tf.Tensor | { [part: string]: tf.Tensor };

/** What the backward pass does with deltas, and norms or gradients, in one representation. Every method runs inside a `tf.tidy`. */
export interface Arithmetic<Delta extends Numbers, Left extends Numbers> {
  /** Delta of the output of a call -> delta of each input. */
  back(operation: Operation, call: RecordedCall, delta: Delta): Delta[];
  /** Deltas of a tensor that goes to several places add up. */
  add(a: Delta, b: Delta): Delta;
  /**
   * What one operation leaves from all its calls that a delta reached, for each of its trained parameters; empty: nothing. The delta
   * is that of the output or, where it `leavesAtInput`, of the first input.
   */
  leave(operation: Operation, calls: readonly (RecordedCall & { readonly delta: Delta })[]): Left[];
}

const cloned = <Delta extends Numbers>(delta: Delta): Delta =>
  (delta instanceof tf.Tensor
    ? tf.clone(delta)
    : Object.fromEntries(Object.entries(delta).map(([part, each]) => [part, tf.clone(each)]))) as Delta;

/** `sendingBack`, whatever the deltas are made of. The tape has to live until it is over. */
export function* sendingBackAs<Delta extends Numbers, Left extends Numbers>(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDeltas: ReadonlyMap<number, Delta>,
  gauge: MemoryGauge,
  { back, add, leave }: Arithmetic<Delta, Left>,
): Walk<Map<Parameter, Left>> {
  type Call = RecordedCall & { readonly delta: Delta };
  const deltas = new Map<number, Delta>();
  const left = new Map<Parameter, Left>();
  const waiting = new Map<Operation, Call[]>();
  const callsLeft = new Map<Operation, number>();
  for (const { step, leavesNorms } of plan) {
    if (leavesNorms) {
      callsLeft.set(step.operation, (callsLeft.get(step.operation) ?? 0) + 1);
    }
  }
  /** Those that are in none of the maps yet. */
  const onTheWay = new Set<Delta>(outputDeltas.values());
  const addDelta = (id: number, delta: Delta) => {
    const earlier = deltas.get(id);
    const total = earlier ? tf.tidy(() => add(earlier, delta)) : delta;
    deltas.set(id, total);
    onTheWay.delete(delta);
    if (earlier) {
      tf.dispose([earlier, delta]);
    }
  };
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
    found.forEach((each, position) => {
      left.set(trained[position], each);
    });
    tf.dispose(calls.map((each) => each.delta));
    waiting.delete(operation);
  };
  try {
    for (const [output, delta] of outputDeltas) {
      addDelta(graph.outputs[output], delta);
    }
    for (let i = plan.length - 1; i >= 0; i--) {
      if (i < plan.length - 1) {
        yield;
      }
      const { step, carriesDelta, leavesNorms } = plan[i];
      const { operation } = step;
      const call = tape.calls[i];
      const delta = deltas.get(step.output);
      if (call && delta) {
        const atInput = leavesNorms && operation.leavesAtInput === true;
        let kept = delta;
        if (carriesDelta || atInput) {
          const inputDeltas = gaugedTidy(gauge, () => {
            const found = inLayer(operation, () => back(operation, call, delta));
            // A rule may send one tensor to several inputs; each is disposed on its own.
            return found.map((each, position) =>
              each === delta || found.indexOf(each) < position ? cloned(each) : each,
            );
          });
          for (const each of inputDeltas) {
            onTheWay.add(each);
          }
          if (atInput) {
            kept = carriesDelta ? cloned(inputDeltas[0]) : inputDeltas[0];
            onTheWay.add(kept);
          }
          step.inputs.forEach((id, position) => {
            if (carriesDelta) {
              addDelta(id, inputDeltas[position]);
            } else if (inputDeltas[position] !== kept) {
              tf.dispose(inputDeltas[position]);
            }
          });
        }
        // Not before: what is in one of the maps is disposed when something throws.
        deltas.delete(step.output);
        if (kept !== delta || !leavesNorms) {
          tf.dispose(delta);
        }
        if (leavesNorms) {
          waiting.set(operation, [...(waiting.get(operation) ?? []), { ...call, delta: kept }]);
          onTheWay.delete(kept);
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
    tf.dispose([...onTheWay]);
    tf.dispose([...deltas.values()]);
    tf.dispose([...waiting.values()].flatMap((calls) => calls.map((call) => call.delta)));
  }
}
