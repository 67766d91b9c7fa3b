// Sets up the page as a whole: theme, keyboard shortcuts and URL.

const themes = ["automatic", "light", "dark"];
const themeButton = document.getElementById("theme");

/** Settings in the local storage, which may be unavailable. */
const memory = {
  get: (key) => { try { return localStorage.getItem(`genti.${key}`); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(`genti.${key}`, value); } catch { /* Not remembered. */ } },
};

function setTheme(theme) {
  if (theme === "automatic") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  themeButton.textContent = `Theme: ${theme}`;
}

let theme = themes.find((known) => known === memory.get("theme")) ?? "automatic";
setTheme(theme);
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  memory.set("theme", theme);
  setTheme(theme);
});

const slash = element("input", { type: "checkbox" });
slash.checked = memory.get("slash") !== "off";
slash.addEventListener("change", () => memory.set("slash", slash.checked ? "on" : "off"));
const key = (name) => element("kbd", {}, name);
const keys = document.getElementById("keys");
keys.append(
  element("span", {}, key("↓"), " ", key("↑"), " next, previous finding"),
  element("span", {}, key("→"), " ", key("←"), " open, close"),
  element("span", {}, key("Esc"), " close menu, clear search"),
  element("label", {}, slash, " ", key("/"), " search"),
);
keys.hidden = count === 0;

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input:not([type=checkbox]), textarea");
  if (event.key === "Escape" && !closeMenus() && event.target === search && filter.query) {
    event.preventDefault();
    filter.query = "";
    update();
  }
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === "/" && slash.checked && isPlain && !isTyping && count) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

addEventListener("hashchange", (event) => {
  // Use the URL of the event, because `showAddress` may have changed the current one since.
  if (!filterFromFragment(new URL(event.newURL).hash.slice(1))) return;
  update();
  document.getElementById("findings").scrollIntoView();
});

// The sticky headings of files are placed below the bar, whose height varies.
new ResizeObserver(() => {
  const isSticky = getComputedStyle(bar).position === "sticky";
  document.documentElement.style.setProperty("--bar", isSticky ? `${bar.offsetHeight}px` : "0px");
}).observe(bar);

if (count) {
  bar.append(search, ...menus.map(({ box }) => box), clear, element("label", { class: "grouping" }, "Group by ", grouping), unfold);
  document.getElementById("bars").replaceWith(bars);
  bar.hidden = false;
}
const isLinked = filterFromFragment(location.hash.slice(1));
update();
unfold.textContent = count && shownRows.every(isOpen) ? "Close all" : "Open all";
if (isLinked) document.getElementById("findings").scrollIntoView();
