import { themes } from '../chart/style.js';
import { cssColors } from './chart-colors.js';

/** The style sheet of a report: light and dark by the reader's choice, light on paper, one column on a phone. */
export const pageStyle = `
:root{${cssColors(themes.light)}color-scheme:light}
@media (prefers-color-scheme:dark){:root{${cssColors(themes.dark)}color-scheme:dark}}
@media print{:root:root{${cssColors(themes.light)}--background:#fff;color-scheme:light}}
*{box-sizing:border-box}
body{margin:0;background:var(--background);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere;-webkit-text-size-adjust:100%}
main,header,footer{max-width:948px;margin:0 auto;padding:0 32px}
header{padding-top:48px}
h1,h2{font-family:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,"DejaVu Serif",serif;font-weight:600;line-height:1.2;text-wrap:balance}
h1{font-size:34px;letter-spacing:-.01em;margin:0 0 8px}
h2{font-size:23px;margin:56px 0 4px;padding-top:20px;border-top:1px solid var(--grid)}
.lead{color:var(--quiet);margin:0 0 24px;max-width:64ch}
.runs{list-style:none;margin:0;padding:0}
.runs li{display:grid;grid-template-columns:28px 1fr;gap:2px 8px;padding:7px 0;align-items:start}
.runs svg{width:26px;height:25px}
.runs b{font-weight:600}
.runs span{color:var(--quiet)}
figure{margin:20px 0 0}
figure svg{display:block;max-width:100%;height:auto;overflow:visible}
figcaption{font-weight:600;font-size:15px}
.small figcaption{font-size:13.5px;overflow-wrap:anywhere}
.narrow{display:none}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:2px 20px;margin:8px 0 0;padding:0;color:var(--quiet);font-size:13.5px}
.key li{display:flex;gap:7px;align-items:center}
.key svg{flex:none;width:18px;height:14px}
.note{color:var(--quiet);font-size:14px;margin:6px 0 0;max-width:72ch}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,270px),1fr));gap:8px 22px}
.scroll{overflow:auto;max-height:620px;margin:16px 0 0;border-block:1px solid var(--grid)}
table{border-collapse:collapse;font-size:14px;line-height:1.4;width:100%}
caption{text-align:start;color:var(--quiet);padding:8px 0}
th,td{padding:5px 0 5px 20px;text-align:end;vertical-align:baseline;white-space:nowrap}
th.text,td.text,th.name,td.name{text-align:start}
td.name{white-space:normal;overflow-wrap:break-word;max-width:44ch}
th:first-child,td:first-child{padding-inline-start:4px}
th:last-child,td:last-child{padding-inline-end:4px}
thead th{position:sticky;top:0;background:var(--background);font-weight:600;white-space:normal;overflow-wrap:normal;box-shadow:inset 0 -1px var(--quiet);vertical-align:bottom}
tbody tr+tr td{border-top:1px solid var(--grid)}
tbody tr:hover td{background:color-mix(in srgb,var(--grid) 45%,transparent)}
th button{all:unset;box-sizing:border-box;cursor:pointer;font:inherit;text-align:inherit;width:100%;min-height:24px}
th button::after{content:"\\a0\\2195";color:var(--quiet);font-weight:400;white-space:nowrap}
th[aria-sort=ascending] button::after{content:"\\a0\\2191";color:inherit}
th[aria-sort=descending] button::after{content:"\\a0\\2193";color:inherit}
:focus-visible,th button:focus-visible{outline:2px solid var(--ink);outline-offset:2px}
ul.plain{margin:12px 0 0;padding-inline-start:20px;max-width:80ch}
ul.plain li{margin:7px 0}
ul.plain small,.files small{color:var(--quiet);font-size:13.5px}
pre{margin:16px 0 0;padding:12px 14px;background:color-mix(in srgb,var(--grid) 45%,transparent);border-radius:6px;white-space:pre-wrap;
font:13.5px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
footer{color:var(--quiet);font-size:14px;padding-top:32px;padding-bottom:56px}
@media (max-width:640px){
main,header,footer{padding-inline:16px}
header{padding-top:28px}
h1{font-size:27px}
h2{font-size:20px;margin-top:40px}
.wide{display:none}
.narrow{display:block}
.small{grid-template-columns:1fr}
.small svg{width:100%;max-width:350px}
}
@media print{
@page{margin:16mm 14mm}
body{font-size:10.5pt}
main,header,footer{max-width:none;padding-inline:0}
header{padding-top:0}
h2{break-after:avoid;margin-top:28px}
.wide{display:block}
.narrow{display:none}
.small{grid-template-columns:repeat(3,1fr)}
figure,.runs li,tr{break-inside:avoid}
.scroll{max-height:none;overflow:visible}
table{font-size:8.5pt}
th,td{padding-inline-start:10px}
thead th{position:static}
th button::after{content:""}
}
@media (forced-colors:active){figure svg,.runs svg,.key svg{forced-color-adjust:none;background:var(--background)}}
`;
