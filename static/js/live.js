/* The live socket: one a browser, however many tabs are open. Each frame becomes a DOM event on document, live:<type>,
   with the frame as its detail; live:open and live:closed tell of the connection itself. Cells with data-live-ticker
   and data-live-field are written here. A page with an element of data-live-only gets the tickers named there alone.
   What must not be missed is numbered: every tab counts along, so that whichever leads can resume. */

import { figure, flash, sinceClock, timeElement, writeSigned } from "./format.js";
import { LiveSocket } from "./socket.js";
import { Tabs } from "./tabs.js";
import "./connection.js";

const user = document.body.dataset.user;
const LAST_USER = "tradeops-user"; // kept by the browser: who its sockets are signed in as
let events = null; // the last numbers seen, by stream
let newest = null; // the numbers as they stand, by what this connection told
let epoch = null; // of the prices shown
let isAnew = false; // the next snapshot has all prices that there are

function tell(type, detail) {
  document.dispatchEvent(new CustomEvent(`live:${type}`, { detail }));
}

// What comes ------------------------------------------------------------------------------------

function take(frame) {
  if (frame.type === "welcome") {
    newest = { ...frame.events };
    events ??= { ...frame.events };
    isAnew ||= epoch !== null && epoch !== frame.epoch;
    epoch = frame.epoch;
    markAllLive();
  }
  if (frame.type === "reset") [events, isAnew] = [{ ...newest }, true]; // what was missed is kept no longer
  if (frame.stream && frame.n && events) {
    newest[frame.stream] = Math.max(newest[frame.stream], frame.n);
    if (frame.n <= events[frame.stream]) return; // another tab had missed it, and asked for it
    events[frame.stream] = frame.n;
  }
  if (frame.type === "snapshot") {
    markReplay(frame.source === "replay");
    if (isAnew) blankAllBut(frame.quotes);
    isAnew = false;
  }
  if (frame.quotes) frame.quotes.forEach(writeQuote);
  if (frame.type === "stale" || frame.type === "live") markStale(frame);
  tell(frame.type === "welcome" ? "open" : frame.type, frame);
}

/** Prices of a replay are shown, and said to be; pages that value the book leave them. */
function markReplay(isReplay) {
  document.body.toggleAttribute("data-replay", isReplay);
  document.getElementById("replay").hidden = !isReplay;
}

// What this tab does when it leads ---------------------------------------------------------------

const wishes = new Map(); // by tab, the tickers it wants; null is all
const quotes = new Map(); // by ticker, the newest
const stale = new Map(); // by ticker, what was said of it
let welcome = null; // while the connection stands
let latest = {};
let lost = null; // what was said of a cut, while it lasts

const socket = new LiveSocket({
  hear(text, frame) {
    remember(frame);
    take(frame);
    tabs?.pass({ text });
  },
  lose(detail) {
    [welcome, lost] = [null, detail];
    tell("closed", detail);
    tabs?.pass(detail);
    if (detail.signedOut) tabs?.leave(); // whoever signs in again leads
  },
  seen: () => events && { ...events },
});

function remember(frame) {
  if (frame.type === "welcome") {
    [welcome, lost] = [frame, null];
    stale.clear();
  }
  if (frame.type === "welcome" || frame.type === "reset") quotes.clear(); // a snapshot of all follows
  if (frame.type === "stale") stale.set(frame.ticker, frame);
  if (frame.type === "live") stale.delete(frame.ticker);
  if (frame.quotes) latest = { ...latest, seq: frame.seq, ts: frame.ts };
  if (frame.type === "snapshot") latest.source = frame.source;
  for (const quote of frame.quotes ?? []) quotes.set(quote.ticker, quote);
}

/** What a tab that comes later is told first. */
function stateFor(about) {
  const snapshot = { type: "snapshot", ...latest, resumed: false, quotes: [...quotes.values()] };
  return [{ ...welcome, events: about.events ?? events }, snapshot, ...stale.values()];
}

function isBehind(about) {
  return about.events !== null && Object.keys(events ?? {}).some((stream) => about.events[stream] < events[stream]);
}

