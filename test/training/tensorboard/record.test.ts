import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tfRecord, tfRecords } from '../../../src/training/tensorboard/record.js';
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

describe('records that are read', () => {
  const data = [new Uint8Array([1, 2, 3]), new Uint8Array(0), new Uint8Array(300).fill(7)];
  const file = Buffer.concat(data.map(tfRecord));
  const read = (bytes: Uint8Array) => {
    const records = tfRecords(bytes);
    const found: Uint8Array[] = [];
    for (let next = records.next(); ; next = records.next()) {
      if (next.done) {
        return { found, left: next.value };
      }
      found.push(new Uint8Array(next.value));
    }
  };

  it('are those that were written', () => {
    expect(read(file)).toEqual({ found: data, left: 0 });
  });

  it('end where one is cut off or damaged', () => {
    expect(read(file.subarray(0, file.length - 1))).toMatchObject({ found: { length: 2 }, left: 315 });
    const damaged = Buffer.from(file);
    damaged[13] = 99;
    expect(read(damaged)).toMatchObject({ found: [], left: file.length });
  });
});
