import { checkBoolean, checkKnownOptions, checkNumber, checkOneOf, checkText } from '../checks.js';

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
  /** `'auto'`, the default, is what the reader's system prefers. The visor of tfjs-vis is always light, and so is paper. */
  readonly theme?: 'auto' | 'light' | 'dark';
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

/**
 * Every option, with its default where it is not given.
 *
 * @throws Error with one line for an option that there is not, or a value that it cannot have.
 * @throws RangeError with one line for a height that is out of range.
 */
export function checkedChartOptions(options: ChartOptions): Required<ChartOptions> {
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
