// Tests of the HTML report in a browser. `tests/page` generates the pages: `none`, `some`, `few` and `many` have 0, 30, 300
// and 20,000 findings, `hostile` has markup and control characters in every text, `incomplete` has no times, and the runs of
// `slow`, `slower` and `slowest` take minutes to hours.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, describe, test } from "node:test";
import { addressOf, assertAccessible, browser, cards, desktop, open, phone, shown, status } from "./page.mjs";

after(() => browser.close());

const MOST_IN_DOCUMENT = 500;
const pages = ["none", "some", "many", "incomplete", "hostile"];
const menus = ["State", "Level", "Tool", "Rule", "Path"];

describe("the page is accessible", { concurrency: 2 }, () => {
  for (const name of pages) {
    for (const colorScheme of ["light", "dark"]) {
      for (const viewport of [desktop, phone]) {
        // `many` shows the same as `some` and takes longest, so test each color scheme and each size only once.
        if (name === "many" && (colorScheme === "light") !== (viewport === desktop)) continue;
        const look = async (page) => {
          await assertAccessible(page, "as it opens");
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert(width <= viewport.width, `${width} is wider than the window`);
          await page.locator(".steps > summary").evaluateAll((all) => all.forEach((summary) => summary.click()));
          if (name === "none") return assertAccessible(page, "with the table of steps");
          for (const label of name === "some" || name === "hostile" ? menus : []) {
            await page.locator(".facet > summary", { hasText: label }).click();
            await assertAccessible(page, `with the menu ${label}`);
            await page.keyboard.press("Escape");
          }
          await page.locator("#search").fill("no finding contains this");
          assert.match(await status(page), /^No matches in .*\.$/);
          await assertAccessible(page, "with an empty result");
          await page.locator("#search").fill("");
          const unfold = page.getByRole("button", { name: "Open all" });
          if (await unfold.count()) await unfold.click();
          await shown(page);
          await assertAccessible(page, "with all open");
        };
        test(`${name}, ${colorScheme}, ${viewport.width} wide`, () => open(name, look, { colorScheme, viewport }));
      }
    }
  }
});

/** Counts what hostile text could have added to the document. */
const injected = (page) =>
  page.evaluate(() => {
    const all = [...document.querySelectorAll("*")];
    return {
      byId: document.querySelectorAll("#injected").length,
      elements: all.filter((node) => ["IMG", "IFRAME", "OBJECT", "EMBED", "FORM", "BASE"].includes(node.tagName)).length,
      scripts: document.scripts.length - 2,
      styles: document.querySelectorAll("style").length - 1,
      handlers: all.filter((node) => [...node.attributes].some(({ name }) => name.startsWith("on"))).length,
      links: [...document.links].filter(({ protocol }) => !["file:", "https:"].includes(protocol)).length,
      // Control characters other than newlines and tabs, and characters that reverse or hide text.
      steering: (document.documentElement.outerHTML.match(/[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g) ?? []).length,
    };
  });
const nothing = { byId: 0, elements: 0, scripts: 0, styles: 0, handlers: 0, links: 0, steering: 0 };

async function useAll(page) {
  await page.getByRole("button", { name: /Open all|Close all/ }).click();
  for (const label of menus) {
    await page.locator(".facet > summary", { hasText: label }).click();
    await page.locator(".facet[open] input[type=checkbox]").first().check();
  }
  const hostile = "</script><script>alert(1)</script><img";
  await page.locator("#search").fill(hostile);
  assert.match(await status(page), /of 24 findings/);
  await page.getByRole("button", { name: "Clear" }).click();
  await page.evaluate((value) => (location.hash = `#q=${value}&rule=${value}&__proto__=x&id=${value}`), hostile);
  await shown(page);
  await page.getByRole("button", { name: "Clear" }).click();
  assert.equal(await status(page), "24 findings");
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.locator("article .body:not([hidden])").count(), 24);
}

