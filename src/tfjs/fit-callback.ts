import * as tfl from '@tensorflow/tfjs-layers';
import { secondCopyOfLayers } from './copies.js';
import { isBeingTrained } from './trained-model.js';

const WRAPPED =
  'tf.js did not say which model it trains: the first entry of `callbacks` is a plain object. ' +
  'Write new tf.CustomCallback({ ... }) around each plain object.';
const MIXED =
  'tf.js could not start training: `callbacks` mixes callback objects and plain objects. ' +
  'Write new tf.CustomCallback({ ... }) around each plain object.';

/**
 * What this package's callbacks share: they learn which model a fit trains, and say in one line where tf.js cannot tell.
 *
 * tf.js takes `callbacks` in two ways. If the first entry is a callback object, all entries must be: a plain object
 * such as `{ onEpochEnd() {} }` or tfjs-vis' `fitCallbacks` makes it throw `setParams is not a function`. If the first
 * entry is a plain object, each entry is wrapped as if it was one: methods are called unbound and no model is announced.
 */
export abstract class FitCallback extends tfl.Callback {
  #modelsAnnounced = 0;
  /** Announced, and not begun yet, in their order. */
  #waiting: tfl.LayersModel[] = [];
  /** Announced, and not known to have ended. */
  #underWay: tfl.LayersModel[] = [];
  #secondCopy: string | undefined;

  constructor() {
    super();
    const { onTrainBegin } = this;
    const begin = (receiver: unknown, logs?: Parameters<tfl.Callback['onTrainBegin']>[0]) => {
      this.#secondCopy = secondCopyOfLayers(receiver);
      return onTrainBegin.call(this, logs);
    };
    // Not an arrow: what tf.js calls it on tells whose copy of tf.js that is.
    this.onTrainBegin = function (this: unknown, logs) {
      return begin(this, logs);
    };
    this.onTrainEnd = this.onTrainEnd.bind(this);
    this.onEpochBegin = this.onEpochBegin.bind(this);
    this.onEpochEnd = this.onEpochEnd.bind(this);
    this.onBatchBegin = this.onBatchBegin.bind(this);
    this.onBatchEnd = this.onBatchEnd.bind(this);
  }

  /** Tells the user, in one line, why this callback cannot do its work. */
  protected abstract complain(message: string): void;

  override setParams(params: Parameters<tfl.Callback['setParams']>[0]): void {
    super.setParams(params);
    const announced = this.#modelsAnnounced;
    // tf.js calls setParams on all callbacks and then setModel, in one go: if it never came, a later entry had no setParams.
    queueMicrotask(() => {
      if (this.#modelsAnnounced === announced) {
        this.complain(MIXED);
      }
    });
  }

  override setModel(model: Parameters<tfl.Callback['setModel']>[0]): void {
    super.setModel(model);
    this.#modelsAnnounced++;
    const others = (models: tfl.LayersModel[]) => models.filter((each) => each !== this.model && isBeingTrained(each));
    // A fit may end before it begins, where another callback throws.
    this.#waiting = [...others(this.#waiting), this.model];
    this.#underWay = [...others(this.#underWay), this.model];
  }

  /**
   * For `onTrainBegin`: the model of the fit that begins, or null, after a complaint, where tf.js did not announce one.
   *
   * @param told the model, where the user has said which, so that there is nothing to complain of.
   * @param remedy what else to do about it.
   */
  protected beginFit(told?: tfl.LayersModel, remedy = ''): tfl.LayersModel | null {
    const model = this.#waiting.shift() ?? told;
    if (model === undefined) {
      this.model = null as unknown as tfl.LayersModel; // as tf.js has it before the first setModel
      this.#underWay = [];
      this.complain(this.#secondCopy ?? `${WRAPPED}${remedy}`);
    }
    return model ?? null;
  }

  /**
   * The model of the fit under way; undefined while there are several: tf.js does not say which of them an event comes from. (`fit`
   * refuses to train one model twice at once, but two models may train at the same time.)
   */
  protected fittedModel(): tfl.LayersModel | null | undefined {
    const underWay = this.#underWay.filter(isBeingTrained);
    return underWay.length > 1 ? undefined : (underWay[0] ?? this.model);
  }
}
