/* Small lines of the latest prices, drawn from the ticks as they come. The box is 100 by 20. */

const KEPT = 150;
const STEP_MILLISECONDS = 2000; // as tradeops/today.py seeds them: five minutes in all
const series = new Map();
const stepOf = new Map();

function seeded(svg) {
  return (svg.dataset.prices ?? "").split(" ").filter(Boolean).map(Number);
}

function points(values) {
  const low = Math.min(...values);
  const height = Math.max(...values) - low || 1;
  const step = 100 / (values.length - 1);
  return values.map((value, place) => `${(place * step).toFixed(1)},${(19 - (18 * (value - low)) / height).toFixed(1)}`).join(" ");
}

/** Adds a price to the line of `ticker` and draws it anew. */
export function extend(ticker, price) {
  const svg = document.querySelector(`[data-sparkline="${CSS.escape(ticker)}"]`);
  if (!svg) return;
  const values = series.get(ticker) ?? seeded(svg);
  const step = Math.floor(Date.now() / STEP_MILLISECONDS);
  if (stepOf.get(ticker) === step) values.pop(); // the same step again: its last price counts
  stepOf.set(ticker, step);
  values.push(price);
  if (values.length > KEPT) values.splice(0, values.length - KEPT);
  series.set(ticker, values);
  if (values.length > 1) svg.querySelector("polyline").setAttribute("points", points(values));
}