function greet(id, about) {
  wishes.set(id, about.wish);
  chooseForAll();
  if (isBehind(about)) socket.resume(about.events); // comes to all, and whoever has seen it leaves it
  if (lost) tabs.pass(lost, id);
  if (!welcome) return;
  for (const frame of stateFor(about)) tabs.pass({ text: JSON.stringify(frame) }, id);
}

function chooseForAll() {
  const all = [...wishes.values()];
  socket.choose(all.includes(null) ? null : new Set(all.flat()));
}

function ownWish() {
  const named = [...document.querySelectorAll("[data-live-only]")].map(({ dataset }) => dataset.liveOnly);
  return named.length ? named.join(" ").split(" ").filter(Boolean) : null;
}

function begin() {
  wishes.clear();
  wishes.set("own", ownWish());
  chooseForAll();
  socket.open();
}

function cease() {
  socket.close();
  welcome = null;
}

// What it does when it follows -----------------------------------------------------------------------

function follow(content) {
  if (content.text) take(JSON.parse(content.text));
  else tell("closed", content);
}

const tabs = user && Tabs.areThere ? new Tabs(`tradeops-live-${user}`, {
  lead: begin,
  cede: cease,
  hear: follow,
  greet,
  part(id) { wishes.delete(id); chooseForAll(); },
  about: () => ({ wish: ownWish(), events: events && { ...events } }),
}) : null;

// Cells -------------------------------------------------------------------------------------

const FIELDS = {
  price: (cell, value) => { cell.textContent = figure(value); },
  average_5m: (cell, value) => { cell.textContent = figure(value); },
  volume: (cell, value) => { cell.textContent = figure(value, 0); },
  change_percentage: writeSigned,
  change_1m_percentage: writeSigned,
};

function cellsOf(ticker) {
  return document.querySelectorAll(`[data-live-ticker="${CSS.escape(ticker)}"]`);
}

function writeQuote(quote) {
  for (const cell of cellsOf(quote.ticker)) {
    const field = cell.dataset.liveField;
    if (!(field in quote) || !FIELDS[field]) continue;
    const before = cell.textContent;
    FIELDS[field](cell, quote[field]);
    if (field !== "price") continue;
    const last = Number(cell.dataset.liveValue);
    if (cell.dataset.liveValue && cell.textContent !== before) flash(cell, quote.price > last ? "up" : "down");
    cell.dataset.liveValue = quote.price;
  }
}

/** What is in no snapshot of all has no price: the one shown was a replay's, which is over. */
function blankAllBut(quotes) {
  const priced = new Set(quotes.map(({ ticker }) => ticker));
  for (const cell of document.querySelectorAll("[data-live-ticker]")) {
    if (priced.has(cell.dataset.liveTicker)) continue;
    FIELDS[cell.dataset.liveField]?.(cell, null);
    delete cell.dataset.liveValue;
  }
}

function markStale({ type, ticker, since }) {
  for (const cell of cellsOf(ticker)) {
    if (cell.dataset.liveField === "price") sayAge(cell, type === "stale" ? since : null);
  }
}

/** Says of a price since when there was none, in words that a finger finds too, or that it is live. */
function sayAge(cell, since) {
  cell.classList.toggle("is-stale", since !== null);
  const note = cell.parentElement.querySelector("[data-price-note]");
  if (!note) return;
  if (since === null) note.textContent = note.dataset.priceNote;
  else note.replaceChildren("no price since ", timeElement(since, sinceClock));
}

/** All are live until the stale ones are told, which follow a welcome: the page may be older than their last price. */
function markAllLive() {
  document.querySelectorAll("[data-live-field=price].is-stale").forEach((cell) => sayAge(cell, null));
}

if (user) {
  const join = () => (tabs ? tabs.join() : begin());
  const leave = () => (tabs ? tabs.leave() : cease());
  // Once somebody else has signed in with this browser, a socket would bring this page what is theirs.
  const isOthers = () => localStorage.getItem(LAST_USER) !== user;
  const end = () => { leave(); tell("closed", { signedOut: true }); };
  localStorage.setItem(LAST_USER, user);
  join();
  window.addEventListener("storage", ({ key }) => { if (key === LAST_USER && isOthers()) end(); });
  window.addEventListener("online", () => { if (!tabs || tabs.isLeading) socket.open(); });
  // A page kept in the back-forward cache must not hold a socket.
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", (event) => { if (event.persisted) (isOthers() ? end : join)(); });
}
