/** Colours after Okabe and Ito: told apart with any colour vision; lighter ones on a dark ground. */
export const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2126; --soft: #5d6670; --grid: #d9dee3; --heat: #0072b2;
  --c0: #0072b2; --c1: #d55e00; --c2: #007a5a; --c3: #a6508a; --c4: #b08400; --c5: #3a8fc4; --c6: #6b6b6b; --c7: #1c2126; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181c; --ink: #e6eaee; --soft: #9aa5b0; --grid: #323a42; --heat: #56b4e9;
  --c0: #56b4e9; --c1: #f0883e; --c2: #35c495; --c3: #d98bbf; --c4: #f0d442; --c5: #8fc9ec; --c6: #a8a8a8; --c7: #e6eaee; } }
@media print { :root { --ground: #fff; --ink: #000; --soft: #333; --grid: #bbb; --heat: #0072b2; --c0: #0072b2; --c1: #d55e00;
  --c2: #007a5a; --c3: #a6508a; --c4: #b08400; --c5: #3a8fc4; --c6: #6b6b6b; --c7: #000; }
  section { break-inside: avoid-page; } details { display: none; } rect { print-color-adjust: exact; } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
.lead, p { color: var(--soft); } .warnings { border-left: 4px solid var(--c1); margin: 1rem 0; padding: .2rem 0 .2rem 1.6rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 500; }
td, thead th:not(:first-child) { text-align: right; } td, th { padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--grid); }
svg { width: 100%; height: auto; display: block; margin: .5rem 0 1rem; } svg text { font-size: 11.5px; fill: var(--ink); }
svg text.note { fill: var(--soft); font-size: 10.5px; } svg text.inverse { fill: var(--ground); font-size: 10.5px; }
.grid { stroke: var(--grid); stroke-width: 1; } .mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 4 3; }
.line { fill: none; stroke-width: 2; } .line.s1 { stroke-dasharray: 7 3; } .line.s2 { stroke-dasharray: 2 3; }
.heat { fill: color-mix(in srgb, var(--heat) var(--share), var(--ground)); stroke: var(--grid); stroke-width: .5; }
pre { overflow: auto; font-size: 12px; } code { font-size: 12px; overflow-wrap: anywhere; }
${Array.from({ length: 8 }, (_, i) => `.fill.s${i} { fill: var(--c${i}); } .line.s${i} { stroke: var(--c${i}); }`).join('\n')}
`;
