//! Connections to a user's database: what libpq would accept is accepted, what it would refuse is refused.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rollsafe::postgres::cluster::{Options, SUPERUSER, ScratchCluster};
use rollsafe::postgres::connection::{self, Connection, Limits};

/// Certificates, as the manual's "Creating Certificates" makes them and as others do.
struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Certificates {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let certificates = Certificates { directory };
        certificates.root("root", "ours");
        certificates.root("strange", "not ours");
        certificates.signed(
            "localhost",
            "root",
            "/CN=localhost",
            Some("subjectAltName=DNS:localhost,IP:127.0.0.1"),
        );
        // Without an extension file openssl makes X.509 version 1, or version 3 without extensions.
        certificates.signed("elsewhere", "root", "/CN=db.example", None);
        certificates.signed("by_common_name", "root", "/CN=localhost", None);
        certificates.signed("visitor", "root", "/CN=visitor", None);
        certificates.openssl(&[
            "req",
            "-new",
            "-x509",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "own.key",
            "-out",
            "own.crt",
        ]);
        certificates
    }

    fn root(&self, name: &str, subject: &str) {
        self.openssl(&[
            "req",
            "-new",
            "-x509",
            "-nodes",
            "-newkey",
            "rsa:2048",
            "-days",
            "2",
            "-subj",
            &format!("/CN={subject}"),
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.crt"),
        ]);
    }

    fn signed(&self, name: &str, by: &str, subject: &str, extension: Option<&str>) {
        let file = |ending: &str| format!("{name}.{ending}");
        self.openssl(&[
            "req",
            "-new",
            "-nodes",
            "-newkey",
            "rsa:2048",
            "-subj",
            subject,
            "-keyout",
            &file("key"),
            "-out",
            &file("csr"),
        ]);
        let (authority, key, csr, crt) = (format!("{by}.crt"), format!("{by}.key"), file("csr"), file("crt"));
        let mut arguments = vec![
            "x509",
            "-req",
            "-in",
            &csr,
            "-days",
            "2",
            "-CA",
            &authority,
            "-CAkey",
            &key,
            "-set_serial",
            "7",
            "-out",
            &crt,
        ];
        if let Some(extension) = extension {
            std::fs::write(self.path("extensions"), extension).unwrap();
            arguments.extend(["-extfile", "extensions"]);
        }
        self.openssl(&arguments);
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .expect("openssl is needed to make certificates");
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A copy that only the server may read.
    fn for_server(&self, name: &str) -> PathBuf {
        let copy = self.path(&format!("server-{name}"));
        std::fs::copy(self.path(name), &copy).unwrap();
        self.hand_over(&copy, 0o600);
        copy
    }

    fn hand_over(&self, path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        // As root the server runs as `postgres`, or as nobody else can: its copies are its own.
        if rustix::process::geteuid().is_root()
            && let Some(user) = std::fs::read_to_string("/etc/passwd")
                .unwrap()
                .lines()
                .find(|line| line.starts_with("postgres:"))
        {
            let ids: Vec<u32> = user.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
            chown(path, Some(ids[0]), Some(ids[1])).unwrap();
        }
    }
}

