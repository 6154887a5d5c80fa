import type { Observable, Unsubscribable } from 'rxjs';
import { checkBoolean, checkKnownOptions, checkNumber, checkOneOf, checkText } from '../checks.js';
import { csvLine, readingRow } from '../measure/reading-row.js';
import type { Problem } from '../training/problems.js';
import { lineOf } from '../warnings.js';
import { type AlignedRows, alignedRows } from './aligned-rows.js';
import { type Plot, type PlotLine, type PlotMark, plotIn } from './plot.js';
import {
  type ChartReading,
  digits,
  HALF_INTERVAL,
  layersOf,
  problemLine,
  sharpnessOf,
  valuesOf,
  whenOf,
} from './reading-words.js';
import { adoptStyle, type Theme, type ThemeName, themes } from './style.js';
import { svgOf } from './svg.js';

/** Where a chart goes: an element of the page, or a surface of tfjs-vis, `tfvis.visor().surface({ name: 'Sharpness' })`. */
export type ChartPlace = HTMLElement | { readonly drawArea: HTMLElement };

/** Where readings come from: a stream of them, or what has one: the callback, a monitor. `problems$` become marks. */
export type ChartSource =
  | Observable<ChartReading>
  | { readonly readings$: Observable<ChartReading>; readonly problems$?: Observable<Problem> };

/** How a chart looks. */
export interface ChartOptions {
  /** Name of the first run. Default `'run 1'`. */
  readonly name?: string;
  /** Above the chart, and its name for screen readers. Default `'Minimum Sharpness'`. */
  readonly title?: string;
  /** Height of the large plot in CSS pixels, at least 120. Default 280. */
  readonly height?: number;
  /** The vertical axis. `'auto'`, the default: logarithmic once values are a factor of 20 apart and none is below 0. */
  readonly scale?: 'auto' | 'linear' | 'log';
  /** Whether the plain trace is drawn too, dashed. Default true. */
  readonly trace?: boolean;
  /** Whether there is one small plot a layer, of its trace and its alpha. Default true. */
  readonly layers?: boolean;
  /** `'auto'`, the default, is what the reader's system prefers. The visor of tfjs-vis is always light. */
  readonly theme?: 'auto' | 'light' | 'dark';
}

/** A chart in a page; see {@link sharpnessChart}. */
export interface SharpnessChart {
  /** What was put into the page. */
  readonly element: HTMLElement;
  /**
   * Adds a reading by hand, of a worker for example.
   *
   * @param run the run that it belongs to, the first one where it is not given. A new name begins a new run.
   * @throws Error with one line where it is no reading.
   */
  update(reading: ChartReading, run?: string): void;
  /**
   * Adds another run, in a color of its own.
   *
   * @throws Error with one line for a name that is taken or empty, and for a source that has no readings.
   */
  addRun(name: string, source?: ChartSource): void;
  /** The chart as a picture, at twice its size in CSS pixels. */
  toPNG(): Promise<Blob>;
  /** The chart as an SVG file: lines are paths, words are text. */
  toSVG(): string;
  /**
   * Every reading as one row, in the columns of `csvWriter` of `tfjs-sharpness/node`; with several runs, the name of the run comes first.
   */
  toCSV(): string;
  /** Removes the chart from the page and ends its subscriptions. */
  dispose(): void;
}

const known: Readonly<Record<keyof ChartOptions, true>> = {
  name: true,
  title: true,
  height: true,
  scale: true,
  trace: true,
  layers: true,
  theme: true,
};

/** Readings and problems that one frame takes in, so that saved runs of many readings leave frames free. */
const A_FRAME = 1000;
/** The least time between two announcements to screen readers, in milliseconds. */
const SAID_EVERY = 5000;
const TABLE_ROWS = 200;
const LAYER_SIZE = { width: 216, height: 144 } as const;
const DASH = [5, 4];
/** Values further apart get a logarithmic axis. */
const FAR_APART = 20;

