import { type Plot, type PlotLook, type PlotSettings, plotIn } from './plot.js';

/** A plot and its place in the page. */
export interface Panel {
  readonly place: HTMLElement;
  /** Whether it is in sight: else it is not drawn. */
  isSeen: boolean;
  /** Whether there is more than what it shows. */
  isStale: boolean;
  /** As it was last drawn. */
  readonly plot: Plot | undefined;
  /** Draws what the rows are now; where it looks other than before, the plot is made anew. */
  draw(look: PlotLook): void;
  /** Makes it as wide as its place. */
  fit(): void;
  /** Removes the plot; the next draw makes another. */
  dispose(): void;
}

/** @param fixed what stays; its width where the place has none yet. */
export function panelIn(place: HTMLElement, fixed: Omit<PlotSettings, keyof PlotLook>): Panel {
  let plot: Plot | undefined;
  let drawn = '';
  const size = () => ({ ...fixed.size, ...(place.clientWidth > 0 && { width: place.clientWidth }) });
  return {
    place,
    isSeen: true,
    isStale: true,
    get plot() {
      return plot;
    },
    draw(look) {
      const wanted = JSON.stringify(look);
      if (plot && wanted === drawn) {
        plot.draw();
      } else {
        plot?.dispose();
        plot = plotIn(place, { ...fixed, ...look, size: size() });
        drawn = wanted;
      }
      this.isStale = false;
    },
    fit() {
      if (place.clientWidth > 0) {
        plot?.setSize(size());
      }
    },
    dispose() {
      plot?.dispose();
      plot = undefined;
      this.isStale = true;
    },
  };
}
