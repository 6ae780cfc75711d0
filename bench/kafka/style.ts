/**
 * How the page of a sweep looks, in light and in dark.
 *
 * @module
 */

const LIGHT =
  `--page:#f6f7f9;--card:#fff;--ink:#17202b;--soft:#5b6775;--line:#e3e7ec;--none:#2f6fed;--gzip:#d9730d;
--snappy:#0b8f7d;--lz4:#7c4ddb;--zstd:#cf2f6b;--other:#51637a;--quiet:#98a4b3;--mark:#17202b`;
const DARK =
  `--page:#0f141a;--card:#171e26;--ink:#e8edf3;--soft:#98a5b4;--line:#2a343f;--none:#6b9bff;--gzip:#f5a04c;
--snappy:#3cc4af;--lz4:#ad8bff;--zstd:#ff7aa8;--other:#b9c6d6;--quiet:#647283;--mark:#f3f6fa`;

const tones = ["none", "gzip", "snappy", "lz4", "zstd", "other", "quiet"].map((tone) =>
  `.${tone}{--tone:var(--${tone})}`
).join("");

/** The style sheet. */
export const STYLE = `
:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
${tones}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
header,main,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:56px}
.over{margin:0;color:var(--soft);font-size:14px;letter-spacing:.02em}
h1{margin:4px 0 12px;font-size:40px;line-height:1.15;letter-spacing:-.02em}
h2{margin:0 0 6px;font-size:22px;letter-spacing:-.01em}
.lead{max-width:74ch;margin:0 0 28px;color:var(--soft)}
section p{max-width:80ch;margin:0 0 14px;color:var(--soft)}
strong{color:var(--ink)}
a{color:var(--none)}
.machine{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:10px 32px;margin:0 0 28px;
padding:18px 0;border-block:1px solid var(--line);font-size:14px}
.machine div{display:flex;gap:12px}.machine dt{flex:0 0 76px;color:var(--soft)}.machine dd{margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(225px,1fr));gap:16px;margin-bottom:20px}
.tile,section{background:var(--card);border:1px solid var(--line);border-radius:14px}
.tile{padding:20px 22px 18px;position:relative;overflow:hidden}
.tile::before{content:"";position:absolute;inset:0 0 auto;height:4px;background:var(--tone)}
.tile p{margin:0;color:var(--soft);font-size:14px}
.tile .big{font-size:29px;white-space:nowrap;line-height:1.25;font-weight:650;letter-spacing:-.02em;color:var(--ink)}
.big span{font-size:15px;font-weight:500;letter-spacing:0;color:var(--soft)}
section{padding:26px 28px 22px;margin-bottom:20px}
figure{margin:8px 0 0;overflow-x:auto}
svg{display:block;width:100%;min-width:680px;height:auto;overflow:visible}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:8px}
.pair svg{min-width:0}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;margin:0 0 6px;font-size:14px;color:var(--soft)}
.legend span{display:inline-flex;align-items:center}
.key{display:inline-block;width:11px;height:11px;margin-right:8px;border-radius:3px;background:var(--tone)}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.title{font-weight:600;font-size:14px}.unit{font-weight:400;fill:var(--soft)}
.tick,.axis{fill:var(--soft);font-size:12px}
.value{font-weight:600;font-variant-numeric:tabular-nums}
.label{font-variant-numeric:tabular-nums}
.grid{stroke:var(--line);fill:none}
.bar{fill:var(--tone)}.part1{opacity:.62}.part2{opacity:.34}
.whisker{stroke:var(--mark);stroke-width:1.5;fill:none}
.span{stroke:var(--tone);stroke-width:3;opacity:.45;fill:none}
.dot{fill:var(--tone);stroke:var(--card);stroke-width:2}
.ring{fill:var(--card);stroke:var(--tone);stroke-width:3}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:8px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
thead th{color:var(--soft);font-weight:500;vertical-align:bottom;white-space:normal}
th:first-child{text-align:left;padding-left:0}tbody th{font-weight:600}
tbody tr:last-child>*{border-bottom:0}
.fine{margin-top:14px!important;font-size:13.5px}
footer{padding-block:8px 48px;color:var(--soft);font-size:14px}
@media (max-width:720px){h1{font-size:32px}header{padding-top:32px}section{padding:20px 16px}}
@media print{body{background:#fff}section,.tile{break-inside:avoid}}
`;
