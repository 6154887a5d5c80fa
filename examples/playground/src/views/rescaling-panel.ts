import type { Rescaled } from '../training/messages.js';
import { element } from './elements.js';
import { short } from './numbers.js';

export interface RescalingPanel {
  /** The layers of a new network; none: there is no network. */
  begin(layers: readonly string[]): void;
  show(rescaled: Rescaled): void;
  fail(message: string): void;
}

/** A full bar. */
const LARGEST = 1e6;

/** The slider, and what becomes of trace, Minimum Sharpness and predictions. */
export function rescalingPanel(wanted: (layer: string, factor: number) => void): RescalingPanel {
  const layer = element('layer', HTMLSelectElement);
  const slider = element('factor-slider', HTMLInputElement);
  const output = element('factor', HTMLOutputElement);
  const caption = element('rescaling-caption', HTMLParagraphElement);
  const factor = () => 10 ** Number(slider.value);
  const say = () => {
    output.textContent = short(factor());
    slider.setAttribute('aria-valuetext', `multiplied by ${short(factor())}`);
  };
  const effect = (name: string, text: string, ratio: number) => {
    element(`${name}-effect`, HTMLSpanElement).textContent = text;
    const share = Math.max(0, Math.min(1, Math.log(ratio) / Math.log(LARGEST)));
    element(`${name}-bar`, HTMLSpanElement).style.width = `${(100 * share).toFixed(1)}%`;
  };
  const ask = () => {
    say();
    wanted(layer.value, factor());
  };
  slider.addEventListener('input', ask);
  layer.addEventListener('change', ask);
  say();

  return {
    begin(layers) {
      layer.replaceChildren(...layers.map((name) => new Option(name.replaceAll('_', ' '), name)));
      layer.disabled = slider.disabled = layers.length === 0;
      slider.value = '0';
      say();
      for (const name of ['trace', 'ms', 'change']) {
        effect(name, '–', 1);
      }
      caption.textContent =
        layers.length === 0
          ? 'Start training first: there is no network yet.'
          : 'Move the slider, also while it trains. The weights are put back after every measurement.';
    },
    show({ before, after, change, factor, samples, layer }) {
      const [traces, values] = [after.trace / before.trace, after.minimumSharpness / before.minimumSharpness];
      const course = (from: number, to: number, ratio: number) =>
        `${short(from)} → ${short(to)} (×${ratio > 0.995 && ratio < 1.005 ? '1.00' : short(ratio)})`;
      effect('trace', course(before.trace, after.trace, traces), traces);
      effect('ms', course(before.minimumSharpness, after.minimumSharpness, values), values);
      effect('change', change < 1e-12 ? 'no change' : `change by ${short(change)} at most`, 1 + change);
      caption.textContent =
        factor === 1
          ? `As it was trained, measured on ${samples} samples.`
          : `${layer.replaceAll('_', ' ')} times ${short(factor)}, the next layer divided by it: every prediction is what it was, and so is Minimum Sharpness. By its plain trace the same network would be ${short(traces)} times as sharp. Measured on ${samples} samples.`;
    },
    fail(message) {
      caption.textContent = message;
    },
  };
}
