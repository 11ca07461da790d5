/* The page of one ticker: candles that grow with the feed, own fills and alerts on them. Each minute, and after a cut,
   the bars stored since are fetched, so that what a slow or cut connection left out comes right; at the left edge older
   ones are. */

import "./live.js";
import "./sessions.js";
import "./window.js";
import { Candles, CLOSE, HIGH, LOW, START, VOLUME } from "./candles.js";
import { addAlertLine } from "./alert_lines.js";
import { clock, figure } from "./format.js";

const ALERTS_SHOWN = 10;
const MINUTE = 60_000;
const SETTLED = 5_000; // the feed has written a minute's bar by then
const OLDER_AT_ONCE = 300;
const FETCHED_AGAIN = 5; // of the last stored bars: ticks that came late may have changed them
const page = JSON.parse(document.getElementById("chart-data")?.textContent ?? "null");
const readout = document.querySelector("[data-readout]");
const priceNote = document.querySelector("[data-price-note]");
const marks = (page?.alerts ?? []).map(({ at, message }) => ({ at, kind: "alert", text: message }));
let candles = null;
let volume = page?.volume ?? null;
let isReplay = page?.isReplay ?? false;
let since = null; // from which bar on the stored ones are fetched; null is all of them
let isCut = false;
let older = { isAsked: false, isAll: false };

async function get(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  return answer.json();
}

function barOf(row) {
  const numbers = ["open", "high", "low", "close"].map((name) => Number(row[name]));
  return [Date.parse(row.start), ...numbers, row.volume === null ? null : Number(row.volume)];
}

function barsAddress(query) {
  const asked = { timeframe: page.timeframe, adjustment: page.adjustment, ordering: "-start", ...query };
  return `/tickers/${encodeURIComponent(page.ticker)}/bars?${new URLSearchParams(asked)}`;
}

// What is said of the bar pointed at ------------------------------------------------------------

function written(start) {
  const zone = page.timeframe === "1d" ? "UTC" : document.body.dataset.timeZone || undefined;
  const parts = page.timeframe === "1d" ? {} : { hour: "2-digit", minute: "2-digit" };
  return new Date(start).toLocaleString("en-GB", { timeZone: zone, year: "numeric", month: "short", day: "numeric", ...parts });
}

function read(bar) {
  const shown = bar ?? candles.last;
  if (!shown) {
    readout.textContent = "";
    return;
  }
  const [, open] = shown;
  const said = candles.marksOf(shown).map(({ text }) => text).slice(0, 3);
  const figures = `open ${figure(open)} high ${figure(shown[HIGH])} low ${figure(shown[LOW])} close ${figure(shown[CLOSE])}`;
  readout.textContent = [written(shown[START]), figures, `volume ${figure(shown[VOLUME], 0)}`, ...said].join(" · ");
}

// Growing -----------------------------------------------------------------------------------------

function onQuotes({ detail }) {
  const quote = detail.quotes.find(({ ticker }) => ticker === page.ticker);
  if (!quote || quote.price === null || !detail.ts) return;
  // The day's volume begins anew at midnight UTC.
  // What was traded during a cut belongs to the bars of then.
  const traded = volume === null || isCut ? 0 : quote.volume >= volume ? quote.volume - volume : quote.volume;
  [volume, isCut] = [quote.volume, false];
  candles.grow(detail.ts - (detail.ts % page.length), quote.price, traded);
  if (!candles.pointed) read(null);
}

function onTick(event) {
  if (event.detail.quotes.some(({ ticker }) => ticker === page.ticker)) priceNote.textContent = priceNote.dataset.priceNote;
  onQuotes(event);
}

function onStatus({ detail: { ticker, status, ts } }) {
  if (ticker === page.ticker && status === "halted") priceNote.textContent = `since ${clock(ts)}`;
}

function onSnapshot(event) {
  const { source, ts, quotes } = event.detail;
  if (ts && (source === "replay") !== isReplay) {
    turn(ts);
    sayWhose(quotes);
  }
  // A snapshot has the last price of what stands still too, and no candle of now is due to that.
  const isStill = !isReplay && quotes.some((quote) => quote.ticker === page.ticker && quote.volume === volume);
  if (!isStill) onQuotes(event);
}

/** A replay begins or ends: of what it plays nothing later may be seen yet; after it the bars are the present ones. */
async function turn(ts) {
  isReplay = !isReplay;
  if (isReplay) {
    candles.show(candles.bars.filter((bar) => bar[START] < ts - (ts % page.length)));
  } else {
    since = null;
    await tryToBring({});
  }
  bringFills();
}

