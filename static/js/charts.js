/* Interactive charts: <figure data-curves="address"> gets its panels in place of the picture, which stays where this
   script does not run or the curves cannot be had.

   One axis of bars goes through all panels. A pointer or the arrow keys move the cursor and the line of words says what
   stands there; a drag, + and − or the buttons look closer. Where the answer is thinned, a closer look asks again. */

import { figure, signed } from "./format.js";
import { levels, logLevels } from "./levels.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHTS = [260, 130, 130];
const FEWEST_BARS = 10;
const ROOM = 12; // above and below where fills are marked: a mark stands beside its price
const MARK = { buy: "M0 2l5 9h-10Z", sell: "M0 -2l5 -9h-10Z" };

function element(name, attributes = {}, parent = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

function part(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

class Chart {
  constructor(frame, answer) {
    this.frame = frame;
    this.whole = answer;
    this.build();
    this.show(answer, 0, answer.dates.length - 1);
    new ResizeObserver(() => this.fit()).observe(this.surface);
  }

  build() {
    this.frame.querySelector("img")?.remove();
    const root = document.createElement("div");
    root.className = "chart";
    this.frame.prepend(root);
    const tools = part("div", "chart-tools", root);
    this.words = part("output", "chart-words", tools);
    this.buttons = part("div", "segmented", tools);
    for (const [text, label, act] of [["−", "Look from farther", () => this.zoom(2)], ["+", "Look closer", () => this.zoom(0.5)], ["All", "All bars", () => this.reset()]]) {
      const button = part("button", "", this.buttons);
      Object.assign(button, { type: "button", textContent: text, ariaLabel: label, title: label });
      button.addEventListener("click", act);
    }
    if (this.whole.panels.some((panel) => !panel.unit)) this.offerLog();
    this.surface = part("div", "chart-surface", root);
    Object.assign(this.surface, { tabIndex: 0, role: "slider", ariaLabel: `${this.frame.dataset.name}: bar under the cursor` });
    this.surface.addEventListener("pointermove", (event) => this.follow(event));
    this.surface.addEventListener("pointerdown", (event) => this.grip(event));
    this.surface.addEventListener("pointerup", (event) => this.release(event));
    this.surface.addEventListener("pointerleave", () => this.rest());
    this.surface.addEventListener("dblclick", () => this.reset());
    this.surface.addEventListener("keydown", (event) => this.key(event));
  }

  /** Takes an answer and the places of it that are in view. */
  show(answer, from, to) {
    this.answer = answer;
    this.view(from, to);
  }

  view(from, to) {
    const last = this.answer.dates.length - 1;
    const width = Math.min(last, Math.max(Math.min(FEWEST_BARS, last), to - from));
    this.from = Math.round(Math.max(0, Math.min(from, last - width)));
    this.to = Math.round(Math.min(last, this.from + width));
    this.cursor = null;
    this.draw();
  }

  /** A button for prices and money on a logarithmic axis; what is in percent may be below 0 and has none. */
  offerLog() {
    const button = part("button", "", this.buttons);
    Object.assign(button, { type: "button", textContent: "Log", title: "Equal gains equally high", ariaPressed: "false" });
    button.addEventListener("click", () => {
      this.isLog = !this.isLog;
      button.ariaPressed = String(this.isLog);
      this.draw();
    });
  }

  // --- drawing

  /** Draws again for another width only: the observer also calls when it begins to observe. */
  fit() {
    if (Math.floor(this.surface.clientWidth) !== this.width) this.draw();
  }

  draw() {
    this.width = Math.floor(this.surface.clientWidth);
    if (!this.width) return;
    this.surface.replaceChildren();
    this.lines = this.answer.panels.map((panel, at) => this.panel(panel, HEIGHTS[Math.min(at, HEIGHTS.length - 1)]));
    const dates = part("ul", "plot-dates", this.surface);
    const shown = this.width < 500 ? 3 : 6;
    const named = Array.from({ length: shown }, (_, at) => this.from + Math.round((at * (this.to - this.from)) / (shown - 1)));
    for (const place of new Set(named)) part("li", "", dates).textContent = this.answer.dates[place].slice(0, 10);
    this.place(this.cursor);
  }

  panel(panel, height) {
    const head = part("div", "chart-head", this.surface);
    part("span", "chart-name", head).textContent = panel.unit ? `${panel.name}, ${panel.unit}` : panel.name;
    const legend = part("ul", "legend", head);
    if (panel.series.length > 1) for (const line of panel.series) part("li", `is-${line.form}`, legend).textContent = line.name;
    if (panel.marks.length) for (const kind of ["buy", "sell"]) part("li", `is-mark is-${kind}`, legend).textContent = kind;
    const svg = element("svg", { class: "chart-panel", width: this.width, height, "aria-hidden": "true" }, this.surface);
    const scale = this.scale(panel);
    const room = panel.marks.length ? ROOM : 0;
    const y = (value) => room + ((height - 2 * room) * (scale.of(scale.high) - scale.of(value))) / (scale.of(scale.high) - scale.of(scale.low));
    for (const value of scale.values) this.level(svg, value, y(value), scale.placesOf(value), height);
    for (const line of panel.series) element("path", { class: `plot-line is-${line.form}`, d: this.path(line.values, y) }, svg);
    for (const mark of panel.marks) {
      if (mark.at < this.from || mark.at > this.to) continue;
      element("path", { class: `chart-mark is-${mark.kind}`, d: MARK[mark.kind], transform: `translate(${this.x(mark.at)} ${y(mark.value)})` }, svg);
    }
    const band = element("rect", { class: "chart-band", y: 0, height, width: 0 }, svg);
    const cursor = element("line", { class: "plot-cursor", y1: 0, y2: height, visibility: "hidden" }, svg);
    return { cursor, band };
  }

  scale(panel) {
    const seen = panel.series.flatMap((line) => line.values.slice(this.from, this.to + 1)).filter((value) => value !== null);
    seen.push(...panel.marks.filter((mark) => mark.at >= this.from && mark.at <= this.to).map((mark) => mark.value));
    const low = seen.reduce((least, value) => Math.min(least, value), Infinity);
    const high = seen.reduce((most, value) => Math.max(most, value), -Infinity);
    if (this.isLog && !panel.unit && low > 0 && high > low) {
      return { ...logLevels(low, high), low, high, of: Math.log };
    }
    const round = levels(Number.isFinite(low) ? low : 0, Number.isFinite(high) ? high : 1);
    return { values: round.values, placesOf: () => round.places, low: round.values[0], high: round.values.at(-1), of: (value) => value };
  }

  level(svg, value, y, places, height) {
    element("line", { class: "plot-level", x1: 0, x2: this.width, y1: y, y2: y }, svg);
    const text = element("text", { class: "chart-level", x: this.width - 2, y: Math.min(height - 2, Math.max(10, y - 3)), "text-anchor": "end" }, svg);
    text.textContent = figure(value.toFixed(Math.min(places, 10)), Math.min(places, 10));
  }

  x(place) {
    return this.from === this.to ? this.width / 2 : (this.width * (place - this.from)) / (this.to - this.from);
  }

  path(values, y) {
    let text = "";
    let joined = false;
    for (let place = this.from; place <= this.to; place += 1) {
      if (values[place] === null) continue; // a bar that this series has not is passed over
      text += `${joined ? "L" : "M"}${this.x(place).toFixed(1)} ${y(values[place]).toFixed(1)}`;
      joined = true;
    }
    return text;
  }

  // --- the cursor

  at(event) {
    const box = this.surface.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return Math.round(this.from + share * (this.to - this.from));
  }

  /** Puts the cursor on the bar of number `place`; nowhere for null. */
  place(place) {
    this.cursor = place;
    for (const { cursor } of this.lines ?? []) {
      const x = place === null ? 0 : this.x(place);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.setAttribute("visibility", place === null ? "hidden" : "visible");
    }
    const last = this.answer.dates.length - 1;
    this.words.textContent = place === null ? `${this.answer.dates[this.from]} to ${this.answer.dates[this.to]}` : this.said(place);
    Object.assign(this.surface, { ariaValueMin: "0", ariaValueMax: String(last), ariaValueNow: String(place ?? this.to), ariaValueText: this.words.textContent });
  }

  said(place) {
    const parts = [this.answer.dates[place]];
    for (const panel of this.answer.panels) {
      const write = panel.unit === "%" ? signed : figure;
      for (const line of panel.series) {
        if (line.values[place] !== null) parts.push(`${line.name} ${write(line.values[place])}${panel.unit ? ` ${panel.unit}` : ""}`);
      }
      for (const mark of panel.marks) if (mark.at === place) parts.push(`${mark.kind} at ${figure(mark.value)}`);
    }
    return parts.join(" · ");
  }

  follow(event) {
    if (this.gripped !== undefined) this.band(this.gripped, this.at(event));
    this.place(this.at(event));
  }

  rest() {
    this.gripped = undefined;
    this.band(0, 0);
    if (document.activeElement !== this.surface) this.place(null);
  }

  // --- looking closer

  grip(event) {
    if (event.pointerType === "mouse" && event.button === 0) this.gripped = this.at(event);
    this.place(this.at(event));
  }

  release(event) {
    const [from, to] = [this.gripped, this.at(event)].sort((one, other) => one - other);
    this.gripped = undefined;
    this.band(0, 0);
    if (from !== undefined && to - from >= 3) this.closer(from, to);
  }

  band(from, to) {
    const [left, right] = [from, to].sort((one, other) => one - other).map((place) => this.x(place));
    for (const { band } of this.lines ?? []) {
      band.setAttribute("x", left);
      band.setAttribute("width", from === to ? 0 : right - left);
    }
  }

  zoom(factor) {
    const middle = this.cursor ?? (this.from + this.to) / 2;
    const reach = ((this.to - this.from) * factor) / 2;
    if (factor > 1 && 2 * reach >= this.answer.dates.length - 1) this.reset();
    else this.closer(middle - reach, middle + reach);
  }

  reset() {
    this.show(this.whole, 0, this.whole.dates.length - 1);
  }

  /** Shows the places from .. to; of a thinned answer all bars between are asked for. */
  async closer(from, to) {
    const answer = this.answer;
    if (!answer.is_thinned) {
      this.view(from, to);
      return;
    }
    const bars = answer.last - answer.first;
    const share = (place) => answer.first + Math.round((bars * Math.max(0, place)) / (answer.dates.length - 1));
    const address = this.frame.dataset.curves;
    const more = address.includes("?") ? "&" : "?";
    const finer = await curves(`${address}${more}first=${share(from)}&last=${share(to)}`);
    if (finer) this.show(finer, 0, finer.dates.length - 1);
  }

  // --- keys

  key(event) {
    const act = this.keys()[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act(event.shiftKey ? 10 : 1);
  }

  keys() {
    const here = this.cursor ?? this.to;
    const go = (place) => this.place(Math.min(this.to, Math.max(this.from, place)));
    const deals = [...new Set(this.answer.panels.flatMap((panel) => panel.marks.map((mark) => mark.at)))].filter((at) => at >= this.from && at <= this.to);
    return {
      ArrowLeft: (step) => go(here - step),
      ArrowRight: (step) => go(here + step),
      Home: () => go(this.from),
      End: () => go(this.to),
      PageUp: () => go(deals.findLast((at) => at < here) ?? here),
      PageDown: () => go(deals.find((at) => at > here) ?? here),
      "+": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      Escape: () => this.reset(),
    };
  }
}

async function curves(address) {
  try {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // the picture stays
  }
}

async function start(frame) {
  const answer = await curves(frame.dataset.curves);
  if (answer && answer.dates.length > 1) new Chart(frame, answer);
}

document.querySelectorAll("[data-curves]").forEach(start);
