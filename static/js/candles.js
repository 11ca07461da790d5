/* Bars as candles, with volume and two averages, and marks on them. A bar is [start, open, high, low, close, volume],
   its start in milliseconds. Colors are the stylesheet's, read anew when the theme changes. */

import {
  CandlestickSeries, createChart, createSeriesMarkers, HistogramSeries, LineSeries,
} from "../vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";

const AVERAGES = [20, 50];
const START = 0, OPEN = 1, HIGH = 2, LOW = 3, CLOSE = 4, VOLUME = 5;

/** What a name of the stylesheet's is now, as rgb(): light-dark() is worked out by the browser. */
function color(name) {
  const probe = document.createElement("span");
  probe.className = `paint is-${name}`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function palette() {
  const names = ["surface", "text-faint", "line", "outline", "accent", "text-soft", "gain", "loss", "warning"];
  return Object.fromEntries(names.map((name) => [name, color(name)]));
}

/** The mean of the closes of the `length` bars up to `place`; nothing where there are too few. */
function average(bars, place, length) {
  if (place + 1 < length) return undefined;
  let sum = 0;
  for (const bar of bars.slice(place + 1 - length, place + 1)) sum += bar[CLOSE];
  return sum / length;
}

export class Candles {
  /** `zone` is the time zone of the axis, `isDaily` whether bars are days of UTC; `onPoint` is told the bar pointed at, or null. */
  constructor(element, { zone, isDaily, onPoint }) {
    this.bars = [];
    this.places = new Map();
    this.marks = [];
    this.element = element;
    this.onPoint = onPoint;
    this.zone = isDaily ? "UTC" : zone;
    this.isDaily = isDaily;
    this.chart = createChart(element, { autoSize: true, ...this.options() });
    this.candles = this.chart.addSeries(CandlestickSeries);
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.lines = AVERAGES.map(() => this.chart.addSeries(LineSeries, {
      lineWidth: 1, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false,
    }));
    this.markers = createSeriesMarkers(this.candles, []);
    this.paint();
    this.chart.subscribeCrosshairMove(({ time }) => this.onPoint(time === undefined ? null : this.at(time)));
    this.pointed = null;
    element.addEventListener("keydown", (event) => this.onKey(event));
    new MutationObserver(() => this.paint()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  options() {
    const written = this.isDaily ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
    const whole = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, ...written });
    const day = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, day: "numeric", month: "short" });
    const clock = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, hour: "2-digit", minute: "2-digit" });
    const year = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, year: "numeric" });
    const ticks = [year, day, day, clock, clock];
    return {
      // Its logo would come with a style of its own, which the page's policy forbids; the credit is beside the chart.
      layout: { attributionLogo: false },
      localization: { timeFormatter: (seconds) => whole.format(seconds * 1000) },
      timeScale: {
        timeVisible: !this.isDaily, rightOffset: 3,
        tickMarkFormatter: (seconds, kind) => ticks[kind].format(seconds * 1000),
      },
    };
  }

  /** Everything in the colors of the theme. */
  paint() {
    const paints = palette();
    this.paints = paints;
    const font = getComputedStyle(document.body);
    this.chart.applyOptions({
      layout: {
        background: { color: "transparent" }, textColor: paints["text-faint"],
        fontFamily: font.fontFamily, fontSize: 12,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: paints.line } },
      rightPriceScale: { borderColor: paints.line },
      timeScale: { borderColor: paints.line },
      crosshair: { vertLine: { color: paints.outline }, horzLine: { color: paints.outline } },
    });
    this.candles.applyOptions({
      upColor: paints.surface, downColor: paints.loss, borderUpColor: paints.gain, borderDownColor: paints.loss,
      wickUpColor: paints.gain, wickDownColor: paints.loss,
    });
    this.volumes.applyOptions({ color: paints.line });
    this.paintLast();
    this.lines[0].applyOptions({ color: paints.accent });
    this.lines[1].applyOptions({ color: paints["text-soft"] });
    this.drawMarks();
  }

  at(seconds) {
    return this.bars[this.places.get(seconds * 1000)] ?? null;
  }

  get last() {
    return this.bars.at(-1);
  }

  /** Shows `bars`, oldest first, from then on. */
  show(bars) {
    this.bars = bars;
    this.places = new Map(bars.map((bar, place) => [bar[START], place]));
    const time = (bar) => bar[START] / 1000;
    this.candles.setData(bars.map((bar) => this.candleOf(bar)));
    this.volumes.setData(bars.map((bar) => ({ time: time(bar), value: bar[VOLUME] ?? 0 })));
    this.lines.forEach((line, index) => line.setData(bars.map((bar, place) => this.averageAt(place, AVERAGES[index]))));
    this.paintLast();
    this.drawMarks();
  }

  /** The label of the last price in the color of its candle's edge: one that rises is hollow. */
  paintLast() {
    const rises = this.last && this.last[CLOSE] >= this.last[OPEN];
    const paint = rises ? this.paints.gain : this.paints.loss;
    if (paint === this.lastPaint) return;
    this.lastPaint = paint;
    this.candles.applyOptions({ priceLineColor: paint });
  }

  candleOf([start, open, high, low, close]) {
    return { time: start / 1000, open, high, low, close };
  }

  averageAt(place, length) {
    const value = average(this.bars, place, length);
    const time = this.bars[place][START] / 1000;
    return value === undefined ? { time } : { time, value };
  }

  /** Takes up `bars`, oldest first, each in the place of the one of its start, or between those around it. */
  merge(bars) {
    if (!bars.some((bar) => !this.places.has(bar[START]) && bar[START] < this.last?.[START])) {
      bars.forEach((bar) => this.put(bar));
      return;
    }
    const all = new Map([...this.bars, ...bars].map((bar) => [bar[START], bar]));
    this.show([...all.values()].sort((one, other) => one[START] - other[START]));
  }

  /** Puts `bar` in the place of the one of its start, or after the last. */
  put(bar) {
    const place = this.places.get(bar[START]);
    if (place !== undefined && place < this.bars.length - 1) {
      this.bars[place] = bar;
      this.candles.update(this.candleOf(bar), true);
      this.volumes.update({ time: bar[START] / 1000, value: bar[VOLUME] ?? 0 }, true);
      return;
    }
    if (place === undefined) this.places.set(bar[START], this.bars.push(bar) - 1);
    else this.bars[place] = bar;
    this.candles.update(this.candleOf(bar));
    this.paintLast();
    this.volumes.update({ time: bar[START] / 1000, value: bar[VOLUME] ?? 0 });
    this.lines.forEach((line, index) => line.update(this.averageAt(this.bars.length - 1, AVERAGES[index])));
  }

  /** Lets the last bar grow by a price, or begins the one that starts at `start`. */
  grow(start, price, volume) {
    const { last } = this;
    if (last && start < last[START]) return;
    if (!last || start > last[START]) {
      this.put([start, price, price, price, price, volume]);
      return;
    }
    const [, open, high, low, , before] = last;
    this.put([start, open, Math.max(high, price), Math.min(low, price), price, (before ?? 0) + volume]);
  }

  /** Puts older bars before the first; what is looked at stays where it is. */
  prepend(older) {
    const seen = this.chart.timeScale().getVisibleLogicalRange();
    this.show([...older, ...this.bars]);
    if (seen) this.chart.timeScale().setVisibleLogicalRange({ from: seen.from + older.length, to: seen.to + older.length });
  }

  /** `marks` are {at, kind, text} with the kinds buy, sell and alert. */
  mark(marks) {
    this.marks = marks;
    this.drawMarks();
  }

  drawMarks() {
    const looks = {
      buy: { position: "belowBar", shape: "arrowUp", color: this.paints.gain },
      sell: { position: "aboveBar", shape: "arrowDown", color: this.paints.loss },
      alert: { position: "aboveBar", shape: "circle", color: this.paints.warning },
    };
    const drawn = this.marks.map(({ at, kind }) => ({ bar: this.barOf(at), kind })).filter(({ bar }) => bar);
    drawn.sort((one, other) => one.bar[START] - other.bar[START]);
    this.markers?.setMarkers(drawn.map(({ bar, kind }) => ({ time: bar[START] / 1000, ...looks[kind] })));
  }

  /** The last bar that starts at `at` or before. */
  barOf(at) {
    let low = 0;
    let high = this.bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.bars[middle][START] <= at) low = middle + 1;
      else high = middle;
    }
    return this.bars[low - 1];
  }

  /** The marks of one bar. */
  marksOf(bar) {
    return this.marks.filter(({ at }) => this.barOf(at) === bar);
  }

  onKey(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in steps) this.point(this.places.get(this.pointed) ?? this.bars.length, steps[event.key]);
    else if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 0.8 : 1.25);
    else return;
    event.preventDefault();
  }

  point(place, step) {
    const bar = this.bars[Math.min(Math.max(place + step, 0), this.bars.length - 1)];
    if (!bar) return;
    this.pointed = bar[START];
    this.chart.setCrosshairPosition(bar[CLOSE], bar[START] / 1000, this.candles);
    this.onPoint(bar);
  }

  zoom(factor) {
    const scale = this.chart.timeScale();
    const seen = scale.getVisibleLogicalRange();
    if (seen) scale.setVisibleLogicalRange({ from: seen.to - (seen.to - seen.from) * factor, to: seen.to });
  }
}

export { CLOSE, HIGH, LOW, START, VOLUME };
