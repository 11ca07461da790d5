/* Reports: what a person opened or closed stays so while the page fetches itself anew. */

function keepOpen({ detail: { target, fragment } }) {
  for (const day of target.querySelectorAll("details[id]")) {
    const fresh = fragment.getElementById(day.id);
    if (fresh) fresh.open = day.open;
  }
}

document.addEventListener("htmx:oobBeforeSwap", keepOpen);
