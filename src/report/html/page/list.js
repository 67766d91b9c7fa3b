// The list of findings, grouped by state, and then by file, rule or package.
//
// A short list is in the document as a whole, so that the search of the browser finds everything. A long list is divided into
// chunks. Only chunks near the viewport are filled; the others are empty and keep their height. In print the list is
// complete, up to a limit.

const ALL_IN_DOCUMENT = 500;
const ON_PAPER = 1000;
const CHUNK = 40;
const NEAR = 1200;

const list = document.getElementById("list");
const isFew = findings.state.filter((state) => state === 0).length <= 30;
const toggled = new Set();
let allOpen = null;
let entries = [];
let chunks = [];
let shownRows = [];
let entryHeight = 44;

/** New findings are open if there are few of them. Otherwise only fatal ones among the first are. */
const isOpenAtFirst = (at) => findings.state[at] === 0 && (isFew || (at < 5 && findings.more[at].fatal === true));
const isOpen = (at) => (allOpen ?? isOpenAtFirst(at)) !== toggled.has(at);

/** Returns the text that finding `at` is grouped by. Those without a file have their namespace, because their line already shows the subject. */
function groupOf(at) {
  if (filter.group !== "file") return findings[filter.group][at];
  return findings.is_file[at] ? findings.place[at] : findings.ns[at];
}

/** Returns true if the findings of a file are not all together: a failed test is listed by its name, and shown in the file where it failed. */
function isScattered(rows) {
  const seen = new Set();
  let [state, group] = [];
  return rows.some((at) => {
    if (findings.state[at] !== state) {
      seen.clear();
      [state, group] = [findings.state[at], undefined];
    }
    const own = groupOf(at);
    if (own === group) return false;
    group = own;
    return seen.size === seen.add(own).size;
  });
}

/** Sorts findings by state and then by group: files in the order of their first findings, rules by the number of findings, packages by name. */
function sorted(rows) {
  if (filter.group === "file" && !isScattered(rows)) return rows;
  const byState = states.map(() => new Map());
  for (const at of rows) {
    const groups = byState[findings.state[at]];
    const group = groupOf(at);
    if (groups.has(group)) groups.get(group).push(at);
    else groups.set(group, [at]);
  }
  const isSize = filter.group === "rule";
  const order = ([a, x], [b, y]) => (isSize && y.length - x.length) || !texts[a] - !texts[b] || (texts[a] < texts[b] ? -1 : 1);
  const inOrder = (groups) => (filter.group === "file" ? [...groups] : [...groups].sort(order));
  return byState.flatMap((groups) => inOrder(groups).flatMap(([, all]) => all));
}

/** Returns headings and findings in display order. */
function arrange(rows) {
  const arranged = [];
  let [state, group] = [];
  rows.forEach((at, position) => {
    if (findings.state[at] !== state?.state) {
      arranged.push((state = { state: findings.state[at], count: 0 }));
      group = undefined;
    }
    const text = groupOf(at);
    if (text !== group?.text) arranged.push((group = { text, first: at, firstFixable: undefined, count: 0, fixable: 0 }));
    state.count++;
    group.count++;
    // Only the headings of rules show fixes.
    if (filter.group === "rule" && fixCommand(at)) {
      group.firstFixable ??= at;
      group.fixable++;
    }
    arranged.push({ at, position: position + 1, group });
  });
  return arranged;
}

function heading(entry, isContinued) {
  if (entry.state !== undefined) {
    const name = states[entry.state];
    return element("h3", { class: `state state-${name}` }, name, " ", element("span", { class: "count" }, number(entry.count)));
  }
  const name = texts[entry.text] || "no package";
  const slash = filter.group === "file" && findings.is_file[entry.first] ? name.lastIndexOf("/") + 1 : 0;
  const page = filter.group === "rule" ? pages[entry.text] : undefined;
  const title = element("h4", { class: "group" });
  if (page) title.append(element("a", { href: page, rel: "noopener noreferrer" }, name));
  else title.append(element("span", { class: "directory" }, name.slice(0, slash)), element("span", {}, name.slice(slash)));
  title.append(" ", element("span", { class: "count" }, isContinued ? "continued" : number(entry.count)));
  if (filter.group === "rule" && entry.fixable && !isContinued) {
    title.append(element("span", { class: "fixes" }, `to fix ${number(entry.fixable)}: `, element("code", { class: "command" }, fixOf(entry.firstFixable, true))));
  }
  return title;
}

