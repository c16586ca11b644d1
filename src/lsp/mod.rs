//! The language server: diagnostics as one types, hovers, fixes and suppressions, over standard input and output.
//!
//! One thread reads, one answers. A change is judged a moment after the last keystroke, and at once when something is asked
//! about it. Nothing that a client sends ends the server but `exit` and the end of its input.

mod actions;
mod hover;
mod place;
mod text;
mod transport;
mod workspace;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{Position, Range, TextDocumentContentChangeEvent};
use serde_json::{Value, json};

use crate::finding::{Finding, Severity};
use text::{Encoding, Text};
use transport::Incoming;
use workspace::Workspace;
pub use workspace::{Ask, Asked};

/// How long after the last keystroke a text is judged.
const PAUSE: Duration = Duration::from_millis(60);

/// An open document.
struct Document {
    version: i64,
    text: Text,
    path: PathBuf,
    /// When it is to be judged; `None`: it is judged.
    due: Option<Instant>,
    judged: Judged,
}

/// What judging a document came to.
#[derive(Default)]
enum Judged {
    #[default]
    NotYet,
    /// The configuration excludes it.
    Excluded,
    Done(Box<crate::migration::desk::Judgement>),
    /// Why it couldn't be judged.
    Failed(String),
}

impl Judged {
    fn findings(&self) -> &[Finding] {
        match self {
            Judged::Done(judgement) => &judgement.report.findings,
            _ => &[],
        }
    }
}

/// The server.
struct Server<'a, W: Write> {
    output: W,
    workspace: Workspace<'a>,
    documents: BTreeMap<String, Document>,
    encoding: Encoding,
    /// The client takes edits with versions.
    versioned_edits: bool,
    /// The client can be asked to tell of files that change.
    watches: bool,
    initialized: bool,
    shut_down: bool,
    next_id: i32,
}

/// Serves until the client leaves; gives the exit code: 0 after `shutdown`, else 1.
///
/// # Errors
/// When nothing can be written any more.
pub fn serve(input: impl BufRead + Send + 'static, output: impl Write, ask: &Ask<'_>) -> io::Result<u8> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut input = input;
        // The end of the input, and a reader that fails, both end the channel.
        while let Ok(Some(incoming)) = transport::read(&mut input) {
            if sender.send(incoming).is_err() {
                break;
            }
        }
    });
    let mut server = Server {
        output,
        workspace: Workspace::new(ask),
        documents: BTreeMap::new(),
        encoding: Encoding::default(),
        versioned_edits: false,
        watches: false,
        initialized: false,
        shut_down: false,
        next_id: 0,
    };
    server.run(&receiver)
}

