import { Observable, Subject } from 'rxjs';
import { appendedElement } from '../../src/chart/appended-element.js';
import { paddedRange } from '../../src/chart/axis-ticks.js';
import { chartFigure } from '../../src/chart/chart-figure.js';
import { layerValuesIn } from '../../src/chart/layer-values.js';
import { legendIn } from '../../src/chart/legend.js';
import { panelIn } from '../../src/chart/panel.js';
import { pictureOf } from '../../src/chart/picture.js';
import { fillTable } from '../../src/chart/readings-table.js';
import { recordedRuns } from '../../src/chart/recorded-runs.js';
import { themes } from '../../src/chart/style.js';
import type { ChartOptions, ChartReading, SharpnessChart } from '../../src/chart.js';
import { sharpnessChart } from '../../src/chart.js';
import type { Problem } from '../../src/index.js';

/** Readings as of a training, without chance. */
export function readingAt(i: number, scale = 1): ChartReading {
  const value = scale * (30 + 40 * Math.exp(-i / 40) + 3 * Math.sin(i / 7) + 2 * Math.sin(i * 1.7));
  const parameters = ['conv', 'hidden', 'head'].map((layer, l) => ({
    name: `${layer}/kernel`,
    layer,
    trace: (value * (l + 1)) / 4,
    standardError: 0,
  }));
  return {
    step: 10 * (i + 1),
    epoch: Math.floor(i / 10),
    minimumSharpness: value,
    standardError: 0.05 * value,
    reliable: true,
    trace: value * (1.2 + i / 300),
    parameters,
    scales: [
      { layer: 'conv', alpha: 1 + Math.sin(i / 30) / 3 },
      { layer: 'hidden', alpha: 1 / (1 + i / 100) },
    ],
    samples: 1000,
    method: 'sampled',
    pairs: 256,
    exact: true,
    assumptions: [],
    durationMs: 10,
  };
}

export const problemAt = (i: number, kind: Problem['kind'] = 'failed'): Problem => ({
  kind,
  step: 10 * (i + 1) + 5,
  epoch: Math.floor(i / 10),
  message: 'the data has a value that is not finite.',
});

// A chart leaves frames out where they are late, as they are on a busy machine: here they are in time.
const ask = requestAnimationFrame;
let [frames, last] = [0, 0];
globalThis.requestAnimationFrame = (next) =>
  ask((now) => {
    frames += now === last ? 0 : 1;
    last = now;
    next(16 * frames);
  });

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** What the test calls in the page. */
const page = {
  chart: undefined as unknown as SharpnessChart,
  readings$: undefined as unknown as Subject<ChartReading>,
  problems$: undefined as unknown as Subject<Problem>,
  subscribed: 0,
  sharpnessChart,
  parts: {
    appendedElement,
    chartFigure,
    fillTable,
    layerValuesIn,
    legendIn,
    paddedRange,
    panelIn,
    pictureOf,
    recordedRuns,
    themes,
  },
  readingAt,
  problemAt,
  nextFrame,

  /** A chart of a stream that the test feeds. */
  begin(
    options: ChartOptions = {},
    place: Parameters<typeof sharpnessChart>[0] = document.querySelector('main'),
  ): void {
    page.readings$ = new Subject();
    page.problems$ = new Subject();
    const counted = <T>(subject: Subject<T>) =>
      new Observable<T>((subscriber) => {
        page.subscribed++;
        subject.subscribe(subscriber);
        return () => {
          page.subscribed--;
        };
      });
    page.chart = sharpnessChart(
      place,
      { readings$: counted(page.readings$), problems$: counted(page.problems$) },
      options,
    );
  },

  feed(count: number, from = 0, scale = 1): void {
    for (let i = from; i < from + count; i++) {
      page.readings$.next(readingAt(i, scale));
    }
  },

  /** Until everything is drawn: a thousand readings a frame. */
  async drawn(frames = 3): Promise<void> {
    for (let i = 0; i < frames; i++) {
      await nextFrame();
    }
  },
};

export type ChartPage = typeof page;
(globalThis as unknown as { page: ChartPage }).page = page;
