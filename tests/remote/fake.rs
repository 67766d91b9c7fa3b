//! A server of the Remote Execution API in memory, which can be made to fail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;

use bazel_remote_apis::build::bazel::remote::execution::v2::{
    self as api, action_cache_server as cache, content_addressable_storage_server as storage,
    execution_server as execution,
};
use bazel_remote_apis::google::bytestream::byte_stream_server as bytes;
use bazel_remote_apis::google::rpc::Status as BlobStatus;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};

use crate::fake_workers::Workers;

/// Behavior of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Never answers a call.
    Slow,
    /// Answers with results that mean nothing.
    Garbage,
    /// Answers with content that does not have the requested digest.
    WrongDigest,
    /// Answers with the beginning of the content.
    Truncated,
    /// Answers with the result of another task, with its digest.
    OtherEntry,
    /// Has lost the content of all results.
    Lost,
    /// Refuses to store anything.
    Quota,
    /// Refuses to store anything for this user.
    ReadOnly,
    /// Refuses requests without this authorization.
    Unauthenticated(&'static str),
    /// Fails this many calls, and answers all others.
    Hiccups(u32),
}

/// Number of calls by method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) get: u32,
    pub(crate) read: u32,
    pub(crate) store: u32,
    pub(crate) update: u32,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) fault: Fault,
    /// True if results contain their content.
    pub(crate) inlines: bool,
    pub(crate) calls: Calls,
    /// Content by its hash.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// Results by the hash of their action.
    pub(crate) results: BTreeMap<String, api::ActionResult>,
    /// Authorization of each request.
    pub(crate) authorizations: Vec<Option<String>>,
    /// State of the workers.
    pub(crate) workers: Workers,
}

impl State {
    /// Passes the value of each entry of this kind to `edit`, and stores what it makes of it with the right digests.
    pub(crate) fn edit(&mut self, kind: &str, edit: impl Fn(&mut Vec<u8>)) {
        let mut actions: Vec<_> = self.results.keys().cloned().collect();
        actions.retain(|action| self.kind(action) == kind);
        for action in actions {
            let file = &mut self.results.get_mut(&action).unwrap().output_files[0];
            let mut value = self.blobs[&file.digest.as_ref().unwrap().hash].clone();
            edit(&mut value);
            let hash: String = Sha256::digest(&value).iter().map(|byte| format!("{byte:02x}")).collect();
            file.digest = Some(api::Digest { hash: hash.clone(), size_bytes: value.len() as i64 });
            self.blobs.insert(hash, value);
        }
    }

    /// Returns the kind of the entry of `action`, which its command names.
    fn kind(&self, action: &str) -> String {
        let action = api::Action::decode(&self.blobs[action][..]).unwrap();
        let command = &self.blobs[&action.command_digest.unwrap().hash];
        api::Command::decode(&command[..]).unwrap().arguments[1].clone()
    }
}

/// The server, which ends with the process.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

