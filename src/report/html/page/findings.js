// The findings as `data.rs` writes them: columns of numbers, most of which point into a list of texts.

const data = JSON.parse(document.getElementById("data").textContent);
const { texts, states, toolsets, pages, files, findings } = data;
const count = findings.state.length;
const levels = ["error", "warning", "note", "not known"];

/** The names of the tools that report finding `at`. */
const toolsOf = (at) => toolsets[findings.tools[at]].map((tool) => texts[tool]);

/** The path or subject of finding `at`, with its line and column where they are known. */
function placeOf(at) {
  const place = texts[findings.place[at]];
  return findings.line[at] ? `${place}:${findings.line[at]}:${findings.column[at]}` : place;
}

/** A number with its thousands apart. */
const number = (value) => value.toLocaleString("en-US");

/** An element with attributes and children; strings become text, so that no data is ever read as markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

