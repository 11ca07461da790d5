/* Today: the book moves with the ticks, lines grow, alerts come in. The cells of the board are live.js's own.
   What the server last said stands in data-base and data-holdings; a tick only adds what moved since,
   so that a fresh answer of the server, swapped in by htmx, needs nothing to be told. */

import "./live.js";
import { addAlertLine } from "./alert_lines.js";
import { clock, figure, signed, writeSigned } from "./format.js";
import { extend } from "./sparkline.js";

const ALERTS_SHOWN = 10;
const marks = new Map();

function write(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function movePosition(row) {
  const price = marks.get(row.dataset.position);
  if (price === undefined) return;
  const value = Number(row.dataset.quantity) * price;
  const unrealized = value - Number(row.dataset.cost);
  write(row.querySelector("[data-cell=mark]"), figure(price));
  write(row.querySelector("[data-cell=value]"), figure(value));
  const cell = row.querySelector("[data-cell=unrealized]");
  if (cell.textContent !== signed(unrealized)) writeSigned(cell, unrealized);
}

/** How far all holdings, shown or not, have moved since the server valued them. */
function movedSinceServer() {
  const holdings = Object.entries(JSON.parse(document.getElementById("figures").dataset.holdings));
  return holdings.reduce((sum, [ticker, [quantity, mark]]) => sum + Number(quantity) * ((marks.get(ticker) ?? mark) - mark), 0);
}

function moveBook() {
  document.querySelectorAll("[data-position]").forEach(movePosition);
  const moved = movedSinceServer();
  for (const cell of document.querySelectorAll("[data-book]")) {
    if (cell.dataset.base === "") continue;
    const value = Number(cell.dataset.base) + moved;
    if ("signed" in cell.dataset) writeSigned(cell, value);
    else write(cell, figure(value));
  }
}

function onQuotes({ detail }) {
  if ("replay" in document.body.dataset) return;
  for (const quote of detail.quotes) {
    if (quote.price === null) continue;
    marks.set(quote.ticker, quote.price);
    extend(quote.ticker, quote.price);
  }
  moveBook();
  const note = document.querySelector("[data-board-note]");
  if (note && detail.ts) write(note, `last price ${clock(detail.ts)}`);
}

function onAlert({ detail }) {
  addAlertLine(detail, ALERTS_SHOWN);
}

document.addEventListener("live:quotes", onQuotes);
document.addEventListener("live:snapshot", onQuotes);
document.addEventListener("live:alert", onAlert);
for (const kind of ["trade", "position", "reset"]) {
  document.addEventListener(`live:${kind}`, () => document.dispatchEvent(new CustomEvent("book-changed")));
}
document.addEventListener("htmx:afterSwap", moveBook);
