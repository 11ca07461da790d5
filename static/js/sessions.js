/* Badges that say whether an instrument is traded: they follow the sessions of its exchange and its halts. */

function show(badge, status) {
  badge.textContent = status;
  badge.classList.toggle("is-ok", status === "open");
  badge.classList.toggle("is-warning", status === "halted");
}

function onStatus({ detail: { ticker, calendar, status } }) {
  for (const badge of document.querySelectorAll("[data-session]")) {
    if (ticker && badge.dataset.session === ticker) {
      const hours = badge.dataset.hours;
      show(badge, status === "halted" ? status : badge.dataset.calendar ? hours : "round the clock");
    }
    if (calendar && badge.dataset.calendar === calendar) {
      badge.dataset.hours = status;
      if (badge.textContent !== "halted") show(badge, status);
    }
  }
}

document.addEventListener("live:status", onStatus);