test("hostile text is shown as text everywhere", () =>
  open("hostile", async (page) => {
    assert.match(await page.locator("article .message").first().textContent(), /<\/script><script>alert\(1\)<\/script><img .*\\u\{202e\}/);
    assert.deepEqual(await injected(page), nothing);
    await useAll(page);
    assert.deepEqual(await injected(page), nothing);
  }));

test("hostile text is harmless even without the content security policy", () => {
  const html = readFileSync(new URL(addressOf("hostile")), "utf8");
  const bare = html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "");
  assert.notEqual(bare, html);
  writeFileSync(path.join(process.env.PAGES, "bare.html"), bare);
  return open("bare", async (page) => {
    await useAll(page);
    assert.deepEqual(await injected(page), nothing);
  });
});

test("the content security policy blocks everything else", () =>
  open("some", async (page, seen) => {
    const ran = await page.evaluate(async () => {
      const refused = [];
      document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
      const add = (name, attributes) => document.body.append(Object.assign(document.createElement(name), attributes));
      add("script", { textContent: "globalThis.ran = true" });
      add("img", { src: "https://example.invalid/x.png" });
      add("style", { textContent: "body { display: none }" });
      add("iframe", { src: "https://example.invalid/" });
      await fetch("https://example.invalid/").catch(() => {});
      // Wait until all violations are reported.
      for (let waits = 0; refused.length < 5 && waits < 60_000; waits++) await new Promise((done) => setTimeout(done, 10));
      return { ran: Boolean(globalThis.ran), refused: refused.sort() };
    });
    assert.deepEqual(ran, { ran: false, refused: ["connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem"] });
    // The violations are expected, so ignore their messages.
    seen.console.length = 0;
    seen.requests.length = 0;
  }));

test("everything works with the keyboard", () =>
  open("some", async (page) => {
    const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
    await press("Tab");
    assert.equal(await focused(), "Skip to the findings");
    await press("Enter", "Tab");
    assert.equal(await focused(), "search");
    await page.keyboard.type("len");
    await page.waitForFunction(() => location.hash === "#q=len");
    const found = await cards(page);
    assert(found.length > 0 && found.length < 30);
    await press("Escape");
    assert.equal((await cards(page)).length, 30);

    await press("Tab");
    assert.equal(await focused(), "State");
    await press("Enter", "Tab", "Space");
    assert.match(await status(page), /^10 of 30 findings$/);
    await press("Escape");
    assert.match(await focused(), /^State/);
    assert.equal(await page.locator(".facet[open]").count(), 0);

    const [first, second] = await cards(page);
    await page.locator(`#b${first}`).focus();
    await press("ArrowDown");
    assert.equal(await focused(), `b${second}`);
    const isOpen = () => page.locator(`#b${second}`).getAttribute("aria-expanded");
    await press("ArrowLeft");
    assert.equal(await isOpen(), "false");
    await press("ArrowRight");
    assert.equal(await isOpen(), "true");
    assert.equal(await page.locator(`#d${second} .code`).count() > 0, true);
    await press("Enter");
    assert.equal(await isOpen(), "false");
    await press("Home");
    assert.equal(await focused(), `b${first}`);

    await press("/");
    assert.equal(await focused(), "search");
    await page.locator("#keys input").uncheck();
    await page.locator(`#b${first}`).focus();
    await press("/");
    assert.equal(await focused(), `b${first}`);
  }));

test("a filter can be linked and cleared", () =>
  open(
    "some",
    async (page) => {
      assert.match(await status(page), /^1 of 30 findings$/);
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForFunction(() => !location.hash);
      await page.locator(".counts a", { hasText: "accepted" }).click();
      // The page is notified asynchronously about the new fragment, here and below.
      await page.locator("#status", { hasText: /^19 of 30 findings$/ }).waitFor();
      await page.reload();
      assert.match(await status(page), /^19 of 30 findings$/);
      await page.locator(".head .tools a").first().click();
      await page.locator(".facet.chosen > summary", { hasText: /^Tool clippy$/ }).waitFor();
      assert.equal(await page.locator(".facet.chosen").count(), 1);
    },
    { fragment: "#rule=clippy%3A%3Alen_zero&state=new&level=warning&q=ZERO+length" },
  ));

