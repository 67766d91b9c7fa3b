// What holds for the page as a whole: the theme, the keys, the address.

const themes = ["automatic", "light", "dark"];
const themeButton = document.getElementById("theme");

/** What the browser remembers for this page; a browser may refuse. */
const memory = {
  get: (key) => { try { return localStorage.getItem(`genti.${key}`); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(`genti.${key}`, value); } catch { /* Then it is as at first. */ } },
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
  element("span", {}, key("↑"), " ", key("↓"), " from finding to finding"),
  element("span", {}, key("→"), " ", key("←"), " open, close"),
  element("span", {}, key("Esc"), " closes a menu, clears the search"),
  element("label", {}, slash, " ", key("/"), " searches"),
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
  // Where the link leads: by now, the filter before it may have been put into the address again.
  if (!filterFromFragment(new URL(event.newURL).hash.slice(1))) return;
  update();
  document.getElementById("findings").scrollIntoView();
});

// What stays above the headings of files when the list is scrolled.
new ResizeObserver(() => {
  const isSticky = getComputedStyle(bar).position === "sticky";
  document.documentElement.style.setProperty("--bar", isSticky ? `${bar.offsetHeight}px` : "0px");
}).observe(bar);

if (count) {
  bar.append(search, ...menus.map(({ box }) => box), clear, unfold);
  bar.hidden = false;
}
const isLinked = filterFromFragment(location.hash.slice(1));
update();
unfold.textContent = count && shownRows.every(isOpen) ? "Close all" : "Open all";
if (isLinked) document.getElementById("findings").scrollIntoView();
