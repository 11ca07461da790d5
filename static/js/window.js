/* What the last minutes or hours of a ticker come to: fetched anew every so often, and always with its moment, for a high
   that falls out of a window cannot be seen in the prices that come. What took long to work out is asked for less often. */

import { figure, timeElement, writeSigned } from "./format.js";

const box = document.querySelector("[data-window]");
const note = box.querySelector("[data-window-note]");
const EVERY = Math.min(Math.max(Number(box.dataset.window) * 1000 / 60, 10_000), 60_000);
const PATIENCE = 20; // so many times as long as it took is waited
const address = `/tickers/${encodeURIComponent(box.dataset.ticker)}/window?window=${box.dataset.window}`;
const PLACES = { samples: 0, volume: 0 };

function show(answer) {
  for (const cell of box.querySelectorAll(".figures [data-window-field]")) {
    const name = cell.dataset.windowField;
    if (name === "change_percentage") writeSigned(cell, answer[name]);
    else cell.textContent = figure(answer[name], PLACES[name]);
  }
  note.replaceChildren("to ", timeElement(answer.as_of), `, ${figure(answer.samples, 0)} prices`);
}

async function refresh() {
  const begun = performance.now();
  try {
    const answer = document.hidden ? null : await fetch(address, { headers: { Accept: "application/json" } });
    if (answer?.ok) show(await answer.json());
    else if (answer?.status === 400) note.textContent = (await answer.json()).errors[0].message;
  } catch {
    // Its moment still says how old it is.
  }
  setTimeout(refresh, Math.max(EVERY, PATIENCE * (performance.now() - begun)));
}

setTimeout(refresh, note.querySelector("[data-window-at]") ? EVERY : 0);