test("all numbers of findings agree", async () => {
  for (const name of ["some", "few", "many"]) {
    await open(name, async (page) => {
      const tiles = await page.locator(".counts a").evaluateAll((all) => all.map((tile) => [tile.textContent.replace(/.* /, ""), tile.querySelector("b").textContent]));
      assert(tiles.length >= 3);
      const [head, ...rows] = await page.locator(".head .tools tr:not(.reason)").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
      const value = (text) => Number(text.replaceAll(",", ""));
      for (const [state, shown] of tiles) {
        await page.evaluate((state) => (location.hash = `#state=${state}`), state);
        await page.waitForFunction((state) => document.querySelector(".facet.chosen")?.textContent.includes(state), state);
        const listed = await status(page);
        assert(listed.startsWith(shown) || shown === "0", `${shown} ${state} in the head, but ${listed} in the list of ${name}`);
        const column = head.indexOf(state);
        const sum = rows.reduce((sum, row) => sum + value(row[column]), 0);
        assert.equal(sum, value(shown), `${shown} ${state} in the head, but ${sum} in the table of ${name}`);
      }
      // The list under the name of a tool is as long as its row says. Some findings of `doc` are counted for `clippy`.
      const withFinding = ["new", "noted", "accepted", "suppressed"].map((state) => head.indexOf(state)).filter((column) => column >= 0);
      for (const row of rows) {
        const own = withFinding.reduce((sum, column) => sum + value(row[column]), 0);
        const tool = row[0].replace(/ .*/, "");
        if (!own || tool === "doc") continue;
        await page.evaluate((tool) => (location.hash = `#tool=${tool}`), tool);
        await page.waitForFunction((tool) => document.querySelector(".facet.chosen")?.textContent === `Tool ${tool}`, tool);
        assert.match(await status(page), new RegExp(`^${own.toLocaleString("en-US")} `), `${tool} in ${name}`);
      }
    });
  }
});

test("no column of the table of tools is cut off", async () => {
  for (const width of [1920, 1280, 1249, 1248, 700, 390]) {
    const hidden = await open("few", (page) => page.locator(".head table.tools").evaluate((table) => table.scrollWidth - table.parentElement.clientWidth), { viewport: { width, height: 900 } });
    assert(hidden <= 0, `${hidden} pixels are hidden in a window of ${width}`);
  }
});

test("the labels of the time axis do not overlap", async () => {
  for (const name of ["some", "slow", "slower", "slowest", "many"]) {
    for (const viewport of [desktop, phone, { width: 320, height: 700 }]) {
      const labels = await open(name, (page) =>
        page.locator(".axis text").evaluateAll((all) => all.filter((label) => label.getClientRects().length).map((label) => {
          const { left, right } = label.getBoundingClientRect();
          return { left, right, text: label.textContent };
        })), { viewport });
      assert(labels.length >= 2, `${labels.length} labels in ${name}, ${viewport.width} wide`);
      labels.reduce((before, label) => {
        assert(before.right + 3 < label.left, `${before.text} and ${label.text} in ${name}, ${viewport.width} wide`);
        return label;
      });
      assert(labels.at(-1).right <= viewport.width);
    }
  }
});

