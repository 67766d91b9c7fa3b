//! Scripts: from their first line to the interpreter, and from the text of a shell's to the programs in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::identity::{Kind, LAUNCHERS, Tracer, file_name, wrapped};
use super::read_text;
use super::shell;
use super::words::Word;

/// Builtin commands of shells that run nothing else.
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

/// A shell's text that is followed.
struct Shell<'a> {
    /// What it is called.
    place: &'a str,
    /// The file that it is in.
    script: Option<&'a Path>,
    functions: &'a BTreeSet<String>,
    /// Whether it changes its working directory.
    moves: bool,
    /// The arguments that it is given.
    args: &'a [Word],
}

/// What an interpreter is given to run.
enum Main {
    /// A text on the command line, and the arguments behind it.
    Text(String, Vec<Word>),
    File(PathBuf, Vec<Word>),
    /// A module by its name (`python -m`).
    Module(String),
    /// Nothing, or what it reads from elsewhere.
    None,
    /// It can't be told.
    Open,
}

impl Tracer<'_> {
    /// Follows the script at `path`, whose first line has these `words`.
    pub(super) fn script(&mut self, path: &Path, real: &Path, words: &[String], args: &[Word]) {
        let words: Vec<_> = words.iter().cloned().map(Word::Text).collect();
        let Some(Word::Text(program)) = words.first() else {
            return self.unknown(format!("`{}` names no interpreter", path.display()));
        };
        let is_env = file_name(Path::new(program)) == "env";
        let words = match wrapped("env", &words[1..]).filter(|_| is_env) {
            Some(Ok(words)) => words,
            Some(Err(why)) => return self.unknown(why),
            None => words,
        };
        let name = words.first().and_then(Word::text).unwrap_or_default();
        let Some(interpreter) = self.look_up(name) else {
            return self.unknown(format!("`{name}`, which runs `{}`, is not installed", path.display()));
        };
        let real_name = interpreter.canonicalize().map(|real| file_name(&real)).unwrap_or_default();
        let kind = Kind::of(&file_name(&interpreter)).or_else(|| Kind::of(&real_name)).unwrap_or(Kind::Other);
        if kind == Kind::Other {
            self.program(&interpreter, &[]);
            return self.check_place(path, real);
        }
        let own = words[1..].iter().cloned().chain([Word::Text(path.to_string_lossy().into_owned())]);
        let args: Vec<_> = own.chain(args.iter().cloned()).collect();
        self.program(&interpreter, &args);
    }

    /// A script that is no part of the workspace can't be known by its bytes: it may load anything.
    fn check_place(&mut self, path: &Path, real: &Path) {
        if !self.is_in_workspace(real) {
            let why = "a script outside of the workspace that belongs to no Python or npm package";
            self.unknown(format!("`{}` is {why}", path.display()));
        }
    }

    /// Follows what an interpreter is given. The interpreter itself has been taken down.
    pub(super) fn interpreter(&mut self, kind: Kind, program: &Path, real: &Path, args: &[Word]) {
        let main = self.main(kind, args);
        match kind {
            Kind::Python => self.python(program, real),
            Kind::Node => self.refuse_variables(&["NODE_PATH", "NODE_OPTIONS"]),
            Kind::Shell => self.refuse_variables(&["BASH_ENV"]),
            Kind::Other => self.refuse_variables(&["PERL5LIB", "PERL5OPT", "RUBYLIB", "RUBYOPT", "LUA_PATH"]),
        }
        match (kind, main) {
            (_, Main::None) => {}
            (_, Main::Open) => {
                self.unknown(format!("which script `{}` runs is not known", file_name(program)));
            }
            // The first of the arguments is what the shell calls itself.
            (Kind::Shell, Main::Text(text, rest)) => {
                self.shell("its text", None, &text, rest.get(1..).unwrap_or_default());
            }
            (Kind::Shell, Main::File(file, rest)) => self.shell_file(&file, &rest),
            (Kind::Python, Main::File(file, _)) => self.python_file(program, &file),
            (Kind::Python, Main::Module(name)) => {
                self.found.has_foreign_script = true;
                if LAUNCHERS.contains(&name.replace('_', "-").as_str()) {
                    self.unknown(format!("`{name}` chooses itself what it runs"));
                }
            }
            (Kind::Node, Main::File(file, _)) => self.node_file(&file),
            (Kind::Other, Main::File(file, _)) => {
                let real = file.canonicalize().unwrap_or_else(|_| file.clone());
                self.add(self.name_of(&file), &file);
                self.check_place(&file, &real);
            }
            (_, Main::Text(..) | Main::Module(_)) => {}
        }
    }

    /// What is among the arguments of an interpreter.
    fn main(&self, kind: Kind, args: &[Word]) -> Main {
        let valued: &[&str] = match kind {
            Kind::Shell => &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"],
            Kind::Python => &["-W", "-X", "--check-hash-based-pycs"],
            Kind::Node => {
                &["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"]
            }
            Kind::Other => &["-I", "-r", "-cp", "-classpath"],
        };
        let mut rest = args;
        loop {
            let (word, behind) = match rest {
                [] => return Main::None,
                [Word::Text(word), behind @ ..] => (word.as_str(), behind),
                _ => return Main::Open,
            };
            let is_text = match kind {
                Kind::Shell => word.starts_with('-') && !word.starts_with("--") && word.contains('c'),
                Kind::Python => word == "-c",
                Kind::Node => matches!(word, "-e" | "-p" | "--eval" | "--print"),
                Kind::Other => matches!(word, "-e" | "-E"),
            };
            rest = behind;
            match word {
                _ if is_text => {
                    return match behind {
                        [Word::Text(text), rest @ ..] => Main::Text(text.clone(), rest.to_vec()),
                        _ => Main::Open,
                    };
                }
                "-m" if kind == Kind::Python => {
                    let name = behind.first().and_then(Word::text);
                    return name.map_or(Main::Open, |name| Main::Module(name.to_owned()));
                }
                "-jar" if kind == Kind::Other => {}
                "-" | "-s" if kind == Kind::Shell => return Main::None,
                _ if valued.contains(&word) => rest = behind.get(1..).unwrap_or_default(),
                _ if word.starts_with('-') || (kind == Kind::Shell && word.starts_with('+')) => {}
                _ => {
                    // What a placeholder stands for is an input of its task, and is no file here.
                    let file = self.place(word);
                    return if file.is_file() { Main::File(file, behind.to_vec()) } else { Main::None };
                }
            }
        }
    }

    /// Follows the shell script at `path`.
    fn shell_file(&mut self, path: &Path, args: &[Word]) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if !self.scripts.insert(real.clone()) {
            return;
        }
        self.add(self.name_of(path), path);
        let Some(text) = read_text(path) else {
            return self.unknown(format!("`{}` is no script that can be read", path.display()));
        };
        if let Some(python) = behind_shell(&text, &real) {
            return match python.is_file() {
                true => self.program(&python, &[Word::Text(path.to_string_lossy().into_owned())]),
                false => self.unknown(format!(
                    "`{}`, which runs `{}`, is not there",
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

    /// Follows the commands in a shell's `text`, where `args` are its arguments and `place` is what it is called.
    fn shell(&mut self, place: &str, script: Option<&Path>, text: &str, args: &[Word]) {
        let found = shell::commands(text);
        let moves = found.commands.iter().any(|(_, words)| matches!(words[0].text(), Some("cd" | "pushd")));
        for (line, words) in &found.commands {
            let words = self.expand(words, script, args, &found.variables);
            let shell = Shell { place, script, functions: &found.functions, moves, args };
            if let Err(what) = self.shell_command(&shell, &words) {
                return self
                    .unknown(format!("{place} runs a program that it does not name (line {line}: {what})"));
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

    /// Follows one command of a shell's text. `Err` if that does not name its program.
    fn shell_command(&mut self, shell: &Shell<'_>, words: &[Word]) -> Result<(), String> {
        let &Shell { place, script, functions, moves, args } = shell;
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        let Some(name) = first.text() else { return Err("no constant".to_owned()) };
        let depends_on_dir = |name: &str| moves && name.contains('/') && !Path::new(name).is_absolute();
        match name {
            _ if functions.contains(name) => {}
            // Whether a program is there may decide what runs.
            "type" | "hash" | "which" => self.run_each(rest),
            "command" if matches!(rest.first().and_then(Word::text), Some("-v" | "-V")) => {
                self.run_each(&rest[1..])
            }
            "." | "source" => match rest.first().and_then(Word::text) {
                Some(file) if !depends_on_dir(file) => {
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
            // Builtins, whatever file there may be of this name.
            "builtin" | "command" | "exec" | "time" => match wrapped(name, rest) {
                Some(Ok(inner)) => return self.shell_command(shell, &inner),
                _ => return Err(name.to_owned()),
            },
            _ if BUILTINS.contains(&name) => {}
            _ if depends_on_dir(name) => return Err(name.to_owned()),
            _ => self.run(words),
        }
        Ok(())
    }

    fn run_each(&mut self, words: &[Word]) {
        for word in words.iter().filter(|word| word.text().is_some_and(|text| !text.starts_with('-'))) {
            self.run(std::slice::from_ref(word));
        }
    }

    /// `words` with the values of variables that are known.
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
                // The shell would make several words of it, or none.
                let value = value.filter(|value| !value.is_empty() && !value.contains(char::is_whitespace));
                vec![value.map_or_else(|| word.clone(), Word::Text)]
            }
            word => vec![word.clone()],
        };
        words.iter().flat_map(expand).collect()
    }
}

/// The Python that a script of pip or uv starts by way of `sh`, because its path is too long for a first line or not known:
/// the second line is `'''exec' PYTHON "$0" "$@"`.
fn behind_shell(text: &str, real: &Path) -> Option<PathBuf> {
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
