import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { checkVersion, pageGlobal } from '../../src/tfjs/page-global.js';

afterEach(() => vi.unstubAllGlobals());

describe('pageGlobal', () => {
  it('is the global tf itself', () => {
    const page = { ...tf, ...tfl };
    vi.stubGlobal('tf', page);
    expect(pageGlobal()).toBe(page);
  });

  it('refuses a page without tf.js, or with another thing of its name', () => {
    expect(pageGlobal).toThrow(/^tfjs-sharpness: this page has no TensorFlow\.js as the global tf\. Load https:.*\.$/);
    vi.stubGlobal('tf', { id: 'tf' });
    expect(pageGlobal).toThrow('no TensorFlow.js');
    vi.stubGlobal('define', { amd: {} });
    expect(pageGlobal).toThrow('RequireJS');
  });

  it('refuses tf.js without layers, and of old, whichever is the first thing to mend', () => {
    vi.stubGlobal('tf', { ...tf });
    expect(pageGlobal).toThrow('has no layers');
    vi.stubGlobal('tf', { ...tf, version_core: '1.0.0' });
    expect(pageGlobal).toThrow('is 1.0.0, and 4.2 or newer is needed');
  });
});

describe('checkVersion', () => {
  it.each(['0.15.3', '1.7.4', '3.21.0', '4.0.0', '4.1.0', '4.1.0-rc.0'])('refuses %s', (version) => {
    expect(() => checkVersion(version)).toThrow(`this page is ${version}, and 4.2 or newer is needed`);
  });

  it.each(['4.2.0', '4.10.0', '4.22.0', '4.23.0-rc.0', '5.0.0'])('takes %s', (version) => {
    expect(() => checkVersion(version)).not.toThrow();
  });

  it('draws the line where package.json has it', () => {
    const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      peerDependencies: Record<string, string>;
    };
    for (const name of ['core', 'layers']) {
      expect(peerDependencies[`@tensorflow/tfjs-${name}`]).toBe('^4.2.0');
    }
  });
});
