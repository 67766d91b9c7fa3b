//! Scripts: finds the interpreter from the first line, and the programs that a shell script runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::identity::{InterpreterKind, LAUNCHERS, wrapped_command};
use super::shell;
use super::tracer::{Tracer, file_name};
use super::words::Word;
use super::{add_named_through, paths_in, read_text};
use crate::disk;

/// Builtin commands of shells that run no other program.
const BUILTINS: [&str; 50] = [
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "caller",
    "cd",
    "complete",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "history",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "suspend",
    "test",
    "times",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
    "exit",
];

/// Shell code that is being followed.
struct ShellCode<'a> {
    /// Name used in messages.
    place: &'a str,
    /// The file that contains the code.
    script: Option<&'a Path>,
    functions: &'a BTreeSet<String>,
    /// True if the code changes its working directory.
    changes_dir: bool,
    /// Arguments of the script.
    args: &'a [Word],
}

/// Code that an interpreter runs.
enum Main {
    /// Code on the command line, with its arguments.
    Text(String, Vec<Word>),
    File(PathBuf, Vec<Word>),
    /// A module, by name (`python -m`).
    Module(String),
    /// Nothing, or code that is read from elsewhere.
    None,
    /// Not known before it runs.
    Open,
}

impl Tracer<'_> {
    /// Follows the script at `path`, whose first line consists of `words`.
    pub(super) fn script(&mut self, path: &Path, real: &Path, words: &[String], args: &[Word]) {
        let words: Vec<_> = words.iter().cloned().map(Word::Text).collect();
        let Some(Word::Text(program)) = words.first() else {
            return self.unknown(format!("`{}` does not name an interpreter", path.display()));
        };
        let is_env = file_name(Path::new(program)) == "env";
        let words = match wrapped_command("env", &words[1..]).filter(|_| is_env) {
            Some(Ok(words)) => words,
            Some(Err(why)) => return self.unknown(why),
            None => words,
        };
        let name = words.first().and_then(Word::text).unwrap_or_default();
        let Some(interpreter) = self.look_up(name) else {
            return self.unknown(format!("`{name}`, which runs `{}`, is not installed", path.display()));
        };
        let real_name = interpreter.canonicalize().map(|real| file_name(&real)).unwrap_or_default();
        let kind = InterpreterKind::of(&file_name(&interpreter))
            .or_else(|| InterpreterKind::of(&real_name))
            .unwrap_or(InterpreterKind::Other);
        if kind == InterpreterKind::Other {
            self.program(&interpreter, &[]);
            self.add_script_files(kind, &Main::File(path.to_path_buf(), Vec::new()));
            return self.check_place(path, real);
        }
        let own = words[1..].iter().cloned().chain([Word::Text(path.to_string_lossy().into_owned())]);
        let args: Vec<_> = own.chain(args.iter().cloned()).collect();
        self.program(&interpreter, &args);
    }

    /// Reports a script outside of the workspace as unknown, because it may load any other code.
    fn check_place(&mut self, path: &Path, real: &Path) {
        if !self.is_in_workspace(real) {
            let why = "a script outside of the workspace that does not belong to a Python or npm package";
            self.unknown(format!("`{}` is {why}", path.display()));
        }
    }

    /// Follows the code that an interpreter runs. The interpreter itself was already added.
    pub(super) fn interpreter(&mut self, kind: InterpreterKind, program: &Path, real: &Path, args: &[Word]) {
        let main = self.main(kind, args);
        match kind {
            InterpreterKind::Python => self.python(program, real),
            InterpreterKind::Node => self.refuse_variables(&["NODE_PATH", "NODE_OPTIONS"]),
            InterpreterKind::Shell => self.refuse_variables(&["BASH_ENV"]),
            InterpreterKind::Other => {
                self.refuse_variables(&["PERL5LIB", "PERL5OPT", "RUBYLIB", "RUBYOPT", "LUA_PATH"])
            }
        }
        if kind != InterpreterKind::Shell {
            self.add_script_files(kind, &main);
        }
        match (kind, main) {
            (_, Main::None) => {}
            (_, Main::Open) => {
                self.unknown(format!("could not determine which script `{}` runs", file_name(program)));
            }
            // The first argument is the name of the shell.
            (InterpreterKind::Shell, Main::Text(text, rest)) => {
                self.shell("the shell command", None, &text, rest.get(1..).unwrap_or_default());
            }
            (InterpreterKind::Shell, Main::File(file, rest)) => self.shell_file(&file, &rest),
            (InterpreterKind::Python, Main::File(file, _)) => self.python_file(program, &file),
            (InterpreterKind::Python, Main::Module(name)) => {
                self.found.has_foreign_script = true;
                if LAUNCHERS.contains(&name.replace('_', "-").as_str()) {
                    self.unknown(format!("`{name}` chooses at run time what to run"));
                }
            }
            (InterpreterKind::Node, Main::File(file, _)) => self.node_file(&file),
            (InterpreterKind::Other, Main::File(file, _)) => {
                let real = disk::real(&file);
                self.add(self.name_of(&file), &file);
                self.check_place(&file, &real);
            }
            (_, Main::Text(..) | Main::Module(_)) => {}
        }
    }

    /// Finds the code to run in the arguments of an interpreter.
    fn main(&self, kind: InterpreterKind, args: &[Word]) -> Main {
        let valued: &[&str] = match kind {
            InterpreterKind::Shell => &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"],
            InterpreterKind::Python => &["-W", "-X", "--check-hash-based-pycs"],
            InterpreterKind::Node => {
                &["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"]
            }
            InterpreterKind::Other => &["-I", "-r", "-cp", "-classpath"],
        };
        let mut rest = args;
        loop {
            let (word, tail) = match rest {
                [] => return Main::None,
                [Word::Text(word), tail @ ..] => (word.as_str(), tail),
                _ => return Main::Open,
            };
            let is_text = match kind {
                InterpreterKind::Shell => {
                    word.starts_with('-') && !word.starts_with("--") && word.contains('c')
                }
                InterpreterKind::Python => word == "-c",
                InterpreterKind::Node => matches!(word, "-e" | "-p" | "--eval" | "--print"),
                InterpreterKind::Other => matches!(word, "-e" | "-E"),
            };
            rest = tail;
            match word {
                _ if is_text => {
                    return match tail {
                        [Word::Text(text), rest @ ..] => Main::Text(text.clone(), rest.to_vec()),
                        _ => Main::Open,
                    };
                }
                "-m" if kind == InterpreterKind::Python => {
                    let name = tail.first().and_then(Word::text);
                    return name.map_or(Main::Open, |name| Main::Module(name.to_owned()));
                }
                "-jar" if kind == InterpreterKind::Other => {}
                "-" | "-s" if kind == InterpreterKind::Shell => return Main::None,
                _ if valued.contains(&word) => rest = tail.get(1..).unwrap_or_default(),
                _ if word.starts_with('-') || (kind == InterpreterKind::Shell && word.starts_with('+')) => {}
                _ => {
                    // A placeholder stands for an input of the task and is not a file.
                    let file = self.place(word);
                    return if file.is_file() { Main::File(file, tail.to_vec()) } else { Main::None };
                }
            }
        }
    }

    /// Follows the shell script at `path`.
    fn shell_file(&mut self, path: &Path, args: &[Word]) {
        let real = disk::real(path);
        if !self.scripts.insert(real.clone()) {
            return;
        }
        self.add(self.name_of(path), path);
        let Some(text) = read_text(path) else {
            return self.unknown(format!("could not read the script `{}`", path.display()));
        };
        if let Some(python) = python_behind_sh(&text, &real) {
            return match python.is_file() {
                true => self.program(&python, &[Word::Text(path.to_string_lossy().into_owned())]),
                false => self.unknown(format!(
                    "`{}`, which runs `{}`, does not exist",
                    python.display(),
                    path.display()
                )),
            };
        }
        if path.parent().is_some_and(|dir| dir.ends_with("node_modules/.bin")) {
            let node = self.look_up("node");
            node.into_iter().for_each(|node| self.program(&node, &[]));
            return self.node_file(path);
        }
        self.found.has_foreign_script |= !self.is_in_workspace(&real);
        self.shell(&format!("`{}`", self.name_of(path)), Some(path), &text, args);
    }

    /// Follows the commands in the shell code `text` with the arguments `args`. `place` is its name for messages.
    fn shell(&mut self, place: &str, script: Option<&Path>, text: &str, args: &[Word]) {
        let found = shell::commands(text);
        let changes_dir =
            found.commands.iter().any(|(_, words)| matches!(words[0].text(), Some("cd" | "pushd")));
        for (line, words) in &found.commands {
            let words = self.expand(words, script, args, &found.variables);
            let shell = ShellCode { place, script, functions: &found.functions, changes_dir, args };
            if let Err(what) = self.shell_command(&shell, &words) {
                return self.unknown(format!(
                    "{place} runs a program whose name is not fixed (line {line}: {what})"
                ));
            }
        }
        if script.is_none_or(|script| self.is_in_workspace(&disk::real(script))) {
            for word in &self.expand(&found.words, script, args, &found.variables) {
                let dir = self.dir.clone();
                match word {
                    Word::Text(text) => self.mention(text, &dir),
                    Word::Open(start) => {
                        let parent = start.rsplit_once('/').map(|(parent, _)| parent);
                        parent.into_iter().for_each(|parent| self.mention(parent, &dir));
                    }
                    _ => {}
                }
            }
        }
        let is_looked_up = |words: &[Word]| {
            let name = words[0].text().unwrap_or_default();
            !name.contains('/') && !BUILTINS.contains(&name) && !found.functions.contains(name)
        };
        if found.variables.contains_key("PATH") && found.commands.iter().any(|(_, words)| is_looked_up(words))
        {
            self.unknown(format!("{place} changes PATH"));
        }
    }

    /// Adds the files that a word or string of a script may name, as seen from `dir`. A pattern names the directory in which it
    /// begins.
    fn mention(&mut self, text: &str, dir: &Path) {
        let root = &self.programs.root;
        for name in paths_in(text) {
            let name = match name.find(['*', '?', '[', '{']) {
                Some(at) => name[..at].rsplit_once('/').map_or("", |(parent, _)| parent),
                None => name,
            };
            let path = disk::without_dots(&dir.join(name));
            let is_dir = || !name.is_empty() && path.starts_with(root) && path.is_dir();
            if path.is_file() && self.found.named.insert(path.clone()) {
                add_named_through(&path, &self.dir, root, &mut self.found.named);
            } else if is_dir() {
                self.found.named.insert(path);
            }
        }
    }

    /// Adds what a script of the workspace, in a language other than that of shells, may load or read: the modules of its language,
    /// and the files that its text names.
    fn add_script_files(&mut self, kind: InterpreterKind, main: &Main) {
        let (text, dir) = match main {
            Main::Text(text, _) => (Some(text.clone()), None),
            Main::File(file, _) if self.is_in_workspace(&disk::real(file)) => {
                (read_text(file), file.parent())
            }
            Main::Module(name) => {
                let first = name.split('.').next().unwrap_or_default();
                let place = self.dir.join(first);
                if !place.is_dir() && !place.with_extension("py").is_file() {
                    return;
                }
                (None, None)
            }
            _ => return,
        };
        self.found.modules.extend(kind.modules());
        let dirs: Vec<_> = dir.into_iter().map(Path::to_path_buf).chain([self.dir.clone()]).collect();
        for name in text.iter().flat_map(|text| quoted(text)) {
            dirs.iter().for_each(|dir| self.mention(name, dir));
        }
    }

    /// Follows one command of shell code. Fails if the command does not name its program.
    fn shell_command(&mut self, shell: &ShellCode<'_>, words: &[Word]) -> Result<(), String> {
        let &ShellCode { place, script, functions, changes_dir, args } = shell;
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        let Some(name) = first.text() else { return Err("not a constant".to_owned()) };
        let is_relative_after_cd =
            |name: &str| changes_dir && name.contains('/') && !Path::new(name).is_absolute();
        match name {
            _ if functions.contains(name) => {}
            // Scripts may decide what to run by checking if a program exists.
            "type" | "hash" | "which" => self.run_each(rest),
            "command" if matches!(rest.first().and_then(Word::text), Some("-v" | "-V")) => {
                self.run_each(&rest[1..])
            }
            "." | "source" => match rest.first().and_then(Word::text) {
                Some(file) if !is_relative_after_cd(file) => {
                    let file = self.place(file);
                    self.shell_file(&file, args);
                }
                _ => return Err(name.to_owned()),
            },
            "eval" => return Err(name.to_owned()),
            "trap" => {
                if let Some(Word::Text(text)) = rest.first() {
                    self.shell(place, script, text, args);
                }
            }
            // These are builtins, even if a program with the same name exists.
            "builtin" | "command" | "exec" | "time" => match wrapped_command(name, rest) {
                Some(Ok(inner)) => return self.shell_command(shell, &inner),
                _ => return Err(name.to_owned()),
            },
            _ if BUILTINS.contains(&name) => {}
            _ if is_relative_after_cd(name) => return Err(name.to_owned()),
            _ => self.run(words),
        }
        Ok(())
    }

    fn run_each(&mut self, words: &[Word]) {
        for word in words.iter().filter(|word| word.text().is_some_and(|text| !text.starts_with('-'))) {
            self.run(std::slice::from_ref(word));
        }
    }

    /// Replaces variables in `words` with their values where these are known.
    fn expand(
        &self,
        words: &[Word],
        script: Option<&Path>,
        args: &[Word],
        variables: &BTreeMap<String, Option<String>>,
    ) -> Vec<Word> {
        let dir = script.and_then(Path::parent);
        let expand = |word: &Word| match word {
            Word::Arguments => args.to_vec(),
            Word::Beside(path) => vec![match dir {
                Some(dir) => Word::Text(dir.join(path).to_string_lossy().into_owned()),
                None => word.clone(),
            }],
            Word::Variable(name, default) => {
                let outer = || self.var(name).and_then(|value| value.to_str().map(str::to_owned));
                let value = match variables.get(name) {
                    Some(assigned) => assigned.clone(),
                    None => outer().or_else(|| default.clone()),
                };
                // The shell would split the value into several words, or drop it.
                let value = value.filter(|value| !value.is_empty() && !value.contains(char::is_whitespace));
                vec![value.map_or_else(|| word.clone(), Word::Text)]
            }
            word => vec![word.clone()],
        };
        words.iter().flat_map(expand).collect()
    }
}

