/* The replays page: how far the tape has come as it plays, and how fast that really is. */

import "./live.js";
import { clock, figure } from "./format.js";

const MEASURED_MS = 5_000;
const LEAST_MS = 2_000; // of less no speed is told
const place = document.querySelector("[data-replay-at]");
let heard = []; // [when, the moment of the tape], of the last seconds

/** Seconds of the tape in a second of ours, of late; null where too little was heard. */
function speedAt(ts) {
  const now = performance.now();
  heard = [...heard.filter(([when]) => now - when <= MEASURED_MS), [now, ts]];
  const [since, from] = heard[0];
  return now - since < LEAST_MS ? null : (ts - from) / (now - since);
}

function onQuotes({ detail: { ts } }) {
  if (!("replay" in document.body.dataset) || !ts) return;
  const day = new Date(ts).toLocaleDateString("sv-SE", { timeZone: document.body.dataset.timeZone || undefined });
  const speed = speedAt(ts);
  place.textContent = `at ${day} ${clock(ts)}${speed === null ? "" : `, plays at ${figure(speed, speed < 10 ? 1 : 0)}×`}`;
}

function onSnapshot(event) {
  heard = [];
  if (event.detail.source === "replay") onQuotes(event);
  else if (place.dataset.replayAt === "plays") place.textContent = "over, or not begun: reload the page";
}

if (place) {
  document.addEventListener("live:quotes", onQuotes);
  document.addEventListener("live:snapshot", onSnapshot);
}
