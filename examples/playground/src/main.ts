import { Subject } from 'rxjs';
import type { Problem, SharpnessReading } from 'tfjs-sharpness';
import { type RecordedRun, readingsCsv } from './readings-csv.js';
import { hashOf, remarksOn, type Settings, settingsOfHash } from './settings.js';
import type { Command, Report } from './training/messages.js';
import { pageTrainer, type Trainer, workerTrainer } from './training/trainer.js';
import { element } from './views/elements.js';
import { lineChart } from './views/line-chart.js';
import { percent, sharpnessRemarks, short } from './views/numbers.js';
import { rescalingPanel } from './views/rescaling-panel.js';
import { scenePicture } from './views/scene-picture.js';
import { settingsForm } from './views/settings-form.js';
import { sharpnessCurves } from './views/sharpness-curves.js';

type Place = Settings['place'];
type State = 'idle' | 'starting' | 'training' | 'paused';

/** What the page remembers of a run. */
interface ShownRun extends RecordedRun {
  readonly readings$: Subject<SharpnessReading>;
  readonly problems$: Subject<Problem>;
  /** Whether anybody knows why there may be no reading. */
  isExplained: boolean;
  /** Why the last reading that was due was not tried. */
  skipped?: string;
}

let state: State = 'idle';
let place: Place = 'worker';
/** Where backends were looked for. */
let lookedIn: Place | undefined;
let number = 0;
/** About settings that cannot be had. */
let notes: readonly string[] = [];
const runs: ShownRun[] = [];
const trainers = new Map<Place, Trainer>();

const start = element('start', HTMLButtonElement);
const pause = element('pause', HTMLButtonElement);
const stop = element('stop', HTMLButtonElement);
/** Said by screen readers; what changes all the time stands in `progress`. */
const status = element('status', HTMLParagraphElement);
const progress = element('progress', HTMLParagraphElement);
const notice = element('notice', HTMLParagraphElement);
const csv = element('csv', HTMLButtonElement);
const text = (id: string, value: string) => {
  element(id, HTMLElement).textContent = value;
};

const curves = sharpnessCurves(element('curves', HTMLDivElement));
const both = (colour: string) => [
  { label: 'training', colour },
  { label: 'test', colour, dashed: true },
];
const losses = lineChart(element('loss-chart', HTMLDivElement), both('ink'));
const accuracies = lineChart(element('accuracy-chart', HTMLDivElement), both('ink'), { percentages: true });
const picture = scenePicture(element('scene', HTMLCanvasElement), element('scene-caption', HTMLParagraphElement));
const rescaling = rescalingPanel((layer, factor) => send({ kind: 'rescale', layer, factor }));
const form = settingsForm(element('settings', HTMLFormElement), element('reasons', HTMLUListElement), () => {
  history.pushState(null, '', address());
  settled(form.read().notes);
});

/** Of the page with its settings. */
function address(): string {
  const hash = hashOf(form.read().settings);
  return hash === '' ? location.pathname + location.search : `#${hash}`;
}

/** Training in that place; made when it is first needed. */
function trainer(where: Place): Trainer {
  const made =
    trainers.get(where) ?? (where === 'worker' ? workerTrainer : pageTrainer)((message) => take(message, where));
  trainers.set(where, made);
  return made;
}

const send = (command: Command) => trainer(place).send(command);

let said: readonly string[] = [];
function say(lines: readonly string[]): void {
  said = lines;
  notice.textContent = lines.join('\n');
  notice.hidden = lines.length === 0;
}

/** One more line, and the two before it. */
function sayAlso(line: string): void {
  if (!said.includes(line)) {
    say([...said, line].slice(-3));
  }
}

/** A trainer that cannot be used any more; the next one begins with nothing. */
function discard(where: Place): void {
  trainers.get(where)?.dispose();
  trainers.delete(where);
}

/** What a run says is all. */
function complete(run: ShownRun | undefined): void {
  run?.readings$.complete();
  run?.problems$.complete();
}

/** A worker may have other backends than the page. */
function lookForBackends(): void {
  const { settings } = form.read();
  if (lookedIn !== settings.place) {
    lookedIn = settings.place;
    trainer(lookedIn).send({ kind: 'look for backends' });
  }
}

/** After a change of settings: what is wrong with them, and whether training can start. */
function settled(about: readonly string[]): void {
  notes = about;
  lookForBackends();
  const conflict = form.conflict();
  say([...notes, ...(conflict === undefined ? remarksOn(form.read().settings) : [conflict])]);
  start.disabled = conflict !== undefined || state === 'starting';
}

function enter(next: State): void {
  state = next;
  document.body.dataset.state = next;
  start.textContent = runs.length === 0 ? 'Start training' : 'Start again';
  start.disabled = next === 'starting' || form.conflict() !== undefined;
  pause.disabled = next === 'idle' || next === 'starting';
  pause.textContent = next === 'paused' ? 'Resume' : 'Pause';
  stop.disabled = next === 'idle';
  if (next === 'idle' || next === 'starting') {
    progress.textContent = '';
  }
}

/** Settings of the address: at the beginning, and after the back button. */
function follow(): void {
  // The page has one link to a place in itself, which may be opened in a tab of its own.
  const { settings, notes } = settingsOfHash(
    location.hash === '#rescaling' ? hashOf(form.read().settings) : location.hash,
  );
  form.show(settings);
  settled(notes);
}

