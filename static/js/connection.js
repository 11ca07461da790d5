/* The one line under the masthead: since when the prices stand still, and when we try again. */

import { clock } from "./format.js";

const line = document.getElementById("connection");
const PATIENCE_MILLISECONDS = 1500; // a blink is not worth a line
let since = null;
let ticking = null;

/** The words are read aloud once; the count beside them is only seen. */
function say(words, countdown = "") {
  const place = line.querySelector("[data-connection-words]");
  if (place.textContent !== words) place.textContent = words;
  line.querySelector("[data-connection-count]").textContent = countdown;
  line.hidden = false;
}

function count(retryAt) {
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  if (Date.now() - since < PATIENCE_MILLISECONDS) return;
  const words = `Connection lost at ${clock(since)}.`;
  say(words, seconds ? `Next try in ${seconds} s.` : "Trying now.");
}

document.addEventListener("live:closed", ({ detail }) => {
  clearInterval(ticking);
  since ??= Date.now();
  if (detail.signedOut) {
    say("You are signed out: reload the page to sign in again.");
    return;
  }
  ticking = setInterval(() => count(detail.retryAt), 500);
});

document.addEventListener("live:open", () => {
  clearInterval(ticking);
  since = null;
  line.hidden = true;
});
