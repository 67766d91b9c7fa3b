// The bars above the list: the rules and directories with the most findings, each of which is a filter.

/** Number of bars that are shown at first, and at most. */
const [FEW_BARS, MOST_BARS] = [6, 60];

const barLists = [
  { key: "rule", title: "By rule", values: new Set(facets.rule.all) },
  { key: "path", title: "By directory", values: new Set(facets.path.values.flatMap((all) => all.slice(-2, -1))) },
].filter(({ values }) => values.size > 1);
const bars = element("div", { class: "bars" });
for (const one of barLists) {
  one.list = element("ol");
  one.more = element("button", { type: "button", class: "more" });
  one.more.addEventListener("click", () => {
    one.isLong = !one.isLong;
    fillBars(one);
  });
  bars.append(element("section", { "aria-label": one.title }, element("h3", {}, one.title), one.list, one.more));
}

/** Shows how many findings pass the other filters, by value, and how many of these are new. Calls `toggled` after a click. */
function showBars(counts, newCounts, toggled) {
  for (const one of barLists) {
    Object.assign(one, { counts: counts[one.key], newCounts: newCounts[one.key], toggled });
    fillBars(one);
  }
}

function fillBars(one) {
  const { key, values, list, more, counts, newCounts, isLong } = one;
  const shown = [...counts].filter(([value, found]) => values.has(value) && (found || filter[key].has(value)));
  shown.sort(([a, x], [b, y]) => newCounts.get(b) - newCounts.get(a) || y - x || (a < b ? -1 : 1));
  const most = shown.reduce((most, [, found]) => Math.max(most, found), 1);
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.value : undefined;
  const isShown = ([value], at) => at < (isLong ? MOST_BARS : FEW_BARS) || filter[key].has(value);
  const rows = shown.filter(isShown).map(([value, found]) => barOf(one, value, found, newCounts.get(value), most));
  list.replaceChildren(...rows);
  const left = Math.min(shown.length, MOST_BARS) - FEW_BARS;
  more.hidden = left <= 0;
  more.textContent = isLong ? "Show fewer" : `Show ${number(left)} more`;
  if (focused !== undefined) rows.find(({ firstChild }) => firstChild.dataset.value === focused)?.firstChild.focus();
}

function barOf({ key, toggled }, value, found, isNew, most) {
  const part = (name, count) => {
    const part = element("span", { class: name });
    part.style.width = `${(100 * count) / most}%`;
    return part;
  };
  const button = element(
    "button",
    { type: "button", "aria-pressed": String(filter[key].has(value)) },
    element("span", { class: "value" }, value),
    element("span", { class: "count" }, isNew ? element("b", {}, `${number(isNew)} new`) : "", isNew && isNew < found ? " of " : "", isNew === found && isNew ? "" : number(found)),
    element("span", { class: "scale", "aria-hidden": "true" }, part("new", isNew), part("rest", found - isNew)),
  );
  button.dataset.value = value;
  button.addEventListener("click", () => {
    if (!filter[key].delete(value)) filter[key].add(value);
    toggled();
  });
  return element("li", {}, button);
}
