/* What the last minutes or hours of a ticker come to: fetched anew every so often, and always with its moment, for a high
   that falls out of a window cannot be seen in the prices that come. */

import { figure, timeElement, writeSigned } from "./format.js";

const box = document.querySelector("[data-window]");
const EVERY = Math.min(Math.max(Number(box.dataset.window) * 1000 / 60, 10_000), 60_000);
const address = `/tickers/${encodeURIComponent(box.dataset.ticker)}/window?window=${box.dataset.window}`;
const PLACES = { samples: 0, volume: 0 };

function show(answer) {
  for (const cell of box.querySelectorAll("[data-window-field]")) {
    const name = cell.dataset.windowField;
    if (name === "change_percentage") writeSigned(cell, answer[name]);
    else cell.textContent = figure(answer[name], PLACES[name]);
  }
  box.querySelector("[data-window-at]").replaceChildren(timeElement(answer.as_of));
}

async function refresh() {
  try {
    const answer = document.hidden ? null : await fetch(address, { headers: { Accept: "application/json" } });
    if (answer?.ok) show(await answer.json());
  } catch {
    // Its moment still says how old it is.
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, EVERY);
