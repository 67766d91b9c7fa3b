//! What workers on other machines may run, and what they get for it.
//!
//! # Which tools
//!
//! A tool is sent only if its cache key says everything that decides its result: then its inputs are known before it runs, and all of
//! them can be sent. Of the built-in tools, these are `fmt` and `typos`. Of the user's tools, these are the ones that are `hermetic`.
//! A tool that finds a file outside of the workspace, such as a configuration in the home directory, runs on this machine. So does a
//! step that needs a link out of the workspace.
//!
//! # What is sent
//!
//! The input tree has the declared inputs of the tasks, the files that the tool searches for, for `fmt` all files in which a module
//! may be, for `typos` all files, and the program, unless the worker has it. What is not in the tree is not there: a tool that lacks a
//! file fails, and then runs on this machine. Variables are not sent, except those that genti sets to the same value everywhere.
//!
//! # Same platform
//!
//! The shim (`remote/shim.rs`) compares files that identify the system release and the C library, and every program outside of the
//! tree that the tool is known to run, with those of this machine before it runs the command. It compares the files of the tree too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;

use super::ResultCache;
use super::remote::execution::{Content, NoResult, RemoteAction, WorkerPool};
use super::remote::protocol::{self, Blob};
use super::remote::shim::{self, Status};
use super::remote::tree::InputTree;
use crate::disk;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::remote::RemotePrograms;
use crate::model::task::{StepId, TaskIx, Unit};
use crate::model::tool::{Arg, Environment, Parse, Per, Tool, ToolId};
use crate::model::workspace::{FileId, WhyLeftOut};
use crate::normalize::Traces;
use crate::scan::{Env, FinishedProcess, Invocation, Runner, Watcher, Workers};
use crate::workspace;

/// Highest exit code that is surely one. Shells and workers use higher ones for signals and for programs that did not start.
const MOST_CODE: i32 = 125;

/// Directories of programs that every worker has.
const BIN: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// Reason why something runs on this machine.
type Here = String;

/// Workers that run the steps of one plan.
struct RemoteWorkers<'a> {
    cache: &'a ResultCache<'a>,
    pool: &'a WorkerPool,
    /// For each tool, its needs besides the inputs of its tasks, or the reason why it is not sent.
    tools: Vec<Result<SentTool, Here>>,
    /// Files that identify the system, with their digests.
    system: Vec<(String, api::Digest)>,
    /// Digests of files, by path.
    digests: Mutex<BTreeMap<PathBuf, api::Digest>>,
    executions: AtomicU64,
}

