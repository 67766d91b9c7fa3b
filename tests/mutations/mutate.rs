//! Kinds of changes to code. Each is a function that makes one change if there is something to change.

use std::ops::Range;

use super::dice::Dice;
use super::format;
use super::lints::{Found, lint};
use super::rust::{Code, Item};
use super::world::{Text, World};

/// Kind of change.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Set if the change keeps all findings: moves, renamed files, reformatting, shifted lines.
    pub(crate) is_quiet: bool,
    change: Change,
}

/// Function that makes a change and describes it. Returns `None` if it found nothing to change.
type Change = fn(&mut World, &mut Dice) -> Option<String>;

pub(crate) const KINDS: [Kind; 20] = [
    quiet("insert lines", insert),
    quiet("move within a file", move_within),
    quiet("move to another file", move_between),
    quiet("move a method", move_method),
    quiet("module to a file", module_to_file),
    quiet("wrap in a module", wrap),
    quiet("rename a file", rename_file),
    quiet("rename a directory", rename_directory),
    quiet("reformat", reformat),
    quiet("reword a lint", reword),
    quiet("edit beside", edit_beside),
    kind("rename an item", rename_item),
    kind("delete an item", delete_item),
    kind("delete a line", delete_line),
    kind("duplicate", duplicate),
    kind("duplicate a file", duplicate_file),
    kind("edit a flagged line", edit),
    kind("swap", swap),
    kind("add", add),
    kind("fix", fix),
];

/// Number of kinds combined in one change.
pub(crate) const SEVERAL: Kind = kind("several", several);

impl Kind {
    /// Makes a change of this kind. Tries several places, because some offer nothing to change.
    pub(crate) fn apply(&self, world: &mut World, dice: &mut Dice) -> Option<String> {
        (0..40).find_map(|_| (self.change)(world, dice))
    }
}

const fn quiet(name: &'static str, change: Change) -> Kind {
    Kind { name, is_quiet: true, change }
}

const fn kind(name: &'static str, change: Change) -> Kind {
    Kind { name, is_quiet: false, change }
}

fn several(world: &mut World, dice: &mut Dice) -> Option<String> {
    // A new version of a tool is not combined with other changes.
    let kinds: Vec<_> = KINDS.iter().filter(|kind| kind.name != "reword a lint").collect();
    let changes = (0..2 + dice.below(6)).filter_map(|_| kinds[dice.below(kinds.len())].apply(world, dice));
    Some(changes.collect::<Vec<_>>().join("; "))
}

/// Returns a random file in its current state.
fn any_file(world: &World, dice: &mut Dice) -> (String, Text) {
    let paths = world.paths();
    let path = paths[dice.below(paths.len())].clone();
    let text = Text::clone(world.text(&path));
    (path, text)
}

fn any_finding(code: &Code<'_>, dice: &mut Dice) -> Option<Found> {
    dice.pick(&lint(code)).cloned()
}

/// Returns the items that can be moved.
fn movable<'c>(code: &Code<'_>, items: &'c [Item]) -> Vec<&'c Item> {
    let is_movable = |item: &&Item| {
        let keyword = code.word(item.keyword);
        let is_whole = item.body.is_some() || keyword == "struct";
        is_whole && ["fn", "impl", "mod", "struct", "enum", "trait"].contains(&keyword)
    };
    items.iter().filter(is_movable).collect()
}

fn insert(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let (at, lines) = match dice.below(5) {
        0 => (0, "// A comment above all.\n\n".to_owned()),
        1 => {
            let items = code.items();
            let item = dice.pick(&items)?;
            (item.range.start, format!("\nfn added_{}() {{\n    call();\n}}\n", dice.below(100)))
        }
        2 => {
            let items = code.items();
            let item = *dice.pick(&movable(&code, &items))?;
            (code.lines(&(code.tokens[item.first].start..item.range.end)).start, "#[cold]\n".to_owned())
        }
        3 => (dice.pick(&code.statements())?.start, "    call(1, 2);\n    let added = call();\n".to_owned()),
        _ => (dice.pick(&code.statements())?.end, "\n    // A comment.\n\n".to_owned()),
    };
    world.text_mut(&path).replace(at..at, &Text::fresh(&lines));
    Some(format!("insert {lines:?} into {path}"))
}

