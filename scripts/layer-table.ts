/*
 * Writes the table of layers into docs/what-is-exact.md, between its markers, from the table that the package works by:
 *
 *     npx tsx scripts/layer-table.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type LayerAnswer, type LayerSupport, layerTable } from '../src/network/layers/table.js';

const meaning: Readonly<Record<LayerSupport, string>> = {
  exact: 'exact norms of its weights',
  delta: 'no weights of its own',
  generic: 'generic',
  unfolded: 'its layers take its place',
  refused: 'refused',
};

const [begin, end] = ['<!-- layers: npx tsx scripts/layer-table.ts -->', '<!-- /layers -->'];

/** The page with the table of layers as it is now. */
export function withLayerTable(page: string): string {
  const rows = new Map<string, { answer: LayerAnswer; names: string[] }>();
  for (const [name, answer] of Object.entries(layerTable)) {
    const key = JSON.stringify([answer.support, answer.wasm, answer.note]);
    const row = rows.get(key) ?? { answer, names: [] };
    row.names.push(`\`${name}\``);
    rows.set(key, row);
  }
  const lines = [...rows.values()].map(({ answer, names }) => {
    const wasm = answer.support === 'refused' ? '' : answer.wasm ? 'yes' : 'no';
    return `| ${names.join(', ')} | ${meaning[answer.support]} | ${wasm} | ${answer.note ?? ''} |`;
  });
  const table = ['| layers | measured | wasm | |', '| --- | --- | --- | --- |', ...lines].join('\n');
  const [first, last] = [page.indexOf(begin), page.indexOf(end)];
  if (first < 0 || last < first) {
    throw new Error(`docs/what-is-exact.md lacks the markers ${begin} and ${end}.`);
  }
  return `${page.slice(0, first + begin.length)}\n${table}\n${page.slice(last)}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const page = new URL('../docs/what-is-exact.md', import.meta.url);
  writeFileSync(page, withLayerTable(readFileSync(page, 'utf8')));
}
