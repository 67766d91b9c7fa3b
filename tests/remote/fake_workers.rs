//! The workers of the fake server: they really run a command, in a temporary directory, and can be made to fail.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bazel_remote_apis::build::bazel::remote::execution::v2::{self as api, execution_server::Execution};
use bazel_remote_apis::google::bytestream::byte_stream_server::ByteStream;
use bazel_remote_apis::google::bytestream::{
    QueryWriteStatusRequest, QueryWriteStatusResponse, ReadRequest, ReadResponse, WriteRequest, WriteResponse,
};
use bazel_remote_apis::google::longrunning::{Operation, operation};
use bazel_remote_apis::google::{protobuf, rpc};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::codegen::tokio_stream;
use tonic::{Code, Request, Response, Status};

use crate::fake::{Service, State, Streaming};

/// Behavior of the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WorkFault {
    #[default]
    None,
    /// The connection breaks while the command runs.
    Dies,
    /// Says nothing more after it has begun.
    Silent,
    /// Reports this status instead of a result.
    Reports(Code),
    /// The stream ends without a result.
    EndsEarly,
    /// Answers with an old result.
    Cached,
    /// Can't start the command, and calls that its exit code.
    NotStarted(i32),
    /// Does not place the programs of the command.
    NoProgram,
    /// Does not place the files to check. The tool finds nothing in a file that is not there.
    NoFile,
    /// Has another C library.
    OtherSystem,
    /// Sends content that does not have the digest of the output.
    WrongDigest,
    /// Keeps only a part of what the command printed.
    Truncated,
    /// Answers with the result of another command.
    OtherAction,
    /// Sends no outputs at all, but a good exit code.
    NoOutputs,
}

/// Hash of the empty content.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[derive(Default)]
pub(crate) struct Workers {
    pub(crate) fault: WorkFault,
    /// All commands, in the order of their execution.
    pub(crate) commands: Vec<api::Command>,
    /// All actions.
    pub(crate) actions: Vec<api::Action>,
    /// The first result.
    first: Option<api::ActionResult>,
}

impl State {
    /// Writes the directory with this hash, and all below it.
    fn place(&self, hash: &str, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        // Nobody has to send the empty content, which is that of an empty directory.
        let content = self.blobs.get(hash).map_or(&[][..], Vec::as_slice);
        assert!(!content.is_empty() || hash == EMPTY, "no directory {hash}");
        let directory = api::Directory::decode(content).unwrap();
        for file in directory.files {
            let digest = file.digest.unwrap();
            let content = if digest.size_bytes == 0 { &[] } else { &self.blobs[&digest.hash][..] };
            let place = to.join(&file.name);
            std::fs::write(&place, content).unwrap();
            let mode = if file.is_executable { 0o555 } else { 0o444 };
            std::fs::set_permissions(&place, PermissionsExt::from_mode(mode)).unwrap();
        }
        for link in directory.symlinks {
            std::os::unix::fs::symlink(link.target, to.join(link.name)).unwrap();
        }
        for dir in directory.directories {
            self.place(&dir.digest.unwrap().hash, &to.join(dir.name));
        }
    }

    fn store(&mut self, data: Vec<u8>) -> api::Digest {
        let hash: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = api::Digest { hash: hash.clone(), size_bytes: data.len() as i64 };
        self.blobs.insert(hash, data);
        digest
    }
}

