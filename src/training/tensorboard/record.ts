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

/**
 * The records of a TFRecord file, up to the first that is cut off or has a wrong checksum.
 *
 * @returns at the end, how many bytes are left behind the last whole record.
 */
export function* tfRecords(bytes: Uint8Array): Generator<Uint8Array, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 16 <= bytes.length && view.getUint32(at + 8, true) === maskedCrc32c(bytes.subarray(at, at + 8))) {
    const length = Number(view.getBigUint64(at, true));
    const end = at + 12 + length;
    if (end + 4 > bytes.length || view.getUint32(end, true) !== maskedCrc32c(bytes.subarray(at + 12, end))) {
      break;
    }
    yield bytes.subarray(at + 12, end);
    at = end + 4;
  }
  return bytes.length - at;
}
