// Filters the findings by a search and a set of values for each facet. Does not touch the document.
//
// A facet assigns each finding to a group, and to each group its values: a file has its path and all directories above it.
// The search looks at each text once, not at each finding.

const facets = {
  state: facet("State", findings.state, states.map((state) => [state])),
  level: facet("Level", findings.level, levels.map((level) => [level])),
  tool: facet("Tool", findings.tools, toolsets.map((tools) => tools.map((tool) => texts[tool]))),
  rule: facetOf("Rule", findings.rule, (rule) => [texts[rule]]),
  path: facetOf("Path", findings.place, (place, at) => (findings.is_file[at] ? directories(texts[place]) : [texts[place]])),
};
/** Columns that the list can be grouped by, with their labels. Packages are only known if the page was made in the workspace. */
const groupings = { file: "File", rule: "Rule", ...(findings.package.some((name) => texts[name]) && { package: "Package" }) };
const filter = { query: "", id: "", group: "file", ...Object.fromEntries(Object.keys(facets).map((key) => [key, new Set()])) };

function facet(label, groups, values) {
  const all = [...new Set(values.flat())];
  return { label, groups, values, all };
}

/** Creates a facet with a group for each distinct value of `column`. */
function facetOf(label, column, valuesOf) {
  const known = new Map();
  const values = [];
  const groups = column.map((value, at) => {
    let group = known.get(value);
    if (group === undefined) {
      group = values.push(valuesOf(value, at)) - 1;
      known.set(value, group);
    }
    return group;
  });
  return facet(label, groups, values);
}

/** The path and all directories above it: `a/`, `a/b/` and `a/b/c`. */
function directories(path) {
  const all = [];
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) all.push(path.slice(0, at + 1));
  return [...all, path];
}

const searched = [findings.message, findings.rule, findings.place, findings.scope, findings.ns];
/** Searched texts in lower case. Source lines, which are the majority, are not searched. */
let searchable;

/** For each word of the search, flags the texts that contain it. */
function wordsFound() {
  const words = filter.query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) searchable ??= [...new Set(searched.flat())].map((text) => [text, texts[text].toLowerCase()]);
  return words.map((word) => {
    const found = new Uint8Array(texts.length);
    for (const [text, lower] of searchable) found[text] = lower.includes(word);
    return found;
  });
}

/** Returns the findings that pass and, for each value of each facet, the number of findings, and of new ones, that pass all other facets. */
function matching() {
  const keys = Object.keys(facets);
  const allowed = keys.map((key) => {
    const { values } = facets[key];
    const wanted = filter[key];
    return wanted.size ? Uint8Array.from(values, (all) => all.some((value) => wanted.has(value))) : null;
  });
  const groups = keys.map((key) => facets[key].groups);
  const groupCounts = keys.map((key) => new Uint32Array(facets[key].values.length));
  const newGroupCounts = keys.map((key) => new Uint32Array(facets[key].values.length));
  const add = (key, at) => {
    const group = groups[key][at];
    groupCounts[key][group]++;
    if (findings.state[at] === 0) newGroupCounts[key][group]++;
  };
  const words = wordsFound();
  const rows = [];
  for (let at = 0; at < count; at++) {
    if (filter.id && findings.more[at].id !== filter.id) continue;
    if (!words.every((found) => searched.some((column) => found[column[at]]))) continue;
    let rejecting = -1;
    let rejections = 0;
    for (let key = 0; key < keys.length && rejections < 2; key++) {
      if (allowed[key] && !allowed[key][groups[key][at]]) {
        rejecting = key;
        rejections++;
      }
    }
    if (rejections === 0) {
      rows.push(at);
      for (let key = 0; key < keys.length; key++) add(key, at);
    } else if (rejections === 1) {
      add(rejecting, at);
    }
  }
  return { rows, counts: byValue(keys, groupCounts), newCounts: byValue(keys, newGroupCounts) };
}

/** Returns, for each facet, the sum of the numbers of the groups that have a value, by value. */
function byValue(keys, groupCounts) {
  const counts = {};
  keys.forEach((key, index) => {
    const sums = (counts[key] = new Map(facets[key].all.map((value) => [value, 0])));
    facets[key].values.forEach((values, group) => {
      const found = groupCounts[index][group];
      if (found) for (const value of values) sums.set(value, sums.get(value) + found);
    });
  });
  return counts;
}

/** Whether a filter is set. */
const isFiltered = () => Boolean(filter.query || filter.id) || Object.keys(facets).some((key) => filter[key].size);

function clearFilter() {
  filter.query = filter.id = "";
  for (const key of Object.keys(facets)) filter[key].clear();
}

/** Returns the filter and the grouping as the fragment of a URL, so that a view can be linked. */
function filterAsFragment() {
  const parts = new URLSearchParams();
  if (filter.query) parts.set("q", filter.query);
  if (filter.id) parts.set("id", filter.id);
  if (filter.group !== "file") parts.set("group", filter.group);
  for (const key of Object.keys(facets)) for (const value of filter[key]) parts.append(key, value);
  return parts.toString();
}

/** Sets the filter from a fragment. Returns false if the fragment is something else, such as a link to a heading. */
function filterFromFragment(fragment) {
  if (!fragment.includes("=")) return false;
  const parts = new URLSearchParams(fragment);
  clearFilter();
  filter.query = parts.get("q") ?? "";
  filter.id = parts.get("id") ?? "";
  const group = parts.get("group");
  filter.group = Object.hasOwn(groupings, group) ? group : "file";
  for (const key of Object.keys(facets)) {
    const known = new Set(facets[key].all);
    for (const value of parts.getAll(key)) if (known.has(value)) filter[key].add(value);
  }
  return true;
}

