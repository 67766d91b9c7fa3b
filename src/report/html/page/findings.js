// Reads the findings that `data.rs` wrote: columns of numbers, most of which are indices into a list of texts.

const data = JSON.parse(document.getElementById("data").textContent);
const { texts, states, toolsets, pages, links, fixes, files, findings } = data;
const count = findings.state.length;
const levels = ["error", "warning", "note", "unknown"];

/** Names of the tools that report finding `at`. */
const toolsOf = (at) => toolsets[findings.tools[at]].map((tool) => texts[tool]);

/** Path or subject of finding `at`, with line and column if known. */
function placeOf(at) {
  const place = texts[findings.place[at]];
  return findings.line[at] ? `${place}:${findings.line[at]}:${findings.column[at]}` : place;
}

/** Formats a number with thousands separators. */
const number = (value) => value.toLocaleString("en-US");

/** Creates an element with attributes and children. Strings become text nodes, so data is never parsed as markup. */
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

