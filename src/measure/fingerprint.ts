const [C1, C2, C3, C4] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];

/**
 * 128 bits that differ, for all that is not made to deceive, where some bit differs: MurmurHash3_x86_128 (Austin Appleby, public
 * domain), seed 0.
 *
 * @returns 32 hexadecimal digits.
 */
export function fingerprintOfBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const rest = byteLength % 16;
  const view = new DataView(buffer, byteOffset, byteLength);
  let [h1, h2, h3, h4] = [0, 0, 0, 0];
  for (let at = 0; at < byteLength - rest; at += 16) {
    h1 ^= mixed(view.getUint32(at, true), C1, 15, C2);
    h1 = (Math.imul(rotated(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= mixed(view.getUint32(at + 4, true), C2, 16, C3);
    h2 = (Math.imul(rotated(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= mixed(view.getUint32(at + 8, true), C3, 17, C4);
    h3 = (Math.imul(rotated(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= mixed(view.getUint32(at + 12, true), C4, 18, C1);
    h4 = (Math.imul(rotated(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const last = new Uint8Array(16);
  last.set(new Uint8Array(buffer, byteOffset + byteLength - rest, rest));
  const end = new DataView(last.buffer);
  h1 ^= mixed(end.getUint32(0, true), C1, 15, C2);
  h2 ^= mixed(end.getUint32(4, true), C2, 16, C3);
  h3 ^= mixed(end.getUint32(8, true), C3, 17, C4);
  h4 ^= mixed(end.getUint32(12, true), C4, 18, C1);
  const words = spread([h1, h2, h3, h4].map((h) => h ^ byteLength));
  return spread(words.map(finished))
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join('');
}

/** The same for plain data: numbers, text, arrays and objects, whatever the order of their keys. */
export function fingerprintOfData(data: unknown): string {
  return fingerprintOfBytes(new TextEncoder().encode(canonicalJson(data)));
}

/** JSON in which the keys of every object are sorted: equal where the data are. */
export function canonicalJson(data: unknown): string {
  const sorted = (_: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return JSON.stringify(data, sorted);
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function mixed(word: number, before: number, by: number, after: number): number {
  return Math.imul(rotated(Math.imul(word, before), by), after);
}

/** Adds all words into the first, and that to the others. */
function spread(words: readonly number[]): number[] {
  const sum = words.reduce((total, word) => (total + word) | 0, 0);
  return [sum, ...words.slice(1).map((word) => (word + sum) | 0)];
}

function finished(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
