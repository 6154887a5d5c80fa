/**
 * Counts the readings of `launches.ts` on one backend. Prints `{ "readings": [...] }`, null where the backend is not there.
 *
 * usage: npx tsx benchmarks/launches-reading.ts BACKEND [--quick]
 */
import { type BackendName, startBackend } from './backend.js';
import { countedReading } from './counted-reading.js';
import { type CountedReading, isQuick, launchSettings } from './launch-settings.js';

const [backend, option] = process.argv.slice(2) as [BackendName, string?];
let readings: CountedReading[] | null = null;
if (await startBackend(backend)) {
  readings = [];
  for (const setting of launchSettings(backend)) {
    if (option !== '--quick' || isQuick(setting)) {
      readings.push(await countedReading(setting));
    }
  }
}
// A GPU's threads may keep the process alive.
process.stdout.write(`${JSON.stringify({ readings })}\n`, () => process.exit());
