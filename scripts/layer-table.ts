/*
 * Prints the table of layers as Markdown, from the table that the package works by:
 *
 *     npx tsx scripts/layer-table.ts
 */
import { type LayerAnswer, type LayerSupport, layerTable } from '../src/curvature/layers/table.js';

const meaning: Readonly<Record<LayerSupport, string>> = {
  exact: 'exact: gradient norms in closed form',
  delta: 'no weights: deltas pass',
  generic: 'generic: through tf.js, one gradient a sample and column; its scale is fixed',
  unfolded: 'taken apart into its layers',
  refused: 'refused',
};

const rows = new Map<string, { answer: LayerAnswer; names: string[] }>();
for (const [name, answer] of Object.entries(layerTable)) {
  const key = JSON.stringify([answer.support, answer.wasm, answer.note]);
  const row = rows.get(key) ?? { answer, names: [] };
  row.names.push(name);
  rows.set(key, row);
}

console.log('| layers | measured | wasm | |');
console.log('| --- | --- | --- | --- |');
for (const { answer, names } of rows.values()) {
  const wasm = answer.support === 'refused' ? '' : answer.wasm ? 'yes' : 'no';
  console.log(`| ${names.join(', ')} | ${meaning[answer.support]} | ${wasm} | ${answer.note ?? ''} |`);
}
