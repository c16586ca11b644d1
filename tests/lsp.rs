//! The language server, driven over pipes as an editor drives it.

mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

/// A session: the program, its pipes, and a folder that it works in.
struct Session {
    folder: tempfile::TempDir,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: i32,
    /// Notifications that came while an answer was waited for.
    notes: Vec<Value>,
}

impl Session {
    fn start(files: &[(&str, &str)], capabilities: Value) -> (Session, Value) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let mut child = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .arg("lsp")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut session = Session { folder, child, input, output, next: 0, notes: Vec::new() };
        let root = session.uri("").trim_end_matches('/').to_owned();
        let answer = session
            .ask("initialize", json!({"processId": null, "rootUri": root, "capabilities": capabilities}));
        session.tell("initialized", json!({}));
        (session, answer)
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}/{name}", self.folder.path().display())
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("written");
        self.input.flush().expect("written");
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).expect("readable"), 0, "the server has gone");
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("readable");
        serde_json::from_slice(&body).expect("JSON")
    }

    fn ask_whole(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == json!(id) && message.get("method").is_none() {
                return message;
            }
            self.notes.push(message);
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask_whole(method, params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn open(&mut self, name: &str, text: &str) -> Value {
        let document = json!({"uri": self.uri(name), "languageId": "sql", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
        self.diagnostics(name, 1)
    }

    /// The diagnostics of a version of a file, once they come.
    fn diagnostics(&mut self, name: &str, version: i64) -> Value {
        let uri = self.uri(name);
        let fits = |note: &Value| {
            note["method"] == "textDocument/publishDiagnostics"
                && note["params"]["uri"] == json!(uri)
                && note["params"]["version"] == json!(version)
        };
        loop {
            if let Some(at) = self.notes.iter().position(fits) {
                return self.notes.remove(at)["params"]["diagnostics"].clone();
            }
            let note = self.receive();
            self.notes.push(note);
        }
    }

    fn end(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        self.child.wait().expect("it ends").code()
    }
}

fn codes(diagnostics: &Value) -> Vec<String> {
    let all = diagnostics.as_array().expect("an array");
    all.iter().map(|one| one["code"].as_str().unwrap_or("").to_owned()).collect()
}

const TABLE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, total bigint NOT NULL, note varchar(50));\n";
const CONFIG: &str = "[project]\nrunner = \"psql\"\n[lint]\nignore = [\"lock_timeout_missing\"]\n";

#[test]
fn a_session_from_the_first_word_to_the_last() {
    let utf8 = json!({"general": {"positionEncodings": ["utf-16", "utf-8"]},
        "workspace": {"workspaceEdit": {"documentChanges": true}}});
    let (mut session, answer) =
        Session::start(&[("rollsafe.toml", CONFIG), ("1_a.sql", TABLE), ("2_b.sql", "")], utf8);
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-8");
    assert_eq!(answer["capabilities"]["textDocumentSync"]["change"], 2);

    // The buffer counts, not the file; history comes from the disk.
    let found = session.open("2_b.sql", "-- 😀\r\nCREATE INDEX i ON orders (total);\r\n");
    assert_eq!(codes(&found), ["create_index_blocks_writes"], "{found}");
    assert_eq!(found[0]["range"]["start"], json!({"line": 1, "character": 0}));
    let uri = session.uri("2_b.sql");
    let document = json!({"uri": uri});

    let hover = session.ask(
        "textDocument/hover",
        json!({"textDocument": document, "position": {"line": 1, "character": 20}}),
    );
    let text = hover["contents"]["value"].as_str().expect("a text");
    assert!(text.contains("| `orders` | SHARE | writes |"), "{text}");
    assert!(text.contains("`total` bigint NOT NULL"), "{text}");
    assert!(text.contains("rollsafe explain create_index_blocks_writes"), "{text}");

    let range = json!({"start": {"line": 1, "character": 3}, "end": {"line": 1, "character": 3}});
    let actions = session.ask(
        "textDocument/codeAction",
        json!({"textDocument": document, "range": range, "context": {"diagnostics": []}}),
    );
    assert_eq!(actions[0]["title"], "Build the index CONCURRENTLY", "{actions}");
    assert_eq!(actions[0]["isPreferred"], true);
    let edit = &actions[0]["edit"]["documentChanges"][0];
    assert_eq!(edit["textDocument"]["version"], 1);
    assert_eq!(edit["edits"][0]["newText"], " CONCURRENTLY");
    assert_eq!(edit["edits"][0]["range"]["start"], json!({"line": 1, "character": 12}));
    assert_eq!(
        actions[1]["edit"]["documentChanges"][0]["edits"][0]["newText"],
        "-- rollsafe: ignore create_index_blocks_writes -- reason\r\n"
    );
    let all = session.ask(
        "textDocument/codeAction",
        json!({"textDocument": document, "range": range, "context": {"diagnostics": [], "only": ["source.fixAll"]}}),
    );
    let fixed = all[0]["edit"]["documentChanges"][0]["edits"][0]["newText"].as_str().expect("a text");
    assert_eq!(fixed, "-- 😀\r\nCREATE INDEX CONCURRENTLY i ON orders (total);\r\n");

    // A keystroke: only the change is sent, behind an emoji.
    let change = json!({"range": {"start": {"line": 1, "character": 12}, "end": {"line": 1, "character": 12}},
        "text": " CONCURRENTLY"});
    session.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]}),
    );
    assert_eq!(session.diagnostics("2_b.sql", 2), json!([]));

    let symbols = session.ask("textDocument/documentSymbol", json!({"textDocument": document}));
    assert_eq!(symbols[0]["name"], "CREATE INDEX CONCURRENTLY i ON orders (total)");
    assert_eq!(symbols[0]["detail"], "SHARE UPDATE EXCLUSIVE on orders");
    assert_eq!(session.end(), Some(0));
}

