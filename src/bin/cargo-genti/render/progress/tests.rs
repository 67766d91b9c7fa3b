use genti::model::digest::Digest;
use genti::model::event::{Activity, Doing, Waiting};
use genti::model::policy::{Batch, Policy, Selection};
use genti::model::task::{Plan, StepId};
use genti::model::workspace::{File, Workspace};
use genti::path::RelPath;
use genti::plan::config::{self, ConfigFile, Place};
use genti::plan::{self, Facts};
use genti::scan::Env;
use indicatif::{InMemoryTerm, TermLike};

use super::*;
use crate::args::OutputArgs;

/// A plan of two tools in a lane, and one tool that runs per file with at most two files per step.
const TOOLS: &str = r#"
tools.fmt.enabled = false
tools.doc.enabled = false
tools.clippy.enabled = false
tools.test.enabled = false
tools.doctest.enabled = false
[tools.lint]
run = ["lint"]
lane = "check"
[tools.api]
run = ["api"]
lane = "check"
[tools.each]
run = ["each", "{files}"]
parse = "sarif"
"#;

fn project(files: &[&str]) -> (Workspace, Plan) {
    let file = |path: &&str| File {
        path: RelPath::new(path),
        digest: Digest::of_bytes(b""),
        len: 0,
        is_link: false,
        is_behind_link: false,
    };
    let workspace = Workspace {
        root: "/w".into(),
        target_dir: "/w/target".into(),
        build_dir: "/w/target".into(),
        packages: Vec::new(),
        others: Vec::new(),
        owners: vec![None; files.len()],
        files: files.iter().map(file).collect(),
        outside: Vec::new(),
        metadata: BTreeSet::new(),
        build_dependencies: BTreeSet::new(),
        beyond: Vec::new(),
        seen: genti::model::workspace::Seen::default(),
    };
    let file = ConfigFile { name: "genti.toml".into(), text: TOOLS.into(), place: Place::File };
    let tools = config::load(&[file], None).unwrap().tools;
    let policy = Policy { batch: Batch::Count(2.try_into().unwrap()), ..Policy::default() };
    let plan = plan::plan(&workspace, tools, Selection::default(), policy, &Facts::default()).unwrap();
    (workspace, plan)
}

fn steps(plan: &Plan, tool: &str) -> Vec<StepId> {
    plan.steps().filter(|step| plan.graph.tool(plan.step(*step).tool).name == tool).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Checks the lines of `view` after `now` seconds in a terminal of this size.
#[track_caller]
fn check(view: &View<'_>, now: u64, (width, height): (usize, usize), expected: &[&str]) {
    let lines = view.lines(seconds(now), width, height);
    let lines: Vec<_> = lines.iter().map(|line| format!("{:>12} {}", line.word, line.what)).collect();
    assert_eq!(lines, expected);
    for line in &lines {
        assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= width, "{line}");
    }
}

#[test]
fn each_running_step_has_a_line_above_a_common_bar() {
    let (workspace, plan) = project(&["a.txt", "b.txt", "c.txt"]);
    let mut view = View::new(&workspace, &plan, false);
    let (lint, each) = (steps(&plan, "lint")[0], steps(&plan, "each"));
    check(&view, 0, (80, 24), &[]);
    view.on(Event::Planned, seconds(1));
    view.on(Event::Started(lint), seconds(1));
    view.on(Event::Started(each[0]), seconds(60));
    view.on(Event::Started(each[1]), seconds(61));
    check(
        &view,
        63,
        (80, 24),
        &[
            "        Slow lint (1m 2s)",
            "     Running each: 2 files (3s)",
            "     Running each: c.txt (2s)",
            "    Checking [>                             ] 0/5 tasks, 1m 3s",
        ],
    );
    view.on(Event::Finished(each[0]), seconds(64));
    check(
        &view,
        64,
        (80, 24),
        &[
            "        Slow lint (1m 3s)",
            "     Running each: c.txt (3s)",
            "    Checking [============>                 ] 2/5 tasks, 1m 4s",
        ],
    );
    assert_eq!(view.summary(seconds(64)), "2/5 tasks, 1m 4s: lint (1m 3s), each: c.txt (3s)");
}

