import type { Unsubscribable } from 'rxjs';
import { checkText } from '../checks.js';
import { lineOf } from '../warnings.js';
import { announcement } from './announcement.js';
import { chartFigure } from './chart-figure.js';
import { type ChartOptions, checkedChartOptions } from './chart-options.js';
import { type ChartSource, streamsOf } from './chart-source.js';
import { framePace } from './frame-pace.js';
import { type LayerValues, layerValuesIn } from './layer-values.js';
import { legendIn } from './legend.js';
import { type Panel, panelIn } from './panel.js';
import { pictureOf } from './picture.js';
import { colorOf, DASH, layerLines, sharpnessLines } from './plot-lines.js';
import { readingCursor } from './reading-cursor.js';
import { type ChartReading, layersOf, legendText, problemLine } from './reading-words.js';
import { csvOf } from './readings-csv.js';
import { fillTable } from './readings-table.js';
import { receivedProblem, receivedReading } from './received.js';
import { type Entry, type Run, recordedRuns } from './recorded-runs.js';
import { textOfLatest, textOfRow, timeOfRow } from './row-words.js';
import { adoptStyle } from './style.js';
import { svgOf } from './svg.js';
import { themeInUse } from './theme-in-use.js';
import { isWide, type ValueSpan } from './value-span.js';

/** Where a chart goes: an element of the page, or a surface of tfjs-vis, `tfvis.visor().surface({ name: 'Sharpness' })`. */
export type ChartPlace = HTMLElement | { readonly drawArea: HTMLElement };

/** A chart in a page; see {@link sharpnessChart}. */
export interface SharpnessChart {
  /** What was put into the page. */
  readonly element: HTMLElement;
  /**
   * Adds a reading by hand, of a worker for example.
   *
   * @param run the run that it belongs to, the first one where it is not given. A new name begins a new run.
   * @throws Error with one line where it is no reading, and for a name that is empty.
   */
  update(reading: ChartReading, run?: string): void;
  /**
   * Adds another run, in a color of its own.
   *
   * @throws Error with one line for a name that is taken or empty, and for a source that has no readings.
   */
  addRun(name: string, source?: ChartSource): void;
  /**
   * The chart as a PNG file, at twice its size in CSS pixels.
   *
   * @throws Error with one line where the page may not make pictures, or the browser none that large: it rejects.
   */
  toPNG(): Promise<Blob>;
  /** The chart as an SVG file: lines are paths, words are text. */
  toSVG(): string;
  /**
   * Every reading as one row, in the columns of `csvWriter` of `tfjs-sharpness/node`; with several runs, the name of the run comes first.
   */
  toCSV(): string;
  /** Removes the chart from the page and ends its subscriptions; what comes later is nothing. Files can still be made. */
  dispose(): void;
}

/** Readings and problems that one frame takes in, so that saved runs of many readings leave frames free. */
const A_FRAME = 1000;
const LAYER_SIZE = { width: 216, height: 144 };
/** Of the large plot, while its place has no width. */
const MAIN_WIDTH = 640;

let charts = 0;
/** uPlot keeps what it knows of a key for ever: those of charts that are gone are used again. */
const freeKeys: string[] = [];

/**
 * A live chart in a page: Minimum Sharpness over training batches with its 95% band, the plain trace, and one small plot a layer for its
 * trace (left) and alpha (right, dashed). What goes wrong is marked at the foot.
 *
 * ```ts
 * const sharpness = minimumSharpness({ data: xTrain });
 * const chart = sharpnessChart(document.querySelector('#sharpness'), sharpness);
 * await model.fit(xTrain, yTrain, { epochs: 50, callbacks: [sharpness] });
 * ```
 *
 * Readings are drawn in the next frame, however many come before it. Pointing at the plot shows the values there; so do the arrow keys,
 * Home, End and Page Up and Down when it has the focus, where screen readers say them. The heights of all parts are fixed: nothing in the
 * page moves when readings come. A reading that is infinite or not a number breaks the line and is marked; one whose error is not reliable
 * has a ring and no band. Where the steps of a run go back, as after loading a checkpoint, its line is replaced from there on, step by step.
 *
 * @param element an element of the page, or a surface of tfjs-vis. The chart is appended to it, as wide as it is.
 * @param source of the first run; without one, readings come by `update` and `addRun`.
 * @throws Error with one line for an element that is none, a source without readings, and for options that there are not.
 * @throws RangeError with one line for a height that is out of range.
 */