/// Returns the strings in quotes on one line of `text`.
fn quoted(text: &str) -> BTreeSet<&str> {
    let of = |quote: char| text.lines().flat_map(move |line| line.split(quote).skip(1).step_by(2));
    // A quote of the other kind may be an apostrophe, or shift the pairs.
    let shifted = |quote: char| text.lines().flat_map(move |line| line.split(quote).skip(2).step_by(2));
    of('"').chain(of('\'')).chain(shifted('"')).chain(shifted('\'')).collect()
}

/// Returns the Python interpreter that a script of pip or uv starts through `sh`, which they use if the path is
/// too long for a first line or not known. The second line is `'''exec' PYTHON "$0" "$@"`.
fn python_behind_sh(text: &str, real: &Path) -> Option<PathBuf> {
    let line = text.lines().nth(1)?.strip_prefix("'''exec' ")?;
    let end = line.rfind(" \"$0\"")?;
    let python = line[..end].trim();
    let dir = real.parent()?;
    Some(match python.rsplit_once("\"/") {
        // `"$(dirname -- "$(realpath -- "$0")")"/'python3'`
        Some((base, name)) if base.contains("$0") => dir.join(name.trim_matches(['\'', '"'])),
        _ => PathBuf::from(python.trim_matches(['\'', '"'])),
    })
}