#[test]
fn a_line_says_what_its_step_is_doing() {
    let (workspace, plan) = project(&[]);
    let lint = steps(&plan, "lint")[0];
    let mut view = View::new(&workspace, &plan, false);
    view.on(Event::Started(lint), seconds(0));
    let mut check = |done, total, now: Option<Activity>, expected: &str| {
        view.on(Event::Doing(lint, &Doing { done, total, now }), seconds(1));
        check(&view, 32, (80, 24), &[&format!("     Running {expected}")]);
        assert_eq!(view.summary(seconds(32)), format!("0/2 tasks, 32s: {expected}"));
    };
    let build = || Some(Activity::Build("serde".to_owned()));
    let test = || Some(Activity::Test("it::slow".to_owned()));
    check(41, Some(140), build(), "lint: compiling serde (41/140, 32s)");
    check(0, None, build(), "lint: compiling serde (32s)");
    check(312, Some(1204), test(), "lint: 312/1,204, running it::slow (32s)");
    check(5, None, test(), "lint: running it::slow (32s)");
    check(312, Some(1204), None, "lint: 312/1,204 (32s)");
    check(9, Some(5), None, "lint: 5/5 (32s)");
    check(9, None, None, "lint (32s)");
}

#[test]
fn the_reason_for_waiting_is_shown_with_its_holder() {
    let (workspace, plan) = project(&[]);
    let [lint, api] = ["lint", "api"].map(|tool| steps(&plan, tool)[0]);
    let lane = Waiting::Lane { step: api, holder: lint };
    let mut view = View::new(&workspace, &plan, false);
    for (waiting, expected, verbose) in [
        (lane, "for lint to end (12s): api", "for lane check (lint, 12s): api"),
        (
            Waiting::Token { of: Some(8) },
            "for a job slot (all 8 are in use)",
            "for a jobserver token (all 8 are in use)",
        ),
        (
            Waiting::Token { of: None },
            "for a job slot of the parent build",
            "for a jobserver token of the parent build",
        ),
        (Waiting::Run, "for another run in this workspace (3s)", "for another run in this workspace (3s)"),
        (Waiting::End, "for running steps to end", "for running steps to end"),
    ] {
        for (is_verbose, expected) in [(true, verbose), (false, expected)] {
            view = View::new(&workspace, &plan, is_verbose);
            view.on(Event::Started(lint), seconds(1));
            view.on(Event::Waiting(Some(waiting)), seconds(10));
            check(&view, 13, (80, 24), &["     Running lint (12s)", &format!("     Waiting {expected}")]);
        }
    }
    view.on(Event::Waiting(Some(Waiting::Token { of: None })), seconds(13));
    check(&view, 13, (80, 24), &["     Running lint (12s)"]);
    assert_eq!(
        view.summary(seconds(13)),
        "0/2 tasks, 13s: lint (12s)",
        "a short wait for a token is not shown"
    );
    view.on(Event::Waiting(Some(lane)), seconds(13));
    let summary = "0/2 tasks, 13s: lint (12s), waiting for lint to end (12s): api";
    assert_eq!(view.summary(seconds(13)), summary);
    view.on(Event::Waiting(None), seconds(13));
    check(&view, 13, (80, 24), &["     Running lint (12s)"]);
}

#[test]
fn a_small_terminal_shows_shortened_names() {
    let files = ["a/deep/directory/with/a/name.txt", "b.txt", "c.txt", "日本語/とても長いファイル名.txt"];
    let (workspace, mut plan) = project(&files);
    // One step per file.
    plan.policy.batch = Batch::Count(1.try_into().unwrap());
    let tools = plan.graph.tools.clone();
    let facts = Facts::default();
    let plan = plan::plan(&workspace, tools, Selection::default(), plan.policy, &facts).unwrap();
    let each = steps(&plan, "each");
    let mut view = View::new(&workspace, &plan, false);
    view.on(Event::Planned, seconds(0));
    for step in [0, 3, 1, 2] {
        view.on(Event::Started(each[step]), seconds(0));
    }
    view.on(Event::Finished(each[2]), seconds(0));
    view.on(Event::Waiting(Some(Waiting::Run)), seconds(0));
    check(
        &view,
        1,
        (40, 12),
        &[
            "     Running each: a…ith/a/name.txt (1s)",
            "     Running each: …ファイル名.txt (1s)",
            "     Running each: b.txt (1s)",
            "     Waiting for anot…his workspace (1s)",
            "    Checking [=>         ] 1/6 tasks, 1s",
        ],
    );
    check(
        &view,
        1,
        (30, 8),
        &[
            "     Running eac…name.txt (1s)",
            "             … and 2 more",
            "     Waiting for a…kspace (1s)",
            "    Checking 1/6 tasks, 1s",
        ],
    );
    for width in 0..30 {
        for height in 0..12 {
            assert!(view.lines(seconds(1), width, height).len() <= height.max(8) / 2);
        }
    }
}

