//! The client of a server that speaks the Remote Execution API, over gRPC.
//!
//! One thread has the runtime and all calls. It begins to connect as soon as it starts, so a run rarely waits for that. It is never
//! joined: when the client is dropped, everything that is still under way is dropped with it.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, Semaphore};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Response, Status};

use self::api::action_cache_client::ActionCacheClient;
use self::api::batch_update_blobs_request::Request as Upload;
use self::api::content_addressable_storage_client::ContentAddressableStorageClient as StorageClient;
use super::breaker::{Breaker, RETRIES};
use super::credentials::Credentials;
use super::key::RemoteKey;
use super::protocol::{self, Blob, EntryAction, Found, Remedy};
use super::{Answers, NoRemote, Remote};
use crate::disk;
use crate::model::remote::{RemoteConfig, RemoteIdentity};
use crate::scan::{Env, Stop};

/// Time limit of a call in the background.
pub(super) const WRITE: Duration = Duration::from_secs(10);

/// Pause before a retry.
const PAUSE: Duration = Duration::from_millis(20);

/// Maximum number of entries that are read or written at the same time.
const AT_ONCE: usize = 16;

/// The client, whose work is done by a thread.
pub(super) struct Client {
    jobs: UnboundedSender<Job>,
    breaker: Arc<Mutex<Breaker>>,
}

/// Work for the thread. A channel to the caller closes when the job is done or dropped.
enum Job {
    Get { at: usize, key: RemoteKey, answer: mpsc::Sender<(usize, Option<Vec<u8>>)> },
    Put { entries: Vec<(RemoteKey, Vec<u8>)>, ended: mpsc::Sender<()> },
}

impl Client {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the configuration can't be used on this machine.
    pub(super) fn start(
        config: &RemoteConfig,
        env: &Env,
        root: &Path,
        stop: &'static Stop,
    ) -> Result<Self, NoRemote> {
        let unusable = |error: std::io::Error| NoRemote::Unusable(error.to_string());
        let server = Server::new(config, env, root, stop)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(unusable)?;
        let (jobs, received) = unbounded_channel();
        let breaker = Arc::<Mutex<Breaker>>::default();
        let session = Session::new(server, breaker.clone());
        let work = move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, session.run(received));
            drop(tasks);
            // A helper or a name server may take longer.
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("remote".to_owned()).spawn(work).map_err(unusable)?;
        Ok(Self { jobs, breaker })
    }
}

impl Remote for Client {
    fn get(&self, keys: Vec<RemoteKey>) -> Answers {
        let (answer, answers) = mpsc::channel();
        for (at, key) in keys.into_iter().enumerate() {
            let _ = self.jobs.send(Job::Get { at, key, answer: answer.clone() });
        }
        answers
    }

    fn put(&self, entries: Vec<(RemoteKey, Vec<u8>)>) -> mpsc::Receiver<()> {
        let (ended, receiver) = mpsc::channel();
        let _ = self.jobs.send(Job::Put { entries, ended });
        receiver
    }

    fn trouble(&self) -> Option<String> {
        lock(&self.breaker).trouble().map(str::to_owned)
    }
}

fn lock(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the settings of the encryption. Paths are relative to `root`.
fn tls(config: &RemoteConfig, root: &Path) -> Result<ClientTlsConfig, NoRemote> {
    let read = |path: &String| {
        disk::read(&root.join(path))
            .map_err(|error| NoRemote::Unusable(format!("can't read `{path}`: {error}")))
    };
    let mut tls = ClientTlsConfig::new();
    tls = match &config.ca {
        Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?)),
        None => tls.with_native_roots(),
    };
    if let Some(RemoteIdentity { cert, key }) = &config.identity {
        tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(tls)
}

/// Settings of a server.
pub(super) struct Server {
    address: String,
    tls: Option<ClientTlsConfig>,
    pub(super) instance: String,
    /// Time limit for connecting.
    connect: Duration,
    /// Time limit of a call that a run waits for.
    read: Duration,
    credentials: Credentials,
}

