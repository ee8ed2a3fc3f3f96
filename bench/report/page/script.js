"use strict";
// Text reaches the page through textContent alone, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const NONE = "–";
const SVG = "http://www.w3.org/2000/svg"; // a name, never fetched
const PAGE = 100; // lines of the cells' table shown at a time

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const known = (value) => value !== null && value !== undefined;
const fixed = (value, digits = 1) => (known(value) ? value.toFixed(digits).replace("-", "−") : NONE);
const signed = (value) => (known(value) ? (value > 0 ? "+" : "") + fixed(value) : NONE);
const whole = (value) => (known(value) ? value.toLocaleString("en") : NONE);
const exact = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

function seconds(value) {
  if (!known(value)) return NONE;
  if (value < 100) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return value < 6000 ? `${(value / 60).toFixed(value < 600 ? 1 : 0)} min` : `${(value / 3600).toFixed(1)} h`;
}

function bytes(value) {
  if (!value) return NONE;
  return value < 2 ** 30 ? `${(value / 2 ** 20).toFixed(0)} MiB` : `${(value / 2 ** 30).toFixed(1)} GiB`;
}

const cells = data.rows.map((row, number) => {
  const cell = Object.fromEntries(data.columns.map((name, at) => [name, row[at] ?? null]));
  const entry = data.entries[cell.entry];
  const main = cell.scores ? cell.scores[0] : null;
  for (const [part, names] of Object.entries(data.fields)) {
    if (cell[part]) cell[part] = Object.fromEntries(names.map((name, at) => [name, cell[part][at]]));
  }
  return { ...cell, number, label: entry.label, method: entry.method, model: entry.model, task: entry.task, suite: entry.suite,
    size: data.models[entry.model].parameters, score: main,
    train_seconds: cell.costs ? cell.costs.train_seconds : null, peak_bytes: cell.costs ? cell.costs.peak_bytes : null };
});
const modelText = (name) => data.models[name].text;

function glyph({ label }) {
  const look = data.glyphs[label];
  if (!look) return el("span");
  const [d, colour, clip] = look;
  const parts = clip ? [`fill: var(--paper); stroke: ${colour}`, `fill: ${colour}; clip-path: ${clip}`] : [`fill: ${colour}`];
  return svg("svg", { class: "glyph", viewBox: "0 0 12 12", "aria-hidden": "true" }, ...parts.map((style) => svg("path", { d, style })));
}

/* sorting */

function ordered(rows, value, down) {
  const there = (v) => known(v) && v !== "";
  const keyed = rows.map((row) => [value(row), row]);
  keyed.sort(([a], [b]) => {
    if (!there(a) || !there(b)) return there(b) - there(a); // what has no value stays last
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
    return down ? -order : order;
  });
  return keyed.map(([, row]) => row);
}

function turn(header) {
  const down = header.getAttribute("aria-sort") === (header.classList.contains("num") ? "none" : "ascending");
  for (const other of header.parentNode.children) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  return down;
}

function read(row, column) {
  const cell = row.children[column];
  if (!("sort" in cell.dataset)) {
    const text = cell.textContent.trim();
    const number = parseFloat(text.replace("−", "-"));
    return cell.classList.contains("num") && !Number.isNaN(number) ? number : text;
  }
  return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const header = event.target.closest("th[aria-sort]");
    if (!header || !event.target.closest("button")) return;
    const down = turn(header);
    const body = table.tBodies[0];
    body.append(...ordered([...body.rows], (row) => read(row, header.cellIndex), down));
    rules(body);
  });
}

function rules(body) { // a line between models, where the order keeps them together
  let before = null;
  for (const row of body.rows) {
    if (row.hidden) continue;
    row.classList.toggle("first", before !== null && before !== row.dataset.model);
    before = row.dataset.model;
  }
}

/* filtering */

const controls = document.getElementById("controls");
const cellsBody = document.querySelector("#cells tbody");
const more = document.getElementById("more");
let shownCells = cells;
let shownLines = PAGE;

function wanted() {
  const chosen = Object.fromEntries([...controls.querySelectorAll("[data-filter]")].map((select) => [select.dataset.filter, select.value]));
  return { ...chosen, words: document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean) };
}

function fits(cell, filter) {
  const text = () => [cell.label, modelText(cell.model), cell.model, cell.task, cell.status, cell.id, cell.reason || "", cell.suite].join(" ").toLowerCase();
  return ["task", "model", "method", "status"].every((name) => !filter[name] || cell[name] === filter[name])
    && (!filter.words.length || filter.words.every((word) => text().includes(word)));
}

