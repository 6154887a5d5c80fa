import { expect, it } from 'vitest';
import { checkSampleForm, checksumOf, SAMPLE_VERSION } from '../../src/measure/sample-form.js';

const without = {
  version: SAMPLE_VERSION,
  parameters: ['one/kernel', 'two/kernel'],
  losses: [{ output: 'two', loss: 'factor', lossWeight: 1, curvature: [1, -1] }],
  architecture: 'a',
  fingerprint: 'f',
  weightings: [{ output: 'two', bySample: false, byClass: { 0: 1, 1: 0.5 }, byLabels: true }],
  rows: { assumed: [], uneven: ['two'] },
  seed: 1,
  samples: 3,
  pairs: 2,
  closedForm: [null, 0.5],
  inclusion: [0.5, 1],
  traces: [[1, 0], []],
  part: { population: 10, closedForm: [[], [0.1, 0.2, 0.2]], sampleOf: [0, 2] },
};
const sample = { ...without, checksum: checksumOf(without) };

it('takes a sample, in any order of keys, and its checksum does not count itself', () => {
  expect(checksumOf(sample)).toBe(sample.checksum);
  checkSampleForm('sample', sample);
  checkSampleForm('sample', Object.fromEntries(Object.entries(sample).reverse()));
  checkSampleForm('sample', JSON.parse(JSON.stringify(sample)));
});

it.each<[unknown, string]>([
  [null, 'it must be an object'],
  [[], 'it must be an object'],
  [{ ...sample, version: undefined }, 'version must be 1, but it is undefined: take all samples with one version'],
  [{ ...sample, more: 1 }, "it has a field 'more'"],
  [{ ...sample, losses: [{ ...sample.losses[0], more: 1 }] }, "losses[0] has a field 'more'"],
  [
    { ...sample, losses: [{ ...sample.losses[0], lossWeight: 0 }] },
    'losses[0].lossWeight must be a finite number above 0',
  ],
  [
    { ...sample, losses: [{ ...sample.losses[0], curvature: [null] }] },
    'losses[0].curvature[0] must be a finite number',
  ],
  [
    { ...sample, weightings: [{ ...sample.weightings[0], bySample: 0 }] },
    'weightings[0].bySample must be true or false',
  ],
  [
    { ...sample, weightings: [{ ...sample.weightings[0], byLabels: undefined }] },
    'weightings[0].byLabels must be true or false',
  ],
  [{ ...sample, rows: undefined }, 'rows must be an object'],
  [{ ...sample, rows: { ...sample.rows, more: [] } }, "rows has a field 'more'"],
  [{ ...sample, rows: { ...sample.rows, assumed: 'two' } }, 'rows.assumed must be an array'],
  [{ ...sample, rows: { ...sample.rows, assumed: ['one'] } }, 'rows.assumed[0] must be one of the outputs'],
  [{ ...sample, rows: { ...sample.rows, uneven: ['two', 'two'] } }, 'rows.uneven[1] must be one of the outputs'],
  [{ ...sample, rows: { assumed: [], uneven: [] } }, 'its checksum does not fit'],
  [{ ...sample, weightings: [{ ...sample.weightings[0], byClass: { 0: -1 } }] }, 'weightings[0].byClass[0] must be'],
  [{ ...sample, seed: '1' }, "seed must be a whole number, but it is '1'"],
  [{ ...sample, samples: 0 }, 'samples must be a whole number of at least 1, but it is 0'],
  [{ ...sample, inclusion: [0.5, 7] }, 'inclusion[1] must be a number above 0 and at most 1'],
  [{ ...sample, pairs: 1 }, 'pairs must be a whole number of at least 2'],
  [{ ...sample, closedForm: [null, -1] }, 'closedForm[1] must be a finite number of at least 0, but it is -1'],
  [{ ...sample, closedForm: [1, 0.5] }, 'traces[0] must have 0 entries, but it has 2'],
  [{ ...sample, traces: [[1, null], []] }, 'traces[0][1] must be a finite number of at least 0, but it is null'],
  [{ ...sample, traces: [[1, 0]] }, 'traces must have 2 entries, but it has 1'],
  [{ ...sample, traces: [new Array(2), []] }, 'traces[0][0] must be'],
  [{ ...sample, part: { ...sample.part, population: 2 } }, 'part.population must be a whole number of at least 3'],
  [{ ...sample, part: { ...sample.part, sampleOf: [0, 3] } }, 'part.sampleOf[1] must be a whole number from 0 to 2'],
  [{ ...sample, part: { ...sample.part, closedForm: [[], [0.1]] } }, 'part.closedForm[1] must have 3 entries'],
  [{ ...sample, part: null }, 'part must be an object'],
  [{ ...sample, fingerprint: 'g' }, 'its checksum does not fit'],
  [{ ...sample, part: undefined }, 'its checksum does not fit'],
])('refuses %o', (given, message) => {
  expect(() => checkSampleForm('samples[0]', given)).toThrow(
    `samples[0] is not what sampleSharpness returned: ${message}`,
  );
});