/// A tool that is sent.
struct SentTool {
    kind: SentKind,
    /// Files of the workspace that it searches for or runs.
    files: Vec<FileId>,
    /// Files outside of the workspace that it runs, except the program itself.
    expected: Vec<PathBuf>,
    /// Libraries of the toolchain that the program needs.
    libraries: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SentKind {
    /// rustfmt, which follows modules.
    Fmt,
    /// typos, which looks at all files.
    Typos,
    /// A tool that only reads its declared inputs.
    Hermetic,
}

impl ResultCache<'_> {
    /// Returns the workers of this run, if it has some.
    pub(crate) fn workers(&self) -> Option<Box<dyn Workers + '_>> {
        let pool = self.context.remote?.workers()?;
        let tools = self.context.plan.graph.tools().map(|(id, _)| self.sent(id)).collect();
        let (digests, executions) = (Mutex::default(), AtomicU64::new(0));
        let mut workers = RemoteWorkers { cache: self, pool, tools, system: Vec::new(), digests, executions };
        let files = self.inputs.system_files()?;
        let system = files.iter().map(|path| workers.expected(path));
        workers.system = system.collect::<Result<_, _>>().ok()?;
        Some(Box::new(workers))
    }

    /// Returns what tool `id` needs on a worker.
    fn sent(&self, id: ToolId) -> Result<SentTool, Here> {
        let tool = self.context.plan.graph.tool(id);
        let kind = kind(tool).ok_or("its inputs are not known before it runs")?;
        let key = self.keys[id.0 as usize].as_ref().map_err(Clone::clone)?;
        let identity = &self.inputs.identities[id.0 as usize];
        if let Some(why) = &identity.unknown {
            return Err(why.clone());
        }
        let root = &self.inputs.workspace.root;
        if *root != self.inputs.real_root || root.to_str().is_none_or(|root| root.len() < 2) {
            return Err("the path of the workspace contains a link".to_owned());
        }
        let (mut expected, mut libraries, mut files) = (Vec::new(), Vec::new(), key.others.files.clone());
        let program = self.programs[id.0 as usize].as_deref().ok_or("its program has no fixed place")?;
        let toolchain = program.parent().and_then(Path::parent).filter(|_| kind == SentKind::Fmt);
        for (_, path) in &identity.files {
            if let Some(within) = RelPath::between(root, path).filter(|path| !path.is_outside()) {
                files.push(self.inputs.workspace.find(&within).ok_or("it runs a file that git ignores")?);
            } else if let Some(toolchain) = toolchain.filter(|toolchain| path.starts_with(toolchain)) {
                if is_library(path, toolchain) {
                    libraries.push(path.clone());
                }
            } else if path != program {
                expected.push(path.clone());
            }
        }
        let of_identity: BTreeSet<_> = identity.files.iter().map(|(_, path)| path).collect();
        for path in key.others.outside.iter().filter(|path| !of_identity.contains(path)) {
            let is_there = self.inputs.outside.digest(path).map_or(true, |digest| digest.is_some());
            if is_there && !says_nothing(path) {
                return Err(format!("it reads `{}`, which is not sent", path.display()));
            }
        }
        if key.others.arguments.iter().any(|path| path.exists()) {
            return Err("its command line names a file that git ignores".to_owned());
        }
        Ok(SentTool { kind, files, expected, libraries })
    }
}

/// Returns why workers may run `tool`; `None` if they may not.
fn kind(tool: &Tool) -> Option<SentKind> {
    let is_plain = tool.environment == Environment::Only(Vec::new())
        && tool.vars.is_empty()
        && tool.sandbox.is_none()
        && tool.services.is_empty()
        && tool.variant.is_none()
        && tool.threads.is_none()
        && tool.toolchain().is_none()
        && !tool.jobserver
        && !tool.is_observed()
        && !tool.uses_executable();
    let starts_with = |name: &str| tool.run.first().and_then(Arg::literal) == Some(name);
    match tool.parse {
        _ if !is_plain => None,
        _ if tool.hermetic => Some(SentKind::Hermetic),
        Parse::Rustfmt if starts_with("rustfmt") && tool.per == Per::TargetRoot && tool.dir.is_none() => {
            Some(SentKind::Fmt)
        }
        Parse::TyposJson if starts_with("typos") && tool.per == Per::Workspace && tool.dir.is_none() => {
            Some(SentKind::Typos)
        }
        _ => None,
    }
}

