//! Pages of a repository on GitHub, GitLab and Codeberg, by the address that git has for it.
//!
//! The address is not trusted, and may contain a password, as in many CI jobs. Only the name of a known host and plain path segments
//! become part of a link.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::model::path::RelPath;

/// Bytes of a path that are escaped in a link.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// A repository on a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forge {
    kind: Kind,
    /// Address without a slash at the end.
    address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    GitHub,
    GitLab,
    Codeberg,
}

impl Forge {
    /// Returns the repository that git has under the address `origin`, if it is on a known forge.
    pub(super) fn of(origin: &str) -> Option<Self> {
        let (host, path) = host_and_path(origin)?;
        let kind = match host {
            "github.com" | "ssh.github.com" => Kind::GitHub,
            "gitlab.com" | "altssh.gitlab.com" => Kind::GitLab,
            "codeberg.org" => Kind::Codeberg,
            _ => return None,
        };
        let is_plain = |segment: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
        };
        let segments: Vec<_> = path.split('/').collect();
        // Only GitLab has groups within groups.
        let is_complete = segments.len() == 2 || kind == Kind::GitLab && segments.len() > 2;
        let host = match kind {
            Kind::GitHub => "github.com",
            Kind::GitLab => "gitlab.com",
            Kind::Codeberg => "codeberg.org",
        };
        (is_complete && segments.into_iter().all(is_plain))
            .then(|| Self { kind, address: format!("https://{host}/{path}") })
    }

    /// Returns the page of a commit.
    pub(super) fn commit(&self, id: &str) -> String {
        let Self { kind, address } = self;
        match kind {
            Kind::GitHub | Kind::Codeberg => format!("{address}/commit/{id}"),
            Kind::GitLab => format!("{address}/-/commit/{id}"),
        }
    }

    /// Returns the page of a file in a commit. `#L` and the number of a line may follow.
    pub(super) fn file(&self, id: &str, path: &RelPath) -> String {
        let Self { kind, address } = self;
        let path = percent_encode(path.as_bytes(), ESCAPED);
        match kind {
            Kind::GitHub => format!("{address}/blob/{id}/{path}"),
            Kind::GitLab => format!("{address}/-/blob/{id}/{path}"),
            Kind::Codeberg => format!("{address}/src/commit/{id}/{path}"),
        }
    }
}

/// Returns the name of the repository that git has under the address `origin`.
pub(super) fn name(origin: &str) -> Option<&str> {
    let (_, path) = host_and_path(origin)?;
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// Splits an address such as `https://user:password@host:port/path.git/` or `user@host:path.git`.
fn host_and_path(origin: &str) -> Option<(&str, &str)> {
    let (authority, path) = match origin.split_once("://") {
        Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // A single letter is a drive of Windows.
        None => origin.split_once(':').filter(|(host, _)| host.len() > 1 && !host.contains('/'))?,
    };
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next().filter(|host| !host.is_empty())?;
    let path = path.trim_matches('/');
    Some((host, path.strip_suffix(".git").unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_known_forges_follow_from_the_address_of_the_remote() {
        let check = |origin: &str, commit: &str, file: &str| {
            let forge = Forge::of(origin).unwrap_or_else(|| panic!("{origin}"));
            assert_eq!(forge.commit("c0ffee"), commit);
            assert_eq!(forge.file("c0ffee", &RelPath::new("src/a b#é.rs")), file);
        };
        for origin in [
            "https://github.com/o/r",
            "https://github.com/o/r.git/",
            "https://x-access-token:secret@github.com/o/r.git",
            "git@github.com:o/r.git",
            "ssh://git@github.com/o/r.git",
            "ssh://git@ssh.github.com:443/o/r.git",
        ] {
            check(
                origin,
                "https://github.com/o/r/commit/c0ffee",
                "https://github.com/o/r/blob/c0ffee/src/a%20b%23%C3%A9.rs",
            );
        }
        check(
            "https://gitlab-ci-token:secret@gitlab.com/group/sub/r.git",
            "https://gitlab.com/group/sub/r/-/commit/c0ffee",
            "https://gitlab.com/group/sub/r/-/blob/c0ffee/src/a%20b%23%C3%A9.rs",
        );
        check(
            "git@codeberg.org:o/r.git",
            "https://codeberg.org/o/r/commit/c0ffee",
            "https://codeberg.org/o/r/src/commit/c0ffee/src/a%20b%23%C3%A9.rs",
        );
    }

    #[test]
    fn other_addresses_have_no_pages() {
        for origin in [
            "",
            "https://example.com/o/r",
            "https://github.com@example.com/o/r",
            "https://github.com/o",
            "https://github.com/o/r/x",
            "https://github.com/../r",
            "https://github.com/o/r\"onclick=alert(1)",
            "javascript://github.com/o/r",
            "/srv/github.com:o/r",
            "../github.com/o/r",
        ] {
            assert_eq!(Forge::of(origin), None, "{origin}");
        }
    }

    #[test]
    fn the_name_of_a_repository_is_the_end_of_its_address() {
        for (origin, expected) in [
            ("https://user:secret@example.com:8080/a/b/name.git", Some("name")),
            ("host:name", Some("name")),
            ("C:\\repos\\name", None),
            ("/srv/name.git", None),
            ("https://example.com/", None),
        ] {
            assert_eq!(name(origin), expected, "{origin}");
        }
    }
}
