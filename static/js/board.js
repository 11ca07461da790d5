/* The market board: its cells are live.js's own; this says of when the last price is. */

import "./live.js";
import "./sessions.js";
import { clock } from "./format.js";

function onQuotes({ detail }) {
  const note = document.querySelector("[data-board-note]");
  if (note && detail.ts) note.textContent = `last price ${clock(detail.ts)}`;
}

document.addEventListener("live:quotes", onQuotes);
document.addEventListener("live:snapshot", onQuotes);