impl Server {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// If the configuration can't be used on this machine.
    pub(super) fn new(
        config: &RemoteConfig,
        env: &Env,
        root: &Path,
        stop: &'static Stop,
    ) -> Result<Self, NoRemote> {
        Ok(Self {
            address: config.url.to_string().replacen("grpc", "http", 1),
            tls: config.url.is_secure.then(|| tls(config, root)).transpose()?,
            instance: config.instance.clone(),
            connect: config.timeout / 4,
            read: config.timeout / 2,
            credentials: Credentials::new(config, env, root, stop)?,
        })
    }
}

/// The use of a server by one run.
pub(super) struct Session {
    server: Server,
    breaker: Arc<Mutex<Breaker>>,
    channel: OnceCell<Option<Channel>>,
    headers: RefCell<MetadataMap>,
    /// Number of times that the credentials were asked for, held while they are.
    asked: AsyncMutex<u32>,
    slots: Semaphore,
}

impl Session {
    pub(super) fn new(server: Server, breaker: Arc<Mutex<Breaker>>) -> Self {
        Self {
            server,
            breaker,
            channel: OnceCell::new(),
            headers: RefCell::default(),
            asked: AsyncMutex::new(0),
            slots: Semaphore::new(AT_ONCE),
        }
    }

    /// Does all jobs until the client is dropped.
    async fn run(self, mut jobs: UnboundedReceiver<Job>) {
        let session = Rc::new(self);
        let connecting = session.clone();
        tokio::task::spawn_local(async move { connecting.channel().await });
        while let Some(job) = jobs.recv().await {
            let session = session.clone();
            tokio::task::spawn_local(async move {
                let Ok(_slot) = session.slots.acquire().await else { return };
                match job {
                    Job::Get { at, key, answer } => {
                        let value = session.get(&key).await;
                        let _ = answer.send((at, value));
                    }
                    Job::Put { entries, ended: _ended } => {
                        for (key, value) in entries {
                            if session.put(&key, value).await.is_none() {
                                break;
                            }
                        }
                    }
                }
            });
        }
    }

    /// Returns the connection; `None` if there is none.
    pub(super) async fn channel(&self) -> Option<Channel> {
        self.channel.get_or_init(|| self.connect()).await.clone()
    }

    async fn connect(&self) -> Option<Channel> {
        if let Err(why) = self.ask_for_credentials(0).await {
            lock(&self.breaker).open(&why);
            return None;
        }
        for _ in 0..=RETRIES {
            let why = match timeout(self.server.connect, self.connect_once()).await {
                Ok(Ok(channel)) => {
                    lock(&self.breaker).succeed();
                    return Some(channel);
                }
                Ok(Err(error)) => innermost(&error),
                Err(_) => "it did not accept a connection in time".to_owned(),
            };
            if !lock(&self.breaker).fail(&why) {
                break;
            }
            sleep(PAUSE).await;
        }
        None
    }

    async fn connect_once(&self) -> Result<Channel, tonic::transport::Error> {
        let mut endpoint = Endpoint::from_shared(self.server.address.clone())?;
        if let Some(tls) = &self.server.tls {
            endpoint = endpoint.tls_config(tls.clone())?;
        }
        endpoint.connect().await
    }

    /// Asks for the credentials, unless that was done more than `known` times.
    async fn ask_for_credentials(&self, known: u32) -> Result<(), String> {
        let mut asked = self.asked.lock().await;
        if *asked > known {
            return Ok(());
        }
        let headers = self.server.credentials.ask().await?;
        self.headers.replace(headers);
        *asked += 1;
        Ok(())
    }

    /// Calls the server, with `limit` for each try. `None` if it has no answer. Failures are noted.
    pub(super) async fn call<M: Clone, T>(
        &self,
        message: M,
        limit: Duration,
        send: impl AsyncFn(Channel, Request<M>) -> Result<Response<T>, Status>,
    ) -> Option<T> {
        let channel = self.channel().await?;
        for tried in 0..=RETRIES {
            if !lock(&self.breaker).allows() {
                return None;
            }
            let known = *self.asked.lock().await;
            let answer = timeout(limit, send(channel.clone(), self.request(message.clone(), limit))).await;
            let (remedy, why) = match answer {
                Ok(Ok(response)) => {
                    lock(&self.breaker).succeed();
                    return Some(response.into_inner());
                }
                Ok(Err(status)) => protocol::remedy(status.code()),
                Err(_) => (Remedy::Retry, "it did not answer in time"),
            };
            match remedy {
                Remedy::None => {
                    lock(&self.breaker).succeed();
                    return None;
                }
                Remedy::Retry if tried < RETRIES && lock(&self.breaker).fail(why) => sleep(PAUSE).await,
                Remedy::Credentials if self.server.credentials.can_change() && known == 1 => {
                    if let Err(why) = self.ask_for_credentials(known).await {
                        lock(&self.breaker).open(&why);
                        return None;
                    }
                }
                Remedy::Credentials => {
                    lock(&self.breaker).open(why);
                    return None;
                }
                Remedy::Retry | Remedy::GiveUp => return self.give_up(why),
            }
        }
        None
    }