struct Server {
    certificates: Certificates,
    cluster: ScratchCluster,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let certificates = Certificates::make();
        let hba = certificates.path("pg_hba.conf");
        std::fs::write(
            &hba,
            "local all all trust\n\
             hostssl all visitor 127.0.0.1/32 cert\n\
             hostssl all only_tls 127.0.0.1/32 trust\n\
             hostnossl all only_plain 127.0.0.1/32 trust\n\
             host all keyed 127.0.0.1/32 scram-sha-256\n\
             host all postgres 127.0.0.1/32 trust\n",
        )
        .unwrap();
        certificates.hand_over(&hba, 0o600);
        // Free a moment ago; a collision would show as a server that doesn't start.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = Options::default()
            .setting("listen_addresses", "127.0.0.1")
            .setting("port", &port.to_string())
            .setting("hba_file", hba.to_str().unwrap())
            .setting("ssl", "on")
            .setting("ssl_ca_file", certificates.for_server("root.crt").to_str().unwrap())
            .setting("ssl_cert_file", certificates.for_server("localhost.crt").to_str().unwrap())
            .setting("ssl_key_file", certificates.for_server("localhost.key").to_str().unwrap());
        let cluster = ScratchCluster::start(&options).unwrap_or_else(|error| {
            panic!("no scratch cluster: {error}\n{}", error.hint().unwrap_or_default())
        });
        cluster
            .connect(SUPERUSER, "postgres")
            .unwrap()
            .batch_execute(
                "CREATE ROLE visitor LOGIN; CREATE ROLE only_tls LOGIN; CREATE ROLE only_plain LOGIN;
                 CREATE ROLE keyed LOGIN PASSWORD 'open sesame'",
            )
            .unwrap();
        Server { certificates, cluster, port }
    }

    /// Serves another certificate to whoever comes from now on.
    fn show(&self, name: &str) {
        let target = |ending: &str| self.certificates.path(&format!("server-localhost.{ending}"));
        for ending in ["crt", "key"] {
            let copy = self.certificates.for_server(&format!("{name}.{ending}"));
            std::fs::rename(copy, target(ending)).unwrap();
        }
        let mut client = self.cluster.connect(SUPERUSER, "postgres").unwrap();
        client.batch_execute("SELECT pg_reload_conf()").unwrap();
        // The postmaster reads them when the signal arrives: the certificate's key shows which it has.
        let text = std::fs::read(self.certificates.path(&format!("{name}.crt"))).unwrap();
        for _ in 0..1000 {
            if self.shown_certificate() == text_body(&text) {
                return;
            }
        }
        panic!("the server didn't take {name}.crt");
    }

    fn shown_certificate(&self) -> String {
        let output = Command::new("openssl")
            .args(["s_client", "-starttls", "postgres", "-connect", &format!("127.0.0.1:{}", self.port)])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        text_body(&output.stdout)
    }

    fn ask(&self, parameters: &str) -> Result<String, String> {
        let given = format!("hostaddr=127.0.0.1 port={} dbname=postgres {parameters}", self.port);
        let connection = Connection::new(Some(&given)).unwrap();
        let mut client = connection.connect(&Limits::default()).map_err(|error| {
            let hint = error.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
            format!("{error}{hint}")
        })?;
        let row = client
            .query_one(
                "SELECT CASE WHEN ssl THEN 'encrypted' ELSE 'plain' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                &[],
            )
            .unwrap();
        Ok(row.get(0))
    }
}

/// The first certificate's Base64.
fn text_body(pem: &[u8]) -> String {
    let text = String::from_utf8_lossy(pem);
    let body = text.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap_or("");
    body.split("-----END").next().unwrap_or("").split_whitespace().collect()
}

