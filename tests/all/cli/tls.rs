//! `tls.ca`: certificate authorities beside those of the system, for all publishers or for one.

use support::tls::TlsServer;

use super::{ADVISER, Folder};

const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1}"#;

fn config(server: &TlsServer, defaults: &str, beside: &str) -> Folder {
    let url = server.url();
    let folder = Folder::with(&format!(
        "drain_timeout = \"1s\"\n{defaults}[[publishers]]\nname = \"hook\"\nplugin = {ADVISER:?}\n{beside}\
         [publishers.config]\nurl = \"{url}\"\n"
    ));
    folder.write("ca.pem", server.certificate());
    folder.write("stranger.pem", TlsServer::start().certificate());
    folder
}

#[test]
fn a_server_is_trusted_where_its_authority_is_named() {
    let server = TlsServer::start();
    let ours = "tls.ca = \"ca.pem\"\n";
    for folder in [
        config(&server, "", ours),
        config(&server, &format!("[defaults]\n{ours}"), ""),
        config(&server, "[defaults]\ntls.ca = \"stranger.pem\"\n", ours),
    ] {
        let before = server.answered();
        let done = folder.run_with_input("publish", &[], RECORD);
        assert_eq!((done.code, server.answered() - before), (0, 1), "{}{}", done.stdout, done.stderr);
        let told = folder.run("check", &["--online"]);
        assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
        assert!(
            told.stdout.contains("trusts        1 from tls.ca, beside those whom this system trusts"),
            "{}",
            told.stdout
        );
    }
}

#[test]
fn a_server_is_not_trusted_without_it_and_check_says_why() {
    let server = TlsServer::start();
    for folder in [config(&server, "", ""), config(&server, "[defaults]\ntls.ca = \"stranger.pem\"\n", "")] {
        let done = folder.run_with_input("publish", &[], RECORD);
        assert_eq!((done.code, server.answered()), (3, 0), "{}", done.stderr);
        assert!(done.stdout.contains("certificate"), "{}", done.stdout);
        let told = folder.run("check", &["--online"]);
        assert_eq!(told.code, 3);
        assert!(told.stdout.contains("bad      ") && told.stdout.contains("certificate"), "{}", told.stdout);
    }
}

#[test]
fn a_file_without_certificates_is_pointed_at() {
    let server = TlsServer::start();
    let folder = config(&server, "[defaults]\ntls.ca = \"metricast.toml\"\n", "tls.ca = \"none.pem\"\n");
    let path = folder.path("metricast.toml");
    for subcommand in ["check", "publish", "run"] {
        let done = folder.run(subcommand, &[]);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{subcommand}");
        let told = format!("error: {path}:3:5: defaults.tls.ca: the file {path} has no certificate in it");
        assert!(done.stderr.contains(&told), "{told} is missing in {}", done.stderr);
        let told = format!("error: {path}:7:5: publishers[0].tls.ca: cannot read the file {}", folder.path("none.pem"));
        assert!(done.stderr.contains(&told), "{told} is missing in {}", done.stderr);
    }
}
