//! A session on a user's server by way of psql.
//!
//! psql reaches every server that pg_dump reaches, in the same way: TLS, client certificates, Kerberos,
//! service files, `.pgpass`. It is asked one question at a time and answers each with one JSON value.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::child::{Captured, Reading, clean_environment, kill_group, wait_until};
use super::connection::Connection;
use super::guard::Guard;
use super::interrupt;

/// Ends each answer; no JSON value is such a line.
const END: &str = "rollsafe: end of answer";

/// A session that lives until it is dropped. Its transaction, and a snapshot that it exports, live as long.
#[derive(Debug)]
pub struct PsqlSession {
    child: Child,
    questions: Option<ChildStdin>,
    answers: Receiver<String>,
    complaints: Option<Reading>,
    deadline: Instant,
    _guard: Guard,
}

/// A question without an answer.
#[derive(Debug, thiserror::Error)]
pub enum PsqlError {
    /// psql could not be started or written to.
    #[error("could not run psql")]
    Io(#[from] io::Error),
    /// The server, or psql, refused.
    #[error("{0}")]
    Said(String),
    /// The answer isn't JSON.
    #[error("psql's answer can't be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// It took too long.
    #[error("the server didn't answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

impl PsqlSession {
    /// Starts `psql` and connects; ends by itself after `limit`.
    ///
    /// # Errors
    /// When psql can't be started. Whether the connection works shows with the first question.
    pub fn start(psql: &Path, connection: &Connection, limit: Duration) -> Result<PsqlSession, PsqlError> {
        let mut command = Command::new(psql);
        clean_environment(&mut command, true);
        let mut guard = Guard::idle();
        let starting = interrupt::starting();
        let mut child = command
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(connection.arguments())
            .envs(connection.environment())
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        guard.stop_group(child.id());
        drop(starting);
        let (sender, answers) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let complaints = child.stderr.take().map(Captured::read_in_background);
        let questions = child.stdin.take();
        Ok(PsqlSession {
            child,
            questions,
            answers,
            complaints,
            deadline: Instant::now() + limit,
            _guard: guard,
        })
    }

    /// Runs statements that return nothing.
    ///
    /// # Errors
    /// When the server refuses one; the session is over then.
    pub fn run(&mut self, sql: &str) -> Result<(), PsqlError> {
        self.lines(sql).map(drop)
    }

    /// The one value, of type `jsonb`, that `sql` returns.
    ///
    /// # Errors
    /// When the server refuses; the session is over then.
    pub fn ask(&mut self, sql: &str) -> Result<Value, PsqlError> {
        Ok(serde_json::from_str(&self.lines(sql)?.join("\n"))?)
    }

    fn lines(&mut self, sql: &str) -> Result<Vec<String>, PsqlError> {
        let asked = Instant::now();
        let write = self.questions.as_mut().map(|pipe| {
            writeln!(pipe, "{sql};\n\\echo '{END}'")?;
            pipe.flush()
        });
        if !matches!(write, Some(Ok(()))) {
            return Err(self.last_words());
        }
        let mut lines = vec![];
        loop {
            match self.answers.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line == END => return Ok(lines),
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.last_words()),
                Err(RecvTimeoutError::Timeout) => return Err(PsqlError::TimedOut(asked.elapsed())),
            }
        }
    }

    /// What psql said before it ended.
    fn last_words(&mut self) -> PsqlError {
        self.end();
        let said = self.complaints.take().map(Reading::finish).unwrap_or_default();
        let said = said.text();
        let said = said.trim().strip_prefix("psql: error: ").unwrap_or(said.trim());
        PsqlError::Said(if said.is_empty() {
            "psql ended without a word".to_owned()
        } else {
            said.to_owned()
        })
    }

    fn end(&mut self) {
        // The end of its input ends psql, and its transaction with it.
        self.questions = None;
        if !matches!(wait_until(&mut self.child, Instant::now() + Duration::from_secs(2)), Ok(Some(_))) {
            kill_group(&self.child);
            let _ = self.child.wait();
        }
    }
}

impl Drop for PsqlSession {
    fn drop(&mut self) {
        self.end();
    }
}
