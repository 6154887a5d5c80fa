import type { Rescaled } from '../training/messages.js';
import { type Decades, decadesOf, shareOf } from './decades.js';
import { element } from './elements.js';
import { short } from './numbers.js';

export interface RescalingPanel {
  /** The layers of a new network; none: there is no network. */
  begin(layers: readonly string[]): void;
  show(rescaled: Rescaled): void;
  fail(message: string): void;
}

/** `10K`, and `1e-8` or `1e18` where words for it end. */
const compact = (value: number) =>
  value < 1e-3 || value >= 1e15
    ? value.toExponential(0).replace('e+', 'e')
    : value.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** The slider, and what becomes of trace, Minimum Sharpness and predictions. */
export function rescalingPanel(wanted: (layer: string, factor: number) => void): RescalingPanel {
  const layer = element('layer', HTMLSelectElement);
  const slider = element('factor-slider', HTMLInputElement);
  const output = element('factor', HTMLOutputElement);
  const caption = element('rescaling-caption', HTMLParagraphElement);
  const marks = element('bar-marks', HTMLDivElement);
  const factor = () => 10 ** Number(slider.value);
  const text = (id: string, value: string) => {
    element(id, HTMLElement).textContent = value;
  };
  const say = () => {
    output.textContent = short(factor());
    slider.setAttribute('aria-valuetext', `times ${short(factor())}`);
  };
  const ask = () => {
    say();
    wanted(layer.value, factor());
  };
  slider.addEventListener('input', ask);
  layer.addEventListener('change', ask);
  say();

  /** A bar from the left end of the axis, and a mark where the value was before. */
  function bar(name: string, axis: Decades, before: number, after: number): void {
    const { style } = element(`${name}-bar`, HTMLSpanElement);
    style.setProperty('--value', `${100 * shareOf(axis, after)}%`);
    style.setProperty('--before', `${100 * shareOf(axis, before)}%`);
  }

  return {
    begin(layers) {
      layer.replaceChildren(...layers.map((name) => new Option(name.replaceAll('_', ' '), name)));
      layer.disabled = slider.disabled = layers.length === 0;
      slider.value = '0';
      say();
      for (const name of ['trace', 'ms']) {
        bar(name, decadesOf([], []), 1, 1);
        text(`${name}-effect`, '–');
      }
      text('change-effect', '–');
      marks.replaceChildren();
      caption.textContent =
        layers.length === 0
          ? 'Start training first: there is no network yet.'
          : 'Move the slider, also while it trains.';
    },
    show({ before, after, change, factor, samples, layer }) {
      const axis = decadesOf([before.trace, before.minimumSharpness], [after.trace, after.minimumSharpness]);
      const course = (from: number, to: number) => {
        const ratio = to / from;
        const times = Number.isFinite(ratio) ? ` (×${Math.abs(ratio - 1) < 0.005 ? '1.00' : short(ratio)})` : '';
        return `${short(from)} → ${short(to)}${times}`;
      };
      bar('trace', axis, before.trace, after.trace);
      bar('ms', axis, before.minimumSharpness, after.minimumSharpness);
      text('trace-effect', course(before.trace, after.trace));
      text('ms-effect', course(before.minimumSharpness, after.minimumSharpness));
      // Below this there is rounding only.
      const most = change.toLocaleString('en', { maximumSignificantDigits: 1 });
      text(
        'change-effect',
        change < 1e-5
          ? `the same for all ${samples} samples (to ${change === 0 ? 'the last digit' : most})`
          : `probabilities change by up to ${most}`,
      );
      marks.replaceChildren(
        ...axis.marks.map((exponent) => {
          const mark = document.createElement('span');
          mark.className = 'bar-mark';
          mark.textContent = compact(axis.least * 10 ** exponent);
          mark.style.left = `${(100 * exponent) / axis.count}%`;
          return mark;
        }),
      );
      if (!(before.trace > 0 && before.minimumSharpness > 0)) {
        caption.textContent = `There is nothing to compare: the trace is ${short(before.trace)}, and Minimum Sharpness ${short(before.minimumSharpness)}. So it is where a network is saturated, its units are dead, or training broke it. Measured on ${samples} samples.`;
        return;
      }
      caption.textContent =
        factor === 1
          ? `As it was trained. Move the slider, also while it trains. Measured on ${samples} samples.`
          : `${layer.replaceAll('_', ' ')} times ${short(factor)}, the weights that leave it divided by ${short(factor)}. It is the same network, and yet by its plain trace it would be ${short(after.trace / before.trace)} times as sharp. Minimum Sharpness is the smallest trace that any such rescaling can reach, so it stays. Measured on ${samples} samples.`;
    },
    fail(message) {
      caption.textContent = message;
    },
  };
}
