import crc32c from 'crc-32/crc32c.js';

/**
 * CRC-32C as TFRecord files store it: rotated right by 15 bits plus a constant, so that a checksum of data that
 * contains checksums stays a good one.
 */
function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c.buf(data) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * Frames `data` as one record of a TFRecord file, little-endian:
 * uint64 length, uint32 masked crc of the length, the data, uint32 masked crc of the data.
 *
 * Source: tensorflow/core/lib/io/record_writer.h.
 */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}
