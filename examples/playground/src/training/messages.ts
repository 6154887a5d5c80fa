import type { Problem, SharpnessReading } from 'tfjs-sharpness';
import type { BackendName, Settings } from '../settings.js';

/** What the page asks of the training, wherever that runs. */
export type Command =
  | { readonly kind: 'look for backends' }
  | { readonly kind: 'start'; readonly run: number; readonly settings: Settings }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'stop' }
  /** A measurement with one layer's weights and biases multiplied by `factor` and the next one's kernel divided by it; they are put back. */
  | { readonly kind: 'rescale'; readonly layer: string; readonly factor: number };

/** A backend that the browser has, or why it has it not. */
export interface BackendState {
  readonly name: BackendName;
  readonly missing: string | undefined;
}

/** Points of a toy, for a picture: `xy` in pairs, from -1 to 1; labels as they are trained on, and where these are wrong. */
export interface Points {
  readonly xy: Float32Array;
  readonly labels: Uint8Array;
  readonly wrong: Uint8Array;
  readonly classes: number;
}

/** Some test digits: 28 x 28 bytes each. */
export interface DigitImages {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

export type Scene =
  | { readonly kind: 'points'; readonly points: Points }
  | { readonly kind: 'digits'; readonly images: DigitImages };

/** What the network says of the scene: class probabilities, [grid * grid, classes] row by row from the top, or [digits, 10]. */
export interface Outlook {
  readonly probabilities: Float32Array;
  readonly classes: number;
}

export interface EpochEnd {
  readonly epoch: number;
  readonly step: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
}

/** What rescaling does: measured before and after, on the same samples, every column of each. */
export interface Rescaled {
  readonly layer: string;
  readonly factor: number;
  readonly before: { readonly trace: number; readonly minimumSharpness: number };
  readonly after: { readonly trace: number; readonly minimumSharpness: number };
  /** The largest change of any class probability. */
  readonly change: number;
  readonly samples: number;
}

/** What the training tells the page. */
export type Report =
  | { readonly kind: 'backends'; readonly states: readonly BackendState[] }
  | {
      readonly kind: 'started';
      readonly run: number;
      readonly layers: readonly string[];
      readonly weights: number;
      readonly samples: number;
      readonly scene: Scene;
    }
  | {
      readonly kind: 'batch';
      readonly run: number;
      readonly epoch: number;
      readonly step: number;
      readonly loss: number;
      readonly accuracy: number;
    }
  | { readonly kind: 'epoch'; readonly run: number; readonly end: EpochEnd }
  | { readonly kind: 'reading'; readonly run: number; readonly reading: SharpnessReading }
  | { readonly kind: 'outlook'; readonly run: number; readonly outlook: Outlook }
  | { readonly kind: 'problem'; readonly run: number; readonly problem: Problem }
  /** Training goes on, and is not what was asked for. */
  | { readonly kind: 'warning'; readonly run: number; readonly message: string }
  | { readonly kind: 'rescaled'; readonly run: number; readonly rescaled: Rescaled }
  | { readonly kind: 'not rescaled'; readonly run: number; readonly message: string }
  /** `tensors`: how many there are in all, for who looks for leaks. */
  | { readonly kind: 'ended'; readonly run: number; readonly message: string; readonly tensors: number }
  | { readonly kind: 'failed'; readonly run: number; readonly message: string };