function filterAll() {
  const filter = wanted();
  const words = (text) => filter.words.every((word) => text.toLowerCase().includes(word));
  let shown = 0;
  let all = 0;
  for (const table of document.querySelectorAll("table.scores")) {
    const present = !filter.task || table.querySelector(`thead [data-task="${CSS.escape(filter.task)}"]`);
    for (const cell of table.querySelectorAll("[data-task]")) cell.hidden = Boolean(filter.task) && present && cell.dataset.task !== filter.task;
    for (const row of table.tBodies[0].rows) {
      const visible = [...row.querySelectorAll("[data-status]")].filter((cell) => !cell.hidden);
      row.hidden = !present || (filter.model && row.dataset.model !== filter.model) || (filter.method && row.dataset.method !== filter.method)
        || (filter.status && !visible.some((cell) => cell.dataset.status.split(" ").includes(filter.status)))
        || !(words(row.textContent) || filter.words.length && rowCells(row).some((cell) => fits(cell, filter)));
      all += 1;
      shown += !row.hidden;
    }
    rules(table.tBodies[0]);
  }
  shownCells = current(cells.filter((cell) => fits(cell, filter)));
  shownLines = PAGE;
  drawCells();
  document.getElementById("shown").textContent = `${shown} of ${all} lines, ${shownCells.length} of ${cells.length} cells`;
}

function rowCells(row) {
  return [...row.querySelectorAll("[data-entry]")].flatMap((button) => data.entries[button.dataset.entry].cells || []).map((number) => cells[number]);
}

/* the table of all cells, drawn as far as it is looked at */

function current(list) {
  const header = document.querySelector('#cells th[aria-sort="ascending"], #cells th[aria-sort="descending"]');
  if (!header) return list;
  return ordered(list, (cell) => cell[header.dataset.key], header.getAttribute("aria-sort") === "descending");
}

function drawCells() {
  cellsBody.replaceChildren(...shownCells.slice(0, shownLines).map((cell) => el("tr", {},
    el("th", { scope: "row", class: "line" }, el("span", { class: "label" }, glyph(cell), el("span", {}, cell.label))),
    el("td", {}, modelText(cell.model)), el("td", {}, cell.task), el("td", { class: "num" }, String(cell.seed)),
    el("td", { class: cell.status === "done" ? "" : "wrong" }, cell.status),
    el("td", { class: "num" }, fixed(cell.score)), el("td", { class: "num" }, seconds(cell.train_seconds)),
    el("td", { class: "num" }, bytes(cell.peak_bytes)),
    el("td", {}, el("button", { type: "button", class: "number", "data-cell": cell.number }, el("code", {}, cell.id))))));
  more.hidden = shownCells.length <= shownLines;
  more.textContent = `Show more (${shownCells.length - shownLines} left)`;
}

if (controls) {
  document.getElementById("search").addEventListener("input", filterAll);
  controls.addEventListener("change", filterAll);
  controls.addEventListener("reset", () => setTimeout(filterAll));
  controls.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => { shownLines += PAGE; drawCells(); });
  document.querySelector("#cells thead").addEventListener("click", (event) => {
    const header = event.target.closest("th");
    if (!header) return;
    turn(header);
    shownCells = current(shownCells);
    drawCells();
  });
  filterAll();
}

/* the cells behind a number */

const drawer = document.getElementById("drawer");
const body = document.getElementById("drawer-body");

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-entry], [data-cell]");
  if (button && "entry" in button.dataset) openEntry(Number(button.dataset.entry), button.dataset.metric);
  else if (button) openCells([cells[button.dataset.cell]], null);
  else if (event.target === drawer) drawer.close(); // beside the drawer
});

function show(title, parts) {
  document.getElementById("drawer-title").replaceChildren(...title);
  body.replaceChildren(...parts.flat().filter(Boolean));
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
}

function openEntry(number, metric) {
  const entry = data.entries[number];
  if (entry.parts) return openAverage(entry, number);
  return openCells((entry.cells || []).map((at) => cells[at]), metric, entry);
}

const title = (entry) => [glyph(entry), ` ${entry.label} · ${entry.task} · ${modelText(entry.model)}`];