/** Shows the findings `rows`. */
function showList(rows) {
  observer.disconnect();
  shownRows = sorted(rows);
  entries = arrange(shownRows);
  chunks = [];
  for (let first = 0; first < entries.length; first += CHUNK) {
    const box = element("div", { class: "chunk" });
    const chunk = { box, first, end: Math.min(first + CHUNK, entries.length), isFilled: false };
    box.style.height = `${(chunk.end - first) * entryHeight}px`;
    chunks.push(chunk);
  }
  list.replaceChildren(...chunks.map((chunk) => chunk.box));
  const isShort = rows.length <= ALL_IN_DOCUMENT;
  chunks.forEach((chunk, at) => {
    if (isShort || at < 1) fill(chunk);
    if (!isShort) observer.observe(chunk.box);
  });
}

const observer = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) {
      const chunk = chunks.find(({ box }) => box === target);
      if (chunk && isIntersecting) fill(chunk);
      else if (chunk) empty(chunk);
    }
  },
  { rootMargin: `${NEAR}px 0px` },
);

function fill(chunk) {
  if (chunk.isFilled) return;
  chunk.isFilled = true;
  const shown = entries.slice(chunk.first, chunk.end).map(render);
  const { group } = entries[chunk.first];
  if (group) shown.unshift(heading(group, true));
  chunk.box.replaceChildren(...shown);
  chunk.box.style.height = "";
}

function empty(chunk) {
  // Never remove the element that has the keyboard focus.
  if (!chunk.isFilled || chunk.box.contains(document.activeElement)) return;
  chunk.box.style.height = `${chunk.box.offsetHeight}px`;
  chunk.box.replaceChildren();
  chunk.isFilled = false;
}

const render = (entry) => (entry.at === undefined ? heading(entry, false) : card(entry.at, isOpen(entry.at), entry.position, shownRows.length));

/** Opens or closes a finding. */
function toggle(article, open = undefined) {
  const at = Number(article.dataset.at);
  if (open === isOpen(at)) return;
  if (!toggled.delete(at)) toggled.add(at);
  article.querySelector(".fold").setAttribute("aria-expanded", String(isOpen(at)));
  const body = article.querySelector(".body");
  const next = isOpen(at) ? details(at) : element("div", { class: "body", hidden: true });
  next.id = body.id;
  body.replaceWith(next);
}

/** Opens or closes all findings. */
function openAll(open) {
  allOpen = open;
  toggled.clear();
  showList(shownRows);
}

/** Moves the focus by `step` findings, or to the first or last one. */
function moveTo(article, step) {
  let at = entries.findIndex((entry) => entry.at === Number(article.dataset.at));
  if (step === -Infinity) [at, step] = [-1, 1];
  if (step === Infinity) [at, step] = [entries.length, -1];
  for (at += step; entries[at]; at += step) {
    if (entries[at].at === undefined) continue;
    fill(chunks[Math.floor(at / CHUNK)]);
    document.getElementById(`b${entries[at].at}`).focus();
    return;
  }
}

list.addEventListener("click", (event) => {
  const line = event.target.closest(".line");
  // Don't toggle when text is being selected.
  if (line && !String(getSelection())) toggle(line.parentElement);
});

list.addEventListener("keydown", (event) => {
  const article = event.target.closest(".fold") && event.target.closest("article");
  if (!article || event.altKey || event.ctrlKey || event.metaKey) return;
  const does = {
    ArrowDown: () => moveTo(article, 1),
    ArrowUp: () => moveTo(article, -1),
    Home: () => moveTo(article, -Infinity),
    End: () => moveTo(article, Infinity),
    ArrowRight: () => toggle(article, true),
    ArrowLeft: () => toggle(article, false),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

addEventListener("beforeprint", () => {
  observer.disconnect();
  const before = allOpen;
  allOpen = true;
  const printed = arrange(shownRows.slice(0, ON_PAPER));
  list.replaceChildren(...printed.map((entry) => (entry.at === undefined ? heading(entry, false) : card(entry.at, true, entry.position, shownRows.length))));
  allOpen = before;
  const more = shownRows.length - ON_PAPER;
  if (more > 0) list.append(element("p", { class: "none" }, `${number(more)} more findings are not printed. Filter the list, or see report.json.`));
});

addEventListener("afterprint", () => showList(shownRows));

