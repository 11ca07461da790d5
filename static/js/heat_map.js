/* The map of a sweep: the cell under the pointer, or that the arrow keys have gone to, in words with its neighbors. */

import { MISSING } from "./format.js";

const number = (cell) => (cell.textContent === MISSING ? null : Number(cell.textContent.replaceAll(",", "").replace("−", "-")));

/** The mean of the known cells around, to as many decimals as the cell itself is written with. */
function around(cells, row, column, places) {
  const near = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((across) => (down || across ? cells[row + down]?.[column + across] : undefined)));
  const known = near.filter(Boolean).map(number).filter((value) => value !== null);
  return known.length ? `its ${known.length} neighbors ${(known.reduce((sum, value) => sum + value, 0) / known.length).toFixed(places)}`.replace("-", "−") : "no neighbors";
}

function wire(frame) {
  const cells = [...frame.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")]);
  const across = [...frame.querySelectorAll("thead th.number")].map((head) => head.textContent);
  const down = [...frame.querySelectorAll("tbody th")].map((head) => head.textContent);
  const words = frame.parentElement.querySelector("[data-heat-words]");
  let here = [-1, -1];
  words.setAttribute("aria-live", "polite");

  function link() {
    const made = document.createElement("a");
    const values = new URLSearchParams({ [frame.dataset.x]: across[here[1]], [frame.dataset.y]: down[here[0]] });
    made.href = `${frame.dataset.run}&${values}`;
    made.textContent = "Run it";
    return made;
  }

  function go(row, column, follows) {
    const cell = cells[row]?.[column];
    if (!cell) return;
    cells[here[0]]?.[here[1]]?.classList.remove("is-at");
    cell.classList.add("is-at");
    here = [row, column];
    const places = (cell.textContent.split(".")[1] ?? "").length;
    words.hidden = false;
    words.replaceChildren(`${frame.dataset.x} ${across[column]} · ${frame.dataset.y} ${down[row]} · ${cell.textContent} · ${around(cells, row, column, places)} `);
    if (frame.dataset.run) words.append(link());
    if (follows) cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  frame.addEventListener("pointerover", (event) => {
    const row = cells.findIndex((found) => found.includes(event.target));
    if (row >= 0) go(row, cells[row].indexOf(event.target), false);
  });
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  frame.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (here[0] < 0) go(0, 0, true);
    else go(here[0] + step[0], here[1] + step[1], true);
  });
}

const wireAll = () => document.querySelectorAll("[data-heat-map]:not([data-wired])").forEach((frame) => {
  frame.dataset.wired = "";
  wire(frame);
});
wireAll();
document.addEventListener("htmx:afterSettle", wireAll); // the page fetches itself anew while the sweep runs
