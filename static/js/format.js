/* Numbers and times as the desk writes them. The server writes the same forms in tradeops/templatetags/desk.py;
   change both together. Money arrives as a decimal string and is shown rounded; nothing here is booked. */

export const MISSING = "–";
const formats = new Map();

function format(places) {
  if (!formats.has(places)) {
    const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
    formats.set(places, new Intl.NumberFormat("en-US", { ...digits, roundingMode: "halfEven" }));
  }
  return formats.get(places);
}

function finite(value) {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** "1,234.50"; a true minus, as wide as a digit; never "−0.00". */
export function figure(value, places = 2) {
  const number = finite(value);
  if (number === null) return MISSING;
  // As text, so that 0.005 is rounded as it is written and not as the nearest double.
  const text = format(places).format(String(value).trim().replace(/^[-+]/, ""));
  return number < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

/** "+1,234.50", "−3.10", "0.00". */
export function signed(value, places = 2) {
  const number = finite(value);
  const text = figure(value, places);
  return number > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** "gain", "loss" or "": the class of a signed number as it is written. */
export function tone(value, places = 2) {
  return { "+": "gain", "−": "loss" }[signed(value, places)[0]] ?? "";
}

/** Hours, minutes and seconds in the user's own zone. */
export function clock(value) {
  const zone = document.body.dataset.timeZone || undefined;
  return new Date(value).toLocaleTimeString("en-GB", { timeZone: zone, hour12: false });
}

/** The time of day, and the day too where that is not today. */
export function sinceClock(value) {
  const zone = document.body.dataset.timeZone || undefined;
  const day = (moment) => new Date(moment).toLocaleDateString("sv-SE", { timeZone: zone }); // 2025-01-15
  if (day(value) === day(Date.now())) return clock(value);
  return `${day(value)} ${clock(value).slice(0, 5)}`;
}

/** A <time> as the server writes it: local time shown, as `written` has it, UTC on hover. */
export function timeElement(value, written = clock) {
  const at = new Date(value);
  const element = document.createElement("time");
  element.dateTime = at.toISOString();
  element.title = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  element.textContent = written(value);
  return element;
}

/** Writes a figure into a cell, keeping its color in step with its sign. */
export function writeSigned(element, value, places = 2) {
  element.textContent = signed(value, places);
  const name = tone(value, places);
  element.classList.toggle("gain", name === "gain");
  element.classList.toggle("loss", name === "loss");
}

const FLASH_MS = 900; // as long as the animation in desk.css
const flashes = new WeakMap(); // cell -> the timer that ends its flash

/** Flashes a cell once: "up" or "down". A second change starts the flash anew. */
export function flash(element, direction) {
  // Another name begins the animation again; to take the old one away first would cost a layout of the page each time.
  element.dataset.flash = element.dataset.flash === direction ? `${direction}-again` : direction;
  clearTimeout(flashes.get(element));
  flashes.set(element, setTimeout(() => delete element.dataset.flash, FLASH_MS));
}
