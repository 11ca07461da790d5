/* The theme switch without a page load. The server remembers it (user or cookie) and writes data-theme on the next page. */

function apply(form, theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of form.querySelectorAll("button[name=theme]")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
}

for (const form of document.querySelectorAll("[data-theme-form]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const theme = event.submitter.value;
    const body = new FormData(form, event.submitter);
    for (const other of document.querySelectorAll("[data-theme-form]")) apply(other, theme);
    await fetch(form.action, { method: "POST", body, redirect: "manual" });
  });
}
