//! Executes actions on workers, over gRPC.
//!
//! Blocks the calling thread, one for each step that is away. All calls run on a thread of their own, like those of the store, with a
//! connection of their own: a server that stores results well may have no workers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::future::Future;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::bytestream::WriteRequest;
use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use bazel_remote_apis::google::longrunning::{Operation, operation};
use bazel_remote_apis::google::protobuf;
use prost::Message as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status, Streaming};

use self::api::batch_update_blobs_request::Request as Upload;
use self::api::content_addressable_storage_client::ContentAddressableStorageClient as StorageClient;
use self::api::execution_client::ExecutionClient;
use super::NoRemote;
use super::breaker::Breaker;
use super::client::{Server, Session, WRITE};
use super::protocol::{self, Blob};
use crate::disk;
use crate::model::remote::{RemoteExecution, RemotePrograms};
use crate::scan::Stop;

/// Maximum size in bytes of the content in one message. Servers accept 4 MiB.
const MESSAGE: usize = 3 << 20;

/// Size in bytes of the pieces of content that does not fit into one message.
const PIECE: usize = 1 << 20;

/// Time limit of sending a large file.
const LARGE: Duration = Duration::from_secs(120);

/// Time between two looks at whether the run was stopped.
const TICK: Duration = Duration::from_millis(50);

/// Content that an action needs.
#[derive(Clone, Debug)]
pub(in crate::cache) enum Content {
    /// It is in memory.
    Bytes(Vec<u8>),
    /// It is in a file, and has to be unchanged.
    File(PathBuf),
}

/// An action with all content that it needs, by hash.
pub(in crate::cache) struct RemoteAction {
    pub(in crate::cache) command: api::Command,
    pub(in crate::cache) root: api::Digest,
    pub(in crate::cache) contents: BTreeMap<String, (api::Digest, Content)>,
    /// Time limit of the execution.
    pub(in crate::cache) limit: Duration,
}

/// Reason why an action has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cache) enum NoResult {
    /// The run was stopped.
    Stopped,
    /// The server or the worker failed.
    Failed(String),
}