function openAverage(entry, number) {
  const rows = entry.parts.map((at) => {
    const part = data.entries[at];
    const stats = part.stats[0];
    return [part.task, stats ? el("button", { type: "button", class: "number", "data-entry": at }, stats.n ? fixed(stats.mean) : "no score") : NONE,
      stats ? fixed(stats.sd) : NONE, stats ? `${stats.n} of ${stats.expected}` : NONE, stats ? fixed(stats.trivial) : NONE];
  });
  show(title(entry), [summary(entry), el("h3", {}, "The tasks it is the mean of"),
    grid(["task", "mean", "sd", "seeds", "trivial"], rows)]);
}

function openCells(list, metric, entry = data.entries[list[0].entry]) {
  const shared = same(list.map((cell) => cell.settings));
  const done = list.filter((cell) => cell.scores);
  show(title(entry), [
    list.length > 1 || entry.cells.length === 1 ? summary(entry, metric) : null,
    scoresOf(list, entry),
    reasons(list),
    curves(list),
    shared ? [el("h3", {}, "Settings"), facts(data.settings[list[0].settings])]
      : list.filter((cell) => known(cell.settings)).map((cell) => [el("h3", {}, `Settings, seed ${cell.seed}`), facts(data.settings[cell.settings])]).flat(),
    chosen(list),
    samples(done),
    costs(done),
    setups(list),
  ]);
}

const same = (values) => values.every((value) => value === values[0]) && known(values[0]);

function facts(values) {
  return el("dl", { class: "facts" }, Object.entries(values).flatMap(([name, value]) => [el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, exact(value))]));
}

function grid(header, rows, numbers = 1) {
  return el("div", { class: "scroll", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, header.map((name, at) => el("th", { scope: "col", class: at >= numbers ? "num" : "" }, name)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((value, at) =>
      el(at ? "td" : "th", { scope: at ? null : "row", class: at >= numbers ? "num" : "" }, value)))))));
}

function summary(entry, metric) {
  const rows = (entry.stats || []).map((stats) => [stats.metric + (stats.metric === metric && entry.stats.length > 1 ? " ◂" : ""),
    fixed(stats.mean), fixed(stats.sd), known(stats.iqm) ? fixed(stats.iqm) : NONE,
    known(stats.low) ? `${fixed(stats.low)} – ${fixed(stats.high)}` : NONE, `${stats.n} of ${stats.expected}`, fixed(stats.trivial)]);
  const parts = [grid(["metric", "mean", "sd", "IQM", "95 % interval", "seeds", "trivial"], rows)];
  for (const stats of entry.stats || []) {
    const versus = stats.versus;
    if (!versus) continue;
    const interval = known(versus.tested_low) ? ` [${signed(versus.tested_low)}, ${signed(versus.tested_high)}] at ${versus.level}` : "";
    parts.push(el("p", { class: "small" }, el("span", { class: `verdict ${versus.verdict}` }, versus.verdict),
      ` against ${versus.reference}, margin ±${versus.margin}, of ${versus.about}: difference ${signed(versus.difference)}${interval} in ${stats.metric}; collapsed: ${versus.collapsed}`,
      known(versus.improvement) ? `; probability of improvement ${versus.improvement.toFixed(2)}` : "",
      known(versus.p_equivalent) ? `; p (equivalent) ${versus.p_equivalent.toPrecision(2)}, p (different) ${known(versus.p_different) ? versus.p_different.toPrecision(2) : NONE}` : "",
      versus.note ? `. ${versus.note}` : ""));
  }
  return el("div", {}, parts);
}

function scoresOf(list, entry) {
  const metrics = entry.metrics || [];
  return el("div", {}, el("h3", {}, "Seeds"), grid(["seed", "status", ...metrics, "step", "selection score", "cell"],
    list.map((cell) => [String(cell.seed), el("span", { class: cell.status === "done" ? "" : "wrong" }, cell.status),
      ...metrics.map((_, at) => fixed(cell.scores ? cell.scores[at] : null, 2)), whole(cell.selected_step), fixed(cell.selection_score, 2),
      list.length > 1 ? el("button", { type: "button", class: "number", "data-cell": cell.number }, el("code", {}, cell.id)) : el("code", {}, cell.id)]), 2));
}

function reasons(list) {
  const lacking = list.filter((cell) => cell.status !== "done");
  return lacking.map((cell) => el("p", { class: "notice" }, `Seed ${cell.seed} ${cell.status}`, cell.reason ? `: ${cell.reason}` : ": planned, no record yet"));
}

