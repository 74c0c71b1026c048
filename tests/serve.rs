//! `hardpoint serve`: how it begins, and how it ends.

use crate::support::{Server, Serving};
use rustix::process::Signal;

#[test]
fn it_says_where_it_listens_and_ends_in_order_without_a_trace() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::with(&["well", "import_error"]);
        assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
        let note = std::fs::read_to_string(server.data().join("server.json")).unwrap();
        assert_eq!(note, format!("{{\"url\":\"{}\",\"pid\":{}}}\n", server.url(), server.pid()));
        let note = server.data().join("server.json");
        server.signal(signal);
        let gone = move || !note.exists();
        let (status, log) = server.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(gone());
    }
}

#[test]
fn sighup_changes_nothing() {
    let server = Serving::empty().start();
    server.signal(Signal::HUP);
    server.stop();
}