/// Returns true if `path` is a library that programs of `toolchain` load.
fn is_library(path: &Path, toolchain: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    path.parent() == Some(&*toolchain.join("lib"))
        && ["libLLVM", "librustc_driver", "libstd-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Returns true if `path` is a file of git that everybody has, and that excludes no file from a search.
fn says_nothing(path: &Path) -> bool {
    let Ok(text) = disk::read_to_string(path) else { return false };
    let text = text.to_ascii_lowercase();
    if path.ends_with(".git/info/exclude") || path.ends_with("git/ignore") {
        return text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'));
    }
    let is_config = path.ends_with(".gitconfig") || path.ends_with("git/config");
    is_config && !text.contains("excludesfile") && !text.contains("include")
}

impl Workers for RemoteWorkers<'_> {
    fn slots(&self) -> usize {
        if self.tools.iter().any(Result::is_ok) { self.pool.jobs_at_once } else { 0 }
    }

    fn take(&self, step: StepId) -> bool {
        let tool = self.cache.context.plan.step(step).tool;
        self.tools[tool.0 as usize].is_ok()
    }

    fn are_alive(&self) -> bool {
        self.pool.is_alive()
    }
}

impl Runner for RemoteWorkers<'_> {
    fn run(&self, invocation: &Invocation, watcher: &mut Watcher<'_>) -> io::Result<FinishedProcess> {
        if !self.pool.is_alive() {
            return Err(io::Error::other("there are no workers any more"));
        }
        let (action, nonce) = self.action(invocation).map_err(io::Error::other)?;
        let outputs = match self.pool.execute(&action, self.cache.stop) {
            Ok(outputs) => outputs,
            Err(NoResult::Stopped) => return Err(io::Error::other("the run was stopped")),
            Err(NoResult::Failed(why)) => return Err(self.failed(&why)),
        };
        match self.read(outputs, &nonce) {
            Ok((code, [stdout, stderr])) => {
                self.pool.succeed();
                if [&stdout, &stderr].iter().any(|stream| stream.len() > FinishedProcess::MOST_ELSEWHERE) {
                    return Err(io::Error::other("its output is too long"));
                }
                Ok(FinishedProcess::elsewhere(code, [&stdout, &stderr], watcher))
            }
            Err(why) => Err(self.failed(why)),
        }
    }
}

