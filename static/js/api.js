/* The API page's Send form: the fields that are filled, or the body typed; the answer below it as it came. */

/** What stands in a field; lists and objects are typed as JSON. */
function valueOf(input) {
  if (input.type === "checkbox") return input.checked;
  const text = input.value.trim();
  if (!/^[[{]/.test(text)) return input.value;
  try {
    return JSON.parse(text);
  } catch {
    return input.value;
  }
}

function filled(fields) {
  const inputs = fields ? [...fields.querySelectorAll("[name]")] : [];
  return inputs.filter((input) => (input.type === "checkbox" ? input.checked : input.value));
}

function bodyOf(form, mediaType) {
  if (form.elements.body.value) return form.elements.body.value;
  const inputs = filled(form.querySelector(`[data-api-fields="${mediaType}"]`));
  if (mediaType !== "multipart/form-data") {
    return JSON.stringify(Object.fromEntries(inputs.map((input) => [input.name, valueOf(input)])));
  }
  const parts = new FormData();
  for (const input of inputs) {
    if (input.type === "file") for (const file of input.files) parts.append(input.name, file);
    else parts.append(input.name, input.type === "checkbox" ? "true" : input.value);
  }
  return parts;
}

async function send(form, method) {
  const headers = { Accept: "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  const request = { method, headers };
  if (method !== "DELETE") {
    const mediaType = form.elements.media_type.value;
    request.body = bodyOf(form, mediaType);
    if (!(request.body instanceof FormData)) headers["Content-Type"] = mediaType; // else the browser writes it
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

/** Shows the fields of the chosen media type; of one without fields the body is typed. */
function choose(form) {
  const mediaType = form.elements.media_type.value;
  const all = [...form.querySelectorAll("[data-api-fields]")];
  for (const fields of all) fields.hidden = fields.dataset.apiFields !== mediaType;
  form.querySelector("details").open = all.every((fields) => fields.hidden);
}

for (const form of document.querySelectorAll("[data-api-form]")) {
  form.hidden = false;
  choose(form);
  form.elements.media_type.addEventListener("change", () => choose(form));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const method = event.submitter.value;
    if (method === "DELETE" && !confirm("Send DELETE to this address?")) return;
    show(form.querySelector("[data-api-result]"), await send(form, method));
  });
}
