/* The API page's Send form: the chosen method with the body typed, the answer below it as it came. */

async function send(form, method) {
  const headers = { Accept: "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  const request = { method, headers };
  if (method !== "DELETE") {
    headers["Content-Type"] = form.elements.media_type.value;
    request.body = form.elements.body.value;
  }
  const response = await fetch(form.getAttribute("action"), request);
  return { response, text: await response.text() };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(place, { response, text }) {
  const badge = document.createElement("span");
  badge.className = `badge ${response.ok ? "is-ok" : "is-failed"}`;
  badge.textContent = `${response.status} ${response.statusText}`;
  const line = document.createElement("p");
  line.append(badge);
  const body = document.createElement("pre");
  body.textContent = pretty(text) || "(no body)";
  body.tabIndex = 0;
  place.replaceChildren(line, body);
}

for (const form of document.querySelectorAll("[data-api-form]")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const method = event.submitter.value;
    if (method === "DELETE" && !confirm("Send DELETE to this address?")) return;
    show(form.querySelector("[data-api-result]"), await send(form, method));
  });
}