impl RemoteWorkers<'_> {
    fn failed(&self, why: &str) -> io::Error {
        self.pool.fail(why);
        io::Error::other(why.to_owned())
    }

    /// Returns the action for `invocation`, and the number by which its result is recognized.
    fn action(&self, invocation: &Invocation) -> Result<(RemoteAction, String), Here> {
        let inputs = &self.cache.inputs;
        let tasks = &invocation.declared.tasks;
        let first = tasks.first().ok_or("it belongs to no task")?;
        let id = self.cache.context.plan.graph.task(*first).tool;
        let sent = self.tools[id.0 as usize].as_ref().map_err(Clone::clone)?;
        if invocation.wall.is_some() || invocation.declared.executable.is_some() {
            return Err("it runs in a sandbox".to_owned());
        }
        let root = inputs.workspace.root.to_str().unwrap_or_default();
        let args = invocation.args.iter().map(|arg| {
            arg.to_str().filter(|arg| !arg.contains(root)).ok_or("an argument is a path of this machine")
        });
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let dir = RelPath::between(&inputs.workspace.root, &invocation.dir).filter(|dir| !dir.is_outside());
        let dir = text_of(&dir.ok_or("it runs outside of the workspace")?)?;
        let mut contents = BTreeMap::new();
        let mut top = InputTree::default();
        let workspace = self.workspace_tree(id, sent, tasks, &dir, &mut contents)?;
        let mut staged = workspace.list(shim::WORKSPACE);
        top.add_dir(shim::WORKSPACE, workspace);
        let (program, mut expected) = self.program(invocation, sent, &mut top, &mut contents)?;
        staged.extend(top.file(&program).map(|digest| (program.clone(), digest)));
        for path in &sent.expected {
            expected.push(self.expected(path)?);
        }
        // The files of the tree are compared as well: a tool that does not get a file may find nothing to complain about.
        let listed = self.system.iter().chain(&expected).chain(&staged);
        let listed = shim::expected(listed.map(|(path, digest)| (path.as_str(), digest.hash.as_str())));
        let listed = listed.ok_or("the name of a program has a line break")?;
        for (name, text) in [(shim::SHIM, shim::SCRIPT), (shim::EXPECTED, &listed)] {
            let blob = Blob::new(text.as_bytes().to_vec());
            top.add(name, blob.digest.clone(), name == shim::SHIM);
            contents.insert(blob.digest.hash.clone(), (blob.digest, Content::Bytes(blob.data)));
        }
        let nonce = self.nonce();
        let place = format!("genti-{nonce}");
        let mut tree = InputTree::default();
        tree.add_dir(&place, top);
        let mut directories = BTreeMap::new();
        let root = tree.encode(&mut directories);
        contents.extend(
            directories.into_iter().map(|(hash, blob)| (hash, (blob.digest, Content::Bytes(blob.data)))),
        );
        let dir = if dir.is_empty() { "." } else { &dir };
        let command = ["/bin/sh", &format!("{place}/{}", shim::SHIM), &nonce, &place, dir, &program];
        let command = api::Command {
            arguments: command.into_iter().chain(args).map(str::to_owned).collect(),
            environment_variables: self.variables(invocation, &expected)?,
            output_paths: shim::OUTPUTS.map(|path| format!("{place}/{path}")).to_vec(),
            ..api::Command::default()
        };
        let limit = invocation.timeout.map_or(self.pool.limit, |limit| limit.min(self.pool.limit));
        Ok((RemoteAction { command, root, contents, limit }, nonce))
    }

    /// Returns the program as the shim is to start it, and files that the worker must have for it.
    fn program(
        &self,
        invocation: &Invocation,
        sent: &SentTool,
        top: &mut InputTree,
        contents: &mut BTreeMap<String, (api::Digest, Content)>,
    ) -> Result<(String, Vec<(String, api::Digest)>), Here> {
        let root = &self.cache.inputs.workspace.root;
        let program = &invocation.program;
        if let Some(within) = RelPath::between(root, program).filter(|path| !path.is_outside()) {
            // It is one of the files of the tool.
            return Ok((format!("{}/{}", shim::WORKSPACE, text_of(&within)?), Vec::new()));
        }
        let parts = [program].into_iter().chain(&sent.libraries);
        if self.pool.programs == RemotePrograms::Worker {
            let expected = parts.map(|path| self.expected(path)).collect::<Result<_, _>>()?;
            return Ok((utf8(program)?.to_owned(), expected));
        }
        let mut sent_to = String::new();
        for (at, path) in parts.enumerate() {
            let name = path.file_name().and_then(OsStr::to_str).ok_or("a program has an unusual name")?;
            let place = format!("{}/{}/{name}", shim::PROGRAM, if at == 0 { "bin" } else { "lib" });
            let digest = self.digest_of(path)?;
            top.add(&place, digest.clone(), true);
            contents.insert(digest.hash.clone(), (digest, Content::File(path.clone())));
            if at == 0 {
                sent_to = place;
            }
        }
        Ok((sent_to, Vec::new()))
    }

    /// Returns the variables of a process: those that have the same value everywhere, and where it finds programs.
    fn variables(
        &self,
        invocation: &Invocation,
        expected: &[(String, api::Digest)],
    ) -> Result<Vec<api::command::EnvironmentVariable>, Here> {
        let mut vars = BTreeMap::new();
        for (name, value) in invocation.vars.iter().filter(|(name, _)| Env::is_fixed(name)) {
            let both = name.to_str().zip(value.to_str()).ok_or("a variable is not text")?;
            vars.insert(both.0.to_owned(), both.1.to_owned());
        }
        let dirs: BTreeSet<_> = expected.iter().filter_map(|(path, _)| Path::new(path).parent()).collect();
        let path = invocation.vars.get(OsStr::new("PATH")).map(std::env::split_paths).into_iter().flatten();
        let is_needed =
            |dir: &PathBuf| dirs.contains(dir.as_path()) || BIN.iter().any(|bin| dir == Path::new(bin));
        let mut path: Vec<_> = path.filter(is_needed).collect();
        path.extend(BIN.iter().map(PathBuf::from));
        let path = path.iter().map(|dir| utf8(dir)).collect::<Result<Vec<_>, _>>()?.join(":");
        vars.insert("PATH".to_owned(), path);
        let variable = |(name, value)| api::command::EnvironmentVariable { name, value };
        Ok(vars.into_iter().map(variable).collect())
    }

    /// Returns the files of the workspace that a process of tool `id` over `tasks` may read, and adds their content.
    fn workspace_tree(
        &self,
        id: ToolId,
        sent: &SentTool,
        tasks: &[TaskIx],
        dir: &str,
        contents: &mut BTreeMap<String, (api::Digest, Content)>,
    ) -> Result<InputTree, Here> {
        let workspace = self.cache.inputs.workspace;
        let files = self.files(id, sent, tasks)?;
        let paths: BTreeSet<_> = files.iter().map(|id| workspace.file(*id).path.clone()).collect();
        let mut tree = InputTree::default();
        // The directory in which the process starts may have no files.
        tree.make_dir(dir);
        if sent.kind == SentKind::Typos {
            // Only in a repository, it obeys `.gitignore`, and skips files that are committed all the same.
            tree.make_dir(".git");
        }
        for id in files {
            let file = workspace.file(id);
            let (text, place) = (text_of(&file.path)?, file.path.to_path(&workspace.root));
            if file.path.is_outside() || file.is_behind_link {
                return Err("it reads files outside of the workspace or behind a link".to_owned());
            }
            if file.is_link {
                let target = std::fs::read_link(&place).map_err(changed)?;
                let target = target.to_str().ok_or("a link has an unusual target")?;
                let dir = file.path.parent().unwrap_or_default();
                let leads_to = dir.resolve(&RelPath::new(target)).filter(|_| !target.starts_with('/'));
                let is_sent = |to: &RelPath| paths.iter().any(|path| path == to || path.is_within(to));
                if !leads_to.is_some_and(|to| is_sent(&to)) {
                    return Err("it reads a link whose target is not sent".to_owned());
                }
                tree.add_link(&text, target);
                continue;
            }
            let digest = self.digest_of_file(&place, &file.digest)?;
            tree.add(&text, digest.clone(), is_executable(&place)?);
            if digest.size_bytes > 0 {
                contents.insert(digest.hash.clone(), (digest, Content::File(place)));
            }
        }
        Ok(tree)
    }

    /// Returns the files of the workspace that a process of tool `id` over `tasks` may read.
    fn files(&self, id: ToolId, sent: &SentTool, tasks: &[TaskIx]) -> Result<BTreeSet<FileId>, Here> {
        let ResultCache { inputs, context, build_dirs, .. } = self.cache;
        let workspace = inputs.workspace;
        if tasks.iter().any(|task| !inputs.declared.beyond(*task).is_empty()) {
            return Err("it may read what a link out of the repository leads to".to_owned());
        }
        if sent.kind == SentKind::Typos {
            if workspace.seen.left_out.iter().any(|left_out| left_out.why == WhyLeftOut::Untold) {
                return Err("it is not known which files git tracks".to_owned());
            }
            return Ok(workspace.files().map(|(id, _)| id).collect());
        }
        let mut files: BTreeSet<_> = sent.files.iter().copied().collect();
        files.extend(inputs.declared.shared(id));
        files.extend(inputs.declared.named(id));
        tasks.iter().for_each(|task| files.extend(inputs.declared.own(*task)));
        if sent.kind == SentKind::Fmt {
            let units: Vec<Unit> = tasks.iter().map(|task| context.plan.graph.task(*task).unit).collect();
            let tool = context.plan.graph.tool(id);
            let each = inputs.collect_each(tool, &units, &Traces::default(), build_dirs);
            let each = each.map_err(|_| "it is not known which files it reads")?;
            for path in each.iter().flat_map(|collector| collector.files()) {
                match workspace.find(path) {
                    Some(file) => drop(files.insert(file)),
                    None if path.to_path(&workspace.root).symlink_metadata().is_err() => {}
                    None => return Err(format!("it reads {path}, which git ignores")),
                }
            }
        }
        Ok(files)
    }

    /// Returns exit code and streams of the command, if nothing about the outputs of an action is in doubt.
    fn read(
        &self,
        mut outputs: BTreeMap<String, Vec<u8>>,
        nonce: &str,
    ) -> Result<(i32, [Vec<u8>; 2]), &'static str> {
        let [status, stderr, stdout] =
            shim::OUTPUTS.map(|path| outputs.remove(&format!("genti-{nonce}/{path}")));
        let status = status.ok_or("a worker did not run the command")?;
        let status = Status::parse(&status, nonce).ok_or("a worker sent the result of another command")?;
        let (code, root, sums) = match status {
            Status::Exited { code, root, sums } => (code, root, sums),
            Status::Missing => return Err("a worker does not have the program"),
            Status::Differs => return Err("a worker has another system or other programs"),
        };
        let streams = [stdout, stderr].map(Option::unwrap_or_default);
        if !root.ends_with(&format!("/genti-{nonce}/{}", shim::WORKSPACE)) {
            return Err("a worker sent the result of another command");
        }
        if streams.iter().zip(&sums).any(|(stream, sum)| protocol::digest(stream).hash != *sum) {
            return Err("a worker sent only a part of the output");
        }
        if !(0..=MOST_CODE).contains(&code) {
            return Err("the command was killed on a worker, or did not start there");
        }
        let own = self.cache.inputs.workspace.root.to_str().unwrap_or_default();
        let streams = streams.map(|stream| replace(&stream, root.as_bytes(), own.as_bytes()));
        if streams.iter().any(|stream| find(stream, nonce.as_bytes()).is_some()) {
            return Err("the output contains a path of the worker");
        }
        Ok((code, streams))
    }

    /// Returns the name and the digest of a file that the worker must have at the same place.
    fn expected(&self, path: &Path) -> Result<(String, api::Digest), Here> {
        Ok((utf8(path)?.to_owned(), self.digest_of(path)?))
    }

    /// Returns the digest of a file outside of the workspace, which is read once.
    fn digest_of(&self, path: &Path) -> Result<api::Digest, Here> {
        self.digest_once(path, |_| Ok(()))
    }

    /// Returns the digest of a file of the workspace, if its content is the one for which the run was planned.
    fn digest_of_file(&self, path: &Path, planned: &Digest) -> Result<api::Digest, Here> {
        self.digest_once(path, |content| match Digest::of_bytes(content) == *planned {
            true => Ok(()),
            false => Err("a file changed during the run".to_owned()),
        })
    }

    /// Returns the digest of the file at `path`, which is read and checked once.
    fn digest_once(
        &self,
        path: &Path,
        check: impl FnOnce(&[u8]) -> Result<(), Here>,
    ) -> Result<api::Digest, Here> {
        let known = || self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known().get(path) {
            return Ok(digest.clone());
        }
        // Other files are read meanwhile.
        let content = disk::read(path).map_err(changed)?;
        check(&content)?;
        let digest = protocol::digest(&content);
        known().insert(path.to_path_buf(), digest.clone());
        Ok(digest)
    }

    /// Returns a text that no other execution has.
    fn nonce(&self) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let number = self.executions.fetch_add(1, Ordering::Relaxed);
        let text = format!("{} {} {number}", now.as_nanos(), std::process::id());
        protocol::digest(text.as_bytes()).hash[..32].to_owned()
    }
}

fn changed(error: impl Display) -> Here {
    format!("a file can't be read: {error}")
}

fn utf8(path: &Path) -> Result<&str, Here> {
    path.to_str().ok_or_else(|| "a path is not text".to_owned())
}

fn text_of(path: &RelPath) -> Result<String, Here> {
    let text = std::str::from_utf8(path.as_bytes()).map_err(|_| "a path is not text")?;
    Ok(text.to_owned())
}

fn is_executable(path: &Path) -> Result<bool, Here> {
    Ok(workspace::permission_bits(&path.metadata().map_err(changed)?) & 0o111 != 0)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len().max(1)).position(|bytes| bytes == what)
}

/// Returns `text` with `to` in place of `from`.
fn replace(mut text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    while let Some(at) = find(text, from) {
        replaced.extend_from_slice(&text[..at]);
        replaced.extend_from_slice(to);
        text = &text[at + from.len()..];
    }
    replaced.extend_from_slice(text);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_worker_becomes_that_of_this_machine() {
        assert_eq!(
            replace(b"Diff in /x/w/a.rs /x/w", b"/x/w", b"/home/me"),
            b"Diff in /home/me/a.rs /home/me"
        );
        assert_eq!(replace(b"", b"/x", b"/y"), b"");
    }
}
