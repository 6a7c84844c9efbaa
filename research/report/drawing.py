"""How attention maps are drawn in a page: its rules and its script.

The script takes everything from the page itself: `#told` has the elements of
the sequences and the ramps as JSON, and each canvas its weights as float32 in
base64, and which elements its queries and keys are. What stands in the ramps
follows the page's colour scheme.
"""

STYLE = """
.tokens { display: flex; flex-wrap: wrap; gap: .3rem; padding: 0;
  margin: 0 0 1rem; list-style: none; max-height: 24rem; overflow-y: auto }
.tokens li { display: grid; justify-items: center; min-width: 2.1rem;
  padding: .1rem .35rem .25rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .35rem; line-height: 1.3;
  font-size: .85rem; align-content: start; font-variant-numeric: tabular-nums }
.tokens small { color: var(--soft); font-size: .68rem }
.tokens .scored { border-color: var(--tone); box-shadow: inset 0 0 0 1px
  var(--tone); --tone: var(--soft) }
.tokens .right { --tone: var(--upheld) }
.tokens .wrong { --tone: var(--refuted) }
.tokens span { color: var(--tone); font-weight: 700; white-space: nowrap }
.tokens .padding { opacity: .45; border-style: dashed }
.legend { display: flex; flex-wrap: wrap; align-items: center;
  gap: .4rem 1.4rem; font-size: .9rem; margin: 0 0 1rem; padding: .55rem .9rem;
  background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem }
.legend > * { display: inline-flex; align-items: center; gap: .5rem }
.legend i { display: inline-block; width: 10rem; height: .8rem;
  border: 1px solid var(--line) }
.legend i.key { width: 1rem }
.legend .grey { background: var(--line) }
.legend .lost { background: var(--purple) }
.legend .true { border: 2px solid var(--orange) }
.legend input { margin: 0; accent-color: var(--link) }
.maps { display: grid; gap: 1rem; align-items: start; grid-auto-flow: dense;
  grid-template-columns:
    repeat(auto-fit, minmax(min(100%, var(--least)), 1fr)) }
.legend ~ .facts, h2 + .facts { margin: 0 0 .6rem }
.maps figure { margin: 0; max-width: 38rem; min-width: 0; width: 100% }
.maps .large { grid-column: 1 / -1; max-width: none }
.maps figcaption { display: flex; align-items: baseline; gap: .6rem;
  white-space: nowrap; margin: 0 0 .4rem }
.maps figcaption b { color: var(--ink) }
.maps figcaption .path { overflow: hidden; text-overflow: ellipsis }
.maps button { margin-left: auto; font: inherit; font-size: .8rem;
  color: var(--link); background: none; border: 1px solid var(--line);
  border-radius: .35rem; padding: .05rem .55rem; cursor: pointer }
.view { overflow-x: auto }
.view canvas { display: block; cursor: crosshair }
.view canvas:focus-visible { outline: 2px solid var(--link) }
#tip { position: fixed; z-index: 2; pointer-events: none; white-space: pre;
  background: var(--ink); color: var(--card); border-radius: .35rem;
  padding: .35rem .6rem; font-size: .85rem; line-height: 1.4;
  max-width: calc(100vw - 1rem); overflow: hidden }
@media print { .maps button, .legend label { display: none } }
"""

