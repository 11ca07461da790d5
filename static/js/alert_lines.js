/* The list of alerts of a page: a line for each that comes, the newest first. */

import { timeElement } from "./format.js";

/** Puts the alert of a frame at the head of #alerts, which keeps `most` lines. */
export function addAlertLine({ message, ts }, most) {
  const line = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = message;
  const at = timeElement(ts);
  at.className = "end small faint";
  line.append(words, at);
  const list = document.getElementById("alerts");
  list.prepend(line);
  while (list.children.length > most) list.lastElementChild.remove();
  document.querySelector("[data-no-alerts]").hidden = true;
}
