/* Trades: the price beside the form follows the feed and can be taken over; the list says when the book has moved.
   What a trade would make is the server's own arithmetic, brought by htmx (see _preview.html). */

import "./live.js";
import { sayNews } from "./news.js";

const prices = new Map();

function onQuotes({ detail }) {
  if ("replay" in document.body.dataset) return;
  for (const quote of detail.quotes) {
    if (quote.price !== null) prices.set(quote.ticker, quote.price);
  }
}

function takePrice(event) {
  const button = event.target.closest("[data-use-price]");
  if (!button) return;
  const input = button.closest("form").elements.price;
  input.value = prices.get(button.dataset.usePrice) ?? button.value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Buttons that only work with this script show up with it; what it replaces goes. */
function enhance() {
  for (const button of document.querySelectorAll("[data-use-price]")) button.hidden = false;
  for (const button of document.querySelectorAll("[data-look-ahead]")) button.hidden = true;
}

document.addEventListener("live:quotes", onQuotes);
document.addEventListener("live:snapshot", onQuotes);
document.addEventListener("live:trade", sayNews);
document.addEventListener("live:reset", sayNews);
document.addEventListener("click", takePrice);
document.addEventListener("htmx:afterSwap", enhance);
enhance();
