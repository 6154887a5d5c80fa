import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tfRecord } from '../../../src/training/tensorboard/record.js';
import { crc32c, readRecords } from './event-reader.js';

describe('tfRecord', () => {
  it('frames the file version as TensorFlow does', () => {
    // The first 40 bytes of every event file, but for the wall time, here 0: length 24, its checksum, the event, its checksum.
    const event = Buffer.from('0900000000000000001a0d627261696e2e4576656e743a32', 'hex');
    const record = Buffer.from(tfRecord(event));
    expect(record.subarray(0, 12).toString('hex')).toBe('1800000000000000a37f4b22');
    expect(record.subarray(12, 36)).toEqual(event);
    expect(record).toHaveLength(40);
  });

  it('is read back by an independent reader', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (payloads) => {
        const file = Buffer.concat(payloads.map(tfRecord));
        expect(readRecords(file).map((record) => [...record])).toEqual(payloads.map((payload) => [...payload]));
      }),
    );
  });
});