SCRIPT = """
"use strict";
const find = name => document.getElementById(name);
const told = JSON.parse(find("told").textContent);
const own = find("own"), tip = find("tip");
const GAP = 11, TITLE = 14, MOST = 28, WIDEST = 3000;  // in pixels
const night = matchMedia("screen and (prefers-color-scheme: dark)");
const font = getComputedStyle(document.body).fontFamily;
const numbers = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
let shades, style, shared = 0, signed = false;

const maps = [...document.querySelectorAll(".view canvas")].map(canvas => {
  const bytes = Uint8Array.from(
    atob(canvas.dataset.weights), c => c.charCodeAt(0));
  const weights = new Float32Array(bytes.buffer);
  const [t, s] = [canvas.dataset.t, canvas.dataset.s].map(Number);
  let most = 0;
  for (const w of weights) {
    if (Number.isFinite(w)) most = Math.max(most, Math.abs(w));
    if (w < 0) signed = true;
  }
  shared = Math.max(shared, most);
  const picture = document.createElement("canvas");
  Object.assign(picture, {width: s, height: t});
  const side = name => told[name === "target" ? "elements" : name];
  const known = side(canvas.dataset.keys), keys = s === known.length ? known :
    Array.from({length: s}, (_, i) => ({label: `${i}`, name: `${i}`}));
  return {canvas, weights, t, s, most, picture, keys, at: null,
    queries: side(canvas.dataset.queries), figure: canvas.closest("figure"),
    spans: JSON.parse(canvas.dataset.spans)};
});

function mix(stops, x) {
  const i = Math.min(Math.floor(x * (stops.length - 1)), stops.length - 2);
  const f = x * (stops.length - 1) - i;
  return stops[i].map((c, j) => Math.round(c + f * (stops[i + 1][j] - c)));
}

function paint(map) {
  const pen = map.picture.getContext("2d");
  const image = pen.createImageData(map.s, map.t);
  const most = (own.checked ? map.most : shared) || 1;
  map.weights.forEach((w, i) => {
    const x = Math.round(255 * Math.min(Math.abs(w) / most, 1));
    const colour = Number.isNaN(w) ? shades.lost : shades[w < 0 ? 1 : 0][x];
    image.data.set(colour, 4 * i);
    image.data[4 * i + 3] = 255;
  });
  pen.putImageData(image, 0, 0);
}

function shown(elements, cell) {
  const every = Math.ceil(GAP / cell), taken = new Set();
  const order = elements.map((_, i) => i);
  for (const i of [...order.filter(i => elements[i].mark), ...order]) {
    let free = true;
    for (let d = 1 - every; d < every; d++) free &&= !taken.has(i + d);
    if (free) taken.add(i);
  }
  return taken;
}

function letter(pen, elements, side, cell, corner, at) {
  const which = shown(elements, cell);
  if (at !== null) {
    for (const i of which) if (Math.abs(i - at) * cell < GAP) which.delete(i);
    which.add(at);
  }
  for (const i of which) {
    const {label, mark} = elements[i], query = side === "query";
    pen.save();
    if (query) pen.translate(corner.x - 4, corner.y + (i + .5) * cell);
    else pen.translate(corner.x + (i + .5) * cell, corner.y - 4);
    const single = !query && [...label].length === 1;
    if (!query && !single) pen.rotate(-Math.PI / 2);
    pen.textAlign = query ? "right" : single ? "center" : "left";
    if (single) pen.textBaseline = "alphabetic";
    const tone = {"✓": "upheld", "✗": "refuted"}[mark] || "ink";
    const loud = i === at || query && mark;
    pen.font = `${loud ? "bold " : ""}10px ${font}`;
    pen.fillStyle = style(query && mark ? tone : loud ? "ink" : "soft");
    pen.fillText(query && mark ? `${mark} ${label}` : label, 0, 0);
    pen.restore();
  }
}

function draw(map) {
  const {canvas, t, s, queries, keys, at} = map, scale = devicePixelRatio || 1;
  const pen = canvas.getContext("2d"), room = canvas.parentElement.clientWidth;
  pen.font = `bold 10px ${font}`;
  const wide = (elements, more) => TITLE + 8 + Math.max(...elements.map(
    e => pen.measureText((e.mark ? more : "") + e.label).width));
  const corner = {x: Math.ceil(wide(queries, "✓ ")),
    y: Math.ceil(wide(keys, ""))};
  let cell = Math.min((room - corner.x - 2) / s, MOST);
  if (map.figure.classList.contains("large"))
    cell = Math.max(cell, Math.min(GAP + 1, WIDEST / s));
  const even = Math.floor(cell * scale) / scale;  // Every cell alike, or wide.
  if (even > .8 * cell) cell = even;
  const [width, height] = [corner.x + cell * s + 2, corner.y + cell * t + 2];
  Object.assign(map, {corner, cell});
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  Object.assign(canvas.style, {width: `${width}px`, height: `${height}px`});
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.textBaseline = "middle";
  pen.imageSmoothingEnabled = cell * scale < 1;
  pen.drawImage(map.picture, corner.x, corner.y, cell * s, cell * t);
  pen.fillStyle = style("line");
  queries.forEach((e, i) => e.padding &&
    pen.fillRect(corner.x, corner.y + i * cell, cell * s, cell));
  keys.forEach((e, i) => e.padding &&
    pen.fillRect(corner.x + i * cell, corner.y, cell, cell * t));
  pen.strokeStyle = style("orange");
  pen.lineWidth = cell < 8 ? 1 : 2;
  map.spans.forEach(([first, end], i) => end > first &&
    pen.strokeRect(corner.x + first * cell, corner.y + i * cell,
      (end - first) * cell, cell));
  pen.lineWidth = 1;
  pen.strokeStyle = style("faint");
  pen.strokeRect(corner.x - .5, corner.y - .5, cell * s + 1, cell * t + 1);
  pen.fillStyle = style("soft");
  pen.font = `10px ${font}`;
  pen.fillText("key →", corner.x, TITLE / 2 - 1);
  pen.save();
  pen.translate(TITLE / 2 - 1, corner.y);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "right";
  pen.fillText("← query", 0, 0);
  pen.restore();
  letter(pen, queries, "query", cell, corner, at && at[0]);
  letter(pen, keys, "key", cell, corner, at && at[1]);
  if (!at) return;
  pen.strokeStyle = style("ink");
  const [y, x] = [corner.y + at[0] * cell, corner.x + at[1] * cell];
  pen.globalAlpha = .55;
  pen.strokeRect(corner.x - .5, y - .5, cell * s + 1, cell + 1);
  pen.strokeRect(x - .5, corner.y - .5, cell + 1, cell * t + 1);
  pen.globalAlpha = 1;
  pen.strokeRect(x - 1, y - 1, cell + 2, cell + 2);
}

function look(map, at, place) {
  map.at = at;
  draw(map);
  tip.hidden = !at;
  if (!at) return;
  const weight = map.weights[at[0] * map.s + at[1]];
  const exact = weight === 0 ? "0" : weight.toPrecision(4);
  tip.textContent = `weight ${exact}\\nquery ${map.queries[at[0]].name}\\n` +
    `key ${map.keys[at[1]].name}`;
  const box = tip.getBoundingClientRect();
  const x = Math.min(place.x + 16, innerWidth - box.width - 8);
  const below = place.y + 18 + box.height < innerHeight;
  const y = below ? place.y + 18 : place.y - box.height - 12;
  Object.assign(tip.style, {left: `${Math.max(x, 8)}px`, top: `${y}px`});
}

function point(map, event) {
  const box = map.canvas.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left - map.corner.x) / map.cell);
  const y = Math.floor((event.clientY - box.top - map.corner.y) / map.cell);
  const inside = x >= 0 && y >= 0 && x < map.s && y < map.t;
  look(map, inside ? [y, x] : null, {x: event.clientX, y: event.clientY});
}

function step(map, event) {
  const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1],
    ArrowRight: [0, 1]}[event.key];
  if (event.key === "Escape") look(map, null);
  if (!move) return;
  event.preventDefault();
  const [y, x] = map.at || [0, 0], inside = (i, n) => (i + n) % n;
  const at = map.at ? [inside(y + move[0], map.t), inside(x + move[1], map.s)]
    : [0, 0];
  const box = map.canvas.getBoundingClientRect();
  look(map, at, {x: box.left + map.corner.x + at[1] * map.cell,
    y: box.top + map.corner.y + at[0] * map.cell});
}

function legend() {
  const stops = shades.ends;
  find("ramp").style.background = `linear-gradient(to right, ${stops})`;
  const most = own.checked ? "the map’s largest" : shared.toPrecision(3);
  find("least").textContent = signed ? `−${most}` : "0";
  find("most").textContent = most;
}

function again() {
  const rules = getComputedStyle(document.documentElement), known = {};
  style = name =>
    known[name] ??= rules.getPropertyValue("--" + name).trim();
  const ramps = told.ramps[night.matches ? "dark" : "light"];
  shades = [ramps.positive, ramps.negative].map(stops => {
    const found = stops.map(numbers);
    return Array.from({length: 256}, (_, i) => mix(found, i / 255));
  });
  shades.lost = numbers(style("purple"));
  shades.ends = [...(signed ? [...ramps.negative].reverse() : []),
    ...ramps.positive];
  for (const map of maps) { paint(map); draw(map); }
  legend();
}

for (const map of maps) {
  const {canvas, figure} = map, button = figure.querySelector("button");
  canvas.onpointermove = canvas.onpointerdown = event => point(map, event);
  canvas.onpointerleave = canvas.onblur = () => look(map, null);
  canvas.onkeydown = event => step(map, event);
  button.onclick = () => {
    const large = figure.classList.toggle("large");
    button.textContent = large ? "Reduce" : "Enlarge";
    draw(map);
  };
}
own.onchange = night.onchange = again;
new ResizeObserver(() => maps.forEach(draw)).observe(document.body);
again();
"""
