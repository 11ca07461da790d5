/* Charts: the day under the pointer, read off the numbers they were drawn from. Without it they are charts all the same. */

import { figure, signed } from "./format.js";

const points = JSON.parse(document.getElementById("points")?.textContent ?? "null");
const readout = document.querySelector("[data-readout]");
const atRest = readout?.textContent;
const plots = [...document.querySelectorAll("[data-plot] svg")];

function words(place) {
  const parts = [points.day[place], `equity ${figure(points.equity[place])}`, `P&L ${signed(points.pnl[place])}`];
  if (points.twr[place] !== null) parts.push(`growth ${signed(points.twr[place])} %`, `drawdown ${signed(points.drawdown[place])} %`);
  if (points.benchmark) parts.push(`benchmark ${signed(points.benchmark[place])} %`);
  return parts.join(" · ");
}

/** Puts the line of every chart on the day of number `place`; none for null. */
function mark(place) {
  for (const svg of plots) {
    const cursor = svg.querySelector("[data-cursor]");
    const x = place === null ? 0 : (svg.viewBox.baseVal.width * place) / (points.day.length - 1);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", place === null ? "hidden" : "visible");
  }
  readout.textContent = place === null ? atRest : words(place);
}

function follow(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  mark(Math.round(share * (points.day.length - 1)));
}

if (points && readout) {
  for (const svg of plots) {
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointerleave", () => mark(null));
  }
}