test("a click on a bar filters, and another one takes it back", () =>
  open("few", async (page) => {
    for (const list of ["By rule", "By directory"]) {
      const section = page.locator(".bars section", { hasText: list });
      const bars = section.locator("li button");
      assert.equal(await bars.count(), 6);
      await section.locator(".more").click();
      const numbers = await bars.locator(".count").evaluateAll((all) => all.map((one) => one.textContent));
      assert(numbers.length > 6);
      assert(numbers.some((text) => /^\d+ new of \d+$/.test(text)));
      const [value, count] = [await bars.first().locator(".value").textContent(), numbers[0].match(/(\d+)( new)?$/)[1]];
      await bars.first().click();
      assert.match(await status(page), new RegExp(`^${count} of `), value);
      await page.waitForFunction((value) => new URLSearchParams(location.hash.slice(1)).getAll("rule").concat(new URLSearchParams(location.hash.slice(1)).getAll("path")).includes(value), value);
      const pressed = section.locator("[aria-pressed=true]");
      assert.equal(await pressed.locator(".value").textContent(), value);
      assert.equal(await page.evaluate(() => document.activeElement.dataset.value), value, "the focus is kept");
      await pressed.click();
      assert.match(await status(page), /^300 findings/);
    }
  }));

test("findings are grouped by file, rule or package", () =>
  open(
    "few",
    async (page) => {
      const grouping = page.locator(".grouping select");
      const groups = () => page.locator("#list .state-new ~ h4").evaluateAll((all) => all.map((group) => group.querySelector("a, span:nth-child(2)").textContent));
      const newOnes = () => page.locator("article.state-new").count();
      assert.equal(await grouping.inputValue(), "rule", "from the address");
      const rules = await groups();
      assert(rules.includes("clippy::len_zero") && new Set(rules).size <= 8, `${rules}`);
      assert.equal(await newOnes(), 15);
      const first = page.locator("article.state-new").first();
      assert.match(await first.locator(".at").textContent(), /^crates\/.*\.rs:\d+:\d+$/);
      const command = page.locator("h4", { hasText: "clippy::len_zero" }).first().locator(".fixes code");
      assert.equal(await command.textContent(), "cargo genti fix --tool clippy --rule clippy::len_zero");

      await grouping.selectOption("package");
      await page.waitForFunction(() => location.hash === "#group=package");
      const packages = await groups();
      assert.deepEqual(packages.slice(0, 2), ["core", "globset"], "the new ones are in these");
      await grouping.selectOption("file");
      await page.waitForFunction(() => !location.hash);
      assert.equal(await newOnes(), 15);
      const lint = page.locator("article.state-new", { hasText: "length comparison to zero" }).first();
      const place = (await lint.locator(".facts a", { hasText: ".rs:" }).textContent()).replace(/:\d+:\d+$/, "");
      assert.equal(await lint.locator(".command").textContent(), `cargo genti fix --tool clippy --rule clippy::len_zero ${place}`);
    },
    { fragment: "#group=rule" },
  ));

/** Writes the page `name` like `from`, with `change` applied to its data. */
function writeChanged(name, from, change) {
  const html = readFileSync(new URL(addressOf(from)), "utf8");
  const [, before, json, after] = html.match(/^([^]*<script type="application\/json" id="data">)([^]*?)(<\/script>[^]*)$/);
  const data = JSON.parse(json);
  change(data);
  writeFileSync(path.join(process.env.PAGES, `${name}.html`), before + JSON.stringify(data).replaceAll("<", "\\u003c") + after);
}

test("the findings of a file have one heading, even if others are listed between them", () => {
  writeChanged("scattered", "some", ({ findings }) => {
    const rows = findings.state.map((_, at) => at).sort((a, b) => findings.state[a] - findings.state[b] || (a % 3) - (b % 3));
    for (const [name, column] of Object.entries(findings)) findings[name] = rows.map((at) => column[at]);
  });
  return open("scattered", async (page) => {
    const headings = await page.locator("#list h3, #list h4").evaluateAll((all) => all.map((heading) => `${heading.tagName} ${heading.textContent.replace(/ [\d,]+$/, "")}`));
    const states = headings.join("\n").split(/^H3 .*$/m).slice(1).map((groups) => groups.trim().split("\n"));
    assert(states.some((groups) => groups.length > 3), `${headings}`);
    for (const groups of states) assert.equal(new Set(groups).size, groups.length, `${groups}`);
    assert.equal((await cards(page)).length, 30);
  });
});