impl<W: Write> Server<'_, W> {
    fn run(&mut self, receiver: &Receiver<Incoming>) -> io::Result<u8> {
        let mut waiting: VecDeque<Incoming> = VecDeque::new();
        loop {
            while let Ok(incoming) = receiver.try_recv() {
                self.take(incoming, &mut waiting)?;
            }
            let Some(incoming) = waiting.pop_front() else {
                let due = self.documents.values().filter_map(|document| document.due).min();
                let next = match due {
                    Some(due) => receiver.recv_timeout(due.saturating_duration_since(Instant::now())),
                    None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match next {
                    Ok(incoming) => self.take(incoming, &mut waiting)?,
                    Err(RecvTimeoutError::Timeout) => self.judge_due(Instant::now())?,
                    Err(RecvTimeoutError::Disconnected) => return Ok(u8::from(!self.shut_down)),
                }
                continue;
            };
            match incoming {
                Incoming::Message(Message::Notification(note)) if note.method == "exit" => {
                    return Ok(u8::from(!self.shut_down));
                }
                Incoming::Message(Message::Request(request)) => self.request(request)?,
                Incoming::Message(Message::Notification(note)) => self.notification(note)?,
                Incoming::Message(Message::Response(_)) => {}
                Incoming::Broken(why) => {
                    log(&why);
                    let error =
                        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": why}});
                    transport::write_value(&mut self.output, &error)?;
                }
            }
        }
    }

    /// Puts a message behind those that wait; a request that is cancelled is answered at once.
    fn take(&mut self, incoming: Incoming, waiting: &mut VecDeque<Incoming>) -> io::Result<()> {
        if let Incoming::Message(Message::Notification(note)) = &incoming
            && note.method == "$/cancelRequest"
        {
            let id: Option<RequestId> =
                note.params.get("id").and_then(|id| serde_json::from_value(id.clone()).ok());
            let at = waiting.iter().position(
                |other| matches!(other, Incoming::Message(Message::Request(request)) if Some(&request.id) == id.as_ref()),
            );
            if let Some(Incoming::Message(Message::Request(request))) = at.and_then(|at| waiting.remove(at)) {
                return self.fail(request.id, ErrorCode::RequestCanceled, "cancelled");
            }
            return Ok(());
        }
        waiting.push_back(incoming);
        Ok(())
    }

    fn request(&mut self, request: Request) -> io::Result<()> {
        let Request { id, method, params } = request;
        match method.as_str() {
            "initialize" => {
                let result = self.initialize(&params);
                return self.answer(id, result);
            }
            _ if !self.initialized => {
                return self.fail(id, ErrorCode::ServerNotInitialized, "`initialize` comes first");
            }
            "shutdown" => {
                self.shut_down = true;
                return self.answer(id, Value::Null);
            }
            _ if self.shut_down => return self.fail(id, ErrorCode::InvalidRequest, "after `shutdown`"),
            "textDocument/hover" | "textDocument/codeAction" | "textDocument/documentSymbol" => {}
            _ => return self.fail(id, ErrorCode::MethodNotFound, &format!("no method {method}")),
        }
        // What is asked is asked of the text as it is now.
        self.judge_due(Instant::now() + PAUSE)?;
        let Some(uri) = params.pointer("/textDocument/uri").and_then(Value::as_str) else {
            return self.fail(id, ErrorCode::InvalidParams, "textDocument.uri is missing");
        };
        let encoding = self.encoding;
        let Some(document) = self.documents.get(uri) else { return self.answer(id, Value::Null) };
        let position = |at: &str| {
            params.pointer(at).and_then(|value| serde_json::from_value::<Position>(value.clone()).ok())
        };
        let result = match method.as_str() {
            "textDocument/hover" => {
                let Some(position) = position("/position") else {
                    return self.fail(id, ErrorCode::InvalidParams, "position is missing");
                };
                let offset = document.text.offset(position, encoding);
                guarded(|| hover::hover(document, offset, encoding))
            }
            "textDocument/documentSymbol" => guarded(|| Some(actions::symbols(document, encoding))),
            _ => {
                let range =
                    params.get("range").and_then(|value| serde_json::from_value::<Range>(value.clone()).ok());
                let Some(range) = range else {
                    return self.fail(id, ErrorCode::InvalidParams, "range is missing");
                };
                let only: Vec<&str> = params
                    .pointer("/context/only")
                    .and_then(Value::as_array)
                    .map(|kinds| kinds.iter().filter_map(Value::as_str).collect())
                    .unwrap_or_default();
                let asked = actions::Asked { uri, range, only, encoding, versioned: self.versioned_edits };
                let workspace = &mut self.workspace;
                guarded(|| Some(actions::actions(document, &asked, workspace)))
            }
        };
        match result {
            Ok(result) => self.answer(id, result.unwrap_or(Value::Null)),
            Err(why) => self.fail(id, ErrorCode::InternalError, &why),
        }
    }

    fn initialize(&mut self, params: &Value) -> Value {
        let root = params
            .pointer("/workspaceFolders/0/uri")
            .or_else(|| params.get("rootUri"))
            .and_then(Value::as_str)
            .and_then(place::path_of)
            .or_else(|| params.get("rootPath").and_then(Value::as_str).map(PathBuf::from));
        // Paths are told, and matched with those of the configuration, from there.
        if let Some(root) = root
            && let Err(error) = std::env::set_current_dir(&root)
        {
            log(&format!("can't work in {}: {error}", root.display()));
        }
        let flag = |at: &str| params.pointer(at).and_then(Value::as_bool) == Some(true);
        self.versioned_edits = flag("/capabilities/workspace/workspaceEdit/documentChanges");
        self.watches = flag("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration");
        let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let offers = |name: &str| offered.is_some_and(|offered| offered.iter().any(|one| one == name));
        let (encoding, name) = match () {
            () if offers("utf-8") => (Encoding::Utf8, "utf-8"),
            () if offers("utf-32") && !offers("utf-16") => (Encoding::Utf32, "utf-32"),
            () => (Encoding::Utf16, "utf-16"),
        };
        self.encoding = encoding;
        self.initialized = true;
        json!({
            "capabilities": {
                "positionEncoding": name,
                "textDocumentSync": {"openClose": true, "change": 2, "save": {"includeText": false}},
                "hoverProvider": true,
                "codeActionProvider": {"codeActionKinds": ["quickfix", "source.fixAll.rollsafe"]},
                "documentSymbolProvider": true,
            },
            "serverInfo": {"name": "rollsafe", "version": env!("CARGO_PKG_VERSION")},
        })
    }

    fn notification(&mut self, note: Notification) -> io::Result<()> {
        let uri = note.params.pointer("/textDocument/uri").and_then(Value::as_str).map(str::to_owned);
        match (note.method.as_str(), uri) {
            ("initialized", _) if self.watches => {
                let globs = ["**/*.sql", "**/rollsafe.toml", "**/*.sql.conf", "**/metadata.toml"];
                let watchers: Vec<Value> = globs.iter().map(|glob| json!({"globPattern": glob})).collect();
                self.next_id += 1;
                let params = json!({"registrations": [{
                    "id": "files",
                    "method": "workspace/didChangeWatchedFiles",
                    "registerOptions": {"watchers": watchers},
                }]});
                let id = RequestId::from(self.next_id);
                let request = Request { id, method: "client/registerCapability".to_owned(), params };
                transport::write(&mut self.output, &Message::Request(request))
            }
            ("textDocument/didOpen", Some(uri)) => {
                let text = note.params.pointer("/textDocument/text").and_then(Value::as_str).unwrap_or("");
                let version =
                    note.params.pointer("/textDocument/version").and_then(Value::as_i64).unwrap_or(0);
                let path = place::path_of(&uri).map(|path| place::from_here(&path)).unwrap_or_default();
                let document = Document {
                    version,
                    text: Text::new(text.to_owned()),
                    path,
                    due: Some(Instant::now()),
                    judged: Judged::NotYet,
                };
                self.documents.insert(uri, document);
                self.workspace.forget();
                Ok(())
            }
            ("textDocument/didChange", Some(uri)) => {
                let encoding = self.encoding;
                let Some(document) = self.documents.get_mut(&uri) else { return Ok(()) };
                if let Some(version) = note.params.pointer("/textDocument/version").and_then(Value::as_i64) {
                    document.version = version;
                }
                let changes = note.params.get("contentChanges").cloned().unwrap_or_default();
                match serde_json::from_value::<Vec<TextDocumentContentChangeEvent>>(changes) {
                    Ok(changes) => {
                        changes.into_iter().for_each(|change| document.text.change(change, encoding));
                    }
                    Err(error) => log(&format!("a change that can't be read: {error}")),
                }
                document.due = Some(Instant::now() + PAUSE);
                Ok(())
            }
            ("textDocument/didClose", Some(uri)) => {
                if self.documents.remove(&uri).is_some() {
                    self.workspace.forget();
                    self.publish(&uri, None, Vec::new())?;
                    self.judge_all_again();
                }
                Ok(())
            }
            (
                "textDocument/didSave"
                | "workspace/didChangeWatchedFiles"
                | "workspace/didChangeConfiguration",
                _,
            ) => {
                self.workspace.forget();
                self.judge_all_again();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn judge_all_again(&mut self) {
        let due = Instant::now() + PAUSE;
        for document in self.documents.values_mut() {
            document.due = Some(due);
        }
    }

    /// Judges what is due by `now`, and tells what was found.
    fn judge_due(&mut self, now: Instant) -> io::Result<()> {
        let due: Vec<String> = self
            .documents
            .iter()
            .filter(|(_, document)| document.due.is_some_and(|due| due <= now))
            .map(|(uri, _)| uri.clone())
            .collect();
        for uri in due {
            let overlays: Vec<(PathBuf, String)> = self
                .documents
                .values()
                .filter(|document| !document.path.as_os_str().is_empty())
                .map(|document| (document.path.clone(), document.text.as_str().to_owned()))
                .collect();
            let Some(document) = self.documents.get_mut(&uri) else { continue };
            document.due = None;
            let workspace = &mut self.workspace;
            let judged = guarded(|| workspace.judge(&document.path, document.text.as_str(), &overlays));
            let (judged, behind) = match judged {
                Ok(Ok(judged)) => judged,
                Ok(Err(why)) | Err(why) => {
                    log(&why);
                    (Judged::Failed(why), Vec::new())
                }
            };
            document.judged = judged;
            let diagnostics = diagnostics(document, self.encoding);
            let version = document.version;
            self.publish(&uri, Some(version), diagnostics)?;
            // What comes behind it in order stands on other ground now.
            for document in self.documents.values_mut().filter(|other| behind.contains(&other.path)) {
                document.due.get_or_insert(now + PAUSE);
            }
        }
        Ok(())
    }

    fn publish(&mut self, uri: &str, version: Option<i64>, diagnostics: Vec<Value>) -> io::Result<()> {
        let mut params = json!({"uri": uri, "diagnostics": diagnostics});
        if let (Some(version), Some(object)) = (version, params.as_object_mut()) {
            object.insert("version".to_owned(), version.into());
        }
        let method = "textDocument/publishDiagnostics".to_owned();
        transport::write(&mut self.output, &Message::Notification(Notification { method, params }))
    }

    fn answer(&mut self, id: RequestId, result: Value) -> io::Result<()> {
        // By hand: a result of null has to be there.
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
        transport::write_value(&mut self.output, &answer)
    }

    fn fail(&mut self, id: RequestId, code: ErrorCode, message: &str) -> io::Result<()> {
        transport::write(
            &mut self.output,
            &Message::Response(Response::new_err(id, code as i32, message.to_owned())),
        )
    }
}

/// The document's findings as the protocol has them.
fn diagnostics(document: &Document, encoding: Encoding) -> Vec<Value> {
    if let Judged::Failed(why) = &document.judged {
        let message = format!("rollsafe can't check this file: {why}");
        return vec![json!({
            "range": document.text.range(0, 0, encoding), "severity": 1, "source": "rollsafe", "message": message,
        })];
    }
    document.judged.findings().iter().map(|finding| diagnostic(document, finding, encoding)).collect()
}

fn diagnostic(document: &Document, finding: &Finding, encoding: Encoding) -> Value {
    let span = finding.span.unwrap_or_default();
    json!({
        "range": document.text.range(span.start as usize, span.end as usize, encoding),
        "severity": match finding.severity {
            Severity::Error => 1,
            Severity::Warning => 2,
            Severity::Notice => 3,
        },
        "code": finding.code,
        "source": "rollsafe",
        "message": finding.message,
    })
}

/// Runs what looks at texts; a panic is an answer that couldn't be had, not the end.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| "an error in rollsafe itself; please report it with the file (see the log)".to_owned())
}

/// Logs go to standard error: standard output is the protocol's.
fn log(message: &str) {
    let _ = writeln!(io::stderr(), "rollsafe lsp: {message}");
}