impl Service {
    /// Runs the command of an action as a worker would.
    fn work(&self, hash: &str) -> api::ActionResult {
        let dir = tempfile::tempdir().unwrap();
        let (fault, command) = {
            let mut state = self.0.lock().unwrap();
            let action = api::Action::decode(&state.blobs[hash][..]).unwrap();
            let command = &state.blobs[&action.command_digest.clone().unwrap().hash];
            let command = api::Command::decode(&command[..]).unwrap();
            state.place(&action.input_root_digest.clone().unwrap().hash, dir.path());
            state.workers.commands.push(command.clone());
            state.workers.actions.push(action);
            (state.workers.fault, command)
        };
        let top = dir.path().join(&command.arguments[3]);
        match fault {
            WorkFault::NotStarted(exit_code) => return api::ActionResult { exit_code, ..Default::default() },
            WorkFault::NoProgram => std::fs::remove_dir_all(top.join("p")).unwrap(),
            WorkFault::NoFile => {
                let files = std::fs::read_dir(top.join("w")).unwrap().map(|file| file.unwrap().path());
                let texts = files.filter(|path| path.extension().is_some_and(|end| end == "txt"));
                texts.for_each(|path| std::fs::remove_file(path).unwrap());
            }
            WorkFault::OtherSystem => {
                let list = top.join("expected");
                let text = std::fs::read_to_string(&list).unwrap();
                let line = text.lines().find(|line| line.contains("libc")).unwrap();
                let text = text.replace(line, &format!("{}{}", "0".repeat(64), &line[64..]));
                std::fs::remove_file(&list).unwrap();
                std::fs::write(list, text).unwrap();
            }
            _ => {}
        }
        let mut run = Command::new(&command.arguments[0]);
        run.args(&command.arguments[1..]).current_dir(dir.path()).env_clear().stdin(Stdio::null());
        run.envs(command.environment_variables.iter().map(|var| (&var.name, &var.value)));
        let output = run.output().unwrap();
        let mut state = self.0.lock().unwrap();
        let mut output_files = Vec::new();
        for path in &command.output_paths {
            let Ok(mut data) = std::fs::read(dir.path().join(path)) else { continue };
            if fault == WorkFault::Truncated && path.ends_with("stdout") {
                data.truncate(data.len() / 2);
            }
            let mut contents = data.clone();
            let digest = Some(state.store(data));
            if fault == WorkFault::WrongDigest && path.ends_with("stdout") {
                contents.iter_mut().for_each(|byte| *byte ^= 1);
            }
            let path = path.clone();
            output_files.push(api::OutputFile { path, digest, contents, ..Default::default() });
        }
        if fault == WorkFault::NoOutputs {
            output_files.clear();
        }
        let exit_code = output.status.code().unwrap_or(-1);
        let result = api::ActionResult { output_files, exit_code, ..Default::default() };
        let first = state.workers.first.get_or_insert_with(|| result.clone()).clone();
        if fault == WorkFault::OtherAction { first } else { result }
    }
}

#[tonic::async_trait]
impl Execution for Service {
    type ExecuteStream = Streaming<Operation>;
    type WaitExecutionStream = Streaming<Operation>;

    async fn execute(
        &self,
        request: Request<api::ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        let request = request.into_inner();
        assert!(request.skip_cache_lookup, "no old result is wanted");
        let fault = self.0.lock().unwrap().workers.fault;
        let begun = Ok(Operation { name: "1".to_owned(), ..Operation::default() });
        let end: Vec<Result<Operation, Status>> = match fault {
            WorkFault::Dies => vec![Err(Status::unavailable("gone"))],
            WorkFault::EndsEarly => Vec::new(),
            WorkFault::Silent => {
                std::future::pending::<()>().await;
                Vec::new()
            }
            WorkFault::Reports(code) => {
                let status = Some(rpc::Status { code: code as i32, ..Default::default() });
                vec![Ok(done(&api::ExecuteResponse { status, ..Default::default() }))]
            }
            _ => {
                let (service, hash) = (self.clone(), request.action_digest.unwrap().hash);
                let result = tokio::task::spawn_blocking(move || service.work(&hash)).await.unwrap();
                let cached_result = fault == WorkFault::Cached;
                vec![Ok(done(&api::ExecuteResponse {
                    result: Some(result),
                    cached_result,
                    ..Default::default()
                }))]
            }
        };
        Ok(Response::new(Box::pin(tokio_stream::iter([begun].into_iter().chain(end)))))
    }

    async fn wait_execution(
        &self,
        _: Request<api::WaitExecutionRequest>,
    ) -> Result<Response<Self::WaitExecutionStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn done(response: &api::ExecuteResponse) -> Operation {
    let any = protobuf::Any {
        type_url: "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse".to_owned(),
        value: response.encode_to_vec(),
    };
    Operation {
        name: "1".to_owned(),
        done: true,
        result: Some(operation::Result::Response(any)),
        ..Operation::default()
    }
}

#[tonic::async_trait]
impl ByteStream for Service {
    type ReadStream = Streaming<ReadResponse>;

    async fn read(&self, _: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn write(
        &self,
        request: Request<tonic::Streaming<WriteRequest>>,
    ) -> Result<Response<WriteResponse>, Status> {
        let mut stream = request.into_inner();
        let (mut content, mut name) = (Vec::new(), String::new());
        while let Some(WriteRequest { resource_name, write_offset, data, .. }) = stream.message().await? {
            assert_eq!(write_offset, content.len() as i64);
            name = resource_name;
            content.extend(data);
        }
        let committed_size = content.len() as i64;
        let digest = self.0.lock().unwrap().store(content);
        let blob = format!("/blobs/{}/{committed_size}", digest.hash);
        match name.starts_with("uploads/") && name.ends_with(&blob) {
            true => Ok(Response::new(WriteResponse { committed_size })),
            false => Err(Status::invalid_argument(name)),
        }
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
