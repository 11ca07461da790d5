/* The one line under the masthead: since when the prices stand still, and when we try again. What is sent meanwhile is
   held on its page unless the desk answers: else what was typed would go with the page. */

import { clock } from "./format.js";

const line = document.getElementById("connection");
const PATIENCE_MILLISECONDS = 1500; // a blink is not worth a line
let since = null;
let ticking = null;
let holding = ""; // what is said of a form that was held
const passed = new WeakSet();

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
  const words = `Connection lost at ${clock(since)}.${holding}`;
  say(words, seconds ? `Next try in ${seconds} s.` : "Trying now.");
}

document.addEventListener("live:closed", ({ detail }) => {
  clearInterval(ticking);
  if (detail.signedOut) {
    since = null;
    say("You are signed out: reload the page to sign in again.");
    return;
  }
  since ??= Date.now();
  ticking = setInterval(() => count(detail.retryAt), 500);
});

document.addEventListener("live:open", () => {
  clearInterval(ticking);
  [since, holding] = [null, ""];
  line.hidden = true;
});

async function answers() {
  try {
    return (await fetch("/health/live", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** Sends a form of a page without connection if the desk answers all the same. */
async function hold(event) {
  const form = event.target;
  if (since === null || event.defaultPrevented || form.method !== "post" || passed.delete(form)) return;
  event.preventDefault();
  if (await answers()) {
    passed.add(form);
    form.requestSubmit(event.submitter);
  } else holding = " Nothing was sent: what you typed stays here.";
}

document.addEventListener("submit", hold);
