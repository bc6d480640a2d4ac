"use strict";

const place = document.getElementById("docs");

// Groups are closed, so that the page appears fast. A filter opens all groups that have something left.
const openGroups = ({ layoutActions, specSelectors }, isOpen) => {
  const names = specSelectors.taggedOperations().keySeq();
  names.forEach((name, index) => { layoutActions.show(["operations-tag", name], isOpen || index === 0); });
};

const filterField = ({ getSystem }) => {
  const system = getSystem();
  return system.React.createElement("input", {
    className: "operation-filter-input",
    type: "search",
    placeholder: "Filter operations by words, such as: import, history, GET figures",
    "aria-label": "Filter operations",
    onChange: (event) => {
      const text = event.target.value.trim();
      system.layoutActions.updateFilter(text || true);
      openGroups(system, text !== "");
    },
  });
};

// The filter of Swagger UI compares names of tags only. This one finds operations by any of their words.
const opsFilter = (tags, text) => {
  const words = text.toLowerCase().split(/\s+/);
  const matches = (tag) => (operation) => {
    const written = ["summary", "description", "operationId"].map((name) => operation.getIn(["operation", name]));
    const all = [tag, operation.get("method"), operation.get("path"), ...written].join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  };
  return tags
    .map((entry, tag) => entry.set("operations", entry.get("operations").filter(matches(tag))))
    .filter((entry) => entry.get("operations").size > 0);
};

// A list of hundreds of codes becomes a field for text: as choices, those of one operation were 20,000 elements.
const MANY_CODES = 40;
const withoutManyCodes = (schema) =>
  schema?.getIn(["items", "enum"])?.size > MANY_CODES ? schema.deleteIn(["items", "enum"]) : schema;
const JsonSchemaForm = (Original, { React }) => (props) =>
  React.createElement(Original, { ...props, schema: withoutManyCodes(props.schema) });

// The introduction is part of the page already.
const ourParts = () => ({
  components: { InfoContainer: () => null, FilterContainer: filterField },
  wrapComponents: { JsonSchemaForm },
  fn: { opsFilter },
});

const dark = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followScheme);
followScheme();

const ui = SwaggerUIBundle({
  url: place.dataset.contract,
  domNode: place,
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
  filter: true,
  persistAuthorization: true,
  syntaxHighlight: false, // an element for each word of a response
  tryItOutEnabled: true,
  validatorUrl: null,
  plugins: [ourParts],
  presets: [SwaggerUIBundle.presets.apis],
  onComplete() {
    if (!location.hash) openGroups(ui.getSystem(), false);
  },
});