function take(report: Report, from: Place): void {
  if (report.kind === 'backends') {
    if (from === lookedIn) {
      form.showBackends(report.states);
      settled(notes);
    }
    return;
  }
  if ('run' in report && report.run !== number && report.run !== 0) {
    return;
  }
  const run = runs.at(-1);
  switch (report.kind) {
    case 'started': {
      const { settings } = run!;
      rescaling.begin(report.layers);
      picture.begin(report.scene);
      enter('training');
      status.textContent = `${report.weights.toLocaleString('en')} weights, ${report.samples.toLocaleString('en')} samples, on ${settings.backend}, ${from === 'worker' ? 'in a worker' : 'in this page'}.`;
      break;
    }
    case 'batch':
      text('loss', short(report.loss));
      text('accuracy', percent(report.accuracy));
      if (state === 'training') {
        progress.textContent = `Epoch ${report.epoch + 1} of ${run!.settings.epochs}, step ${report.step}.`;
      }
      break;
    case 'epoch': {
      const { loss, accuracy, testLoss, testAccuracy, epoch } = report.end;
      run!.epochs.push(report.end);
      text('loss', short(loss));
      text('accuracy', percent(accuracy));
      text('test-accuracy', percent(testAccuracy));
      losses.add(epoch + 1, [loss, testLoss]);
      accuracies.add(epoch + 1, [accuracy, testAccuracy]);
      break;
    }
    case 'reading': {
      const { minimumSharpness, trace } = report.reading;
      run!.readings.push(report.reading);
      run!.readings$.next(report.reading);
      text('ms', short(minimumSharpness, 4));
      text('ms-remarks', sharpnessRemarks(report.reading));
      text('trace', short(trace));
      csv.disabled = false;
      break;
    }
    case 'outlook':
      picture.show(report.outlook);
      break;
    case 'rescaled':
      rescaling.show(report.rescaled);
      break;
    case 'not rescaled':
      rescaling.fail(report.message);
      break;
    case 'problem':
      run!.problems$.next(report.problem);
      // One that was skipped is a mark in the chart: `in a fifth of the time` skips as it should.
      if (report.problem.kind === 'failed') {
        run!.isExplained = true;
        sayAlso(report.problem.message);
      } else {
        run!.skipped = report.problem.message;
      }
      break;
    case 'warning':
      sayAlso(report.message);
      break;
    case 'ended':
      status.textContent = report.message;
      document.body.dataset.tensors = String(report.tensors);
      complete(run);
      if (run!.readings.length === 0 && !run!.isExplained) {
        sayAlso(
          run!.skipped ??
            'No reading was due in so short a training: measure after every epoch, or train for more epochs.',
        );
      }
      enter('idle');
      break;
    case 'failed':
      say([report.message]);
      if (from === 'worker' || report.run === 0) {
        discard(from);
      }
      // Another place, where backends were looked for.
      if (from !== place) {
        break;
      }
      if (state !== 'idle') {
        status.textContent = 'Training has ended.';
      }
      rescaling.begin([]);
      complete(run);
      enter('idle');
      break;
  }
}

element('settings', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const { settings, notes: about } = form.read();
  if (form.conflict() !== undefined) {
    return;
  }
  if (settings.place !== place && trainers.has(place)) {
    send({ kind: 'stop' });
  }
  place = settings.place;
  number++;
  complete(runs.at(-1));
  const run: ShownRun = {
    number,
    settings,
    readings: [],
    epochs: [],
    readings$: new Subject(),
    problems$: new Subject(),
    isExplained: false,
  };
  runs.push(run);
  curves.addRun(`run ${number}`, run);
  losses.clear();
  accuracies.clear();
  for (const id of ['ms', 'trace', 'loss', 'accuracy', 'test-accuracy']) {
    text(id, '–');
  }
  text('ms-remarks', '');
  rescaling.begin([]);
  say([...about, ...remarksOn(settings)]);
  enter('starting');
  status.textContent = 'Starting …';
  send({ kind: 'start', run: number, settings });
});
pause.addEventListener('click', () => {
  send({ kind: state === 'paused' ? 'resume' : 'pause' });
  const paused = state !== 'paused';
  enter(paused ? 'paused' : 'training');
  status.textContent = paused ? 'Paused.' : 'Training.';
});
stop.addEventListener('click', () => {
  const run = runs.at(-1);
  if (state === 'starting') {
    // What it waits for may never come.
    discard(place);
    complete(run);
    status.textContent = 'Stopped before it had begun.';
    enter('idle');
    return;
  }
  run!.isExplained = true;
  send({ kind: 'stop' });
  status.textContent = 'Stopping …';
});
csv.addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([readingsCsv(runs)], { type: 'text/csv' }));
  link.download = 'readings.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
element('share', HTMLButtonElement).addEventListener('click', async () => {
  // The address may name a place in the page.
  history.replaceState(null, '', address());
  const copied = await navigator.clipboard?.writeText(location.href).then(
    () => true,
    () => false,
  );
  status.textContent = copied
    ? 'The link is copied: it holds all settings.'
    : 'The address of this page holds all settings: copy it.';
});
element('to-rescaling', HTMLAnchorElement).addEventListener('click', (event) => {
  // The part of the address from # on holds the settings.
  event.preventDefault();
  const section = element('rescaling', HTMLElement);
  section.scrollIntoView();
  section.focus({ preventScroll: true });
});
addEventListener('popstate', follow);

if (matchMedia('(max-width: 55.99rem)').matches) {
  element('settings-details', HTMLDetailsElement).open = false;
}
follow();
enter('idle');