type Job = Box<dyn FnOnce(Rc<Session>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// The workers of a server.
pub(in crate::cache) struct WorkerPool {
    jobs: UnboundedSender<Job>,
    instance: String,
    /// Failures of calls for content.
    calls: Arc<Mutex<Breaker>>,
    /// Failures of executions. Content may be stored well although no worker runs.
    executions: Mutex<Breaker>,
    /// Hashes of the content that the server has.
    stored: Mutex<BTreeSet<String>>,
    pub(in crate::cache) platform: BTreeMap<String, String>,
    pub(in crate::cache) programs: RemotePrograms,
    /// Maximum number of executions at once.
    pub(in crate::cache) jobs_at_once: usize,
    /// Time limit of an execution.
    pub(in crate::cache) limit: Duration,
}

impl WorkerPool {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If there can be none.
    pub(super) fn start(
        server: Server,
        execution: &RemoteExecution,
        jobs_at_once: usize,
    ) -> Result<Self, NoRemote> {
        let unusable = |error: std::io::Error| NoRemote::Unusable(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(unusable)?;
        let (jobs, mut received) = unbounded_channel::<Job>();
        let calls = Arc::<Mutex<Breaker>>::default();
        let instance = server.instance.clone();
        let session = Session::new(server, calls.clone());
        let work = move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async move {
                let session = Rc::new(session);
                let connecting = session.clone();
                tokio::task::spawn_local(async move { connecting.channel().await });
                while let Some(job) = received.recv().await {
                    tokio::task::spawn_local(job(session.clone()));
                }
            });
            drop(tasks);
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("workers".to_owned()).spawn(work).map_err(unusable)?;
        Ok(Self {
            jobs,
            instance,
            calls,
            executions: Mutex::default(),
            stored: Mutex::default(),
            platform: execution.platform.clone(),
            programs: execution.programs,
            jobs_at_once,
            limit: execution.timeout,
        })
    }

    /// Returns true if actions are still executed.
    pub(in crate::cache) fn is_alive(&self) -> bool {
        lock(&self.calls).allows() && lock(&self.executions).allows()
    }

    /// Returns the first failure.
    pub(in crate::cache) fn trouble(&self) -> Option<String> {
        let of = |breaker: &Mutex<Breaker>| lock(breaker).trouble().map(str::to_owned);
        of(&self.executions).or_else(|| of(&self.calls))
    }

    /// Notes a result without doubt.
    pub(in crate::cache) fn succeed(&self) {
        lock(&self.executions).succeed();
    }

    /// Notes a failure. After several in a row, nothing is executed any more.
    pub(in crate::cache) fn fail(&self, why: &str) {
        let mut executions = lock(&self.executions);
        executions.give_up(why);
        executions.fail(why);
    }

    /// Ends all executions, because results can't be trusted.
    pub(in crate::cache) fn end(&self, why: &str) {
        lock(&self.executions).open(why);
    }

    /// Executes `action`, and returns the content of its outputs by path.
    ///
    /// # Errors
    ///
    /// If it has no result, or one that is not whole.
    pub(in crate::cache) fn execute(
        &self,
        action: &RemoteAction,
        stop: &Stop,
    ) -> Result<BTreeMap<String, Vec<u8>>, NoResult> {
        let command = Blob::new(self.with_platform(&action.command).encode_to_vec());
        let seconds = i64::try_from(action.limit.as_secs()).unwrap_or(i64::MAX).max(1);
        let message = api::Action {
            command_digest: Some(command.digest.clone()),
            input_root_digest: Some(action.root.clone()),
            timeout: Some(protobuf::Duration { seconds, nanos: 0 }),
            // No later execution gets this result, and a failure of the worker is never kept.
            do_not_cache: true,
            platform: platform_of(&self.platform),
            ..api::Action::default()
        };
        let message = Blob::new(message.encode_to_vec());
        let digest = message.digest.clone();
        let mut contents: Vec<_> =
            action.contents.values().map(|(digest, of)| (digest, of.clone())).collect();
        contents.push((&command.digest, Content::Bytes(command.data.clone())));
        contents.push((&message.digest, Content::Bytes(message.data.clone())));
        self.store(&contents, stop)?;
        let executed = self.execute_once(digest, &action.command.output_paths, action.limit, stop);
        if executed.is_err() {
            // It may have dropped content since.
            let mut stored = lock(&self.stored);
            stored.retain(|hash| !contents.iter().any(|(digest, _)| digest.hash == *hash));
        }
        let result = executed?;
        let mut outputs = BTreeMap::new();
        for file in result.output_files {
            let is_asked_for = action.command.output_paths.contains(&file.path);
            let digest = file.digest.filter(|_| is_asked_for).ok_or_else(|| failed(DAMAGED))?;
            let content = match usize::try_from(digest.size_bytes) {
                Ok(0) => Vec::new(),
                Ok(len) if len == file.contents.len() => file.contents,
                Ok(len) if len <= MESSAGE => self.read(&digest, stop)?,
                _ => return Err(failed("the output is too long")),
            };
            if !protocol::is_of(&digest, &content) {
                return Err(failed(DAMAGED));
            }
            outputs.insert(file.path, content);
        }
        Ok(outputs)
    }

    /// Returns `command` with the platform, which older servers read here and not in the action.
    fn with_platform(&self, command: &api::Command) -> api::Command {
        #[expect(deprecated, reason = "older servers need it")]
        api::Command { platform: platform_of(&self.platform), ..command.clone() }
    }

    /// Stores the content that the server does not have.
    fn store(&self, contents: &[(&api::Digest, Content)], stop: &Stop) -> Result<(), NoResult> {
        let unknown: Vec<api::Digest> = {
            let stored = lock(&self.stored);
            let is_unknown = |digest: &api::Digest| digest.size_bytes > 0 && !stored.contains(&digest.hash);
            contents.iter().map(|(digest, _)| (*digest).clone()).filter(is_unknown).collect()
        };
        let mut missing = BTreeSet::new();
        for part in unknown.chunks(5_000) {
            missing.extend(self.missing(part.to_vec(), stop)?);
        }
        let (mut batch, mut size) = (Vec::new(), 0);
        for (digest, content) in contents.iter().filter(|(digest, _)| missing.contains(&digest.hash)) {
            if digest.size_bytes > MESSAGE as i64 {
                let Content::File(path) = content else { return Err(failed("a command is too long")) };
                self.send_large(path, digest, stop)?;
                continue;
            }
            let data = content.read(digest)?;
            if size + data.len() > MESSAGE {
                self.send(std::mem::take(&mut batch), stop)?;
                size = 0;
            }
            size += data.len();
            batch.push(Upload { digest: Some((*digest).clone()), data, compressor: 0 });
        }
        if !batch.is_empty() {
            self.send(batch, stop)?;
        }
        let mut stored = lock(&self.stored);
        stored.extend(unknown.into_iter().map(|digest| digest.hash));
        Ok(())
    }

    fn missing(&self, blob_digests: Vec<api::Digest>, stop: &Stop) -> Result<Vec<String>, NoResult> {
        let message = api::FindMissingBlobsRequest {
            instance_name: self.instance.clone(),
            blob_digests,
            ..Default::default()
        };
        let answer = self.ask(4 * WRITE, stop, async move |session: Rc<Session>| {
            let send = async |channel, request| StorageClient::new(channel).find_missing_blobs(request).await;
            session.call(message, WRITE, send).await
        })?;
        let answer = answer.ok_or_else(|| self.call_failed())?;
        Ok(answer.missing_blob_digests.into_iter().map(|digest| digest.hash).collect())
    }

    fn send(&self, requests: Vec<Upload>, stop: &Stop) -> Result<(), NoResult> {
        let message = api::BatchUpdateBlobsRequest {
            instance_name: self.instance.clone(),
            requests,
            ..Default::default()
        };
        let answer = self.ask(4 * WRITE, stop, async move |session: Rc<Session>| {
            let send = async |channel, request| StorageClient::new(channel).batch_update_blobs(request).await;
            session.call(message, WRITE, send).await
        })?;
        let answer = answer.ok_or_else(|| self.call_failed())?;
        let bad = answer.responses.into_iter().filter_map(|blob| blob.status).find(|status| status.code != 0);
        match bad {
            Some(status) => Err(failed(protocol::remedy(Code::from(status.code)).1)),
            None => Ok(()),
        }
    }

    /// Sends a file that is too large for one message. It is sent as a whole, or not stored.
    fn send_large(&self, path: &Path, digest: &api::Digest, stop: &Stop) -> Result<(), NoResult> {
        let changed = || failed("a file changed while it was sent");
        let size = digest.size_bytes;
        let prefix = if self.instance.is_empty() { String::new() } else { format!("{}/", self.instance) };
        let id = format!("{:08x}-0000-4000-8000-{}", std::process::id(), &digest.hash[..12]);
        let resource_name = format!("{prefix}uploads/{id}/blobs/{}/{size}", digest.hash);
        let mut file: File = disk::open(path).map_err(|_| changed())?;
        let (sender, receiver) = tokio::sync::mpsc::channel::<WriteRequest>(4);
        let answer = self.ask_later(async move |session: Rc<Session>| {
            let channel = session.channel().await?;
            let request = session.request(ReceiverStream::new(receiver), LARGE);
            let written = timeout(LARGE, ByteStreamClient::new(channel).write(request)).await;
            written.ok()?.ok().map(|response| response.into_inner().committed_size)
        });
        let mut at = 0;
        while at < size {
            let mut data = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut data).map_err(|_| changed())?;
            if read == 0 {
                return Err(changed());
            }
            let end = at + read as i64;
            let message = WriteRequest {
                resource_name: resource_name.clone(),
                write_offset: at,
                finish_write: end >= size,
                data,
            };
            at = end;
            // If nobody receives any more, the server has the content already, or has failed. The answer says which.
            if sender.blocking_send(message).is_err() {
                break;
            }
        }
        drop(sender);
        let committed = wait(&answer, LARGE, stop)?.flatten();
        // A server that has the content may say so at once, with its size or with -1.
        match committed {
            Some(committed) if committed == size || committed == -1 => Ok(()),
            _ => Err(failed("it did not accept a large file")),
        }
    }

    fn read(&self, digest: &api::Digest, stop: &Stop) -> Result<Vec<u8>, NoResult> {
        let message = api::BatchReadBlobsRequest {
            instance_name: self.instance.clone(),
            digests: vec![digest.clone()],
            ..Default::default()
        };
        let answer = self.ask(4 * WRITE, stop, async move |session: Rc<Session>| {
            let send = async |channel, request| StorageClient::new(channel).batch_read_blobs(request).await;
            session.call(message, WRITE, send).await
        })?;
        let answer = answer.ok_or_else(|| self.call_failed())?;
        let [blob] = <[_; 1]>::try_from(answer.responses).map_err(|_| failed(DAMAGED))?;
        match blob.status.map_or(0, |status| status.code) {
            0 => Ok(blob.data),
            code => Err(failed(protocol::remedy(Code::from(code)).1)),
        }
    }

    /// Executes a stored action. A failure is not retried: the command runs on this machine instead.
    fn execute_once(
        &self,
        action: api::Digest,
        outputs: &[String],
        limit: Duration,
        stop: &Stop,
    ) -> Result<api::ActionResult, NoResult> {
        let message = api::ExecuteRequest {
            instance_name: self.instance.clone(),
            skip_cache_lookup: true,
            action_digest: Some(action),
            inline_output_files: outputs.to_vec(),
            ..Default::default()
        };
        let answer = self.ask(limit, stop, async move |session: Rc<Session>| {
            let channel = session.channel().await.ok_or("it is unavailable")?;
            let request = session.request(message, limit);
            let executing = async {
                let stream = ExecutionClient::new(channel).execute(request).await?;
                last(stream).await
            };
            let executed: Result<api::ExecuteResponse, Status> =
                timeout(limit, executing).await.map_err(|_| LATE)?;
            executed.map_err(|status| reason(status.code()))
        })?;
        let response = answer.map_err(failed)?;
        let code = response.status.as_ref().map_or(0, |status| status.code);
        match Code::from(code) {
            Code::Ok if response.cached_result => Err(failed("it answered with an old result")),
            Code::Ok => response.result.ok_or_else(|| failed(DAMAGED)),
            code => Err(failed(reason(code))),
        }
    }

    fn call_failed(&self) -> NoResult {
        failed(lock(&self.calls).trouble().unwrap_or("it is unavailable"))
    }

    /// Does `work` on the thread with the connection, and waits for it.
    fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        stop: &Stop,
        work: impl AsyncFnOnce(Rc<Session>) -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let answer = self.ask_later(work);
        wait(&answer, limit, stop)?.ok_or_else(|| failed(LATE))
    }

    fn ask_later<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(Rc<Session>) -> T + Send + 'static,
    ) -> std::sync::mpsc::Receiver<T> {
        let (sender, answer) = channel();
        let job: Job = Box::new(|session| {
            Box::pin(async move {
                let _ = sender.send(work(session).await);
            })
        });
        let _ = self.jobs.send(job);
        answer
    }
}