    fn give_up<T>(&self, why: &str) -> Option<T> {
        let mut breaker = lock(&self.breaker);
        breaker.give_up(why);
        breaker.fail(why);
        None
    }

    pub(super) fn request<M>(&self, message: M, limit: Duration) -> Request<M> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.borrow().clone();
        request.set_timeout(limit);
        let metadata = BinaryMetadataValue::from_bytes(&protocol::metadata());
        request.metadata_mut().insert_bin(protocol::METADATA, metadata);
        request
    }

    async fn get(&self, key: &RemoteKey) -> Option<Vec<u8>> {
        let message = api::GetActionResultRequest {
            instance_name: self.server.instance.clone(),
            action_digest: Some(EntryAction::new(key).action.digest),
            inline_output_files: vec![protocol::VALUE.to_owned()],
            ..Default::default()
        };
        let send = async |channel, request| ActionCacheClient::new(channel).get_action_result(request).await;
        let result = self.call(message, self.server.read, send).await?;
        match protocol::value(result) {
            Some(Found::Inline(value)) => Some(value),
            Some(Found::Stored(digest)) => self.download(digest).await,
            None => self.give_up(DAMAGED),
        }
    }

    async fn download(&self, digest: api::Digest) -> Option<Vec<u8>> {
        let message = api::BatchReadBlobsRequest {
            instance_name: self.server.instance.clone(),
            digests: vec![digest.clone()],
            ..Default::default()
        };
        let send = async |channel, request| StorageClient::new(channel).batch_read_blobs(request).await;
        let answer = self.call(message, self.server.read, send).await?;
        let Ok([blob]) = <[_; 1]>::try_from(answer.responses) else { return self.give_up(DAMAGED) };
        match protocol::remedy(tonic::Code::from(blob.status.map_or(0, |status| status.code))) {
            // A server may have dropped the content before the entry.
            (Remedy::None, _) => None,
            _ if protocol::is_of(&digest, &blob.data) => Some(blob.data),
            _ => self.give_up(DAMAGED),
        }
    }

    /// Stores an entry: first all content, since some servers refuse a result whose action or content they don't have.
    async fn put(&self, key: &RemoteKey, value: Vec<u8>) -> Option<()> {
        let EntryAction { action, command } = EntryAction::new(key);
        let value = Blob::new(value);
        let (action_digest, value_digest) = (action.digest.clone(), value.digest.clone());
        let upload = |Blob { digest, data }| Upload { digest: Some(digest), data, compressor: 0 };
        let message = api::BatchUpdateBlobsRequest {
            instance_name: self.server.instance.clone(),
            requests: [command, action, value].map(upload).to_vec(),
            ..Default::default()
        };
        let send = async |channel, request| StorageClient::new(channel).batch_update_blobs(request).await;
        let answer = self.call(message, WRITE, send).await?;
        for status in answer.responses.into_iter().filter_map(|blob| blob.status) {
            if status.code != 0 {
                return self.give_up(protocol::remedy(tonic::Code::from(status.code)).1);
            }
        }
        let message = api::UpdateActionResultRequest {
            instance_name: self.server.instance.clone(),
            action_digest: Some(action_digest),
            action_result: Some(protocol::result(&value_digest)),
            ..Default::default()
        };
        let send =
            async |channel, request| ActionCacheClient::new(channel).update_action_result(request).await;
        self.call(message, WRITE, send).await.map(|_| ())
    }
}

const DAMAGED: &str = "it sent damaged data";

/// Returns the message of the innermost error, which says what happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
