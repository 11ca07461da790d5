/* Keys: "/" find, "n" new trade, "g" then a letter for a page, "?" the list. Never while typing. */

const PAGES = {
  d: "/desk/", t: "/desk/trades/", a: "/desk/activities/", p: "/desk/positions/", f: "/desk/performance/",
  m: "/desk/market/", l: "/desk/alerts/", s: "/desk/strategies/", r: "/desk/reports/", e: "/desk/settings/",
};
const CHORD_MILLISECONDS = 1200;
let chordStarted = -Infinity;

function isTyping(target) {
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function newTrade() {
  const opener = document.querySelector("[data-new-trade]");
  if (opener) opener.click();
  else location.assign("/desk/trades/new/");
}

const KEYS = {
  "/": () => document.querySelector("[data-finder]")?.select(),
  "n": newTrade,
  "?": () => document.getElementById("shortcuts")?.showModal(),
  "g": () => { chordStarted = performance.now(); },
};

function act(key) {
  if (performance.now() - chordStarted < CHORD_MILLISECONDS) {
    chordStarted = -Infinity;
    if (!PAGES[key]) return false;
    location.assign(PAGES[key]);
    return true;
  }
  if (!KEYS[key]) return false;
  KEYS[key]();
  return true;
}

if (document.body.dataset.user) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (act(event.key)) event.preventDefault();
  });
}
