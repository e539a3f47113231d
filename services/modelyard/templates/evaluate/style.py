"""The style sheet of report.html: light and dark, from a phone's width on."""

STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--field:#f6f8fa;--hit:#6cb2f0;--miss:#ff9a7a;
--curve:#0969da;--gap:#d1242f;--tile:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--field:#151b23;
--hit:#1f5f9f;--miss:#a3402a;--curve:#58a6ff;--gap:#ff7b72;--tile:#151b23}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;margin:0}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem}
p{max-width:44rem}
.about{color:var(--soft);font-size:.8rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.75rem;margin:1.5rem 0 0}
.tiles div{background:var(--tile);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
dt{color:var(--soft);font-size:.85rem}
dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
dd.about{font-size:.8rem;line-height:1.3}
.notes{border-left:4px solid var(--gap);margin:1.5rem 0 0;padding:.25rem 0 .25rem 1.75rem}
.scroll{overflow-x:auto;max-width:100%}
.chart{display:block;max-width:100%;height:auto}
.chart text{font:11px system-ui,sans-serif}
.label{fill:var(--soft)}.count{fill:var(--ink)}
.field{fill:var(--field)}.hit{fill:var(--hit)}.miss{fill:var(--miss)}
.grid{stroke:var(--line);fill:none}.axis{stroke:var(--soft);fill:none}
.ideal{stroke:var(--soft);stroke-dasharray:5 4;fill:none}
.curve{stroke:var(--curve);stroke-width:2;fill:none}
.truth{stroke:var(--ink);stroke-width:1.5;fill:none}.other{stroke:var(--miss);stroke-width:1.5;fill:none}
.third{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:2 3;fill:none}
.point{fill:var(--curve)}
.gap{stroke:var(--gap);stroke-width:2;opacity:.6}rect.bar{fill:var(--curve);opacity:.45}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;min-width:min(100%,22rem)}
caption{text-align:left;color:var(--soft);font-size:.85rem;padding-bottom:.25rem}
th,td{padding:.3rem .75rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
th{font-weight:600}
td,thead th{white-space:nowrap}
th:first-child,td.name{text-align:left;overflow-wrap:break-word;min-width:5rem;max-width:16rem;white-space:normal}
.names th:nth-child(2){text-align:left}
.pair{display:flex;flex-wrap:wrap;gap:0 2rem;align-items:flex-start}
thead th{color:var(--soft);font-weight:500}
span.bar{display:block;min-width:5rem;padding:0 .3rem;border-radius:.2rem;
background:linear-gradient(to right,var(--hit) calc(var(--part)*100%),transparent 0)}
.dot{fill:var(--curve);fill-opacity:.4}
dd.about b,dd.about span{white-space:nowrap}
.floor b{font-weight:600;color:var(--ink)}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
.texts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:.75rem;align-items:start}
figure.text{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;background:var(--tile)}
blockquote{margin:0 0 .4rem}blockquote p{margin:0 0 .3rem;white-space:pre-line}
.values th,.values td{padding-inline:.5rem;font-size:.9rem}
.values td{max-width:14rem;overflow:hidden;text-overflow:ellipsis}
.values th:first-child{white-space:nowrap}
.values img{width:4rem;display:block}
.names td.name:last-child{min-width:12rem;color:var(--soft)}
.written th,.written td{white-space:normal;min-width:9rem;text-align:left;font-weight:400}
.written td:last-child,.written th:last-child{min-width:3.5rem;white-space:nowrap;text-align:right}
summary{cursor:pointer;color:var(--soft)}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:1rem}
figure{margin:0;font-size:.9rem;line-height:1.35}
figure img{width:100%;aspect-ratio:1;object-fit:contain;image-rendering:pixelated;background:var(--field);
border:1px solid var(--line);border-radius:.35rem}
.neighbours{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem}.neighbours figure{display:flex;gap:.25rem;align-items:center}
.neighbours img{width:4rem;border-width:2px}
.neighbours img.same{border-color:#2da44e}.neighbours img.other{border-color:#cf222e}
.boxes{display:block;width:100%;border-radius:.35rem}.boxes image{image-rendering:pixelated}
.boxes rect{fill:none;vector-effect:non-scaling-stroke}
.boxes .right{stroke:#58a6ff;stroke-width:1.5}.boxes .wrong{stroke:#ff5a4d;stroke-width:3}
.boxes .missed{stroke:#ffd33d;stroke-width:2.5;stroke-dasharray:5 4}
.mistakes .strip{grid-column:1/-1}.strip img{aspect-ratio:auto}
.sounds{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1.25rem 1rem}
.sounds svg{display:block;width:100%;height:3.5rem;background:var(--field);border-radius:.35rem .35rem 0 0}
.sounds figure img{display:block;aspect-ratio:auto;height:6rem;object-fit:fill;border:0;border-radius:0 0 .35rem .35rem}
.lines{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,18rem),1fr));gap:.75rem}
.lines figure img{aspect-ratio:auto;max-height:6rem}
.aligned{font:1rem/1.25 ui-monospace,monospace;margin:.4rem 0}
.aligned span{display:inline-block;min-width:.75em;text-align:center}
.aligned .off{background:var(--miss);border-radius:.2rem}
.wave{fill:var(--curve)}
audio{display:block;width:100%;height:2.25rem;margin:.35rem 0}
td audio,th audio{width:12rem}
"""
