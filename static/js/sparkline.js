/* Small lines of the latest prices, drawn from the ticks as they come. The box is 100 by 20. */

const KEPT = 180;
const series = new Map();

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
  values.push(price);
  if (values.length > KEPT) values.splice(0, values.length - KEPT);
  series.set(ticker, values);
  if (values.length > 1) svg.querySelector("polyline").setAttribute("points", points(values));
}
