/** The Castagnoli polynomial of the package crc-32, which ships types for the other one only. */
declare module 'crc-32/crc32c.js' {
  const crc32c: {
    /** CRC-32C of the bytes, as a signed 32-bit integer. */
    buf(data: Uint8Array): number;
  };
  export default crc32c;
}