/** One thing that happened, in the order in which it came. */
type Entry = { readonly run: Run; readonly step: number } & (
  | { readonly reading: ChartReading; readonly problem?: undefined }
  | {
      readonly problem: Pick<Problem, 'kind' | 'message'> & Partial<Pick<Problem, 'epoch'>>;
      readonly reading?: undefined;
    }
);

interface Run {
  readonly name: string;
  readonly index: number;
  readonly columns: { readonly value: number; readonly high: number; readonly low: number; readonly trace: number };
  readonly layers: Map<string, { readonly trace: number; alpha?: number }>;
  readonly readings: Map<number, ChartReading>;
  readonly swatch: HTMLElement;
  readonly value: HTMLElement;
  count: number;
  lastStep: number;
}

/** What values an axis has to show. */
interface Span {
  least: number;
  most: number;
  isNegative: boolean;
}

interface LayerPanel {
  readonly place: HTMLElement;
  readonly words: HTMLElement;
  readonly span: Span;
  readonly view: View;
}

/** A plot, where it is, and whether it has to be made or drawn anew. */
interface View {
  readonly place: HTMLElement;
  plot?: Plot;
  isLog: boolean;
  isSeen: boolean;
  isStale: boolean;
}

let charts = 0;

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
 * page moves when readings come. A reading that is infinite or not a number breaks the line and is marked.
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
  const { name, title, height, scale, trace, layers: hasLayers, theme } = checkedOptions(options);
  const page = parent.ownerDocument;
  const view = page.defaultView ?? globalThis.window;
  const key = `tfjs-sharpness-${++charts}`;

  const rows = alignedRows();
  const runs: Run[] = [];
  const entries: Entry[] = [];
  const atStep = new Map<number, Entry[]>();
  const marks: PlotMark[] = [];
  const span = noSpan();
  const panels = new Map<string, LayerPanel>();
  const subscriptions: Unsubscribable[] = [];
  let queue: Entry[] = [];
  let frame: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasNews = false;
  /** Where the keys have put the cursor; undefined while it follows the last reading. */
  let selected: number | undefined;
  let isPointing = false;
  let isDisposed = false;

  const figure = page.createElement('figure');
  figure.className = 'tfjs-sharpness-chart';
  if (theme !== 'auto') {
    figure.dataset.theme = theme;
  }
  const caption = added(figure, 'figcaption', title);
  caption.id = `${key}-title`;
  figure.setAttribute('aria-labelledby', caption.id);
  const when = added(figure, 'div', 'No reading yet');
  when.className = 'when';
  const legend = added(figure, 'ul');
  legend.className = 'runs';
  const main: View = viewIn(figure, 'plot main');
  main.place.style.height = `${height}px`;
  main.place.tabIndex = 0;
  for (const [attribute, value] of Object.entries({
    role: 'slider',
    'aria-label': `${title}, reading`,
    'aria-orientation': 'horizontal',
    'aria-valuemin': '0',
    'aria-valuemax': '0',
    'aria-valuenow': '0',
    'aria-valuetext': 'No reading yet',
  })) {
    main.place.setAttribute(attribute, value);
  }
  added(
    figure,
    'p',
    `Over training batches. Band: 95% interval.${trace ? ' Dashed: plain trace.' : ''} Triangle: a problem.`,
  ).className = 'key';
  const strip = page.createElement('div');
  strip.className = 'layers';
  strip.tabIndex = 0;
  strip.setAttribute('role', 'group');
  strip.setAttribute('aria-label', 'Trace (left axis) and alpha (right axis, dashed) of each layer');
  if (hasLayers) {
    figure.append(strip);
  }
  const details = added(figure, 'details');
  added(details, 'summary', 'Readings as a table');
  const tablePlace = added(details, 'div');
  tablePlace.className = 'table';
  tablePlace.tabIndex = 0;
  tablePlace.setAttribute('role', 'group');
  tablePlace.setAttribute('aria-label', 'Readings');
  const said = added(figure, 'div');
  said.className = 'said';
  said.setAttribute('aria-live', 'polite');

  const prefersDark = view.matchMedia?.('(prefers-color-scheme: dark)');
  const themeNow = (): Theme =>
    themes[theme === 'auto' ? ((prefersDark?.matches ? 'dark' : 'light') as ThemeName) : theme];
  const colorOf = ({ index }: Run) => themeNow().runs[index % themeNow().runs.length]!;
  const views = () => [main, ...[...panels.values()].map((panel) => panel.view)];

  const linesOf = (layer?: string): PlotLine[] =>
    runs.flatMap((run): PlotLine[] => {
      const color = colorOf(run);
      if (layer === undefined) {
        const { value, high, low, trace: plain } = run.columns;
        return [
          ...(trace ? [{ column: plain, color, width: 1.25, dash: DASH }] : []),
          { column: value, color, band: { high, low } },
        ];
      }
      const columns = run.layers.get(layer);
      return columns
        ? [
            { column: columns.trace, color, width: 1.5 },
            ...(columns.alpha === undefined
              ? []
              : [{ column: columns.alpha, color, width: 1.25, dash: DASH, axis: 'right' } as const]),
          ]
        : [];
    });
  const widthOf = (place: HTMLElement, otherwise: number) => (place.clientWidth > 0 ? place.clientWidth : otherwise);

  const makePlot = (of: View, layer?: string) => {
    of.plot?.dispose();
    of.isLog = scale === 'log' || (scale === 'auto' && isWide(layer === undefined ? span : panels.get(layer)!.span));
    of.plot = plotIn(of.place, {
      title: layer ?? '',
      rows,
      lines: linesOf(layer),
      marks: layer === undefined ? marks : [],
      isLog: of.isLog,
      theme: themeNow(),
      size:
        layer === undefined
          ? { width: widthOf(of.place, 640), height }
          : { width: widthOf(of.place, LAYER_SIZE.width), height: LAYER_SIZE.height },
      isSmall: layer !== undefined,
      key,
      ...(layer === undefined && { onCursor: point }),
    });
    of.isStale = false;
  };
  const dropPlots = () => {
    for (const each of views()) {
      each.plot?.dispose();
      each.plot = undefined;
    }
  };

  /** Whose words to show: those at the cursor, or the last ones. */
  const rowShown = () => {
    const at = selected === undefined ? rows.x.length - 1 : rows.lastAtOrBefore(selected);
    return at < 0 ? undefined : at;
  };
  const lastReadingOf = (run: Run, row: number): ChartReading | undefined => {
    const column = rows.columns[run.columns.value]!;
    for (let at = row; at >= 0; at--) {
      if (column[at] !== undefined) {
        return run.readings.get(rows.x[at]!);
      }
    }
    return undefined;
  };
  const textAt = (row: number): string => {
    const here = atStep.get(rows.x[row]!) ?? [];
    const words = here.map(({ run, reading, problem }) => {
      const text = reading ? valuesOf(reading) : problemLine(problem);
      return runs.length > 1 ? `${run.name}: ${text}` : text;
    });
    return [whenOf(rows.x[row]!, epochOf(here)), ...new Set(words)].join('; ');
  };
  const showValues = (row = rowShown()) => {
    if (row === undefined) {
      return;
    }
    const here = atStep.get(rows.x[row]!) ?? [];
    const problem = here.find((entry) => entry.problem)?.problem;
    const time = whenOf(rows.x[row]!, epochOf(here));
    when.textContent = problem ? `${time}: ${problemLine(problem)}` : time;
    when.title = problem?.message ?? '';
    when.toggleAttribute('data-problem', problem !== undefined);
    for (const run of runs) {
      const reading = lastReadingOf(run, row);
      run.value.textContent = reading ? legendText(reading, trace) : 'no reading yet';
    }
    for (const [layer, { words }] of panels) {
      const [run] = runs.filter((each) => each.layers.has(layer));
      const reading = run && lastReadingOf(run, row);
      words.textContent = reading ? layerText(layersOf(reading).get(layer)) : '';
    }
  };
  const showSlider = (row = rowShown()) => {
    if (row !== undefined) {
      main.place.setAttribute('aria-valuemin', '1');
      main.place.setAttribute('aria-valuemax', String(rows.x.length));
      main.place.setAttribute('aria-valuenow', String(row + 1));
      main.place.setAttribute('aria-valuetext', textAt(row));
    }
  };
  function point(row: number | null): void {
    isPointing = row !== null && selected === undefined;
    showValues(row ?? undefined);
  }

  const say = () => {
    timer = undefined;
    const last = rows.x.length - 1;
    if (!hasNews || last < 0) {
      return;
    }
    hasNews = false;
    said.textContent = textAt(last);
    showSlider();
    if (details.open) {
      fillTable();
    }
    timer = setTimeout(say, SAID_EVERY);
  };

  function fillTable(): void {
    const shown = entries.slice(-TABLE_ROWS);
    const columns = [...(runs.length > 1 ? ['Run'] : []), 'Batch', 'Epoch', 'Minimum Sharpness', 'Trace', 'Problem'];
    const table = page.createElement('table');
    const total = entries.length > shown.length ? `The last ${shown.length} of ${entries.length}` : 'All readings';
    added(table, 'caption', `${total}, with half the 95% interval`);
    const head = added(added(table, 'thead'), 'tr');
    for (const column of columns) {
      added(head, 'th', column).setAttribute('scope', 'col');
    }
    const body = added(table, 'tbody');
    for (const { run, step, reading, problem } of shown) {
      const row = added(body, 'tr');
      const epoch = (reading ?? problem)?.epoch;
      const cells = [
        ...(runs.length > 1 ? [run.name] : []),
        String(step),
        epoch === undefined ? '' : String(epoch + 1),
        reading ? sharpnessOf(reading) : '',
        reading?.trace === undefined ? '' : digits(reading.trace),
        problem ? problemLine(problem) : '',
      ];
      for (const cell of cells) {
        added(row, 'td', cell);
      }
    }
    tablePlace.replaceChildren(table);
  }

  const panelOf = (layer: string): LayerPanel => {
    const found = panels.get(layer);
    if (found) {
      return found;
    }
    const place = added(strip, 'div');
    place.className = 'layer';
    const words = added(place, 'p');
    added(words, 'b', layer);
    const values = added(words, 'span');
    const plotView = viewIn(place, 'plot');
    plotView.place.setAttribute('role', 'img');
    plotView.place.setAttribute('aria-label', `Trace and alpha of the layer ${layer}`);
    const panel = { place, words: values, span: noSpan(), view: plotView };
    panels.set(layer, panel);
    watch(plotView);
    return panel;
  };

  /** Puts one entry into the rows. */
  const take = (entry: Entry) => {
    const { run, step, reading, problem } = entry;
    entries.push(entry);
    const row = rows.rowAt(step);
    atStep.set(step, [...(atStep.get(step) ?? []), entry]);
    if (problem) {
      marks.push({
        at: step,
        color: themeNow()[problem.kind],
        text: `${whenOf(step, problem.epoch)}: ${problemLine(problem)}`,
      });
      return;
    }
    run.readings.set(step, reading);
    const { minimumSharpness: value, standardError = 0 } = reading;
    const half = HALF_INTERVAL * standardError;
    const { columns } = run;
    put(rows, columns.value, row, value, span);
    put(rows, columns.high, row, value + half);
    put(rows, columns.low, row, value - half);
    if (!Number.isFinite(value)) {
      const text = `${whenOf(step, reading.epoch)}: Minimum Sharpness is ${value}`;
      marks.push({ at: step, color: themeNow().failed, text });
    }
    if (reading.trace !== undefined) {
      put(rows, columns.trace, row, reading.trace, trace ? span : undefined);
    }
    if (hasLayers) {
      for (const [layer, values] of layersOf(reading)) {
        const panel = panelOf(layer);
        const redraws = () => {
          panel.view.plot?.dispose();
          panel.view.plot = undefined;
        };
        let of = run.layers.get(layer);
        if (!of) {
          of = { trace: rows.addColumn() };
          run.layers.set(layer, of);
          redraws();
        }
        if (values.trace !== undefined) {
          put(rows, of.trace, row, values.trace, panel.span);
        }
        if (values.alpha !== undefined) {
          if (of.alpha === undefined) {
            of.alpha = rows.addColumn();
            redraws();
          }
          put(rows, of.alpha, row, values.alpha);
        }
      }
    }
  };

  const drawView = (of: View, layer?: string) => {
    const wants = scale === 'log' || (scale === 'auto' && isWide(layer === undefined ? span : panels.get(layer)!.span));
    if (!of.plot || wants !== of.isLog) {
      makePlot(of, layer);
    } else {
      of.plot.draw();
      of.isStale = false;
    }
  };
  /** @param isAll also what is out of sight. */
  const draw = (isAll = false) => {
    if (isAll || main.isSeen) {
      drawView(main);
    }
    for (const [layer, panel] of panels) {
      if (isAll || panel.view.isSeen) {
        drawView(panel.view, layer);
      }
    }
    if (selected !== undefined) {
      main.plot?.point(rows.lastAtOrBefore(selected));
    } else if (!isPointing) {
      showValues();
    }
  };
  const absorb = (count: number) => {
    const next = queue.length > count ? queue.slice(0, count) : queue;
    queue = queue.length > count ? queue.slice(count) : [];
    for (const entry of next) {
      take(entry);
    }
    for (const each of views()) {
      each.isStale = true;
    }
    hasNews ||= next.length > 0;
  };
  const schedule = () => {
    if (!isDisposed) {
      frame ??= view.requestAnimationFrame(() => {
        frame = undefined;
        absorb(A_FRAME);
        draw();
        if (timer === undefined) {
          say();
        }
        if (queue.length > 0) {
          schedule();
        }
      });
    }
  };
  /** Everything that came, drawn. */
  const flush = () => {
    absorb(queue.length);
    draw(true);
  };

  const add = (entry: Entry) => {
    queue.push(entry);
    schedule();
  };
  const addReading = (run: Run, reading: ChartReading) => {
    if (isDisposed) {
      return;
    }
    if (typeof reading?.minimumSharpness !== 'number') {
      throw new Error('sharpnessChart: what came is no reading, for it has no number minimumSharpness.');
    }
    run.count++;
    const step = reading.step !== undefined && Number.isFinite(reading.step) ? reading.step : run.count;
    run.lastStep = step;
    add({ run, step, reading });
  };
  const addProblem = (run: Run, { step, kind, message, epoch }: Problem) =>
    add({ run, step, problem: { kind, message, epoch } });

  const newRun = (runName: string): Run => {
    checkText('sharpnessChart: name of a run', runName);
    if (runs.some((run) => run.name === runName)) {
      throw new Error(`sharpnessChart: there is a run '${runName}' already: give each its own name.`);
    }
    const item = added(legend, 'li');
    const swatch = added(item, 'span');
    swatch.innerHTML = '<svg aria-hidden="true"><path d="M0 5h20" stroke="currentColor" stroke-width="3"/></svg>';
    added(item, 'span', runName).className = 'name';
    const value = added(item, 'span', 'no reading yet');
    value.className = 'value';
    const columns = { value: rows.addColumn(), high: rows.addColumn(), low: rows.addColumn(), trace: rows.addColumn() };
    const run: Run = {
      name: runName,
      index: runs.length,
      columns,
      layers: new Map(),
      readings: new Map(),
      swatch,
      value,
      count: 0,
      lastStep: 0,
    };
    runs.push(run);
    swatch.style.color = colorOf(run);
    main.plot?.dispose();
    main.plot = undefined;
    schedule();
    return run;
  };
  const addRun = (runName: string, from?: ChartSource) => {
    const streams = streamsOf(from);
    const run = newRun(runName);
    if (streams) {
      const failed = (error: unknown) =>
        add({
          run,
          step: run.lastStep,
          problem: { kind: 'failed', message: lineOf(error) },
        });
      subscriptions.push(
        streams.readings$.subscribe({ next: (reading) => addReading(run, reading), error: failed }),
        ...(streams.problems$
          ? [streams.problems$.subscribe({ next: (problem) => addProblem(run, problem), error: failed })]
          : []),
      );
    }
  };

  const onKey = (event: KeyboardEvent) => {
    const last = rows.x.length - 1;
    const page10 = Math.max(1, Math.round(last / 10));
    const now = rowShown() ?? 0;
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      PageDown: now - page10,
      PageUp: now + page10,
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') {
      unselect();
    } else if (Object.hasOwn(moves, event.key) && last >= 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const row = Math.min(last, Math.max(0, moves[event.key]!));
      selected = rows.x[row];
      isPointing = false;
      main.plot?.point(row);
      showValues(row);
      showSlider(row);
    }
  };
  const unselect = () => {
    if (selected !== undefined) {
      selected = undefined;
      main.plot?.point(null);
      showValues();
      showSlider();
    }
  };
  const onPointer = () => {
    selected = undefined;
  };
  main.place.addEventListener('keydown', onKey);
  main.place.addEventListener('blur', unselect);
  figure.addEventListener('pointermove', onPointer);
  details.addEventListener('toggle', () => {
    if (details.open) {
      fillTable();
    } else {
      tablePlace.replaceChildren();
    }
  });

  const onTheme = () => {
    const { failed, skipped } = themeNow();
    const other = themes[themeNow() === themes.dark ? 'light' : 'dark'];
    marks.forEach((mark, i) => {
      marks[i] = { ...mark, color: mark.color === other.skipped || mark.color === skipped ? skipped : failed };
    });
    for (const run of runs) {
      run.swatch.style.color = colorOf(run);
    }
    dropPlots();
    schedule();
  };
  prefersDark?.addEventListener?.('change', onTheme);

  const sizes = new view.ResizeObserver(() => {
    for (const each of views()) {
      const { clientWidth } = each.place;
      if (each.plot && clientWidth > 0) {
        each.plot.setSize({ width: clientWidth, height: each === main ? height : LAYER_SIZE.height });
      }
    }
    if (selected !== undefined) {
      main.plot?.point(rows.lastAtOrBefore(selected));
    }
  });
  const sights = new view.IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const seen = views().find(({ place }) => place === target);
      if (seen) {
        seen.isSeen = isIntersecting;
        if (isIntersecting && seen.isStale) {
          schedule();
        }
      }
    }
  });
  function watch(of: View): void {
    sizes.observe(of.place);
    sights.observe(of.place);
  }

  addRun(name, source);
  parent.append(figure);
  adoptStyle(figure);
  watch(main);
  makePlot(main);

  const toSVG = () => {
    flush();
    const { background, ink, grid } = themeNow();
    return svgOf({
      title,
      legend: [
        ...runs.map((run) => ({ name: run.name, color: colorOf(run), dash: [] })),
        ...(trace ? [{ name: 'plain trace', color: themeNow().quiet, dash: DASH }] : []),
      ],
      colors: { background, ink, grid },
      main: main.plot!.drawn(),
      layers: [...panels.values()].map((panel) => panel.view.plot!.drawn()),
    });
  };
  return {
    element: figure,
    update(reading, runName = name) {
      addReading(runs.find((run) => run.name === runName) ?? newRun(runName), reading);
    },
    addRun,
    toSVG,
    toPNG: () => pictureOf(toSVG(), page),
    toCSV() {
      absorb(queue.length);
      schedule();
      return csvOf(entries, runs.length > 1);
    },
    dispose() {
      isDisposed = true;
      for (const subscription of subscriptions) {
        subscription.unsubscribe();
      }
      if (frame !== undefined) {
        view.cancelAnimationFrame(frame);
      }
      clearTimeout(timer);
      sizes.disconnect();
      sights.disconnect();
      prefersDark?.removeEventListener?.('change', onTheme);
      dropPlots();
      figure.remove();
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

function streamsOf(source: ChartSource | undefined): Extract<ChartSource, { readings$: unknown }> | undefined {
  if (source === undefined) {
    return undefined;
  }
  const streams = source !== null && 'readings$' in source ? source : { readings$: source };
  if (typeof streams.readings$?.subscribe !== 'function') {
    throw new Error('sharpnessChart: the stream of readings is missing. Pass the callback, or its readings$.');
  }
  return streams;
}

function checkedOptions(options: ChartOptions): Required<ChartOptions> {
  checkKnownOptions('sharpnessChart', options, known);
  const {
    name = 'run 1',
    title = 'Minimum Sharpness',
    height = 280,
    scale = 'auto',
    trace = true,
    layers = true,
    theme = 'auto',
  } = options;
  checkText('sharpnessChart: name', name);
  checkText('sharpnessChart: title', title);
  checkNumber('sharpnessChart: height', height, { atLeast: 120 });
  checkOneOf('sharpnessChart: scale', scale, ['auto', 'linear', 'log']);
  checkOneOf('sharpnessChart: theme', theme, ['auto', 'light', 'dark']);
  checkBoolean('sharpnessChart: trace', trace);
  checkBoolean('sharpnessChart: layers', layers);
  return { name, title, height, scale, trace, layers, theme };
}

function added<Tag extends keyof HTMLElementTagNameMap>(
  to: HTMLElement,
  tag: Tag,
  text = '',
): HTMLElementTagNameMap[Tag] {
  const child = to.ownerDocument.createElement(tag);
  child.textContent = text;
  to.append(child);
  return child;
}

function viewIn(parent: HTMLElement, className: string): View {
  const place = added(parent, 'div');
  place.className = className;
  return { place, isLog: false, isSeen: true, isStale: true };
}

const noSpan = (): Span => ({ least: Number.POSITIVE_INFINITY, most: 0, isNegative: false });
const isWide = ({ least, most, isNegative }: Span) => !isNegative && most > FAR_APART * least;

/** Puts a value into its cell; what is not finite breaks the line. */
function put(rows: AlignedRows, column: number, row: number, value: number, span?: Span): void {
  rows.columns[column]![row] = Number.isFinite(value) ? value : null;
  if (span && Number.isFinite(value)) {
    span.isNegative ||= value < 0;
    if (value > 0) {
      span.least = Math.min(span.least, value);
      span.most = Math.max(span.most, value);
    }
  }
}

const epochOf = (here: readonly Entry[]): number | undefined =>
  here.map(({ reading, problem }) => (reading ?? problem)?.epoch).find((epoch) => epoch !== undefined);

function legendText(reading: ChartReading, hasTrace: boolean): string {
  const trace = hasTrace && reading.trace !== undefined ? `, trace ${digits(reading.trace)}` : '';
  return `${sharpnessOf(reading)}${trace}`;
}

function layerText(values: { trace?: number; alpha?: number } | undefined): string {
  const trace = values?.trace === undefined ? [] : [`trace ${digits(values.trace, 3)}`];
  const alpha = values?.alpha === undefined ? [] : [`alpha ${digits(values.alpha, 3)}`];
  return ` ${[...trace, ...alpha].join(', ')}`;
}

function csvOf(entries: readonly Entry[], hasRuns: boolean): string {
  const readings = entries.flatMap(({ run, step, reading }) => {
    if (!reading) {
      return [];
    }
    const { scales = [], parameters = [], assumptions = [] } = reading;
    const row = readingRow({ ...reading, step, scales, parameters, assumptions } as Parameters<typeof readingRow>[0]);
    return [new Map([...(hasRuns ? [['run', run.name] as const] : []), ...row])];
  });
  const columns = [...new Set(readings.flatMap((row) => [...row.keys()]))];
  const lines = [columns, ...readings.map((row) => columns.map((column) => row.get(column) ?? ''))];
  return `${lines.map(csvLine).join('\n')}\n`;
}

/** @throws Error with one line where the page may not make pictures of its own. */
async function pictureOf(svg: string, page: Document): Promise<Blob> {
  const image = page.createElement('img');
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = page.createElement('canvas');
  canvas.width = 2 * image.naturalWidth;
  canvas.height = 2 * image.naturalHeight;
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error('sharpnessChart: the browser could not make a picture of the chart.')),
    );
  });
}