fn move_within(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let items = code.items();
    let item = *dice.pick(&movable(&code, &items))?;
    // Prefer a neighbour in the same module or `impl`.
    let is_place =
        |other: &&Item| !item.range.contains(&other.range.start) && other.range.start != item.range.end;
    let siblings: Vec<_> =
        items.iter().filter(is_place).filter(|other| other.parent == item.parent).collect();
    let to = dice.pick(&siblings)?.range.start;
    let moved = text.slice(item.range.clone());
    let out = world.text_mut(&path);
    if to > item.range.start {
        out.replace(to..to, &moved);
        out.replace(item.range.clone(), &Text::default());
    } else {
        out.replace(item.range.clone(), &Text::default());
        out.replace(to..to, &moved);
    }
    Some(format!("move {} within {path}", code.name(item)))
}

fn move_between(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (from, text) = any_file(world, dice);
    let (to, other) = any_file(world, dice);
    if from == to {
        return None;
    }
    let code = Code::new(text.as_str());
    let items = code.items();
    let outer: Vec<_> = movable(&code, &items).into_iter().filter(|item| item.parent.is_none()).collect();
    let item = *dice.pick(&outer)?;
    let there = Code::new(other.as_str()).items();
    let place = dice.pick(&there).map_or(other.as_str().len(), |item| item.range.start);
    let place = if there.iter().any(|other| other.range.contains(&place) && other.range.start != place) {
        other.as_str().len()
    } else {
        place
    };
    world.text_mut(&to).replace(place..place, &text.slice(item.range.clone()));
    world.text_mut(&from).replace(item.range.clone(), &Text::default());
    Some(format!("move {} from {from} to {to}", code.name(item)))
}

/// Moves a method to an `impl` of the same type and trait in another file.
fn move_method(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (from, text) = any_file(world, dice);
    let (to, _) = any_file(world, dice);
    if from == to {
        return None;
    }
    let code = Code::new(text.as_str());
    let items = code.items();
    let methods: Vec<_> = movable(&code, &items)
        .into_iter()
        .filter(|item| item.parent.is_some_and(|parent| code.word(items[parent].keyword) == "impl"))
        .filter(|item| items[item.parent.unwrap()].parent.is_none())
        .collect();
    let method = *dice.pick(&methods)?;
    let parent = &items[method.parent?];
    let head = &text.as_str()[code.tokens[parent.keyword].start..code.tokens[parent.body?.0].start];
    let mut block = Text::fresh(&format!("\n{head} {{\n"));
    block.push(&text.slice(method.range.clone()));
    block.push(&Text::fresh("}\n"));
    world.text_mut(&to).push(&block);
    world.text_mut(&from).replace(method.range.clone(), &Text::default());
    Some(format!("move method {} from {from} to {to}", code.name(method)))
}

/// Turns `mod a { ... }` into `mod a;` and a file.
fn module_to_file(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let items = code.items();
    let modules: Vec<_> = items
        .iter()
        .filter(|item| item.parent.is_none() && code.word(item.keyword) == "mod" && item.body.is_some())
        .collect();
    let module = *dice.pick(&modules)?;
    let (open, close) = module.body?;
    let (open, close) = (code.tokens[open], code.tokens[close]);
    let file = format!("{}/{}.rs", path.trim_end_matches(".rs"), code.word(module.keyword + 1));
    if world.files.contains_key(&file) {
        return None;
    }
    let mut inner = Text::default();
    let mut start = code.line_end(open.end);
    for line in text.as_str()[start..close.start].split_inclusive('\n') {
        let indent = if line.starts_with("    ") { 4 } else { 0 };
        inner.push(&text.slice(start + indent..start + line.len()));
        start += line.len();
    }
    world.files.insert(file.clone(), inner.into());
    world.text_mut(&path).replace(open.start..close.end, &Text::fresh(";"));
    Some(format!("move {} of {path} to {file}", code.name(module)))
}

fn wrap(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let items = code.items();
    let outer: Vec<_> = movable(&code, &items).into_iter().filter(|item| item.parent.is_none()).collect();
    let item = *dice.pick(&outer)?;
    let mut module = Text::fresh("mod wrapped {\n");
    module.push(&text.slice(item.range.clone()).indented("    "));
    module.push(&Text::fresh("}\n"));
    world.text_mut(&path).replace(item.range.clone(), &module);
    Some(format!("wrap {} of {path} in a module", code.name(item)))
}

fn rename_file(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, _) = any_file(world, dice);
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let stem = name.trim_end_matches(".rs");
    let to = match dice.below(4) {
        0 => format!("{dir}/{stem}/mod.rs"),
        1 => format!("{dir}/renamed_{name}"),
        2 => format!("moved/{name}"),
        _ => format!("moved/renamed_{name}"),
    };
    let to = to.trim_start_matches('/').to_owned();
    if world.files.contains_key(&to) {
        return None;
    }
    let text = world.files.remove(&path)?;
    world.files.insert(to.clone(), text);
    Some(format!("rename {path} to {to}"))
}

