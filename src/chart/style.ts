/** Colors of one theme, in the order of runs, and what is around them. */
export interface Theme {
  readonly background: string;
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly failed: string;
  readonly skipped: string;
  /** One a run; they begin anew after the last. */
  readonly runs: readonly string[];
}

export type ThemeName = 'light' | 'dark';

/** On their background, lines have a contrast of 3 to 1 at least, and text one of 4.5 to 1. */
export const themes: Readonly<Record<ThemeName, Theme>> = {
  light: {
    background: '#fdfcfa',
    ink: '#1f2421',
    quiet: '#5c645f',
    grid: '#e6e3dc',
    failed: '#b3261e',
    skipped: '#946200',
    runs: ['#0b6e69', '#b4430f', '#6a3fb5', '#55700a', '#a8275f', '#4a5a68'],
  },
  dark: {
    background: '#171a19',
    ink: '#eceae4',
    quiet: '#a3aaa5',
    grid: '#2e3331',
    failed: '#ff8a80',
    skipped: '#e3b341',
    runs: ['#4fc4bb', '#f2955f', '#b89af5', '#a9c94f', '#f08fb8', '#a9bac8'],
  },
};

const variables = ({ background, ink, quiet, grid, failed }: Theme) =>
  `--background:${background};--ink:${ink};--quiet:${quiet};--grid:${grid};--failed:${failed};`;

/** Heights are fixed, so that nothing moves when readings come. Of uPlot's own style sheet, what a chart without its legend needs. */
export const css = `
.tfjs-sharpness-chart{${variables(themes.light)}color-scheme:light;box-sizing:border-box;margin:0;padding:16px;min-width:0;max-width:100%;
background:var(--background);color:var(--ink);border-radius:8px;font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums;text-align:start}
.tfjs-sharpness-chart[data-theme=dark]{${variables(themes.dark)}color-scheme:dark}
@media (prefers-color-scheme:dark){.tfjs-sharpness-chart:not([data-theme]){${variables(themes.dark)}color-scheme:dark}}
@media print{.tfjs-sharpness-chart.tfjs-sharpness-chart{${variables(themes.light)}color-scheme:light;break-inside:avoid}}
.tfjs-sharpness-chart *{box-sizing:border-box}
.tfjs-sharpness-chart figcaption{font-size:17px;font-weight:600;margin:0;line-height:24px}
.tfjs-sharpness-chart .when{height:20px;color:var(--quiet);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.tfjs-sharpness-chart .when[data-problem]{color:var(--failed)}
.tfjs-sharpness-chart .runs{list-style:none;margin:6px 0 8px;padding:0}
.tfjs-sharpness-chart .runs li{display:flex;gap:8px;align-items:center;min-height:22px;white-space:nowrap;overflow:hidden}
.tfjs-sharpness-chart .runs .swatch{flex:none}
.tfjs-sharpness-chart .runs svg{display:block;forced-color-adjust:none;width:20px;height:10px;overflow:visible}
.tfjs-sharpness-chart .runs .name{font-weight:600;overflow:hidden;text-overflow:ellipsis;flex:0 1 auto;min-width:3em}
.tfjs-sharpness-chart .runs .value{overflow:hidden;text-overflow:ellipsis;flex:1 1 0;min-width:0}
.tfjs-sharpness-chart .plot{overflow:hidden;min-width:0;direction:ltr;forced-color-adjust:none;background:var(--background)}
.tfjs-sharpness-chart .main{cursor:crosshair;border-radius:4px}
.tfjs-sharpness-chart .key{margin:2px 0 0;color:var(--quiet);font-size:12px;line-height:18px}
.tfjs-sharpness-chart :focus-visible{outline:2px solid var(--ink);outline-offset:2px}
.tfjs-sharpness-chart .layers{display:grid;grid-auto-flow:column;grid-auto-columns:minmax(216px,1fr);gap:8px;height:186px;margin-top:8px;
overflow-x:auto;overflow-y:hidden;overscroll-behavior-x:contain}
.tfjs-sharpness-chart .layer{min-width:0;overflow:hidden}
.tfjs-sharpness-chart .layer p{margin:0;height:20px;font-size:12px;line-height:20px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.tfjs-sharpness-chart .layer b{font-weight:600}
.tfjs-sharpness-chart details{margin-top:8px}
.tfjs-sharpness-chart summary{cursor:pointer;color:var(--quiet);width:max-content;max-width:100%;padding:2px 0}
.tfjs-sharpness-chart .table{max-height:280px;overflow:auto}
.tfjs-sharpness-chart table{border-collapse:collapse;font-size:13px}
.tfjs-sharpness-chart caption{text-align:start;color:var(--quiet);padding:4px 0}
.tfjs-sharpness-chart th,.tfjs-sharpness-chart td{padding:2px 0;padding-inline-end:16px;text-align:start;font-weight:400;white-space:nowrap;border-bottom:1px solid var(--grid)}
.tfjs-sharpness-chart thead th{font-weight:600}
.tfjs-sharpness-chart .said{position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.tfjs-sharpness-chart .uplot{position:relative}
.tfjs-sharpness-chart .u-wrap{position:relative;user-select:none}
.tfjs-sharpness-chart .u-over,.tfjs-sharpness-chart .u-under,.tfjs-sharpness-chart .u-axis{position:absolute}
.tfjs-sharpness-chart .u-under{overflow:hidden}
.tfjs-sharpness-chart .uplot canvas{display:block;position:relative;width:100%;height:100%}
.tfjs-sharpness-chart .u-cursor-x,.tfjs-sharpness-chart .u-cursor-y,.tfjs-sharpness-chart .u-cursor-pt{position:absolute;left:0;top:0;pointer-events:none;will-change:transform}
.tfjs-sharpness-chart .u-cursor-x{height:100%;border-right:1px dashed var(--quiet)}
.tfjs-sharpness-chart .u-cursor-pt{border-radius:50%;border:0 solid;background-clip:padding-box!important;z-index:100}
.tfjs-sharpness-chart .u-off,.tfjs-sharpness-chart .u-select{display:none}
`;

const sheets = new WeakMap<Document, CSSStyleSheet>();

/** Gives the page, or the shadow tree, the style of charts, once. Engines without constructed sheets get one with each chart. */
export function adoptStyle(figure: HTMLElement): void {
  const root = figure.getRootNode();
  const page = figure.ownerDocument;
  const view = page.defaultView;
  if (view && 'adoptedStyleSheets' in root && 'replaceSync' in view.CSSStyleSheet.prototype) {
    const tree = root as Document | ShadowRoot;
    const sheet = sheets.get(page) ?? new view.CSSStyleSheet();
    if (!sheets.has(page)) {
      sheet.replaceSync(css);
      sheets.set(page, sheet);
    }
    if (!tree.adoptedStyleSheets.includes(sheet)) {
      tree.adoptedStyleSheets = [...tree.adoptedStyleSheets, sheet];
    }
    return;
  }
  // Also where the element is in no page yet, and may come into any tree.
  const style = page.createElement('style');
  style.textContent = css;
  figure.prepend(style);
}
