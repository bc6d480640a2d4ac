"use strict";

const list = document.getElementById("docs");
const operations = [...list.querySelectorAll("details.operation")];
const keyField = document.getElementById("key");
keyField.value = sessionStorage.getItem("key") ?? "";
keyField.addEventListener("input", () => sessionStorage.setItem("key", keyField.value));

// The filter shows the operations that have all the words.
const filterField = document.getElementById("filter");
const texts = new Map(operations.map((each) => [each, `${each.dataset.words} ${each.querySelector("summary").textContent}`.toLowerCase()]));
const filter = () => {
  const words = filterField.value.toLowerCase().split(/\s+/);
  for (const each of operations) each.hidden = !words.every((word) => texts.get(each).includes(word));
  for (const section of list.querySelectorAll(":scope > section")) section.hidden = !section.querySelector("details.operation:not([hidden])");
  document.getElementById("nothing").hidden = operations.some((each) => !each.hidden);
};
filterField.addEventListener("input", filter);
filterField.form.addEventListener("submit", (event) => event.preventDefault());
filter(); // a browser may have kept the words

const dark = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followScheme);
followScheme();

const load = (name, attributes) => new Promise((resolve, reject) => {
  const element = Object.assign(document.createElement(name), attributes, { onload: resolve, onerror: reject });
  document.head.append(element);
});

// Swagger UI is loaded when the first operation is opened.
let loaded;
const loadViewer = () => (loaded ??= Promise.all([
  load("link", { rel: "stylesheet", href: `${list.dataset.assets}swagger-ui.css` }),
  load("script", { src: `${list.dataset.assets}swagger-ui-bundle.js` }),
]));

// A list of hundreds of codes becomes a field for text: as choices, those of one operation were 20,000 elements.
const MANY_CODES = 40;
const withoutManyCodes = (schema) =>
  schema?.getIn(["items", "enum"])?.size > MANY_CODES ? schema.deleteIn(["items", "enum"]) : schema;
const JsonSchemaForm = (Original, { React }) => (props) =>
  React.createElement(Original, { ...props, schema: withoutManyCodes(props.schema) });

// Until its references are resolved, an operation has no id, and Swagger UI could not send its request.
const execute = (Original, { React }) => (props) =>
  props.operation.get("operationId") ? React.createElement(Original, props) : null;

// The page itself shows the introduction, the filter, the name of the operation and the field for the key.
const nothing = () => null;
const ourParts = () => ({
  components: { InfoContainer: nothing, FilterContainer: nothing, ServersContainer: nothing, OperationSummary: nothing },
  wrapComponents: { JsonSchemaForm, execute },
});

const withKey = (request) => {
  const key = keyField.value.trim();
  if (key && !request.loadSpec) request.headers.Authorization = `Bearer ${key}`;
  return request;
};

const show = async (operation) => {
  const place = document.createElement("div");
  place.className = "viewer";
  place.textContent = "Loading …";
  operation.append(place);
  try {
    await loadViewer();
  } catch {
    loaded = undefined;
    place.remove();
    operation.open = false;
    return;
  }
  place.textContent = "";
  SwaggerUIBundle({
    url: operation.dataset.contract,
    domNode: place,
    displayRequestDuration: true,
    docExpansion: "full",
    defaultModelsExpandDepth: -1,
    requestInterceptor: withKey,
    syntaxHighlight: false, // an element for each word of a response
    tryItOutEnabled: true,
    validatorUrl: null,
    plugins: [ourParts],
    presets: [SwaggerUIBundle.presets.apis],
  });
};

for (const operation of operations) {
  operation.addEventListener("toggle", () => {
    if (!operation.open) return;
    history.replaceState(null, "", `#${operation.id}`);
    if (!operation.querySelector(".viewer")) show(operation);
  });
}

// The address can name an operation: #list_projects, and #/projects/list_projects as in Swagger UI.
const openNamed = () => {
  const named = document.getElementById(location.hash.slice(1).split("/").pop());
  if (!operations.includes(named)) return;
  named.open = true;
  named.scrollIntoView();
};
addEventListener("hashchange", openNamed);
openNamed();