fn rename_directory(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, _) = any_file(world, dice);
    let (dir, _) = path.rsplit_once('/')?;
    let dirs: Vec<&str> = dir.match_indices('/').map(|(at, _)| &dir[..at]).chain([dir]).collect();
    let dir = *dice.pick(&dirs)?;
    let (old, new) = (format!("{dir}/"), format!("{dir}_renamed/"));
    let inside: Vec<String> = world.paths().into_iter().filter(|path| path.starts_with(&old)).collect();
    for path in &inside {
        let text = world.files.remove(path)?;
        world.files.insert(format!("{new}{}", &path[old.len()..]), text);
    }
    Some(format!("rename {old} to {new}, with {} files", inside.len()))
}

fn reformat(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let config = *dice.pick(&format::CONFIGS)?;
    let formatted = format::rustfmt(&text, config)?;
    *world.text_mut(&path) = formatted;
    Some(format!("reformat {path} with {config}"))
}

fn reword(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let rule = any_finding(&Code::new(text.as_str()), dice)?.rule;
    if !world.reworded.contains(&rule) {
        world.reworded.push(rule);
    }
    Some(format!("reword {rule}, as of {path}"))
}

/// Returns the words on the lines of `found` that no finding flags.
fn words_beside(code: &Code<'_>, found: &Found) -> Vec<Range<usize>> {
    let all = lint(code);
    let flagged: Vec<Range<usize>> = all.iter().flat_map(|other| code.flagged(&other.range)).collect();
    let lines = code.lines(&found.range);
    let words = code.tokens_in(&lines).filter(|&at| code.is_name(at)).map(|at| code.tokens[at]);
    let is_beside = |word: &Range<usize>| {
        !flagged.contains(word) && !all.iter().any(|other| other.range.contains(&word.start))
    };
    words.map(|token| token.start..token.end).filter(is_beside).collect()
}

fn edit_beside(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let found = any_finding(&code, dice)?;
    let word = dice.pick(&words_beside(&code, &found))?.clone();
    let is_item = code.items().iter().any(|item| code.tokens[item.keyword + 1].start == word.start);
    if is_item {
        return None;
    }
    world.text_mut(&path).replace(word.clone(), &Text::fresh("edited"));
    Some(format!("edit `{}` beside {} in {path}", &text.as_str()[word], found.rule))
}

/// Returns the flagged words of `found` except for its anchor.
fn flagged_words(code: &Code<'_>, found: &Found) -> Vec<Range<usize>> {
    let flagged = code.flagged(&found.range).into_iter();
    flagged
        .filter(|word| {
            let at = code.tokens.partition_point(|token| token.start < word.start);
            word.start != found.anchor
                && code.tokens.get(at).is_some_and(|token| token.start == word.start)
                && (code.is_name(at) || code.word(at).starts_with(|c: char| c.is_ascii_digit() || c == '"'))
        })
        .collect()
}

fn edit(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let found = any_finding(&code, dice)?;
    let flagged = code.flagged(&found.range);
    let (range, new) = if dice.below(2) == 0 {
        (dice.pick(&flagged_words(&code, &found))?.clone(), "edited")
    } else {
        // Add an argument.
        let parens: Vec<_> = flagged
            .into_iter()
            .filter(|piece| {
                &text.as_str()[piece.clone()] == "(" && !text.as_str()[..piece.start].ends_with("pub")
            })
            .collect();
        let open = dice.pick(&parens)?;
        (open.end..open.end, if text.as_str()[open.end..].starts_with(')') { "more" } else { "more, " })
    };
    world.text_mut(&path).replace(range.clone(), &Text::fresh(new));
    Some(format!("edit `{}` in what {} flags in {path}", &text.as_str()[range], found.rule))
}

/// Replaces all flagged code except for the anchor, which makes another finding of the same lint.
fn swap(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let found = any_finding(&code, dice)?;
    let words = flagged_words(&code, &found);
    if found.names_item || words.is_empty() {
        return None;
    }
    let lines = code.lines(&found.range);
    for (nth, word) in words.iter().enumerate().rev() {
        let new = format!("other_{nth}");
        world.text_mut(&path).replace(word.clone(), &Text::fresh(&new));
    }
    Some(format!("swap {} in {path}: {}", found.rule, text.as_str()[lines].trim()))
}

