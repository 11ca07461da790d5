/* The live socket: one a page. Each frame becomes a DOM event on document, live:<type>, with the frame as its detail;
   live:open and live:closed tell of the connection itself. Cells with data-live-ticker and data-live-field are written here.
   What must not be missed is numbered: after a cut we resume from the last numbers seen. */

import { figure, flash, writeSigned } from "./format.js";
import "./connection.js";

const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 30;
const CREDENTIAL_ENDED = 4401;
const MISSED_HEARTBEATS = 2.5;

let socket = null;
let waitSeconds = FIRST_WAIT_SECONDS;
let heartbeatSeconds = 15;
let silence = null;
let retry = null;
let events = null; // the last numbers seen, by stream
let newest = null; // the numbers as they stood when this connection began

function tell(type, detail) {
  document.dispatchEvent(new CustomEvent(`live:${type}`, { detail }));
}

// The socket ------------------------------------------------------------------------------

function connect() {
  clearTimeout(retry);
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/ws`);
  socket.addEventListener("message", onMessage);
  socket.addEventListener("close", onClose);
}

function onClose(event) {
  clearTimeout(silence);
  if (event.target !== socket) return;
  socket = null;
  if (event.code === CREDENTIAL_ENDED) {
    tell("closed", { signedOut: true });
    return;
  }
  const seconds = waitSeconds * (0.75 + Math.random() / 2); // so that many pages do not come back at once
  waitSeconds = Math.min(waitSeconds * 2, LONGEST_WAIT_SECONDS);
  retry = setTimeout(connect, seconds * 1000);
  tell("closed", { retryAt: Date.now() + seconds * 1000 });
}

/** A connection that dies without a word is closed by us when its heartbeats stay away. */
function expectMore() {
  clearTimeout(silence);
  silence = setTimeout(() => socket?.close(), heartbeatSeconds * MISSED_HEARTBEATS * 1000);
}

function onMessage({ data }) {
  expectMore();
  const frame = JSON.parse(data);
  if (frame.type === "welcome") onWelcome(frame);
  if (frame.type === "reset") events = { ...newest }; // what was missed is kept no longer
  if (frame.stream && frame.n && events) events[frame.stream] = frame.n;
  if (frame.quotes) frame.quotes.forEach(writeQuote);
  if (frame.type === "stale" || frame.type === "live") markStale(frame);
  tell(frame.type, frame);
}

function onWelcome(frame) {
  heartbeatSeconds = frame.heartbeat_seconds;
  waitSeconds = FIRST_WAIT_SECONDS;
  newest = frame.events;
  if (events) socket.send(JSON.stringify({ action: "resume", events }));
  else events = { ...frame.events };
  tell("open", frame);
}

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

function markStale({ type, ticker, since }) {
  for (const cell of cellsOf(ticker)) {
    if (cell.dataset.liveField !== "price") continue;
    cell.classList.toggle("is-stale", type === "stale");
    if (type === "stale") cell.title = `No price since ${new Date(since).toISOString().slice(11, 19)} UTC`;
    else cell.removeAttribute("title");
  }
}

if (document.body.dataset.user) {
  connect();
  window.addEventListener("online", () => socket ?? connect());
  // A page kept in the back-forward cache must not hold a socket.
  window.addEventListener("pagehide", () => { const last = socket; socket = null; last?.close(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
}
