//! One line that tells what runs, on a terminal only.

use std::collections::BTreeMap;
use std::time::Duration;

use genti::model::event::Event;
use genti::model::task::{Plan, StepId};
use genti::model::workspace::Workspace;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text::visible_line;
use super::{BUSY, Shell};

/// The progress of a run.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// What each step is called while it runs.
    names: BTreeMap<StepId, String>,
    running: BTreeMap<StepId, String>,
}

impl Bar {
    /// Draws nothing until there is a plan, and nothing at all where nobody would see it.
    pub(crate) fn new(shell: &Shell) -> Self {
        let bar = ProgressBar::hidden();
        if shell.is_terminal && !shell.quiet {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let template =
            format!("{BUSY}{{prefix:>12}}{BUSY:#} [{{bar:25}}] {{pos}}/{{len}} {{elapsed}}: {{wide_msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, names: BTreeMap::new(), running: BTreeMap::new() }
    }

    /// Takes note of `event`.
    pub(crate) fn on(&mut self, event: Event<'_>, shell: &mut Shell) {
        match event {
            Event::Notice(text) => self.bar.suspend(|| shell.note(text)),
            Event::Planned(workspace, plan) => self.begin(workspace, plan),
            Event::Started(step) => {
                self.running.insert(step, self.names.get(&step).cloned().unwrap_or_default());
            }
            Event::Finished(step) => {
                self.running.remove(&step);
                self.bar.inc(1);
            }
            Event::Tick | Event::Waiting(_) | Event::Slow(..) => {}
            Event::Comparing => self.bar.finish_and_clear(),
        }
        let running: Vec<_> = self.running.values().map(String::as_str).collect();
        self.bar.set_message(running.join(", "));
        self.bar.tick();
    }

    fn begin(&mut self, workspace: &Workspace, plan: &Plan) {
        self.names = plan.steps().map(|step| (step, name(workspace, plan, step))).collect();
        self.bar.set_length(self.names.len() as u64);
        self.bar.set_prefix("Checking");
        self.bar.enable_steady_tick(Duration::from_millis(500));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The tool, and its unit or how many there are.
fn name(workspace: &Workspace, plan: &Plan, step: StepId) -> String {
    let step = plan.step(step);
    let tool = &plan.graph.tool(step.tool).name;
    match step.tasks.as_slice() {
        [task] => match plan.graph.task(*task).unit.path(workspace) {
            path if path.is_root() => tool.clone(),
            path => format!("{tool} {}", visible_line(&path.to_string())),
        },
        tasks => format!("{tool} ({} units)", tasks.len()),
    }
}
