//! Addresses of sockets: an observed process may reach its own servers, and sockets in its temporary directory.

use super::listener::Answer;
use super::observer::{Read, Watch, What};
use super::target::{Target, socket_path};
use crate::model::tool::Network;

/// Longest address of a socket.
const MOST_ADDRESS: u64 = 128;

impl Watch {
    /// Looks at the message at `address`, which may have the address of a socket.
    pub(super) fn message(&mut self, target: Target, address: u64, reads: &mut Vec<Read>) -> Answer {
        let Ok(head) = target.read(address, 16) else {
            self.seen.doubt(|| "a message can't be read".to_owned());
            return Answer::Continue;
        };
        let (Some(name), Some(len)) = (head.first_chunk(), head.get(8..).and_then(<[u8]>::first_chunk))
        else {
            self.seen.doubt(|| "a message can't be read".to_owned());
            return Answer::Continue;
        };
        let (name, len) = (u64::from_ne_bytes(*name), u32::from_ne_bytes(*len));
        reads.push(Read { at: address, bytes: head, what: What::Head });
        self.address(target, name, len.into(), false, reads)
    }

    /// Looks at the address of a socket, of `len` bytes at `pointer`.
    pub(super) fn address(
        &mut self,
        target: Target,
        pointer: u64,
        len: u64,
        is_bind: bool,
        reads: &mut Vec<Read>,
    ) -> Answer {
        if pointer == 0 || len == 0 {
            return Answer::Continue;
        }
        let Ok(address) = target.read(pointer, len.min(MOST_ADDRESS) as usize) else {
            self.seen.doubt(|| "the address of a socket can't be read".to_owned());
            return Answer::Continue;
        };
        reads.push(Read { at: pointer, bytes: address.clone(), what: What::Address });
        let Some(family) = address.first_chunk().map(|family| i32::from(u16::from_ne_bytes(*family))) else {
            return Answer::Continue;
        };
        match family {
            libc::AF_UNIX => return self.unix_socket(target, &address, is_bind),
            libc::AF_INET | libc::AF_INET6 if !is_bind => match local_port(&address, family) {
                Some(0) => {}
                Some(port) if target.has_server(port) => {}
                Some(port) => {
                    self.seen.deny(|| {
                        format!("it connects to port {port}, where none of its own servers listens")
                    });
                }
                None => self.seen.deny(|| "it connects to another machine".to_owned()),
            },
            libc::AF_INET | libc::AF_INET6 | libc::AF_NETLINK | libc::AF_UNSPEC => {}
            _ => self.seen.deny(|| format!("it uses a socket of family {family}")),
        }
        Answer::Continue
    }

    fn unix_socket(&mut self, target: Target, address: &[u8], is_bind: bool) -> Answer {
        let Some(path) = socket_path(address) else {
            if self.wall.network != Network::Loopback {
                self.seen.deny(|| "it uses an abstract socket, which others may share".to_owned());
            }
            return Answer::Continue;
        };
        let found = target.base(None).and_then(|base| target.resolve(&base, &path));
        match found {
            Ok(found) if found.place.starts_with(&self.temporary) => Answer::Continue,
            Ok(found) if found.kind.is_none() && !is_bind => {
                self.saw_links(target, found.links);
                self.saw(target, found.place, None, false, false);
                Answer::Continue
            }
            _ => {
                self.seen.deny(|| format!("it uses the socket `{}`", String::from_utf8_lossy(&path)));
                Answer::Fail(libc::EACCES)
            }
        }
    }
}

/// Returns the port in an address of this machine; `None` for an address elsewhere.
fn local_port(address: &[u8], family: i32) -> Option<u16> {
    let port = u16::from_be_bytes(*address.get(2..)?.first_chunk()?);
    let ip: std::net::IpAddr = match family {
        libc::AF_INET => (*address.get(4..)?.first_chunk::<4>()?).into(),
        _ => std::net::Ipv6Addr::from(*address.get(8..)?.first_chunk::<16>()?).to_canonical(),
    };
    (ip.is_loopback() || ip.is_unspecified()).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        let v4 = |ip: [u8; 4]| [&[2, 0, 0x1f, 0x90][..], &ip].concat();
        assert_eq!(local_port(&v4([127, 0, 0, 5]), libc::AF_INET), Some(8080));
        assert_eq!(local_port(&v4([0; 4]), libc::AF_INET), Some(8080));
        assert_eq!(local_port(&v4([10, 0, 0, 1]), libc::AF_INET), None);
        let v6 = |ip: std::net::Ipv6Addr| [&[10, 0, 0, 80, 0, 0, 0, 0][..], &ip.octets()].concat();
        assert_eq!(local_port(&v6("::1".parse().unwrap()), libc::AF_INET6), Some(80));
        assert_eq!(local_port(&v6("::ffff:127.0.0.1".parse().unwrap()), libc::AF_INET6), Some(80));
        assert_eq!(local_port(&v6("2001:db8::1".parse().unwrap()), libc::AF_INET6), None);
    }
}