function chosen(list) {
  const of = [...new Set(list.map((cell) => cell.tried).filter(known))];
  const words = (drawn) => Object.entries(drawn).map(([name, value]) => `${name}=${exact(value)}`).join(", ") || "defaults";
  return of.map((at) => el("div", {}, el("h3", {}, `Chosen out of ${data.trials[at].length} trials`),
    grid(["settings tried", "status", "selection score", "cell"], data.trials[at].map(([id, drawn, score, status]) =>
      [words(drawn), status, fixed(score, 2), el("code", {}, id)]), 2)));
}

function curves(list) {
  const with_curve = list.filter((cell) => cell.curve && cell.curve[0].length > 1);
  if (!with_curve.length) return list.some((cell) => cell.status === "done") ? el("p", { class: "small muted" }, "The curves are not on this page; bench show ID prints them.") : null;
  const look = data.glyphs[with_curve[0].label];
  const panels = [["score on the selection rows", 2], ["training loss", 1]].map(([name, at]) => panel(name, look ? look[1] : "var(--ink)", with_curve.map((cell) => ({
    seed: cell.seed, chosen: at === 2 ? cell.selected_step : null, x: cell.curve[0], y: cell.curve[at] }))));
  return el("div", {}, el("h3", {}, "Curves"), panels);
}

