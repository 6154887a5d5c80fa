import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/*
 * tf.js in a page without a bundler. No module of src/ imports this: scripts/page-files.ts puts it into the files for such pages.
 */

/** All that this package takes of tf.js, in one object. */
export type PageTf = typeof tf & typeof tfl;

/** The oldest tf.js that works, as `peerDependencies` in package.json says. */
const OLDEST = [4, 2] as const;

const script = 'https://cdn.jsdelivr.net/npm/@tensorflow/tfjs@4';

/**
 * tf.js as the page's global `tf`, which `tf.min.js` makes, or `tf-core.min.js` and `tf-layers.min.js` together.
 *
 * @throws Error with one line where it is not there, has no layers, or is older than 4.2.
 */
export function pageGlobal(): PageTf {
  // A page may have anything by this name: an element with the id "tf" is a global as well.
  const { tf, define } = globalThis as { tf?: Partial<PageTf>; define?: { amd?: unknown } };
  if (typeof tf?.version_core !== 'string') {
    const remedy = define?.amd
      ? 'An AMD loader such as RequireJS takes it away: load it before that loader.'
      : `Load ${script} in a script tag before this one, both without "async".`;
    throw new Error(`tfjs-sharpness: this page has no TensorFlow.js as the global tf. ${remedy}`);
  }
  checkVersion(tf.version_core);
  if (typeof tf.version_layers !== 'string') {
    throw new Error(
      `tfjs-sharpness: the global tf of this page has no layers. Load ${script} before this script, which has all of TensorFlow.js, or tfjs-layers.`,
    );
  }
  return tf as PageTf;
}

/** @throws Error with one line where a version of tf.js, such as 3.21.0, is older than 4.2. */
export function checkVersion(version: string): void {
  const [major, minor] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major! < OLDEST[0] || (major === OLDEST[0] && minor! < OLDEST[1])) {
    throw new Error(
      `tfjs-sharpness: the TensorFlow.js of this page is ${version}, and 4.2 or newer is needed: load ${script}.`,
    );
  }
}