/// Returns the lines on the terminal.
fn shown(term: &InMemoryTerm) -> Vec<String> {
    term.contents().lines().map(str::to_owned).collect()
}

#[test]
fn lines_are_replaced_stay_below_messages_and_are_cleared() {
    let (workspace, plan) = project(&[]);
    let term = InMemoryTerm::new(10, 60);
    let target = ProgressDrawTarget::term_like(Box::new(Frames::new(term.clone())));
    let mut bar = Bar::on_target(View::new(&workspace, &plan, false), target, true);
    let mut shell = shell("auto");
    let lines = |count: usize| {
        let line = |at| Line { style: BUSY, word: "Running", what: format!("step {at}") };
        (0..count).map(line).collect::<Vec<_>>()
    };
    bar.draw(&lines(3));
    assert_eq!(shown(&term), ["     Running step 0", "     Running step 1", "     Running step 2"]);
    let colours = String::from_utf8(term.contents_formatted()).unwrap();
    assert!(colours.contains('\u{1b}'), "{colours:?}");
    bar.say(seconds(1), &mut shell, |_| term.write_line("said").unwrap());
    assert_eq!(shown(&term)[..2], ["said", "     Running step 0"]);
    bar.draw(&lines(1));
    assert_eq!(shown(&term), ["said", "     Running step 0"]);
    bar.draw(&lines(2));
    bar.on(Event::Comparing, &mut shell);
    assert_eq!(shown(&term), ["said"]);
}

/// Creates a shell with this value of `CARGO_TERM_PROGRESS_WHEN`.
fn shell(when: &str) -> Shell {
    let env = Env::from_iter([("CARGO_TERM_PROGRESS_WHEN", when)]);
    Shell::new(&OutputArgs { verbose: false, quiet: false, color: None }, &env)
}

#[test]
fn a_log_gets_no_status_lines_if_progress_is_disabled() {
    let (workspace, plan) = project(&[]);
    for (when, is_logged) in [("never", false), ("auto", true)] {
        let events = [Event::Tick, Event::Slow(steps(&plan, "lint")[0], seconds(60))];
        for event in events {
            let mut bar =
                Bar::on_target(View::new(&workspace, &plan, false), ProgressDrawTarget::hidden(), false);
            // Pretend that a minute has passed.
            bar.clock = bar.clock.checked_sub(seconds(60)).unwrap();
            bar.on(event, &mut shell(when));
            assert_eq!(bar.last_message > Duration::ZERO, is_logged, "{when}: {event:?}");
        }
    }
}

/// A terminal that records the text written before each flush.
#[derive(Clone, Debug, Default)]
struct Recorder(std::sync::Arc<std::sync::Mutex<(String, Vec<String>)>>);

impl Recorder {
    fn write(&self, text: &str) -> std::io::Result<()> {
        self.0.lock().unwrap().0.push_str(text);
        Ok(())
    }
}

impl TermLike for Recorder {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.write(&format!("{text}\n"))
    }
    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.write(text)
    }
    fn clear_line(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let frame = std::mem::take(&mut state.0);
        state.1.push(frame);
        Ok(())
    }
}

#[test]
fn each_frame_is_written_at_once_and_ends_at_the_start_of_its_last_line() {
    let (workspace, plan) = project(&[]);
    let terminal = Recorder::default();
    let target = ProgressDrawTarget::term_like(Box::new(Frames::new(terminal.clone())));
    let mut bar = Bar::on_target(View::new(&workspace, &plan, false), target, false);
    let line = |word| Line { style: BUSY, word, what: "x".to_owned() };
    bar.draw(&[line("Running"), line("Checking")]);
    bar.say(seconds(1), &mut shell("auto"), |_| {});
    drop(bar);
    let (rest, frames) = std::mem::take(&mut *terminal.0.lock().unwrap());
    assert!(rest.is_empty(), "{rest:?}");
    let shown: Vec<_> = frames.iter().filter(|frame| frame.contains("Running")).collect();
    // Drawn, and drawn again after the message.
    assert_eq!(shown.len(), 2, "{frames:?}");
    assert!(shown.iter().all(|frame| frame.contains("Checking") && frame.ends_with('\r')), "{shown:?}");
}

#[test]
fn a_run_that_waits_for_another_shows_no_bar() {
    let (workspace, plan) = project(&[]);
    let mut view = View::new(&workspace, &plan, false);
    view.on(Event::Waiting(Some(Waiting::Run)), seconds(0));
    check(&view, 2, (80, 24), &["     Waiting for another run in this workspace (2s)"]);
    view.on(Event::Waiting(None), seconds(2));
    check(&view, 2, (80, 24), &[]);
}