#[test]
fn each_sslmode_accepts_and_refuses_as_libpq_does() {
    let server = Server::start();
    let root = server.certificates.path("root.crt");
    let strange = server.certificates.path("strange.crt");
    let (root, strange) = (root.display(), strange.display());
    let check = |parameters: &str, expected: Result<&str, &str>| {
        let got = server.ask(parameters);
        match (&got, expected) {
            (Ok(got), Ok(expected)) if got == expected => {}
            (Err(got), Err(expected)) if got.contains(expected) => {}
            _ => panic!("{parameters}: {got:?} instead of {expected:?}"),
        }
    };
    for (parameters, expected) in [
        ("sslmode=disable user=postgres", Ok("plain")),
        ("sslmode=allow user=postgres", Ok("plain")),
        ("sslmode=allow user=only_tls", Ok("encrypted")),
        ("sslmode=prefer user=postgres", Ok("encrypted")),
        ("sslmode=prefer user=only_plain", Ok("plain")),
        ("sslmode=require user=postgres", Ok("encrypted")),
        ("sslmode=require user=only_plain", Err("no pg_hba.conf entry")),
        ("sslmode=disable user=only_tls", Err("no pg_hba.conf entry")),
        ("sslmode=prefer user=keyed password='open sesame'", Ok("encrypted")),
        ("sslmode=prefer user=keyed password='geheim'", Err("password authentication failed")),
        ("sslmode=prefer user=keyed passfile=/nowhere", Err("there is none\nput it into ~/.pgpass")),
    ] {
        check(parameters, expected);
    }
    let with = |mode: &str, host: &str, root: &dyn std::fmt::Display| {
        format!("sslmode={mode} user=postgres host={host} sslrootcert={root}")
    };
    check(&with("verify-ca", "localhost", &root), Ok("encrypted"));
    check(&with("verify-full", "localhost", &root), Ok("encrypted"));
    check(&with("verify-full", "127.0.0.1", &root), Ok("encrypted"));
    check(&with("verify-ca", "db.example", &root), Ok("encrypted"));
    check(&with("verify-full", "db.example", &root), Err("is for localhost, 127.0.0.1, not for db.example"));
    check(&with("verify-ca", "localhost", &strange), Err("UnknownIssuer"));
    // A file of roots makes `require` verify, as libpq has it since 8.4.
    check(&with("require", "localhost", &strange), Err("UnknownIssuer"));
    check(&with("prefer", "localhost", &strange), Ok("plain"));

    let client = |certificate: &str| {
        let path = |ending: &str| server.certificates.path(&format!("{certificate}.{ending}"));
        let (crt, key) = (path("crt"), path("key"));
        format!("sslmode=require user=visitor sslcert={} sslkey={}", crt.display(), key.display())
    };
    check(&client("visitor"), Ok("encrypted"));
    check(&client("elsewhere"), Err("certificate authentication failed"));
    std::fs::set_permissions(server.certificates.path("visitor.key"), PermissionsExt::from_mode(0o644))
        .unwrap();
    check(&client("visitor"), Err("chmod 0600"));

    // As the manual makes them: the host in the common name, no extensions.
    server.show("by_common_name");
    check(&with("verify-full", "localhost", &root), Ok("encrypted"));
    check(&with("verify-full", "db.example", &root), Err("is for localhost, not for db.example"));
    check(&with("verify-ca", "localhost", &strange), Err("UnknownIssuer"));
    // Self-signed and named as its own root.
    server.show("own");
    let own = server.certificates.path("own.crt");
    check(&with("verify-full", "localhost", &own.display()), Ok("encrypted"));
    check(&with("verify-full", "elsewhere", &own.display()), Err("not for elsewhere"));
    check(&with("verify-ca", "localhost", &root), Err("certificate"));
}

#[test]
fn a_session_is_read_only_and_has_limits() {
    let cluster = ScratchCluster::start(&Options::default()).unwrap();
    let socket = cluster.socket_directory().display().to_string();
    let connection =
        Connection::new(Some(&format!("host={socket} user=postgres dbname=postgres sslmode=require")))
            .unwrap();
    let limits = Limits { statement: Duration::from_millis(1234), ..Limits::default() };
    let mut client = connection.connect(&limits).unwrap();
    let mut setting =
        |name: &str| -> String { client.query_one("SELECT current_setting($1)", &[&name]).unwrap().get(0) };
    assert_eq!(setting("application_name"), "rollsafe");
    assert_eq!(setting("statement_timeout"), "1234ms");
    assert_eq!(setting("lock_timeout"), "5s");
    assert_eq!(setting("idle_in_transaction_session_timeout"), "1min");
    let error = client.batch_execute("CREATE TABLE t (id int)").unwrap_err();
    assert!(connection::reason(&error).contains("read-only transaction"));
    connection::begin_reading(&mut client, &limits).unwrap();
    let path: String =
        client.query_one("SELECT pg_catalog.current_setting('search_path')", &[]).unwrap().get(0);
    assert_eq!(path, "\"\"");
}

#[test]
fn who_never_answers_is_given_up_and_the_next_host_asked() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let cluster = ScratchCluster::start(&Options::default()).unwrap();
    let socket = cluster.socket_directory().display().to_string();
    let limits = Limits { connect: Duration::from_millis(200), ..Limits::default() };
    let given =
        format!("host=127.0.0.1,{socket} port={port},5432 user=postgres dbname=postgres password=geheim");
    Connection::new(Some(&given)).unwrap().connect(&limits).unwrap();

    let alone = format!("postgresql://me:geheim@127.0.0.1:{port}/shop");
    let error = Connection::new(Some(&alone)).unwrap().connect(&limits).err().unwrap();
    assert_eq!(error.to_string(), format!("postgresql://me@127.0.0.1:{port}/shop: no answer within 0.2 s"));
    let primary = format!("host={socket} user=postgres dbname=postgres target_session_attrs=standby");
    let error = Connection::new(Some(&primary)).unwrap().connect(&limits).err().unwrap();
    assert!(error.to_string().contains("the server is no standby"), "{error}");
}