fn rename_item(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let items = code.items();
    let item = *dice.pick(&movable(&code, &items))?;
    let name = item.keyword + 1;
    if !code.is_name(name) {
        return None;
    }
    let old = code.word(name);
    let new = Text::fresh(&format!("{old}_renamed"));
    for token in code.tokens.iter().rev().filter(|token| &text.as_str()[token.start..token.end] == old) {
        world.text_mut(&path).replace(token.start..token.end, &new);
    }
    Some(format!("rename {} in {path}", code.name(item)))
}

fn delete_item(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let items = code.items();
    let item = *dice.pick(&movable(&code, &items))?;
    world.text_mut(&path).replace(item.range.clone(), &Text::default());
    Some(format!("delete {} from {path}", code.name(item)))
}

/// Returns the line of a statement, preferably one with findings.
fn any_statement(code: &Code<'_>, dice: &mut Dice) -> Option<Range<usize>> {
    let found = lint(code);
    let statements = code.statements();
    let holds_one = |lines: &&Range<usize>| found.iter().any(|found| lines.contains(&found.range.start));
    let flagged: Vec<_> = statements.iter().filter(holds_one).collect();
    dice.pick(&flagged).copied().or(dice.pick(&statements)).cloned()
}

fn delete_line(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let lines = any_statement(&Code::new(text.as_str()), dice)?;
    world.text_mut(&path).replace(lines.clone(), &Text::default());
    Some(format!("delete `{}` from {path}", text.as_str()[lines].trim()))
}

fn duplicate(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let range = if dice.below(2) == 0 {
        let items = code.items();
        dice.pick(&movable(&code, &items))?.range.clone()
    } else {
        any_statement(&code, dice)?
    };
    world.text_mut(&path).replace(range.end..range.end, &text.slice(range.clone()));
    Some(format!("duplicate `{}` in {path}", text.as_str()[range].trim().lines().next()?))
}

fn duplicate_file(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let copy = format!("{}_copy.rs", path.trim_end_matches(".rs"));
    world.files.insert(copy, text.into());
    Some(format!("copy {path}"))
}

fn add(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let (at, lines) = if dice.below(3) == 0 {
        let lines = [
            "\n/// Of FooBar.\nfn added() {\n    call();\n}\n",
            "\npub fn added(one: u8) -> Result<u8, Error> {\n    return one.unwrap();\n}\n",
            "\nfn added(many: &[u8]) {\n    panic!(\"{}\", many.len() as u32);\n}\n",
        ];
        (dice.pick(&code.items())?.range.start, *dice.pick(&lines)?)
    } else {
        let lines = [
            "    let added = call(1).unwrap();\n",
            "    println!(\"added\");\n",
            "    call(&added);\n",
            "    call(added as u32, 123456);\n",
            "    let q = added.clone();\n",
        ];
        (dice.pick(&code.statements())?.end, *dice.pick(&lines)?)
    };
    world.text_mut(&path).replace(at..at, &Text::fresh(lines));
    Some(format!("add {:?} to {path}", lines.trim()))
}

fn fix(world: &mut World, dice: &mut Dice) -> Option<String> {
    let (path, text) = any_file(world, dice);
    let code = Code::new(text.as_str());
    let found = any_finding(&code, dice)?;
    let anchor = code.tokens.partition_point(|token| token.start < found.anchor);
    let token = code.tokens.get(anchor)?;
    let (range, new) = match found.rule {
        "clippy::unwrap_used" => (code.tokens[anchor - 1].start..found.range.end, "?"),
        "clippy::clone_on_copy" => (code.tokens[anchor - 1].start..found.range.end, ""),
        "clippy::needless_return" => (token.start..code.tokens[anchor + 1].start, ""),
        "clippy::needless_borrow" => (token.start..token.end, ""),
        "clippy::unreadable_literal" => (token.start + 2..token.start + 2, "_"),
        "clippy::cast_possible_truncation" => (token.start..code.tokens[anchor + 1].end, ".try_into()?"),
        "clippy::panic" | "clippy::print_stdout" => (found.range.clone(), "log()"),
        "clippy::must_use_candidate" | "clippy::missing_errors_doc" => {
            let head = code.lines(&(found.range.start..found.range.start)).start;
            (code.tokens[code.tokens_in(&(head..found.range.end)).start].start..found.anchor, "fn ")
        }
        "unused_variables" => (token.start..token.start, "_"),
        "clippy::doc_markdown" => (found.range.clone(), "this"),
        _ => return None,
    };
    world.text_mut(&path).replace(range, &Text::fresh(new));
    Some(format!("fix {} in {path}: {}", found.rule, text.as_str()[found.range].lines().next()?))
}