/** Whose prices come now; of what only the replay had there is none any more. */
function sayWhose(quotes) {
  priceNote.dataset.priceNote = isReplay ? "replay" : "live";
  if (isReplay) return;
  document.querySelector("h1 + .badge")?.remove();
  if (!quotes.some(({ ticker }) => ticker === page.ticker)) priceNote.textContent = "no price has come yet";
}

/** Where a fetch has to begin once `bars` are there. */
function lateFrom(bars) {
  return (bars.at(-FETCHED_AGAIN) ?? bars[0])?.[START] ?? null;
}

/** Puts what was stored since into its places; where that is more than is shown, it is shown alone. */
async function bringStored(query) {
  const from = since === null ? {} : { start: new Date(since).toISOString() };
  // A replay stores no bars, and those of its time are there from the beginning.
  const { results } = isReplay ? { results: [] } : await get(barsAddress({ page_size: String(page.most), ...from, ...query }));
  const bars = results.reverse().map(barOf);
  if (isReplay) return;
  if (since === null || bars.length === page.most) candles.show(bars);
  else candles.merge(bars);
  if (bars.length) since = lateFrom(bars);
  if (!candles.pointed) read(null);
}

/** As `bringStored`; what fails now the next minute brings. */
const tryToBring = (query) => bringStored(query).catch(() => {});

function onOpen() {
  if (isCut) tryToBring({}); // the last one too: it began while nothing was heard
}

async function refresh() {
  await tryToBring({ final: "true" });
  setTimeout(refresh, MINUTE - (Date.now() % MINUTE) + SETTLED + Math.random() * SETTLED);
}

async function bringOlder() {
  if (older.isAsked || older.isAll || !candles.bars.length) return;
  older.isAsked = true;
  try {
    const end = new Date(candles.bars[0][START]).toISOString();
    const { results } = await get(barsAddress({ end, page_size: String(OLDER_AT_ONCE) }));
    older.isAll = results.length < OLDER_AT_ONCE;
    if (results.length) candles.prepend(results.reverse().map(barOf));
  } catch {
    await new Promise((done) => { setTimeout(done, SETTLED); }); // asked again, but not at every step of a drag
  }
  older.isAsked = false;
}

// Own fills and alerts -------------------------------------------------------------------------------

/** In a replay what is later than it has come to has not happened yet. */
function isSeen({ at }) {
  return !isReplay || at < candles.last[START] + page.length;
}

async function bringFills() {
  if (!candles.bars.length) return;
  const asked = { ticker: page.ticker, executed_after: new Date(candles.bars[0][START]).toISOString(), page_size: "200" };
  try {
    const { results } = await get(`/trades/?${new URLSearchParams(asked)}`);
    const fills = results.map((trade) => ({
      at: Date.parse(trade.executed_at), kind: trade.trade_type.toLowerCase(),
      text: `${trade.trade_type === "BUY" ? "bought" : "sold"} ${trade.quantity} at ${figure(trade.price)}`,
    }));
    candles.mark([...marks, ...fills].filter(isSeen));
  } catch {
    candles.mark(marks.filter(isSeen)); // whoever may read no trades sees the rest
  }
}

function onAlert({ detail }) {
  if (detail.ticker !== page.ticker) return;
  marks.push({ at: detail.ts, kind: "alert", text: detail.message });
  candles.mark([...candles.marks, marks.at(-1)]);
  addAlertLine(detail, ALERTS_SHOWN);
}

function begin() {
  document.querySelector("[data-chart]").hidden = false;
  const zone = document.body.dataset.timeZone || undefined;
  candles = new Candles(document.querySelector("[data-candles]"), { zone, isDaily: page.timeframe === "1d", onPoint: read });
  candles.show(page.bars);
  since = lateFrom(page.bars);
  read(null);
  const scale = candles.chart.timeScale();
  scale.subscribeVisibleLogicalRangeChange((seen) => { if (seen && seen.from < 0) bringOlder(); });
  document.addEventListener("live:closed", () => { isCut = true; });
  document.addEventListener("live:open", onOpen);
  document.addEventListener("live:quotes", onTick);
  document.addEventListener("live:status", onStatus);
  document.addEventListener("live:snapshot", onSnapshot);
  document.addEventListener("live:alert", onAlert);
  document.addEventListener("live:trade", bringFills);
  bringFills();
  setTimeout(refresh, MINUTE - (Date.now() % MINUTE) + SETTLED + Math.random() * SETTLED);
}

if (page && readout) begin();
