// Renders a finding: its line in the list and its details.

const classes = ["", "comment", "literal", "literal", "keyword", "literal", "macro"];

/** Renders text in which backticks mark code. */
function prose(text) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) return [text];
  return parts.map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

/** Like `prose`, but URLs become links. */
function proseWithLinks(text) {
  return text.split(/(https:\/\/[\w\-./#?=&%+~:]*[\w/])/).flatMap((part, at) =>
    at % 2 ? [element("a", { href: part, rel: "noopener noreferrer" }, part)] : prose(part),
  );
}

/** Renders the line of finding `at`, with its details if it is open. */
function card(at, isOpen, position, total) {
  const state = states[findings.state[at]];
  const level = levels[findings.level[at]];
  const [button, message, where] = [`b${at}`, `m${at}`, `w${at}`];
  const body = isOpen ? details(at) : element("div", { class: "body", hidden: true });
  body.id = `d${at}`;
  const line = findings.line[at];
  const inFile = line ? `${line}:${findings.column[at]}` : "";
  const place = findings.is_file[at] && filter.group === "file" ? inFile : placeOf(at);
  const article = element(
    "article",
    { class: `finding state-${state} level-${findings.level[at]}`, "aria-labelledby": `${message} ${where}`, "aria-posinset": position, "aria-setsize": total },
    element(
      "div",
      { class: "line" },
      element("button", { type: "button", id: button, class: "fold", "aria-expanded": String(isOpen), "aria-controls": body.id, "aria-labelledby": `${message} ${where}` }),
      element("span", { class: "level" }, findings.level[at] === 3 ? "" : level),
      element("span", { class: "message", id: message }, ...prose(texts[findings.message[at]])),
      element("span", { class: "where", id: where }, element("span", { class: "rule" }, filter.group === "rule" ? "" : texts[findings.rule[at]]), element("span", { class: "at" }, place)),
    ),
    body,
  );
  article.dataset.at = at;
  return article;
}

/** Formats a word of a command for a shell. */
const quoted = (word) => (/^[\w\-./:=@,+%]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Returns the command of the tool that applies the fix of finding `at`. Undefined if `cargo genti fix` does not apply it. */
function fixCommand(at) {
  const state = states[findings.state[at]];
  if (!findings.more[at].fix?.applies || (state !== "new" && state !== "accepted")) return undefined;
  return toolsets[findings.tools[at]].map((tool) => fixes[tool]).find(Boolean);
}

/** Returns the command that applies the fix of finding `at`, or the fixes of its rule. Undefined if `cargo genti fix` does not apply it. */
function fixOf(at, isWholeRule = false) {
  const command = fixCommand(at);
  if (!command) return undefined;
  const path = texts[findings.place[at]];
  const isAccepted = states[findings.state[at]] === "accepted";
  const words = [...(isAccepted ? ["--all"] : []), "--rule", texts[findings.rule[at]], ...(isWholeRule || path.startsWith("-") ? [] : [path])];
  return [command, ...words.map(quoted)].join(" ");
}

/** Renders the details of finding `at`. */
function details(at) {
  const { excerpt, notes = [], fix, code, output, fatal, edited, reason, unseen, owner, cause, id } = findings.more[at];
  const body = element("div", { class: "body" });
  const scope = texts[findings.scope[at]];
  if (scope) body.append(element("p", { class: "scope" }, "in ", element("code", {}, scope)));
  const patches = fix ? fix.patches : [];
  // For rustfmt, the diff shows everything.
  const isAllFix = texts[findings.ns[at]] === "rustfmt" && patches.length > 0;
  if (excerpt && !isAllFix) body.append(snippet(...excerpt));
  else if (code !== undefined && !patches.length) body.append(element("pre", { class: "code" }, element("code", {}, texts[code])));
  if (notes.length) body.append(element("ul", { class: "notes" }, ...notes.map(note)));
  if (output !== undefined) {
    body.append(element("p", { class: "aside" }, "Output of the test:"), element("pre", { class: "code output" }, element("code", {}, texts[output])));
  }
  if (fix) {
    const label = element("p", { class: "fix" }, element("b", {}, "Suggested fix: "), ...prose(texts[fix.message]));
    body.append(label, ...patches.map((patch) => diff(patch, texts[findings.place[at]])));
    const command = fixOf(at);
    if (command) body.append(element("p", { class: "aside" }, "To apply it, run ", element("code", { class: "command" }, command)));
  }
  if (fatal) body.append(element("p", { class: "aside" }, "This can’t be accepted into the baseline. It has to be fixed."));
  if (unseen !== undefined) body.append(element("p", { class: "aside" }, element("b", {}, "Not checked: "), ...prose(texts[unseen])));
  if (cause !== undefined) body.append(element("p", { class: "aside" }, texts[cause]));
  if (edited) body.append(element("p", { class: "aside" }, "Its code was edited since it was accepted."));
  if (reason !== undefined) {
    const what = states[findings.state[at]] === "suppressed" ? "Suppressed: " : "Accepted: ";
    body.append(element("p", { class: "aside" }, element("b", {}, what), ...prose(texts[reason]), owner === undefined ? "" : ` (${texts[owner]})`));
  }
  const tools = toolsOf(at);
  const rule = texts[findings.rule[at]];
  const page = pages[findings.rule[at]];
  const facts = element("p", { class: "facts" }, tools.length ? `${tools.join(", ")} · ` : "");
  facts.append(page ? element("a", { href: page, rel: "noopener noreferrer" }, rule) : rule, " · ", source(at));
  if (id) facts.append(" · ", element("a", { href: `#id=${encodeURIComponent(id)}`, title: "Link to this finding" }, id));
  body.append(facts);
  return body;
}

/** Renders the place of finding `at`, with a link to its line on the forge if the commit is known. */
function source(at) {
  const link = links[findings.place[at]];
  if (!link) return placeOf(at);
  const line = findings.line[at];
  return element("a", { href: line ? `${link}#L${line}` : link, rel: "noopener noreferrer" }, placeOf(at));
}

function note([text, elsewhere]) {
  const item = element("li", {}, ...proseWithLinks(texts[text]));
  if (elsewhere) {
    const [place, line, column] = elsewhere;
    item.append(" ", element("code", { class: "at" }, line ? `${texts[place]}:${line}:${column}` : texts[place]));
  }
  return item;
}

/** Renders lines of a file with the flagged range marked. */
function snippet(file, stretches, [firstLine, from, lastLine, to]) {
  const code = element("div", { class: "code" });
  stretches.forEach(([first, last], at) => {
    if (at) code.append(element("div", { class: "gap" }, "⋯"));
    for (let number = first; number <= last; number++) {
      const shown = files[file][number];
      if (!shown) continue;
      const [text, stretchesOfLine] = [texts[shown[0]], shown[1]];
      let mark = null;
      if (number >= firstLine && number <= lastLine) {
        const indent = text.length - text.trimStart().length;
        mark = [number === firstLine ? from : indent, number === lastLine ? to : text.length];
      }
      code.append(codeLine(String(number), "", painted(text, stretchesOfLine, mark), mark ? "flagged" : ""));
    }
  });
  return code;
}

function codeLine(number, sign, content, kind) {
  return element(
    "div",
    { class: `source ${kind}` },
    element("span", { class: "number", "data-number": number }),
    sign && element("span", { class: "sign" }, sign),
    element("code", {}, ...content),
  );
}

/** Splits `text` into highlighted spans, with the mark around or within them. */
function painted(text, stretches, mark) {
  const edges = new Set([0, text.length]);
  const inText = (at) => Math.min(Math.max(at, 0), text.length);
  for (let at = 0; at < stretches.length; at += 3) edges.add(inText(stretches[at])).add(inText(stretches[at] + stretches[at + 1]));
  if (mark) edges.add(inText(mark[0])).add(inText(mark[1]));
  const sorted = [...edges].sort((a, b) => a - b);
  const pieces = [];
  let [stretch, marked] = [0, null];
  for (let at = 0; at + 1 < sorted.length; at++) {
    const [start, end] = [sorted[at], sorted[at + 1]];
    while (stretch < stretches.length && stretches[stretch] + stretches[stretch + 1] <= start) stretch += 3;
    const isIn = stretch < stretches.length && stretches[stretch] <= start;
    const piece = text.slice(start, end);
    const node = isIn ? element("span", { class: classes[stretches[stretch + 2]] }, piece) : piece;
    if (mark && start >= mark[0] && end <= mark[1]) {
      if (!marked) pieces.push((marked = element("mark")));
      marked.append(node);
    } else {
      marked = null;
      pieces.push(node);
    }
  }
  // An empty line keeps its height, and a mark in it stays visible.
  if (!text) pieces.push(mark ? element("mark", {}, " ") : " ");
  return pieces;
}

/** Renders the lines that a fix removes and adds. */
function diff([path, lines, more], place) {
  const code = element("div", { class: "code diff" });
  if (texts[path] !== place) code.append(element("div", { class: "gap" }, texts[path]));
  const shown = lines.map(([sign, number, text]) => ({ sign, number, text: texts[text], mark: null }));
  emphasize(shown);
  for (const { sign, number, text, mark } of shown) {
    const kind = { "-": "removed", "+": "added", ">": "added" }[sign] ?? "";
    const spoken = { removed: "removed: ", added: "added: " }[kind];
    const content = painted(text, [], mark);
    if (spoken) content.unshift(element("span", { class: "spoken" }, spoken));
    code.append(codeLine(String(number), { "-": "−", "+": "+", ">": "+" }[sign] ?? " ", content, kind));
  }
  if (more) code.append(element("div", { class: "gap" }, `${number(more)} more lines`));
  return code;
}

/** If as many lines are added as removed, marks the differences within each pair. */
function emphasize(lines) {
  for (let start = 0; start < lines.length; start++) {
    if (lines[start].sign !== "-") continue;
    let middle = start;
    while (lines[middle]?.sign === "-") middle++;
    let end = middle;
    while (lines[end]?.sign === "+") end++;
    if (middle - start === end - middle) {
      for (let at = 0; at < middle - start; at++) differing(lines[start + at], lines[middle + at]);
    }
    start = end - 1;
  }
}

function differing(old, now) {
  const most = Math.min(old.text.length, now.text.length);
  let [front, back] = [0, 0];
  while (front < most && old.text[front] === now.text[front]) front++;
  while (back < most - front && old.text.at(-1 - back) === now.text.at(-1 - back)) back++;
  // Lines that have little in common are not compared.
  if (front + back < most / 4) return;
  for (const line of [old, now]) {
    if (line.text.length - back > front) line.mark = [front, line.text.length - back];
  }
}

