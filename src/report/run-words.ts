import { sharpnessOf, whenOf } from '../chart/reading-words.js';
import { digits } from '../measure/digits.js';
import { counted } from '../names.js';
import type { Flaw, ReportRun, RunPoint } from './report-run.js';
import { shortNames } from './short-names.js';

/** What flaws are called. */
export const flawWords: Readonly<Record<Flaw, string>> = {
  infinite: 'no finite number',
  collapsed: 'collapsed',
  unreliable: 'error not reliable',
};

const countedFlaws: Readonly<Record<Flaw, string>> = {
  infinite: 'without a finite number',
  collapsed: 'collapsed',
  unreliable: 'with an error that is not reliable',
};

/** `batch 375, epoch 3`, `step 375`, or the name of a checkpoint. */
export function placeOf(run: ReportRun, { at, reading, model }: RunPoint): string {
  return run.hasSteps ? whenOf(at, reading.epoch, run.unit) : (model ?? `reading ${digits(at, 15)}`);
}

/** Of readings with a number: none of them may be one that has collapsed, which says nothing of a minimum. */
const sound = (points: readonly RunPoint[]) =>
  points.filter(({ flaws }) => !flaws.includes('infinite') && !flaws.includes('collapsed'));

/** `last 27.42 ± 1.1 (batch 375), least 20.1 ± 0.9 (batch 100); 60 readings, 2 with an error that is not reliable; 1 problem` */
export function summaryOf(run: ReportRun): string {
  const { points, problems } = run;
  const said = (point: RunPoint) => `${sharpnessOf(point.reading)} (${placeOf(run, point)})`;
  const last = points.at(-1)!;
  const least = sound(points).reduce<RunPoint | undefined>(
    (a, b) => (a && a.reading.minimumSharpness <= b.reading.minimumSharpness ? a : b),
    undefined,
  );
  const hasFlaw = (flaw: Flaw) => points.filter(({ flaws }) => flaws.includes(flaw)).length;
  const flawed = (Object.keys(countedFlaws) as Flaw[]).flatMap((flaw) => {
    const count = hasFlaw(flaw);
    return count > 0 ? [`${count} ${countedFlaws[flaw]}`] : [];
  });
  const values =
    points.length === 1
      ? said(last)
      : [...(run.hasSteps ? [`last ${said(last)}`] : []), ...(least ? [`least ${said(least)}`] : [])].join(', ');
  return [
    ...(values === '' ? [] : [values]),
    [counted(points.length, run.hasSteps ? 'reading' : 'checkpoint'), ...flawed].join(', '),
    ...(problems.length > 0 ? [counted(problems.length, 'problem')] : []),
  ].join('; ');
}

/** The rows of checkpoints, a name each: those of one name in several runs lie in one row. */
export function checkpointNames(runs: readonly ReportRun[]): Map<RunPoint, string> {
  const full = runs.map((run) => {
    const seen = new Map<string, number>();
    return run.points.map((point) => {
      const name = placeOf(run, point);
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      return { point, name, count };
    });
  });
  const all = [...new Set(full.flat().map(({ name }) => name))];
  const short = new Map(shortNames(all).map((name, i) => [all[i]!, name]));
  return new Map(
    full
      .flat()
      .map(({ point, name, count }) => [point, count > 1 ? `${short.get(name)} (${count})` : short.get(name)!]),
  );
}