#[test]
fn unsaved_texts_are_history_for_what_comes_behind_them() {
    let files =
        [("rollsafe.toml", CONFIG), ("1_a.sql", TABLE), ("2_b.sql", "SELECT 1;"), ("3_c.sql", "SELECT 2;")];
    let (mut session, answer) = Session::start(&files, json!({}));
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
    session.open("2_b.sql", "ALTER TABLE orders RENAME TO sales;");
    let found = session.open("3_c.sql", "CREATE INDEX i ON orders (total);");
    assert_eq!(codes(&found), ["relation_missing"], "{found}");
    let uri = session.uri("2_b.sql");
    session.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "SELECT 1;"}]}),
    );
    assert_eq!(session.diagnostics("2_b.sql", 2), json!([]));
    let found = session.diagnostics("3_c.sql", 1);
    assert_eq!(codes(&found), ["create_index_blocks_writes"], "{found}");
    // The configuration holds as it is now.
    std::fs::write(
        session.folder.path().join("rollsafe.toml"),
        "[project]\nrunner = \"psql\"\n[lint]\nignore = [\"all\"]\n",
    )
    .expect("written");
    let config = session.uri("rollsafe.toml");
    session.tell("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": config, "type": 2}]}));
    assert_eq!(session.diagnostics("3_c.sql", 1), json!([]));
    assert_eq!(session.end(), Some(0));
}

#[test]
fn nothing_that_is_sent_ends_it() {
    let (mut session, _) = Session::start(&[("rollsafe.toml", CONFIG), ("1_a.sql", TABLE)], json!({}));
    for frame in ["{", "[]", "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":7}", "\u{fffd}"] {
        write!(session.input, "Content-Length: {}\r\n\r\n{frame}", frame.len()).expect("written");
    }
    write!(session.input, "Nonsense: x\r\n\r\n").expect("written");
    session.tell("textDocument/didChange", json!({"textDocument": {"uri": "file:///nowhere.sql"}}));
    session.tell("textDocument/didOpen", json!({"textDocument": 5}));
    session.tell("no/such/thing", json!(null));
    let uri = session.uri("new.sql");
    session.open("new.sql", "CREATE INDEX i ON t (a); SELEC 1; '");
    let far =
        json!({"start": {"line": 4_000_000_000_u32, "character": 7}, "end": {"line": 0, "character": 0}});
    session.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"range": far, "text": "x"}, {"no": 1}]}),
    );
    let answer = session.ask_whole("textDocument/hover", json!({"textDocument": {"uri": uri}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = session.ask_whole("textDocument/rename", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let position = json!({"line": 99, "character": 99});
    session.ask("textDocument/hover", json!({"textDocument": {"uri": uri}, "position": position}));
    let nowhere = json!({"textDocument": {"uri": "untitled:1"}, "position": {"line": 0, "character": 0}});
    assert_eq!(session.ask("textDocument/hover", nowhere), Value::Null);
    assert_eq!(session.end(), Some(0));
}

#[test]
fn what_is_cancelled_is_answered_so() {
    let (mut session, _) = Session::start(&[("rollsafe.toml", CONFIG), ("1_a.sql", TABLE)], json!({}));
    let uri = session.uri("1_a.sql");
    // In one write, so that the server sees the cancellation while the request waits.
    let mut frames = String::new();
    let position = json!({"line": 0, "character": 0});
    let mut add = |message: Value| {
        let body = message.to_string();
        frames.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    };
    let document = json!({"uri": uri, "languageId": "sql", "version": 1, "text": TABLE.repeat(2_000)});
    add(json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}}));
    for id in 100..120 {
        let params = json!({"textDocument": {"uri": uri}, "position": position});
        add(json!({"jsonrpc": "2.0", "id": id, "method": "textDocument/hover", "params": params}));
    }
    add(json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 119}}));
    session.input.write_all(frames.as_bytes()).expect("written");
    session.input.flush().expect("written");
    let mut answered = Vec::new();
    while answered.len() < 20 {
        let message = session.receive();
        if message.get("id").is_some() && message.get("method").is_none() {
            answered.push(message);
        }
    }
    let last = answered.iter().find(|answer| answer["id"] == 119).expect("every request is answered");
    assert!(last["error"]["code"] == -32800 || last.get("result").is_some(), "{last}");
    assert_eq!(session.end(), Some(0));
}
