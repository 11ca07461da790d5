/* The replays page: how far the tape has come, as it plays. */

import "./live.js";
import { clock } from "./format.js";

const place = document.querySelector("[data-replay-at]");

function onQuotes({ detail: { ts } }) {
  if (!("replay" in document.body.dataset) || !ts) return;
  const day = new Date(ts).toLocaleDateString("sv-SE", { timeZone: document.body.dataset.timeZone || undefined });
  place.textContent = `at ${day} ${clock(ts)}`;
}

function onSnapshot(event) {
  if (event.detail.source === "replay") onQuotes(event);
  else if (place.dataset.replayAt === "plays") place.textContent = "over, or not begun: reload the page";
}

if (place) {
  document.addEventListener("live:quotes", onQuotes);
  document.addEventListener("live:snapshot", onSnapshot);
}
