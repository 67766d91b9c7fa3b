// The search box and filter menus above the list.

const bar = document.getElementById("bar");
const status = document.getElementById("status");
/** Maximum number of values that a menu offers. */
const OFFERED = 60;

const search = element("input", { type: "search", id: "search", placeholder: "Search message, rule, path, item", "aria-label": "Search the findings", autocomplete: "off", spellcheck: "false" });
const clear = element("button", { type: "button", class: "clear" }, "Clear");
const unfold = element("button", { type: "button" }, "Open all");
const menus = Object.keys(facets).map(menu);
const grouping = element("select", {}, ...Object.entries(groupings).map(([value, label]) => element("option", { value }, label)));
let shownCounts = {};

function menu(key) {
  const { label, all } = facets[key];
  const summary = element("summary", {}, label);
  const values = element("div", { class: "values", role: "group", "aria-label": label });
  const box = element("details", { class: "facet" }, summary, element("div", { class: "menu" }, values));
  const narrow = element("input", { type: "search", "aria-label": `Find in ${label.toLowerCase()}s`, placeholder: "Find", autocomplete: "off", spellcheck: "false" });
  if (all.length > 12) values.before(narrow);
  const item = { key, box, summary, values, narrow };
  // Fill the menu before it opens, because the next key may already go to it.
  summary.addEventListener("click", () => {
    if (box.open) return;
    for (const other of menus) other.box.open = false;
    offer(item);
  });
  narrow.addEventListener("input", () => offer(item));
  values.addEventListener("change", ({ target }) => {
    if (target.checked) filter[key].add(target.value);
    else filter[key].delete(target.value);
    update({ keepMenu: item });
  });
  return item;
}

/** Fills a menu: selected values and matching ones, sorted by count, or by name for paths. */
function offer({ key, values, narrow }) {
  const counts = shownCounts[key];
  const wanted = narrow.value.toLowerCase();
  const offered = [...counts].filter(([value, found]) => filter[key].has(value) || (found && value.toLowerCase().includes(wanted)));
  if (key === "path") offered.sort(([a], [b]) => (a < b ? -1 : 1));
  else if (key === "rule" || key === "tool") offered.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const isOffered = ([value], at) => at < OFFERED || filter[key].has(value);
  const items = offered.filter(isOffered).map(([value, found]) =>
    element(
      "label",
      {},
      element("input", { type: "checkbox", value, checked: filter[key].has(value) }),
      element("span", { class: "value" }, value),
      element("span", { class: "count" }, number(found)),
    ),
  );
  const more = offered.length - items.length;
  if (more > 0) items.push(element("p", { class: "none" }, `${number(more)} more; type to find them`));
  if (!items.length) items.push(element("p", { class: "none" }, "None"));
  values.replaceChildren(...items);
}

/** Shows the findings that pass the filter, and their number. */
function update({ keepMenu } = {}) {
  const { rows, counts, newCounts } = matching();
  shownCounts = counts;
  showBars(counts, newCounts, update);
  showList(rows);
  for (const item of menus) {
    const chosen = filter[item.key];
    item.summary.replaceChildren(facets[item.key].label, ...(chosen.size ? [" ", element("span", { class: "count" }, chosen.size === 1 ? [...chosen][0] : String(chosen.size))] : []));
    item.box.classList.toggle("chosen", chosen.size > 0);
    // Keep the checkboxes of the menu in use, so that the keyboard focus is not lost.
    if (item.box.open && item !== keepMenu) offer(item);
  }
  clear.hidden = !isFiltered();
  grouping.value = filter.group;
  if (search.value !== filter.query) search.value = filter.query;
  if (!count) status.textContent = "No findings.";
  else if (!rows.length) status.textContent = `No matches in ${all}.`;
  else status.textContent = rows.length === count ? all : `${number(rows.length)} of ${all}`;
  clearTimeout(addressLater);
  addressLater = setTimeout(showAddress, 150);
}

/** The number of all findings, and of baseline entries that are listed because their finding is gone or unknown. */
const all = (() => {
  const gone = findings.gone.filter(Boolean).length;
  const counted = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;
  const found = counted(count - gone, "finding", "findings");
  return gone ? `${found} and ${counted(gone, "baseline entry", "baseline entries")}` : found;
})();

let addressLater;

/** Puts the filter into the URL. Called with a delay, because browsers limit how often the URL may change. */
function showAddress() {
  const parts = filterAsFragment();
  const fragment = parts && `#${parts}`;
  if (location.hash === fragment) return;
  history.replaceState(null, "", `${location.pathname}${location.search}${fragment}`);
}

function closeMenus() {
  const open = menus.find(({ box }) => box.open);
  if (!open) return false;
  open.box.open = false;
  if (open.box.contains(document.activeElement)) open.summary.focus();
  return true;
}

search.addEventListener("input", () => {
  filter.query = search.value;
  update();
});
clear.addEventListener("click", () => {
  clearFilter();
  update();
  search.focus();
});
grouping.addEventListener("change", () => {
  filter.group = grouping.value;
  update();
});
unfold.addEventListener("click", () => {
  const open = !shownRows.every(isOpen);
  openAll(open);
  unfold.textContent = open ? "Close all" : "Open all";
});
document.addEventListener("click", ({ target }) => {
  for (const { box } of menus) if (!box.contains(target)) box.open = false;
});

