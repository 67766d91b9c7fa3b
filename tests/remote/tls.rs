//! Encrypted connections, and clients that identify themselves with a certificate.

use std::fs;
use std::path::Path;
use std::process::Command;

use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::fake::Fake;
use crate::support::Sandbox;
use crate::{assert_same, checkout, ran, run, warnings};

/// Makes a certificate for `name`, signed by `ca` or by itself.
fn certificate(dir: &Path, name: &str, more: &[&str]) {
    let (key, cert) = (format!("{name}.key"), format!("{name}.pem"));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let mut command = Command::new("openssl");
    command.args(["req", "-x509"]).args(curve).args(["-keyout", &key, "-out", &cert]);
    command.args(["-subj", &format!("/CN={name}")]).args(more).current_dir(dir);
    let output = command.output().expect("openssl makes the certificates of this test");
    assert!(output.status.success(), "{output:?}");
}

/// Makes a certificate for `name`, signed by `ca`, that is no longer valid.
fn expired_certificate(dir: &Path, name: &str) {
    certificate(dir, name, &[]);
    let (key, cert) = (format!("{name}.key"), format!("{name}.pem"));
    let subject = format!("/CN={name}");
    let request = ["req", "-new", "-key", &key, "-out", "request", "-subj", &subject];
    let sign = ["x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "-1"];
    for args in [&request[..], &[&sign[..], &["-set_serial", "1", "-out", &cert]].concat()] {
        let output = Command::new("openssl").args(args).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_client_identifies_itself_with_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let signed =
        ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE", "-addext"];
    certificate(dir.path(), "ca", &[]);
    certificate(dir.path(), "server", &[&signed[..], &["subjectAltName=IP:127.0.0.1"]].concat());
    certificate(dir.path(), "client", &[&signed[..], &["subjectAltName=DNS:client"]].concat());
    expired_certificate(dir.path(), "expired");
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read("server.pem"), read("server.key")))
        .client_ca_root(Certificate::from_pem(read("ca.pem")));
    let fake = Fake::start_with(Some(tls));
    let url = fake.url().replace("grpc:", "grpcs:");
    let table =
        |keys: &str| format!("[remote]\nurl = \"{url}\"\nwrite = \"always\"\ntimeout = \"9min\"\n{keys}");
    let with = |keys: &str| -> Sandbox {
        let sandbox = checkout(&table(keys));
        for name in ["ca.pem", "client.pem", "client.key", "expired.pem", "expired.key"] {
            sandbox.write(name, &String::from_utf8(read(name)).unwrap());
        }
        sandbox
    };
    const ALL: &str = "ca = \"ca.pem\"\nclient-cert = \"client.pem\"\nclient-key = \"client.key\"\n";
    let first = with(ALL);
    let output = run(&first, &[], &[], 1);
    assert_eq!((warnings(&output), ran(&first)), (0, 5), "{output}");
    let second = with(ALL);
    let output = run(&second, &[], &[], 1);
    assert_eq!((warnings(&output), ran(&second)), (0, 0), "{output}");
    assert_same(&first, &second);
    let expired = ALL.replace("client.", "expired.");
    for keys in
        ["ca = \"ca.pem\"\n", &expired, "", "client-cert = \"client.pem\"\nclient-key = \"client.key\"\n"]
    {
        let other = with(keys);
        let output = run(&other, &[], &[], 1);
        assert_eq!((warnings(&output), ran(&other)), (1, 5), "{keys}: {output}");
        assert_same(&first, &other);
    }
    let missing = checkout(&table(ALL));
    let output = run(&missing, &[], &[], 1);
    assert!(output.contains("note: not using the remote store: can't read `ca.pem`"), "{output}");
    assert_eq!(warnings(&output), 0, "{output}");
}
