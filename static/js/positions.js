/* Positions: value, unrealized P&L and weights move with the ticks. What the server said stands in data-;
   a row without data-position has no mark (a real account, a ticker without a price) and is left alone. */

import "./live.js";
import { figure, flash, signed, writeSigned } from "./format.js";
import { sayNews } from "./news.js";

const marks = new Map();
const rows = [...document.querySelectorAll("[data-position]")];

function write(cell, text, direction) {
  if (!cell || cell.textContent === text) return;
  cell.textContent = text;
  if (direction) flash(cell, direction);
}

function moveRow(row, price) {
  const { quantity, cost } = row.dataset;
  const value = Number(quantity) * price;
  const before = Number(row.dataset.shown ?? row.dataset.mark);
  const cell = row.querySelector("[data-cell=mark]");
  if (before !== price) write(cell, figure(price), price > before ? "up" : "down");
  cell.classList.remove("is-stale");
  row.dataset.shown = price;
  write(row.querySelector("[data-cell=value]"), figure(value));
  const unrealized = row.querySelector("[data-cell=unrealized]");
  if (unrealized.textContent !== signed(value - Number(cost))) writeSigned(unrealized, value - Number(cost));
}

/** How far all rows have moved since the server's marks: in value, and in the sum that weights are shares of. */
function moved() {
  let value = 0;
  let gross = 0;
  for (const { dataset } of rows) {
    const step = Number(dataset.quantity) * (Number(dataset.shown ?? dataset.mark) - Number(dataset.mark));
    value += step;
    gross += Number(dataset.quantity) < 0 ? -step : step;
  }
  return { value, gross };
}

function moveSums({ value }) {
  for (const cell of document.querySelectorAll("[data-sum]")) {
    const sum = Number(cell.dataset.base) + value;
    if (cell.dataset.sum === "unrealized") writeSigned(cell, sum);
    else write(cell, figure(sum));
  }
}

function moveWeights({ gross }) {
  const frame = document.querySelector("[data-gross]");
  const all = frame ? Number(frame.dataset.gross) + gross : 0;
  if (!all) return;
  for (const row of rows) {
    const value = Math.abs(Number(row.dataset.quantity) * Number(row.dataset.shown ?? row.dataset.mark));
    write(row.querySelector("[data-cell=weight]"), figure((value / all) * 100, 1));
  }
}

function onQuotes({ detail }) {
  if ("replay" in document.body.dataset) return;
  for (const quote of detail.quotes) {
    if (quote.price !== null) marks.set(quote.ticker, quote.price);
  }
  for (const row of rows) {
    if (marks.has(row.dataset.position)) moveRow(row, marks.get(row.dataset.position));
  }
  const step = moved();
  moveSums(step);
  moveWeights(step);
}

document.addEventListener("live:quotes", onQuotes);
document.addEventListener("live:snapshot", onQuotes);
document.addEventListener("live:position", sayNews);
document.addEventListener("live:reset", sayNews);
