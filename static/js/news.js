/* The line that says the book has moved, with the way to see it: rows stand still under the reader. */

export function sayNews() {
  for (const line of document.querySelectorAll("[data-news]")) line.hidden = false;
}