impl Content {
    /// Returns the content, if it has this digest.
    fn read(&self, digest: &api::Digest) -> Result<Vec<u8>, NoResult> {
        let data = match self {
            Self::Bytes(data) => Some(data.clone()),
            Self::File(path) => disk::read(path).ok(),
        };
        data.filter(|data| protocol::is_of(digest, data))
            .ok_or_else(|| failed("a file changed while it was sent"))
    }
}

/// Returns the last word of the server about an execution.
async fn last(stream: Response<Streaming<Operation>>) -> Result<api::ExecuteResponse, Status> {
    let mut stream = stream.into_inner();
    while let Some(Operation { done, result, .. }) = stream.message().await? {
        match result {
            Some(operation::Result::Error(status)) if done => {
                return Err(Status::new(Code::from(status.code), ""));
            }
            Some(operation::Result::Response(any)) if done => {
                return api::ExecuteResponse::decode(&any.value[..]).map_err(|_| Status::data_loss(""));
            }
            _ if done => return Err(Status::data_loss("")),
            _ => {}
        }
    }
    // The stream has ended without a result.
    Err(Status::aborted(""))
}

/// Waits for an answer. `None` if it does not come in time or never.
fn wait<T>(
    answer: &std::sync::mpsc::Receiver<T>,
    limit: Duration,
    stop: &Stop,
) -> Result<Option<T>, NoResult> {
    let end = Instant::now() + limit;
    loop {
        match answer.recv_timeout(TICK) {
            Ok(answer) => return Ok(Some(answer)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if stop.reason().is_some() => return Err(NoResult::Stopped),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn platform_of(properties: &BTreeMap<String, String>) -> Option<api::Platform> {
    let property = |(name, value): (&String, &String)| api::platform::Property {
        name: name.clone(),
        value: value.clone(),
    };
    let properties: Vec<_> = properties.iter().map(property).collect();
    (!properties.is_empty()).then_some(api::Platform { properties })
}

fn failed(why: impl Into<String>) -> NoResult {
    NoResult::Failed(why.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the reason why an execution with this error has no result.
fn reason(code: Code) -> &'static str {
    match code {
        Code::Cancelled | Code::DeadlineExceeded => LATE,
        Code::FailedPrecondition => "it has lost a file of the command",
        code => protocol::remedy(code).1,
    }
}

const LATE: &str = "it did not answer in time";
const DAMAGED: &str = "it sent damaged data";