test("the command beside a rule fixes findings, also if the first one has no fix that is applied", () => {
  writeChanged("disputed", "few", ({ texts, findings }) => {
    const first = findings.rule.findIndex((rule, at) => texts[rule] === "clippy::len_zero" && findings.state[at] === 0);
    delete findings.more[first].fix.applies;
  });
  return open(
    "disputed",
    async (page) => {
      const commands = await page.locator("h4 .fixes code").allTextContents();
      assert(commands.length > 3);
      for (const command of commands) assert.match(command, /^cargo genti fix --tool \S+ (--all )?--rule \S+$/);
    },
    { fragment: "#group=rule" },
  );
});

test("the head names the repository, and places are links to the commit", () =>
  open("some", async (page) => {
    assert.equal(await page.title(), "ripgrep: failed · genti");
    assert.match(await page.locator(".origin").textContent(), /^5f3e9a1c5f on main with 1 uncommitted file · genti \S+ · cargo genti run /);
    const id = "5f3e9a1c".repeat(5);
    const link = await page.locator("article.state-new .facts a", { hasText: ".rs:" }).first().getAttribute("href");
    assert.match(link, new RegExp(`^https://github.com/owner/ripgrep/blob/${id}/crates/.*\\.rs#L\\d+$`));
  }));

test("new findings come first and are open, and flagged text is marked", () =>
  open("some", async (page) => {
    assert.match(await page.locator("#list h3").first().textContent(), /^new 10$/);
    assert.equal(await page.locator(".state-new .fold[aria-expanded=true]").count(), 10);
    assert.equal(await page.locator("article:not(.state-new) .fold[aria-expanded=true]").count(), 0);
    const lint = page.locator("article", { hasText: "length comparison to zero" }).first();
    assert.equal(await lint.locator(".flagged mark").textContent(), "word.len() == 0");
    assert.equal(await lint.locator(".flagged .number").getAttribute("data-number"), "5");
    assert.equal(await lint.locator(".removed code").textContent(), "removed:         if word.len() == 0 {");
    assert.equal(await lint.locator(".added mark").textContent(), "is_empty()");
  }));

test("the theme follows the system until it is changed", () =>
  open(
    "none",
    async (page) => {
      const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const dark = await paper();
      const button = page.locator("#theme");
      await button.click();
      assert.equal(await button.textContent(), "Theme: light");
      const light = await paper();
      assert.notEqual(light, dark);
      await page.reload();
      assert.equal(await paper(), light);
      await button.click();
      assert.equal(await paper(), dark);
    },
    { colorScheme: "dark" },
  ));

test("a short list is completely in the document, so the search of the browser works", () =>
  open("some", async (page) => assert.equal((await cards(page)).length, 30)));

test("only a bounded part of a long list is in the document", () =>
  open("many", async (page) => {
    const all = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).findings.state.length);
    assert.equal(all, 20_134);
    const most = async (when) => {
      await shown(page);
      const inDocument = await cards(page);
      assert(inDocument.length > 0 && inDocument.length <= MOST_IN_DOCUMENT, `${inDocument.length} ${when}`);
      return inDocument;
    };
    const [first] = await most("as it opens");
    await page.locator(`#b${first}`).focus();
    await page.keyboard.press("End");
    assert((await most("at the end")).includes(all - 1));
    assert.equal(await page.evaluate(() => document.activeElement.id), `b${all - 1}`);
    await page.keyboard.press("Home");
    assert((await most("back at the beginning")).includes(first));
    for (let at = 0; at < 40; at++) {
      await page.evaluate((part) => scrollTo(0, document.body.scrollHeight * part), at / 40);
      await shown(page);
      assert((await cards(page)).length <= MOST_IN_DOCUMENT);
    }
    await page.getByRole("button", { name: "Open all" }).click();
    await most("with all open");
  }));

