//! `cargo genti completions`: generates shell completions for `cargo-genti`, and for `cargo genti` where the shell
//! does not find them by itself.

use clap::CommandFactory;
use clap_complete::Shell as For;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::CliResult;
use crate::render::Shell;

/// Name of the executable. For `cargo genti`, cargo's zsh completions call the completions with this name.
const PROGRAM: &str = "cargo-genti";

/// Completes `cargo genti` in bash. Cargo's own completions, which bash-completion loads at the first use, are kept for
/// everything else.
const CARGO_IN_BASH: &str = r#"
_cargo_with_genti() {
    local at=1
    [[ ${COMP_WORDS[1]} == +* ]] && at=2
    if [[ ${COMP_WORDS[at]} == genti && $COMP_CWORD -gt $at ]]; then
        COMP_WORDS=(cargo-genti "${COMP_WORDS[@]:at+1}")
        COMP_CWORD=$((COMP_CWORD - at))
        _genti cargo-genti "$2" "$3"
        return
    fi
    if ! declare -F _cargo >/dev/null; then
        { _comp_load cargo || _completion_loader cargo; } >/dev/null 2>&1
        complete -F _cargo_with_genti -o nosort -o bashdefault -o default cargo
    fi
    if declare -F _cargo >/dev/null; then
        _cargo "$@"
    fi
}
complete -F _cargo_with_genti -o nosort -o bashdefault -o default cargo
"#;

/// Completes `cargo genti` in fish, which adds completions of several files for one command.
const CARGO_IN_FISH: &str = r#"
function __fish_cargo_genti_words
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- genti $words)
    complete -C "cargo-genti "(string join ' ' -- (string escape -- $words[(math $at + 1)..-2]) $words[-1])
end
complete -c cargo -f -n '__fish_seen_subcommand_from genti' -a '(__fish_cargo_genti_words)'
"#;

pub(crate) fn main(args: &CompletionsArgs, shell: &mut Shell) -> CliResult {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), name(args.shell), &mut out);
    let more = match args.shell {
        For::Bash => {
            out = for_bash(&String::from_utf8_lossy(&out)).into_bytes();
            CARGO_IN_BASH
        }
        For::Fish => CARGO_IN_FISH,
        _ => "",
    };
    out.extend_from_slice(more.as_bytes());
    shell.out_as_it_is(&out)
}

/// Returns the name to generate completions for. The bash generator mixes up two spellings of a name with a
/// dash and loses its subcommands.
fn name(shell: For) -> &'static str {
    if shell == For::Bash { "genti" } else { PROGRAM }
}

/// Replaces the name in the completions for bash with that of the executable.
fn for_bash(text: &str) -> String {
    text.replace(" genti\n", &format!(" {PROGRAM}\n"))
}