impl Fake {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server with this encryption.
    pub(crate) fn start_with(tls: Option<ServerTlsConfig>) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let (sender, address) = mpsc::channel();
        let service = Service(state.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
                sender.send(incoming.local_addr().unwrap()).unwrap();
                let mut server = Server::builder();
                if let Some(tls) = tls {
                    server = server.tls_config(tls).unwrap();
                }
                let server = server
                    .add_service(cache::ActionCacheServer::new(service.clone()))
                    .add_service(storage::ContentAddressableStorageServer::new(service.clone()))
                    .add_service(execution::ExecutionServer::new(service.clone()))
                    .add_service(bytes::ByteStreamServer::new(service));
                server.serve_with_incoming(incoming).await.unwrap();
            });
        });
        Self { state, address: address.recv().unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("grpc://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// Returns the calls since the last call of this function.
    pub(crate) fn take_calls(&self) -> Calls {
        std::mem::take(&mut self.state().calls)
    }
}

#[derive(Clone)]
pub(crate) struct Service(pub(crate) Arc<Mutex<State>>);

impl Service {
    /// Counts a call, and fails it if the fault concerns every call.
    async fn begin<T>(
        &self,
        request: &Request<T>,
        count: fn(&mut Calls) -> &mut u32,
    ) -> Result<Fault, Status> {
        let fault = {
            let mut state = self.0.lock().unwrap();
            *count(&mut state.calls) += 1;
            let authorization = request.metadata().get("authorization");
            let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
            state.authorizations.push(authorization.clone());
            match state.fault {
                Fault::Unauthenticated(needed) if authorization.as_deref() != Some(needed) => {
                    return Err(Status::unauthenticated(format!("not {authorization:?}")));
                }
                Fault::Hiccups(left) if left > 0 => {
                    state.fault = Fault::Hiccups(left - 1);
                    return Err(Status::unavailable("try again"));
                }
                fault => fault,
            }
        };
        if fault == Fault::Slow {
            std::future::pending::<()>().await;
        }
        Ok(fault)
    }
}

fn refusal(fault: Fault) -> Option<Code> {
    match fault {
        Fault::Quota => Some(Code::ResourceExhausted),
        Fault::ReadOnly => Some(Code::PermissionDenied),
        _ => None,
    }
}

#[tonic::async_trait]
impl cache::ActionCache for Service {
    async fn get_action_result(
        &self,
        request: Request<api::GetActionResultRequest>,
    ) -> Result<Response<api::ActionResult>, Status> {
        let fault = self.begin(&request, |calls| &mut calls.get).await?;
        let state = self.0.lock().unwrap();
        let action = request.into_inner().action_digest.unwrap().hash;
        let found = state.results.get(&action).cloned();
        let mut result = found.ok_or_else(|| Status::not_found("no such action"))?;
        match fault {
            Fault::Garbage => {
                return Ok(Response::new(api::ActionResult { exit_code: 7, ..Default::default() }));
            }
            Fault::OtherEntry if state.kind(&action) == "result" => {
                let is_other = |key: &String| *key != action && state.kind(key) == "result";
                let mut others = state.results.iter().filter(|(key, _)| is_other(key));
                result = others.next().unwrap().1.clone();
            }
            _ if state.inlines => {
                let file = &mut result.output_files[0];
                file.contents = state.blobs[&file.digest.as_ref().unwrap().hash].clone();
            }
            _ => {}
        }
        Ok(Response::new(result))
    }

    async fn update_action_result(
        &self,
        request: Request<api::UpdateActionResultRequest>,
    ) -> Result<Response<api::ActionResult>, Status> {
        let fault = self.begin(&request, |calls| &mut calls.update).await?;
        if let Some(code) = refusal(fault) {
            return Err(Status::new(code, "no"));
        }
        let mut state = self.0.lock().unwrap();
        let request = request.into_inner();
        let (action, result) = (request.action_digest.unwrap().hash, request.action_result.unwrap());
        // Some servers refuse results without these.
        let message = state.blobs.get(&action).ok_or_else(|| Status::failed_precondition("no action"))?;
        let command = api::Action::decode(&message[..]).unwrap().command_digest.unwrap();
        let outputs = result.output_files.iter().map(|file| file.digest.as_ref().unwrap());
        for digest in outputs.chain([&command]) {
            if !state.blobs.contains_key(&digest.hash) {
                return Err(Status::failed_precondition("no content"));
            }
        }
        state.results.insert(action, result.clone());
        Ok(Response::new(result))
    }
}

pub(crate) type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl storage::ContentAddressableStorage for Service {
    type GetTreeStream = Streaming<api::GetTreeResponse>;
    type GetChunkMappingStream = Streaming<api::GetChunkMappingResponse>;

    async fn batch_update_blobs(
        &self,
        request: Request<api::BatchUpdateBlobsRequest>,
    ) -> Result<Response<api::BatchUpdateBlobsResponse>, Status> {
        let fault = self.begin(&request, |calls| &mut calls.store).await?;
        let mut state = self.0.lock().unwrap();
        let store = |upload: api::batch_update_blobs_request::Request| {
            let digest = upload.digest.clone();
            let code = refusal(fault).unwrap_or(Code::Ok);
            if code == Code::Ok {
                state.blobs.insert(digest.clone().unwrap().hash, upload.data);
            }
            let status = Some(BlobStatus { code: code as i32, ..Default::default() });
            api::batch_update_blobs_response::Response { digest, status }
        };
        let responses = request.into_inner().requests.into_iter().map(store).collect();
        Ok(Response::new(api::BatchUpdateBlobsResponse { responses }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<api::BatchReadBlobsRequest>,
    ) -> Result<Response<api::BatchReadBlobsResponse>, Status> {
        let fault = self.begin(&request, |calls| &mut calls.read).await?;
        let state = self.0.lock().unwrap();
        let read = |digest: api::Digest| {
            let mut data = state.blobs[&digest.hash].clone();
            let mut code = Code::Ok;
            match fault {
                Fault::WrongDigest => *data.last_mut().unwrap() ^= 1,
                Fault::Truncated => data.truncate(data.len() / 2),
                Fault::Lost => {
                    code = Code::NotFound;
                    data.clear();
                }
                _ => {}
            }
            api::batch_read_blobs_response::Response {
                digest: Some(digest),
                data,
                status: Some(BlobStatus { code: code as i32, ..Default::default() }),
                ..Default::default()
            }
        };
        let responses = request.into_inner().digests.into_iter().map(read).collect();
        Ok(Response::new(api::BatchReadBlobsResponse { responses }))
    }

    async fn find_missing_blobs(
        &self,
        request: Request<api::FindMissingBlobsRequest>,
    ) -> Result<Response<api::FindMissingBlobsResponse>, Status> {
        let state = self.0.lock().unwrap();
        let mut missing_blob_digests = request.into_inner().blob_digests;
        missing_blob_digests.retain(|digest| !state.blobs.contains_key(&digest.hash));
        Ok(Response::new(api::FindMissingBlobsResponse { missing_blob_digests }))
    }

    async fn get_tree(
        &self,
        _: Request<api::GetTreeRequest>,
    ) -> Result<Response<Self::GetTreeStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn split_blob(
        &self,
        _: Request<api::SplitBlobRequest>,
    ) -> Result<Response<api::SplitBlobResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_chunk_mapping(
        &self,
        _: Request<api::GetChunkMappingRequest>,
    ) -> Result<Response<Self::GetChunkMappingStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn splice_blob(
        &self,
        _: Request<api::SpliceBlobRequest>,
    ) -> Result<Response<api::SpliceBlobResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<tonic::Streaming<api::RegisterChunkMappingRequest>>,
    ) -> Result<Response<api::RegisterChunkMappingResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
