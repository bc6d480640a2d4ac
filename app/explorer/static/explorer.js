// Suggestions while typing, evidence in a side panel, copying of commands. Every page works without this file.

const DELAY = 80; // milliseconds between the last key and a request
const MAX_SUGGESTIONS = 8;

/** Return a text without diacritics and letter case. */
const folded = (text) =>
  text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/g, "d").replace(/Đ/g, "D").toLowerCase();

/** Return a new element with a class and content. */
function element(name, className, ...content) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...content);
  return created;
}

/** Return a text whose words of the query are marked. Folding keeps the number of letters of a composed text. */
function marked(text, query) {
  const composed = text.normalize("NFC");
  const plain = Array.from(composed, (letter) => folded(letter) || letter).join("");
  const words = folded(query).split(/\s+/).filter(Boolean);
  const span = element("span");
  const spots = plain.length === composed.length ? words.map((word) => [plain.indexOf(word), word.length]) : [];
  let end = 0;
  for (const [start, length] of spots.filter(([start]) => start >= 0).sort(([a], [b]) => a - b)) {
    if (start < end) continue;
    span.append(composed.slice(end, start), element("mark", "", composed.slice(start, start + length)));
    end = start + length;
  }
  span.append(composed.slice(end));
  return span;
}

function suggest(form) {
  const input = form.querySelector("input[type=search]");
  const list = form.querySelector(".hits");
  const status = form.querySelector("[aria-live]");
  const { api, root, lang, some, none } = form.dataset;
  const kinds = JSON.parse(form.dataset.kinds);
  let chosen = -1;
  let timer;
  let request;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-expanded", "false");

  function hide() {
    request?.abort();
    clearTimeout(timer);
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  }

  function choose(number) {
    const options = [...list.children];
    if (!options.length || list.hidden) return;
    chosen = (number + options.length) % options.length;
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === chosen)));
    input.setAttribute("aria-activedescendant", options[chosen].id);
    options[chosen].scrollIntoView({ block: "nearest" });
  }

  function option(hit, index) {
    const other = lang === "vi" ? "en" : "vi";
    const name = hit.name[lang] ?? Object.values(hit.name)[0] ?? hit.id;
    const item = element("li", "", element("span", "k", kinds[hit.resource] ?? ""));
    item.append(marked(name, input.value));
    if (hit.name[lang] && hit.name[other]) {
      item.lastChild.append(element("span", "o", marked(hit.name[other], input.value)));
      item.lastChild.lastChild.lang = other;
    }
    item.id = `${list.id}-${index}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    item.dataset.href = `${root}/${hit.resource}/${encodeURIComponent(hit.id)}${lang === "en" ? "" : `?lang=${lang}`}`;
    return item;
  }

  async function show() {
    const query = input.value.trim();
    if (query.length < 2) return hide();
    request?.abort();
    const own = (request = new AbortController());
    try {
      const parameters = new URLSearchParams({ q: query, limit: MAX_SUGGESTIONS, labels: lang });
      const response = await fetch(`${api}?${parameters}`, { signal: own.signal });
      if (!response.ok) return hide();
      const { items } = await response.json();
      if (own.signal.aborted) return; // a later request has replaced this one
      list.replaceChildren(...items.map(option));
      list.hidden = !items.length;
      input.setAttribute("aria-expanded", String(Boolean(items.length)));
      input.removeAttribute("aria-activedescendant");
      chosen = -1;
      status.textContent = items.length ? `${items.length} ${some}` : none;
    } catch (error) {
      if (error.name !== "AbortError") hide();
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, DELAY);
  });
  input.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: chosen < 0 ? 0 : -1 };
    if (event.key in steps && !list.hidden) {
      event.preventDefault();
      choose(chosen + steps[event.key]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      hide();
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      location.assign(list.children[chosen].dataset.href);
    }
  });
  list.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const item = event.target.closest("li");
    if (item) location.assign(item.dataset.href);
  });
  input.addEventListener("blur", hide);
}

/** Read a page as a document. It is parsed by the browser, so no text becomes markup here. */
function read(url) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.onload = () => resolve(request.status === 200 ? request.response : null);
    request.onerror = () => resolve(null);
    request.send();
  });
}

function openEvidence(panel) {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-ev]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    const evidence = (await read(link.href))?.querySelector("[data-evidence]");
    if (!evidence) return location.assign(link.href);
    const content = document.importNode(evidence, true);
    panel.querySelector(".in").replaceChildren(content);
    panel.querySelector(".full").href = link.href;
    if (!panel.open) panel.showModal();
    panel.scrollTop = 0;
  });
  panel.querySelector(".x").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => event.target === panel && panel.close());
}

/** Add a button to a command of the foot, which copies it. */
function copy(code) {
  const { copy: label, done } = code.closest("ol").dataset;
  const button = element("button", "copy", label);
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = done;
      setTimeout(() => (button.textContent = label), 1600);
    } catch {
      getSelection().selectAllChildren(code); // to be copied by hand
    }
  });
  code.closest("li").append(button);
}

document.querySelectorAll("form.find").forEach(suggest);
document.querySelectorAll("dialog.panel").forEach(openEvidence);
document.querySelectorAll(".reqs code").forEach(copy);
