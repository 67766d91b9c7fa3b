//! Entries as messages of the Remote Execution API. An entry is the result of an action that nobody executes: its command names the
//! key, and its only output is the value.

use bazel_remote_apis::build::bazel::remote::execution::v2::{
    Action, ActionResult, Command, Digest, Directory, OutputFile, RequestMetadata, ToolDetails,
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::Code;

use super::key::RemoteKey;

/// Name of the output.
pub(super) const VALUE: &str = "value";

/// Name of the header with [`metadata`].
pub(super) const METADATA: &str = "build.bazel.remote.execution.v2.requestmetadata-bin";

/// A message and its digest.
pub(in crate::cache) struct Blob {
    pub(in crate::cache) digest: Digest,
    pub(in crate::cache) data: Vec<u8>,
}

impl Blob {
    pub(in crate::cache) fn new(data: Vec<u8>) -> Self {
        Self { digest: digest(&data), data }
    }
}

/// The action of an entry, and its command.
pub(super) struct EntryAction {
    pub(super) action: Blob,
    pub(super) command: Blob,
}

impl EntryAction {
    pub(super) fn new(key: &RemoteKey) -> Self {
        let arguments = ["genti", key.kind.as_str(), &key.hex()].map(str::to_owned).to_vec();
        let command = Command { arguments, output_paths: vec![VALUE.to_owned()], ..Command::default() };
        let command = Blob::new(command.encode_to_vec());
        let action = Action {
            command_digest: Some(command.digest.clone()),
            input_root_digest: Some(digest(&Directory::default().encode_to_vec())),
            ..Action::default()
        };
        Self { action: Blob::new(action.encode_to_vec()), command }
    }
}

/// Returns the result of an action with this value.
pub(super) fn result(value: &Digest) -> ActionResult {
    let file = OutputFile { path: VALUE.to_owned(), digest: Some(value.clone()), ..OutputFile::default() };
    ActionResult { output_files: vec![file], ..ActionResult::default() }
}

/// The value of a result.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// The result contains it.
    Inline(Vec<u8>),
    /// The content store has it.
    Stored(Digest),
}

/// Returns the value of `result`; `None` if it is damaged.
pub(super) fn value(result: ActionResult) -> Option<Found> {
    let [file] = <[OutputFile; 1]>::try_from(result.output_files).ok()?;
    let digest = file.digest.filter(|_| file.path == VALUE && result.exit_code == 0)?;
    match file.contents.is_empty() {
        true => Some(Found::Stored(digest)),
        false => is_of(&digest, &file.contents).then_some(Found::Inline(file.contents)),
    }
}

/// Returns true if `data` has this digest.
pub(in crate::cache) fn is_of(expected: &Digest, data: &[u8]) -> bool {
    digest(data) == *expected
}

/// Returns the digest of `data`.
pub(in crate::cache) fn digest(data: &[u8]) -> Digest {
    let hash: [u8; 32] = Sha256::digest(data).into();
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Digest { hash, size_bytes: i64::try_from(data.len()).unwrap_or(i64::MAX) }
}

/// Returns what a server may log about a request: only the program.
pub(super) fn metadata() -> Vec<u8> {
    let details =
        ToolDetails { tool_name: "genti".to_owned(), tool_version: env!("CARGO_PKG_VERSION").to_owned() };
    RequestMetadata { tool_details: Some(details), ..RequestMetadata::default() }.encode_to_vec()
}

/// Reaction to an error of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// There is no such entry.
    None,
    /// Call again. Servers and proxies report a time-out as cancelled.
    Retry,
    /// Ask for other credentials.
    Credentials,
    /// Nothing helps.
    GiveUp,
}

/// Returns what to do about an error with this code, and describes it. Messages of servers are not shown, because they may repeat
/// what was sent.
pub(super) fn remedy(code: Code) -> (Remedy, &'static str) {
    match code {
        Code::NotFound => (Remedy::None, "it has no such entry"),
        Code::Unavailable => (Remedy::Retry, "it is unavailable"),
        Code::Cancelled | Code::DeadlineExceeded => (Remedy::Retry, "it did not answer in time"),
        Code::Unknown | Code::Internal | Code::Aborted | Code::Ok => {
            (Remedy::Retry, "it answered with an error")
        }
        Code::Unauthenticated => (Remedy::Credentials, "it does not accept the credentials"),
        Code::PermissionDenied => (Remedy::GiveUp, "it denied access"),
        Code::ResourceExhausted => (Remedy::GiveUp, "it is full, or a quota is used up"),
        Code::Unimplemented => (Remedy::GiveUp, "it does not offer the Remote Execution API"),
        Code::OutOfRange | Code::DataLoss => (Remedy::GiveUp, "it sent damaged data"),
        Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists => {
            (Remedy::GiveUp, "it did not accept a request")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::StaticKey;
    use super::*;
    use crate::model::digest::Digest as ContentDigest;

    fn key() -> RemoteKey {
        StaticKey::new(&ContentDigest([1; 32]), &ContentDigest([2; 32]), "").names()
    }

    #[test]
    fn a_command_has_digests_only() {
        let EntryAction { action, command } = EntryAction::new(&key());
        let message = Command::decode(&command.data[..]).unwrap();
        assert_eq!(message.arguments, ["genti", "names", &key().hex()]);
        assert!(message.environment_variables.is_empty());
        let message = Action::decode(&action.data[..]).unwrap();
        assert_eq!(message.command_digest, Some(command.digest));
        let empty = message.input_root_digest.unwrap();
        assert_eq!(empty.hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(empty.size_bytes, 0);
    }

    #[test]
    fn a_result_with_anything_but_its_value_is_damaged() {
        let blob = Blob::new(b"value".to_vec());
        let good = result(&blob.digest);
        assert_eq!(value(good.clone()), Some(Found::Stored(blob.digest.clone())));
        let inline = |contents: &[u8]| {
            let mut result = good.clone();
            result.output_files[0].contents = contents.to_vec();
            value(result)
        };
        assert_eq!(inline(b"value"), Some(Found::Inline(b"value".to_vec())));
        assert_eq!(inline(b"other"), None);
        assert_eq!(value(ActionResult::default()), None);
        assert_eq!(value(ActionResult { exit_code: 1, ..good.clone() }), None);
        let twice = [good.output_files.clone(), good.output_files.clone()].concat();
        assert_eq!(value(ActionResult { output_files: twice, ..good.clone() }), None);
        let mut renamed = good;
        renamed.output_files[0].path = "other".to_owned();
        assert_eq!(value(renamed), None);
    }
}
