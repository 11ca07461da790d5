/* The labeled values of an axis, and the decimal places each is written with. */

const LEVELS = 4;
const LOG_LEVELS = 6; // enough that two at least lie between any two values

/** Round values from below `low` to above `high`, at most `most` steps: 1, 2 or 5 times a power of ten apart. */
export function levels(low, high, most = LEVELS) {
  const spread = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(spread / most));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size * most >= spread * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { places, values: Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step) };
}

/** Levels of a logarithmic axis, all within it, for 0 < low < high: 1, 2 and 5 times powers of ten, or the powers alone
    where those are many; where fewer than two of them lie in it, those of an even axis. */
export function logLevels(low, high) {
  const powers = Array.from({ length: Math.floor(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 }, (_, at) => Math.floor(Math.log10(low)) + at);
  const factors = powers.length > 3 ? [1] : [1, 2, 5];
  const isWithin = (value) => value >= low && value <= high;
  const values = powers.flatMap((power) => factors.map((factor) => factor * 10 ** power)).filter(isWithin);
  if (values.length > 1) return { values, placesOf: (value) => Math.max(0, -Math.floor(Math.log10(value) + 1e-9)) };
  const even = levels(low, high, LOG_LEVELS);
  return { values: even.values.filter(isWithin), placesOf: () => even.places };
}
