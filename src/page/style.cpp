#include "page/style.hpp"

namespace precis {

std::string_view style_sheet() {
  return R"css(:root {
  color-scheme: light dark;
  --ground: #f6f7f7; --surface: #ffffff; --ink: #1c2429; --muted: #5f6b73; --line: #dfe4e6; --under: var(--ground);
  --c0: #0a6fb3; --c1: #c8540a; --c2: #0b8461; --c3: #b04f8f;
  --c4: #8a6a00; --c5: #3f9fd6; --c6: #5a5f66; --c7: #7b5fc0;
  --on-colour: #ffffff; --warning: #8a5a00; --error: #b3261e; --shade: rgb(0 0 0 / .22);
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #121517; --surface: #1a1e21; --ink: #e3e7e9; --muted: #98a3aa; --line: #2d3438;
    --c0: #56a8e6; --c1: #ef8a4c; --c2: #3fbf95; --c3: #dd8cbf;
    --c4: #d3b04a; --c5: #9bd3f5; --c6: #a9b0b6; --c7: #b3a0ee;
    --on-colour: #101315; --warning: #e0b252; --error: #f08a80; --shade: rgb(255 255 255 / .2);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: break-word;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
h1, h2, h3 { font-weight: 600; letter-spacing: -.01em; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 50rem; }
a { color: var(--c0); text-decoration: none; }
a:hover { text-decoration: underline; }
nav { margin: .75rem 0; color: var(--muted); }
nav a { display: inline-block; margin-right: 1rem; overflow-wrap: anywhere; }
code, pre, .mono { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.note { color: var(--muted); font-size: .9rem; }
.note, .text { overflow-wrap: anywhere; }
.warning, .error { border-left: 3px solid; padding: .25rem .75rem; margin: .5rem 0; overflow-wrap: anywhere; }
.warning { border-color: var(--warning); }
.error { border-color: var(--error); }
.card, figure, details, .side > *, .post {
  --under: var(--surface); background: var(--under); border: 1px solid var(--line); border-radius: 10px;
}
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); }
.card { padding: .7rem .9rem; min-width: 0; }
.card .name { color: var(--muted); font-size: .85rem; }
.card .value { font-size: 1.45rem; font-weight: 600; line-height: 1.3; }
.card .note { font-size: .8rem; }
.card svg { display: block; width: 100%; height: 28px; margin-top: .3rem; }
.charts { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
.charts figure.wide { grid-column: 1 / -1; }
figure { margin: 0; padding: .7rem .8rem .5rem; min-width: 0; }
figcaption { font-weight: 600; font-size: .9rem; margin-bottom: .25rem; }
figure svg { display: block; width: 100%; height: auto; }
figure.wide { max-width: 64rem; }
figure.wide svg { min-width: 34rem; max-width: 62rem; }
.keys { display: flex; flex-wrap: wrap; gap: .1rem 1rem; overflow-wrap: anywhere; font-size: .85rem; margin: .25rem 0; color: var(--muted); }
.key::before { content: ""; display: inline-block; width: .9em; height: .3em; border-radius: 2px;
  background: var(--c, var(--muted)); margin-right: .4em; vertical-align: middle; }
.key.dotted::before { width: 1.2em; height: .55em; border-radius: 0;
  background: radial-gradient(circle, var(--muted) 0 .26em, transparent .28em),
    linear-gradient(var(--muted), var(--muted)) center / 100% .15em no-repeat; }
.key.pale::before { opacity: .4; }
.key.dashed::before { height: 0; border-top: 2px dashed var(--muted); border-radius: 0; background: none; }
.key.interval::before { width: 2px; height: 1em; }
.bar-name { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .85rem; overflow-wrap: anywhere; }
.bar-name .total { color: var(--muted); }
.bar-parts { display: flex; height: 1.4rem; margin: .1rem 0 .5rem; }
.part { border-right: 1px solid var(--under); background: var(--c); color: var(--on-colour); overflow: hidden;
  font: 11px/1.4rem system-ui, sans-serif; font-variant-numeric: tabular-nums; text-align: center; }
.ramp { gap: 0; align-items: center; }
.ramp i { width: 1.4em; height: .8em; background: color-mix(in srgb, var(--c) var(--share), transparent); }
.ramp span { margin: 0 .5em 0 0; }
.ramp i + span { margin: 0 0 0 .5em; }

/* What is wider than the screen scrolls by itself. A shadow at its right edge, over which a cover in the ground's
   colour moves at the end, says so everywhere; words do where the style sheet can know that it scrolls. */
.box { margin: .5rem 0; max-width: 100%; timeline-scope: --sideways; }
.scroll {
  overflow-x: auto; scroll-timeline: --sideways inline;
  background:
    linear-gradient(to left, var(--under) 40%, transparent) right / 48px 100% no-repeat local,
    linear-gradient(to left, var(--shade), transparent) right / 14px 100% no-repeat scroll;
}
.scroll:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
@supports (animation-timeline: --sideways) and (timeline-scope: --sideways) {
  .box::after {
    content: "wider than the screen: scroll sideways \2192"; display: block; font-size: 0; color: var(--muted);
    animation: hint linear both; animation-timeline: --sideways;
  }
  @keyframes hint { 0%, 90% { font-size: .8rem; opacity: 1; } 100% { font-size: .8rem; opacity: .35; } }
}
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--muted); padding-bottom: .25rem; }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 500; vertical-align: bottom; }
th, td { overflow-wrap: anywhere; min-width: 6.5rem; max-width: 24rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; padding-left: .5rem; }
.scroll th:first-child, .scroll td:first-child {
  position: sticky; left: 0; z-index: 1; min-width: min(12rem, 28vw); max-width: min(16rem, 42vw); padding-left: .15rem;
  background: var(--under); box-shadow: inset -1px 0 var(--line);
}
.scroll table:not(.heat) :is(th, td):nth-child(2) { padding-left: .6rem; }
.scroll .number:first-child { min-width: 3rem; }
.scroll th:first-child:last-child, .scroll td:first-child:last-child { max-width: 24rem; box-shadow: none; }
.heat { border-collapse: separate; border-spacing: 2px; }
.heat td, .heat thead th { text-align: center; padding: .3rem .25rem; min-width: 5rem; border: 0; }
.heat td { border-radius: 4px; background: color-mix(in srgb, var(--c, transparent) var(--share, 0%), transparent); }
.heat tbody th { vertical-align: middle; border: 0; }
.heat small { display: block; font-size: .7rem; white-space: nowrap; }
.heat .inverse { color: var(--on-colour); }
.side { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); }
.side > * { padding: .5rem .75rem; min-width: 0; }
.side .name { color: var(--muted); font-size: .8rem; }
.post { padding: .75rem; margin: .75rem 0; }
.post > h3 { margin-top: 0; }
.text { white-space: pre-wrap; unicode-bidi: isolate; }
details { padding: .5rem .9rem; margin: .75rem 0; }
summary { cursor: pointer; font-weight: 500; }
details[open] summary { margin-bottom: .5rem; }
svg text { fill: var(--muted); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .level { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 3 3; }
svg .curve { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
svg .faint { stroke-width: 1; opacity: .32; }
svg .dots { stroke-width: 2; }
svg .band { fill: var(--c); opacity: .15; }
svg .bar { stroke: var(--c); stroke-width: 1.2; }
svg .dot { fill: var(--c); }
svg .label { fill: var(--c); font-weight: 600; }
svg .probe { fill: var(--ink); opacity: 0; }
svg .probe:hover { opacity: .08; }
.k0 { --c: var(--c0); } .k1 { --c: var(--c1); } .k2 { --c: var(--c2); } .k3 { --c: var(--c3); }
.k4 { --c: var(--c4); } .k5 { --c: var(--c5); } .k6 { --c: var(--c6); } .k7 { --c: var(--c7); }
@media (max-width: 30rem) {
  main { padding: 1rem .75rem 3rem; }
  .cards { grid-template-columns: repeat(2, 1fr); gap: .5rem; }
}
@media print {
  :root { color-scheme: light; --ground: #ffffff; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  .charts { grid-template-columns: repeat(2, 1fr); }
  .cards { grid-template-columns: repeat(4, 1fr); }
  figure, .card, .post, .side > *, tr { break-inside: avoid; }
  h2, h3, caption, summary, section > .note { break-after: avoid; }
  thead { display: table-header-group; }
  p { orphans: 2; widows: 2; }
  /* Paper does not scroll: what is wide becomes smaller and wraps, and what is folded is printed. */
  .scroll { overflow: visible; background: none; }
  .box::after { content: none; }
  table { width: 100%; font-size: 8pt; }
  table.many, table.heat { font-size: 6.5pt; }
  th, td, th.number, td.number, .heat td, .heat thead th { min-width: 0; max-width: none; padding-right: .5em; white-space: normal; }
  .scroll th:first-child, .scroll td:first-child { position: static; min-width: 0; max-width: none; }
  .heat small { white-space: normal; font-size: inherit; }
  figure.wide svg { min-width: 0; }
  details::details-content { content-visibility: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";
}

}  // namespace precis
