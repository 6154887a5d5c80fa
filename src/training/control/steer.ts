import { filter, type Observable, ReplaySubject, Subject } from 'rxjs';
import { checkNumber } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import { reasonOf, warnOnce } from '../../warnings.js';
import type { Moment } from '../streams/field.js';
import { isolated } from '../streams/isolated.js';
import type { Controller } from './controllers/controller.js';
import type { Setting } from './setting.js';

/** What a controller has set, as of one reading. */
export interface ControlledValue extends Moment {
  /** Name of the setting, for example `'learning_rate'`. */
  readonly name: string;
  /** The value from this reading on. */
  readonly value: number;
  /** The value before it. */
  readonly previous: number;
}

/** Why a reading did not lead to a value. Training goes on with the value that is set. */
export interface ControlProblem extends Moment {
  /** One line. */
  readonly message: string;
  /** What was thrown. */
  readonly error: unknown;
}

/** What {@link steer} returns. */
export interface Steering {
  /** One entry a reading, whether it changed the value or not: what a chart needs. Hot; a late subscriber gets the latest first. */
  readonly values$: Observable<ControlledValue>;
  /** The entries at which the controller changed the value. */
  readonly changes$: Observable<ControlledValue>;
  /** What went wrong, and when. The first time, each message is also a console warning. */
  readonly problems$: Observable<ControlProblem>;
  /** Stops steering and completes the streams. The value stays as it is. */
  dispose(): void;
}

/**
 * Closes the loop: from now on each reading goes through a controller, and the value that comes out is set.
 *
 * ```ts
 * const steering = steer(sharpness.readings$, lowerWhenRising(), learningRateOf(model));
 * steering.changes$.subscribe(({ step, name, value }) => console.log(step, name, value));
 * ```
 *
 * A reading is handled at once, so the next training step goes by the new value. Steering goes on over several fits, with all
 * that the controller remembers, and ends with the stream of readings or on `dispose()`. A value that someone else has set
 * meanwhile, such as another schedule or `model.compile`, is respected: the controller begins anew from it.
 *
 * What the controller, the setting or a subscriber throws goes to `problems$`, and training goes on. A value
 * that could not be set, or is not a finite number, counts as not given: the controller is back where it was before the reading.
 *
 * @param readings$ of the callback, or piped from it.
 * @param controller `lowerWhenRising`, `raiseWhenRising`, `warmUp`, or a pair of functions of your own.
 * @param setting `learningRateOf(model)`, `weightDecayOf(regularizer)`, `property(optimizer, 'rho')`, or your own.
 * @throws Error with one line if one of them is missing, the setting has no value, or the controller cannot begin with it.
 */
export function steer<State extends { readonly value: number }>(
  readings$: Observable<SharpnessReading>,
  controller: Controller<State>,
  setting: Setting,
): Steering {
  if (typeof readings$?.subscribe !== 'function') {
    throw new Error('steer: the stream of readings is missing. Pass it first: steer(sharpness.readings$, ...).');
  }
  if (typeof controller?.begin !== 'function' || typeof controller.next !== 'function') {
    throw new Error('steer: the controller is missing. Pass one second, for example lowerWhenRising().');
  }
  if (
    typeof setting?.get !== 'function' ||
    typeof setting.set !== 'function' ||
    typeof setting.name !== 'string' ||
    setting.name === ''
  ) {
    throw new Error(
      'steer: the setting { name, get, set } is missing. Pass one third, for example learningRateOf(model).',
    );
  }
  const { name } = setting;
  let known = finite(setting.get(), 'the present value');
  let asked = known;
  let state = controller.begin(known);

  const values = new ReplaySubject<ControlledValue>(1);
  const problems = new Subject<ControlProblem>();
  const warn = warnOnce(`tfjs-sharpness, steer ${name}`);
  let moment: Moment = {};
  const fail = (what: string, error: unknown) => {
    const message = `${what}${reasonOf(error)}`;
    warn(message);
    problems.next({ ...moment, message, error });
  };

  const handle = (reading: SharpnessReading) => {
    moment = { step: reading.step, epoch: reading.epoch };
    const present = finite(setting.get(), 'the present value');
    if (present !== known) {
      known = asked = present;
      state = controller.begin(present);
    }
    const next = controller.next(state, reading);
    const value = finite(next.value, "the controller's value");
    if (value !== asked) {
      setting.set(value);
      asked = value;
      // Not `value` itself, since the setting may round: else that would look like somebody else's doing.
      known = finite(setting.get(), 'the value that was set');
    }
    state = next;
    values.next({ ...moment, name, value: known, previous: present });
  };
  const complete = () => {
    values.complete();
    problems.complete();
  };
  const values$ = isolated(values, (error) => fail('a subscriber threw: ', error));
  const subscription = readings$.subscribe({
    next(reading) {
      try {
        handle(reading);
      } catch (error) {
        fail('', error);
      }
    },
    error(error) {
      fail('the stream of readings failed: ', error);
      complete();
    },
    complete,
  });
  return {
    values$,
    changes$: values$.pipe(filter(({ value, previous }) => value !== previous)),
    problems$: isolated(problems, (error) => warn(`a subscriber to problems$ threw: ${error}`)),
    dispose() {
      subscription.unsubscribe();
      complete();
    },
  };
}

function finite(value: unknown, what: string): number {
  checkNumber(what, value);
  return value;
}
