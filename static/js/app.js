/* What every page does: theme, keys, toasts, drawers, the menu. Nothing here is needed to use a page. */

import "./theme.js";
import "./keyboard.js";

const TOAST_MILLISECONDS = 8000;

function wireToast(toast) {
  const close = toast.querySelector("[data-close]");
  close.hidden = false;
  close.addEventListener("click", () => toast.remove());
  // Errors stay until they are dismissed; the rest leave unless they are being read.
  if (toast.classList.contains("is-error")) return;
  const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : toast.remove());
  setTimeout(leave, TOAST_MILLISECONDS);
}

/** <a data-drawer="id" href="the plain page"> opens <dialog id>; without this script it follows its href. */
function openDrawer(event) {
  const opener = event.target.closest("[data-drawer]");
  const drawer = opener && document.getElementById(opener.dataset.drawer);
  if (!drawer || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  drawer.showModal();
}

function closeOnBackdrop(event) {
  if (event.target.matches?.("dialog.drawer") && event.target.open) {
    const box = event.target.getBoundingClientRect();
    const isOutside = event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
    if (isOutside && event.detail > 0) event.target.close();
  }
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    if (event.key === "Escape" || (event.type === "click" && !menu.contains(event.target))) menu.open = false;
  }
}

function wireCopy(button) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

document.querySelectorAll("[data-copy]").forEach(wireCopy);
document.querySelectorAll("[data-toast]").forEach(wireToast);
document.addEventListener("click", openDrawer);
document.addEventListener("click", closeOnBackdrop);
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", closeMenus);