test("a search finds the same as a scan of all findings", () =>
  open("many", async (page) => {
    for (const query of ["len_zero", "crates/core defs", "RECIEVED", "fn count string"]) {
      const expected = await page.evaluate((query) => {
        const { texts, findings } = JSON.parse(document.getElementById("data").textContent);
        const columns = ["message", "rule", "place", "scope", "ns"].map((name) => findings[name]);
        const has = (at, word) => columns.some((column) => texts[column[at]].toLowerCase().includes(word));
        return findings.state.filter((_, at) => query.toLowerCase().split(" ").every((word) => has(at, word))).length;
      }, query);
      assert(expected > 0);
      await page.locator("#search").fill(query);
      assert.equal(await status(page), `${expected.toLocaleString("en-US")} of 20,000 findings and 134 baseline entries`);
    }
  }));

test("up to a thousand findings are printed open, with a count of the rest", async () => {
  for (const [name, most, note] of [["some", 30, 0], ["many", 1000, 1]]) {
    await open(name, async (page) => {
      await page.evaluate(() => {
        addEventListener("beforeprint", () => {
          const printed = [...document.querySelectorAll("article")];
          globalThis.printed = [printed.length, printed.filter((card) => card.querySelector(".body:not([hidden])")).length, document.querySelectorAll("#list > .none").length];
        });
      });
      const before = await cards(page);
      await page.pdf({ path: path.join(process.env.PAGES, `${name}.pdf`), format: "A4" });
      assert.deepEqual(await page.evaluate(() => globalThis.printed), [most, most, note]);
      await shown(page);
      assert.deepEqual((await cards(page)).slice(0, 20), before.slice(0, 20));
    });
  }
});

test("a print shows what is collapsed on the screen", () =>
  open("some", async (page) => {
    const rows = page.locator(".steps td");
    const visible = () => rows.evaluateAll((all) => all.filter((cell) => cell.checkVisibility()).length);
    assert.equal(await visible(), 0);
    await page.emulateMedia({ media: "print" });
    assert.equal(await visible(), await rows.count());
  }));

test("without scripts, the verdict, timeline, cost and first findings are shown", () =>
  open(
    "some",
    async (page) => {
      assert.equal(await page.locator("h1").textContent(), "Failed");
      assert((await page.locator(".chart rect").count()) > 10);
      assert.equal(await page.locator("noscript tbody tr, .findings tbody tr").count(), 30);
      assert.equal(await page.locator(".costs table").count(), 2);
    },
    { javaScriptEnabled: false },
  ));

test("a run without times explains why", () =>
  open("incomplete", async (page) => {
    assert.match(await page.locator("section", { has: page.locator("#timeline") }).textContent(), /There are no times/);
    assert.equal(await page.locator("#cost").count(), 0);
    assert.equal(await page.locator("h1").textContent(), "Incomplete");
    assert.match(await page.locator(".reason").first().textContent(), /could not be built/);
  }));

// These times are only reported, because they depend on the machine.
test("how long it takes to open and to filter 20,000 findings", async (context) => {
  const opened = [];
  const filtered = [];
  for (let round = 0; round < 5; round++) {
    await open("many", async (page) => {
      await shown(page);
      opened.push(await page.evaluate(() => performance.now()));
      for (const query of ["l", "le", "len", "len_", "crates/core", ""]) {
        filtered.push(
          await page.evaluate((query) => {
            const search = document.getElementById("search");
            search.value = query;
            const start = performance.now();
            search.dispatchEvent(new Event("input"));
            // With the layout that it causes.
            document.body.getBoundingClientRect();
            return performance.now() - start;
          }, query),
        );
        await shown(page);
      }
    });
  }
  const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)].toFixed(0);
  context.diagnostic(`opened, with the first paint: median ${median(opened)} ms, most ${Math.max(...opened).toFixed(0)} ms`);
  context.diagnostic(`filtered, with the layout: median ${median(filtered)} ms, most ${Math.max(...filtered).toFixed(0)} ms`);
});
