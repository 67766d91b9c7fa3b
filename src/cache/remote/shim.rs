//! The shim: a small script that runs a command on a worker and writes down how it ended, in a file that nothing else can produce.
//!
//! A worker reports an exit code of 127 for a missing program, 128 and more for a signal, and sometimes 1 for a failure of its own.
//! All of these look like the exit code of a tool with findings. So the exit code of the action says nothing: only the file of the
//! shim counts. It repeats a number that is new for each execution, and has digests of both streams, so that a part of the output, or
//! the output of another command, is noticed. A code above 125 may stand for a signal, so the command runs on this machine then.

use std::fmt::Write as _;

/// Files of the shim and directories beside it, below a directory whose name nothing else has.
pub(in crate::cache) const SHIM: &str = "shim";
/// List of the files that a worker must have, with their digests.
pub(in crate::cache) const EXPECTED: &str = "expected";
/// Directory with the files of the workspace.
pub(in crate::cache) const WORKSPACE: &str = "w";
/// Directory with the programs that are sent.
pub(in crate::cache) const PROGRAM: &str = "p";
/// Outputs: how the command ended, and what it printed.
pub(in crate::cache) const OUTPUTS: [&str; 3] = ["o/status", "o/stderr", "o/stdout"];

/// The script. Its arguments are the number, the top directory, the directory in which the command starts, the program, and its
/// arguments.
pub(in crate::cache) const SCRIPT: &str = r#"#!/bin/sh
nonce=$1 top=$PWD/$2 dir=$3 program=$4
shift 4
tool_path=$PATH
PATH=/usr/local/bin:/usr/bin:/bin
out=$top/o
mkdir -p "$out" && cd "$top" || exit 90
say() {
    { printf 'genti-shim-1\n%s\n' "$nonce"; cat; echo end; } > "$out/status"
}
sum() {
    if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}
if [ -s expected ] && ! sum -c expected > /dev/null 2>&1; then
    echo differs | say
    exit 0
fi
case $program in
/*) ;;
*) program=$top/$program ;;
esac
if ! [ -f "$program" ] || ! [ -x "$program" ]; then
    echo missing | say
    exit 0
fi
root=$(cd w && pwd -P) && cd "w/$dir" || exit 91
unset OLDPWD
PATH=$tool_path "$program" "$@" < /dev/null > "$out/stdout" 2> "$out/stderr"
code=$?
{
    printf 'exit %s\nroot %s\n' "$code" "$root"
    sum < "$out/stdout"
    sum < "$out/stderr"
} | say
"#;

/// Content of the status file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cache) enum Status {
    /// The command exited by itself.
    Exited {
        /// Its exit code.
        code: i32,
        /// Path of the workspace on the worker.
        root: String,
        /// SHA-256 digests of standard output and standard error.
        sums: [String; 2],
    },
    /// A file that decides about the result is not the same on the worker.
    Differs,
    /// The program is not there.
    Missing,
}

impl Status {
    /// Parses the status of the execution with this number; `None` if it is not that, or not whole.
    pub(in crate::cache) fn parse(text: &[u8], nonce: &str) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let rest = text.strip_prefix("genti-shim-1\n")?.strip_prefix(nonce)?.strip_prefix('\n')?;
        let lines: Vec<_> = rest.strip_suffix("end\n")?.lines().collect();
        match lines[..] {
            ["differs"] => Some(Self::Differs),
            ["missing"] => Some(Self::Missing),
            [code, root, out, err] => {
                let sum = |line: &str| {
                    let (sum, _) = line.split_once(' ')?;
                    let is_digit = |char: char| matches!(char, '0'..='9' | 'a'..='f');
                    (sum.len() == 64 && sum.chars().all(is_digit)).then(|| sum.to_owned())
                };
                let root = root.strip_prefix("root ").filter(|root| root.starts_with('/'))?;
                Some(Self::Exited {
                    code: code.strip_prefix("exit ")?.parse().ok()?,
                    root: root.to_owned(),
                    sums: [sum(out)?, sum(err)?],
                })
            }
            _ => None,
        }
    }
}

/// Returns the list of files that a worker must have, in the format of `sha256sum`. `None` if a path does not fit into it.
pub(in crate::cache) fn expected<'e>(files: impl Iterator<Item = (&'e str, &'e str)>) -> Option<String> {
    let mut text = String::new();
    for (path, hash) in files {
        if path.contains(['\\', '\n', '\r']) {
            return None;
        }
        writeln!(text, "{hash}  {path}").ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn only_a_whole_status_with_the_right_number_counts() {
        let text = format!("genti-shim-1\n17\nexit 1\nroot /w\n{SUM}  -\n{SUM}  -\nend\n");
        let exited = Status::Exited { code: 1, root: "/w".to_owned(), sums: [SUM, SUM].map(str::to_owned) };
        assert_eq!(Status::parse(text.as_bytes(), "17"), Some(exited));
        assert_eq!(Status::parse(text.as_bytes(), "18"), None);
        assert_eq!(Status::parse(text.as_bytes(), "1"), None);
        for len in 0..text.len() {
            assert_eq!(Status::parse(&text.as_bytes()[..len], "17"), None, "{len}");
        }
        let of = |body: &str| Status::parse(format!("genti-shim-1\n17\n{body}end\n").as_bytes(), "17");
        assert_eq!((of("differs\n"), of("missing\n")), (Some(Status::Differs), Some(Status::Missing)));
        for body in ["", "exit x\nroot /w\n", "exit 0\nroot /w\n\n\n", "exit 0\nroot w\n"] {
            assert_eq!(of(body), None, "{body:?}");
        }
    }

    #[test]
    fn a_path_that_the_list_can_t_hold_is_refused() {
        assert_eq!(expected([("/a b", SUM)].into_iter()), Some(format!("{SUM}  /a b\n")));
        assert_eq!(expected([("/a\nb", SUM)].into_iter()), None);
    }
}