function panel(name, colour, lines) { // the seeds of one line in its own colour, told apart by their dashes
  const wide = Math.min(640, innerWidth - 32); // one unit is one pixel, so that words stay readable on a phone
  const [high, left, right, top, bottom] = [150, 44, 62, 18, 22];
  const values = lines.flatMap((line) => line.y.filter(known));
  const last = Math.max(...lines.flatMap((line) => line.x));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (step) => left + (wide - left - right) * (last ? step / last : 0);
  const y = (value) => top + (high - top - bottom) * (most > least ? (most - value) / (most - least) : 0.5);
  const out = svg("svg", { class: "curves", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${name} by step, ${lines.length} seeds` });
  const text = (at, up, words, anchor = "start") => out.append(svg("text", { x: at, y: up, "text-anchor": anchor }, words));
  for (const value of new Set([least, most])) {
    out.append(svg("line", { class: "axis", x1: left, x2: wide - right, y1: y(value), y2: y(value) }));
    text(left - 6, y(value) + 4, value.toPrecision(3), "end");
  }
  text(left, 11, name);
  text(left, high - 6, "0");
  text(wide - right, high - 6, `${whole(last)} steps`, "end");
  const dashes = ["none", "6 3", "2 3", "9 3 2 3", "12 4"];
  const ends = lines.map((line) => y(line.y.findLast(known)));
  const places = spread(ends, 12, top, high - bottom);
  lines.forEach((line, at) => {
    const points = line.x.map((step, n) => [x(step), line.y[n]]).filter(([, value]) => known(value));
    out.append(svg("path", { d: points.map(([px, value], n) => `${n ? "L" : "M"}${px.toFixed(1)} ${y(value).toFixed(1)}`).join(""),
      style: `stroke: ${colour}; stroke-dasharray: ${dashes[at % dashes.length]}` }));
    const n = line.x.indexOf(line.chosen);
    if (n >= 0 && known(line.y[n])) out.append(svg("circle", { cx: x(line.chosen), cy: y(line.y[n]), r: 3.5, style: `fill: ${colour}` }));
    if (lines.length <= 10) text(wide - right + 8, places[at] + 4, `seed ${line.seed}`);
  });
  return out;
}

function spread(places, gap, low, high) {
  const order = places.map((place, at) => [place, at]).sort((a, b) => a[0] - b[0]);
  const moved = [...places];
  let free = low;
  for (const [place, at] of order) { moved[at] = Math.max(place, free); free = moved[at] + gap; }
  const over = free - gap - high;
  if (over > 0) {
    let roof = high;
    for (const [, at] of order.reverse()) { moved[at] = Math.min(moved[at], roof); roof = moved[at] - gap; }
  }
  return moved;
}

/* samples of predictions */

function samples(list) {
  const sampled = list.filter((cell) => cell.said);
  if (!sampled.length) {
    return list.length ? el("p", { class: "small muted" }, "Predictions are not on this page; they lie beside the cell's record, in predictions.parquet.") : null;
  }
  const shown = data.examples[sampled[0].examples];
  const without = list.length - sampled.length;
  return el("div", {}, el("h3", {}, "A sample of predictions"),
    el("p", { class: "small muted" }, `${shown.length} of ${whole(sampled[0].counts ? sampled[0].counts.scored : null)} scored examples, evenly spaced, the same for every cell of the task`,
      without ? `; of ${without} seeds they are not on this page.` : "."),
    shown.map((example, at) => example.words.length ? tagged(example, sampled, at) : plain(example, sampled, at)));
}

const mark = (right) => right === null ? null : el("span", { class: right ? "right" : "wrong" }, right ? "✓" : "✗", el("span", { class: "unseen" }, right ? " right " : " wrong "));
const said = (texts) => texts.length && texts.some(Boolean) ? texts.join(" / ") : "no answer";

function answers(list, at, shown) { // each answer once, with the seeds that gave it
  const groups = Map.groupBy(list, (cell) => JSON.stringify(cell.said[at]));
  return el("ul", {}, [...groups.values()].map((cells) => el("li", {}, mark(cells[0].right[at]), " ", shown(cells[0]),
    list.length > 1 ? el("span", { class: "muted small" }, cells.length === list.length ? " every seed" : ` seed ${cells.map((cell) => cell.seed).join(", ")}`) : null)));
}

function texts(example) {
  const parts = example.fields.map(([name, text]) => el("p", {}, el("span", { class: "field" }, name), text));
  if (example.candidates.length) parts.push(el("p", {}, el("span", { class: "field" }, "candidates"), example.candidates.join(" / ")));
  return parts.length || example.words.length ? parts : [el("p", {}, el("span", { class: "field" }, "id"), example.id, el("span", { class: "muted" }, " (its text was not kept)"))];
}

function plain(example, list, at) {
  return el("article", { class: "sample" }, texts(example),
    el("p", {}, el("span", { class: "field" }, "label"), el("strong", {}, said(example.label))),
    answers(list, at, (cell) => ` ${said(cell.said[at])}`));
}

function tagged(example, list, at) {
  const line = (tags, judged) => el("span", {}, example.words.map((word, n) => {
    const tag = tags[n] ?? "";
    const outside = tag === "O" || tag === "";
    const wrong = judged && tag !== example.label[n];
    return el("span", { class: `word${wrong ? " wrong" : outside ? "" : judged ? " right" : " tag"}` }, word, outside && !wrong ? null : el("sub", {}, tag || "?"));
  }));
  return el("article", { class: "sample tagged" }, texts(example), el("p", {}, el("span", { class: "field" }, "label"), line(example.label, false)),
    answers(list, at, (cell) => line(cell.said[at], true)));
}

/* costs, sizes, counts, and where it was measured */

const SHOWN = {
  ...Object.fromEntries(["load_", "encode_", "train_", "evaluate_", "compile_", "store_", ""].map((part) => [`${part}seconds`, seconds])),
  peak_bytes: bytes, tokens_per_second: (value) => whole(Math.round(value)),
  utilization: (value) => (known(value) ? `${(100 * value).toPrecision(2)} %` : NONE),
};

function costs(list) {
  if (!list.length) return null;
  return el("div", {}, [["Costs", "costs"], ["Parameters", "parameters"], ["Examples", "counts"]].map(([name, key]) => {
    const fields = Object.keys(list[0][key] || {});
    const rows = fields.map((field) => {
      const values = list.map((cell) => (SHOWN[field] || whole)(cell[key][field]));
      return [field.replaceAll("_", " "), ...(key !== "costs" && same(values) ? [values[0]] : values)];
    });
    const narrow = rows.every((row) => row.length === 2);
    return el("div", {}, el("h3", {}, name), narrow && list.length > 1 ? grid(["", "every seed"], rows)
      : grid(["", ...list.map((cell) => `seed ${cell.seed}`)], rows.map((row) => row.length === 2 && list.length > 1 ? [row[0], ...list.map(() => row[1])] : row)));
  }));
}

function setups(list) {
  const out = [];
  for (const [name, key, table] of [["Measured as", "setup", data.setups], ["Provenance", "provenance", data.provenance]]) {
    for (const at of new Set(list.map((cell) => cell[key]).filter(known))) {
      const of = list.filter((cell) => cell[key] === at);
      const whose = of.length < list.length ? `, seed ${of.map((cell) => cell.seed).join(", ")}` : "";
      out.push(el("details", {}, el("summary", {}, name + whose), facts(table[at]),
        key === "provenance" ? facts(Object.fromEntries(of.map((cell) => [`seed ${cell.seed} started`, cell.started || NONE]))) : null));
    }
  }
  return out;
}

/* print */

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("main details:not([open])")];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