export function sharpnessChart(
  element: ChartPlace | null,
  source?: ChartSource,
  options: ChartOptions = {},
): SharpnessChart {
  const parent = placeOf(element);
  const settings = checkedChartOptions(options);
  const { name, title, height, scale } = settings;
  const page = parent.ownerDocument;
  const view = page.defaultView ?? globalThis.window;
  const key = freeKeys.pop() ?? `tfjs-sharpness-${++charts}`;

  const record = recordedRuns(settings);
  const { rows, runs } = record;
  const figure = chartFigure(page, settings, key);
  const legend = legendIn(figure.runs);
  const theme = themeInUse(view, settings.theme, (isPrinting) => {
    for (const run of runs) {
      legend.paint(run, colorOf(run, theme.now()));
    }
    // A printer does not wait for frames.
    if (isPrinting) {
      draw(true);
    } else {
      schedule();
    }
  });
  const main = panelIn(figure.main, {
    title: '',
    rows,
    marks: record.marks,
    size: { width: MAIN_WIDTH, height },
    isSmall: false,
    key,
    onCursor(row) {
      pointed = row;
      showValues(row ?? rowShown());
    },
  });
  const layers = new Map<string, { readonly panel: Panel; readonly values: LayerValues }>();
  const panels = () => [main, ...[...layers.values()].map(({ panel }) => panel)];
  const lastSteps = new Map<Run, number>();
  const texts = new Map<string, string>();
  const subscriptions: Unsubscribable[] = [];
  let queue: Entry[] = [];
  let pointed: number | null = null;
  let isDisposed = false;

  const cursor = readingCursor(figure.main, rows, record.latestRow, (row) => {
    main.plot?.point(row);
    showValues(row ?? rowShown());
    showSlider();
  });
  const news = announcement(() => {
    if (settings.announce) {
      figure.said.textContent = textOfLatest(record);
    }
    showSlider();
    if (figure.details.open) {
      fillTable(figure.table, record);
    }
  });
  /** Whose values to show where nothing is pointed at; -1 where there is none. */
  const rowShown = () => cursor.selected() ?? record.latestRow();
  /** @param isAll also of layers out of sight. */
  const showValues = (row: number, isAll = false) => {
    if (row < 0) {
      return;
    }
    const problem = record.at(row).find((entry) => entry.problem)?.problem;
    figure.when.textContent = problem ? `${timeOfRow(record, row)}: ${problemLine(problem)}` : timeOfRow(record, row);
    figure.when.title = problem?.message ?? '';
    figure.when.toggleAttribute('data-problem', problem !== undefined);
    for (const run of runs) {
      const reading = record.lastReading(run, row);
      legend.say(run, reading ? legendText(reading, settings.trace) : 'no reading yet');
    }
    const inLayers = runs.map((run) => {
      const reading = record.lastReading(run, row);
      return { name: run.name, color: colorOf(run, theme.now()), of: reading && layersOf(reading) };
    });
    for (const [layer, { panel, values }] of layers) {
      if (isAll || panel.isSeen) {
        values.say(inLayers.flatMap(({ of, ...run }) => (of?.has(layer) ? [{ ...run, values: of.get(layer)! }] : [])));
      }
    }
  };
  const showSlider = () => {
    const row = rowShown();
    if (row >= 0) {
      figure.main.setAttribute('aria-valuemin', '1');
      figure.main.setAttribute('aria-valuemax', String(rows.x.length));
      figure.main.setAttribute('aria-valuenow', String(row + 1));
      figure.main.setAttribute('aria-valuetext', textOfRow(record, row));
    }
  };

  const isLog = (span: ValueSpan) => scale === 'log' || (scale === 'auto' && isWide(span));
  /** @param isAll also what is out of sight. */
  const draw = (isAll = false) => {
    // uPlot would keep a plot that is made out of the page.
    if (!isAll && !figure.element.isConnected) {
      return;
    }
    const now = theme.now();
    if (isAll || main.isSeen) {
      main.draw({ lines: sharpnessLines(record, now, settings.trace), isLog: isLog(record.span), theme: now });
    }
    for (const [layer, { panel }] of layers) {
      if (isAll || panel.isSeen) {
        panel.draw({ lines: layerLines(record, now, layer), isLog: isLog(record.layers.get(layer)!), theme: now });
      }
    }
    const selected = cursor.selected();
    if (selected !== undefined) {
      main.plot?.point(selected);
    }
    if (isAll || (selected === undefined && pointed === null)) {
      showValues(pointed ?? rowShown(), isAll);
    }
  };
  const absorb = (count: number) => {
    const next = queue.slice(0, count);
    queue = queue.slice(count);
    record.take(next);
    for (const layer of record.layers.keys()) {
      if (!layers.has(layer)) {
        addLayer(layer);
      }
    }
    for (const panel of panels()) {
      panel.isStale = true;
    }
    if (next.length > 0 && figure.element.isConnected) {
      news.tell();
    }
  };
  const frames = framePace(view, () => {
    try {
      absorb(A_FRAME);
      draw();
    } finally {
      if (queue.length > 0) {
        schedule();
      }
    }
  });
  const schedule = () => {
    if (!isDisposed) {
      frames.ask();
    }
  };

  const add = (entry: Entry) => {
    if (!isDisposed) {
      queue.push(entry);
      schedule();
    }
  };
  const addReading = (run: Run, reading: ChartReading) => {
    const received = receivedReading(reading, texts);
    // One after the last: an earlier step would replace what was drawn.
    const step = received.step ?? (lastSteps.get(run) ?? 0) + 1;
    lastSteps.set(run, step);
    add({ run, step, reading: received });
  };
  const newRun = (runName: string): Run => {
    checkText('sharpnessChart: name of a run', runName);
    if (runs.some((run) => run.name === runName)) {
      throw new Error(`sharpnessChart: there is a run '${runName}' already: give each its own name.`);
    }
    const run = record.addRun(runName);
    legend.add(run, colorOf(run, theme.now()));
    schedule();
    return run;
  };
  const addRun = (runName: string, from?: ChartSource) => {
    const streams = streamsOf(from);
    if (isDisposed) {
      return;
    }
    const run = newRun(runName);
    if (streams) {
      const addProblem = (given: unknown) => {
        const { step = lastSteps.get(run) ?? 0, ...problem } = receivedProblem(given);
        add({ run, step, problem });
      };
      const fail = (error: unknown) => addProblem({ message: lineOf(error) });
      subscriptions.push(
        streams.readings$.subscribe({ next: (reading) => addReading(run, reading), error: fail }),
        ...(streams.problems$ ? [streams.problems$.subscribe({ next: addProblem, error: fail })] : []),
      );
    }
  };

  figure.element.addEventListener('pointermove', ({ target }) => {
    // Over a plot, uPlot moves its cursor; elsewhere it would stay where the keys have put it.
    if ((target as Element).closest('.u-over')) {
      cursor.release();
    } else {
      cursor.leave();
    }
  });
  figure.details.addEventListener('toggle', () => {
    if (figure.details.open) {
      fillTable(figure.table, record);
    } else {
      figure.table.replaceChildren();
    }
  });
  /** Sizes change also where the chart is taken out of the page, and put into it, wherever that is scrolled to. */
  const sizes = new view.ResizeObserver(() => {
    if (figure.element.isConnected) {
      theme.follow();
    } else {
      letGo();
    }
    for (const panel of panels()) {
      panel.fit();
    }
    const selected = cursor.selected();
    if (selected !== undefined) {
      main.plot?.point(selected);
    }
  });
  const sights = new view.IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const panel = panels().find(({ place }) => place === target);
      if (panel) {
        panel.isSeen = isIntersecting;
        if (isIntersecting && panel.isStale) {
          schedule();
        }
      }
    }
    // Out of sight, a layer has not been told which batch is shown.
    if (changes.some(({ isIntersecting }) => isIntersecting)) {
      showValues(pointed ?? rowShown());
    }
  });
  /** Out of the page, the chart is held by the stream alone: uPlot keeps a list of all plots. */
  const letGo = () => {
    theme.leave();
    news.stop();
    for (const panel of panels()) {
      panel.dispose();
    }
  };
  const watch = ({ place }: Panel) => {
    if (!isDisposed) {
      sizes.observe(place);
      sights.observe(place);
    }
  };
  function addLayer(layer: string): void {
    const { place, values } = figure.addLayer(layer);
    const panel = panelIn(place, { title: layer, rows, marks: [], size: LAYER_SIZE, isSmall: true, key });
    layers.set(layer, { panel, values: layerValuesIn(values) });
    watch(panel);
  }

  addRun(name, source);
  parent.append(figure.element);
  adoptStyle(figure.element);
  theme.follow();
  watch(main);
  draw();

  const toSVG = () => {
    absorb(queue.length);
    draw(true);
    const { background, ink, grid, quiet } = theme.now();
    const svg = svgOf({
      title,
      legend: [
        ...runs.map((run) => ({ name: run.name, color: colorOf(run, theme.now()), dash: [] })),
        ...(settings.trace ? [{ name: 'plain trace', color: quiet, dash: DASH }] : []),
      ],
      colors: { background, ink, grid },
      main: main.plot!.drawn(),
      layers: [...layers.values()].map(({ panel }) => panel.plot!.drawn()),
    });
    if (!figure.element.isConnected) {
      letGo();
    }
    return svg;
  };
  return {
    element: figure.element,
    update(reading, runName = name) {
      if (isDisposed) {
        return;
      }
      addReading(runs.find((run) => run.name === runName) ?? newRun(runName), reading);
    },
    addRun,
    toSVG,
    toPNG: async () => pictureOf(toSVG(), page),
    toCSV() {
      absorb(queue.length);
      schedule();
      return csvOf(record);
    },
    dispose() {
      if (isDisposed) {
        return;
      }
      isDisposed = true;
      freeKeys.push(key);
      for (const subscription of subscriptions) {
        subscription.unsubscribe();
      }
      frames.stop();
      sizes.disconnect();
      sights.disconnect();
      letGo();
      figure.element.remove();
    },
  };
}

function placeOf(element: ChartPlace | null): HTMLElement {
  const place = element !== null && typeof element === 'object' && 'drawArea' in element ? element.drawArea : element;
  if (typeof place?.append !== 'function' || !place.ownerDocument) {
    throw new Error(
      'sharpnessChart: the element is missing. Pass one of the page, or a surface of tfjs-vis: sharpnessChart(element, sharpness).',
    );
  }
  return place;
}
