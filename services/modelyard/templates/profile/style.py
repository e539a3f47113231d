"""What the page of a profile has beside the style of all pages."""

from modelyard.templates.evaluate.style import STYLE as PAGES

STYLE = (
    PAGES
    + """
main{max-width:72rem}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr));gap:.75rem}
.sheet.large{grid-template-columns:repeat(auto-fill,minmax(10rem,1fr))}
.sheet figure{font-size:.8rem;min-width:0}
.sheet img{image-rendering:auto}.sheet img.pixels{image-rendering:pixelated}
.sheet svg{width:100%;display:block;background:var(--field);border:1px solid var(--line);border-radius:.35rem}
figcaption{overflow-wrap:anywhere}
.box{fill:none;stroke:#ff3b6b;stroke-width:2;vector-effect:non-scaling-stroke}
.box-name{fill:#fff;paint-order:stroke;stroke:#b3003b;stroke-width:3px;font:600 11px system-ui,sans-serif}
.clips{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1.25rem 1rem}
.strip{display:flex;gap:2px}.strip img{flex:1;min-width:0;border-radius:0}
.features{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:1rem;align-items:start}
.feature{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;background:var(--tile);min-width:0}
.feature h3{margin:0;display:flex;justify-content:space-between;gap:.5rem;align-items:baseline}
.feature h3 span{color:var(--soft);font-weight:400;font-size:.8rem}
.feature dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .75rem;margin:.5rem 0;font-size:.85rem}
.feature dd{font-size:inherit;text-align:right}
.feature h4{font-size:.8rem;font-weight:500;color:var(--soft);margin:.6rem 0 .1rem}
.histogram{display:block;width:100%;height:4.5rem}
.histogram rect{fill:var(--curve);opacity:.65}
.ends{display:flex;justify-content:space-between;color:var(--soft);font-size:.75rem;
font-variant-numeric:tabular-nums}
.top{list-style:none;margin:.4rem 0 0;padding:0;font-size:.85rem}
.top li{display:flex;justify-content:space-between;gap:.75rem;padding:.05rem .35rem;margin:2px 0;border-radius:.2rem;
background:linear-gradient(to right,var(--hit) calc(var(--part)*100%),transparent 0)}
.top span:first-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.top span:last-child{font-variant-numeric:tabular-nums}
.rows td{text-align:start;max-width:18rem;overflow:hidden;text-overflow:ellipsis;font-size:.85rem}
.rows th:first-child{white-space:nowrap;font-weight:400;font-size:.8rem;color:var(--soft)}
.rows th{text-align:left}.rows td.n{text-align:right}
.missing{color:var(--soft);font-style:italic}
.wide td{white-space:normal;text-align:left}.wide th:first-child{max-width:24rem}
.good{border-left-color:var(--curve)}
"""
)
