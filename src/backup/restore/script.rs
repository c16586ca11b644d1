//! Restores a plain dump: its statements and rows go to the server over the protocol, one by one. psql is
//! not involved, so its meta-commands run nowhere.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use postgres::Client;
use postgres::error::SqlState;

use crate::backup::archive::input::Gauge;
use crate::backup::archive::text_reader::{End, Measure, TextReader, TextSink};
use crate::backup::archive::{Archive, decode_all};
use crate::backup::heading::heading;
use crate::postgres::sql_text::quote_literal;

use super::declared::{Declarations, Declared};
use super::errors::{self, ErrorClass, KEPT, RestoreError, server_message, shorten};
use super::names::{
    copy_target, created_name, extension_in, identifier, inserted_into, is_extension_of_pg_dump, speaks_of,
    strip_words,
};
use super::scan::{client_encoding, connected_database};
use super::target::Target;
use super::watch::Watch;
use super::zone::Samples;
use super::{NotRestored, Options, RestoreFailure, Restored};

/// Rows travel in pieces of about this size.
const PIECE: usize = 128 * 1024;

/// One thing to do, on its way from the reader of the text to the connection.
enum Step {
    Statement(Vec<u8>),
    /// A statement that has no end.
    Cut(Vec<u8>),
    /// The beginning of one that is longer than what is sent.
    TooLong {
        head: Vec<u8>,
        bytes: u64,
    },
    Meta(String),
    /// A comment line that may name what comes next.
    Comment(Vec<u8>),
    CopyBegin(Vec<u8>),
    Rows(Vec<u8>),
    CopyEnd {
        marker: bool,
    },
}

/// What the text held beside its rows.
#[derive(Default)]
pub(super) struct Held {
    pub(super) samples: Samples,
    pub(super) declared: Vec<Declared>,
}

/// Restores the dump's text.
pub(super) fn run(
    archive: &Archive,
    target: &Target,
    options: &Options,
    restored: &mut Restored,
) -> Result<Held, RestoreFailure> {
    let Some(text) = &archive.text else { return Ok(Held::default()) };
    restored.jobs = 1;
    let deadline = Instant::now() + options.hard_limit;
    let gauge = Arc::new(Gauge::like(text.gauge()));
    let text = text.clone().on(&gauge);
    let mut client = target.connect(target.database(""))?;
    let watch = Watch::new(target, &mut client);
    let (sender, receiver) = sync_channel(16);
    let mut loader = Loader::new(client, target, &watch, restored);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sink = Sending { sender, rows: Vec::new(), gauge: &gauge };
            let mut reader = TextReader::new(options.longest_statement);
            let _ = decode_all(&text, archive.compression, &mut |bytes| reader.push(bytes, &mut sink));
            reader.finish(&mut sink);
        });
        scope.spawn(|| watch.stand_guard(deadline));
        let outcome = loader.load(receiver);
        watch.dismiss();
        outcome
    });
    let held = Held {
        samples: std::mem::take(&mut loader.samples),
        declared: std::mem::take(&mut loader.declared).into_list(),
    };
    if watch.has_struck() {
        restored.stopped = true;
        restored.errors_total += 1;
        restored.errors.push(RestoreError {
            class: ErrorClass::Backup,
            object: None,
            entry: None,
            message: "the restore was stopped at its time limit".to_owned(),
            statement: None,
        });
        return Ok(held);
    }
    outcome.map(|()| held)
}

/// Sends what the text holds to the loader.
struct Sending<'a> {
    sender: SyncSender<Step>,
    rows: Vec<u8>,
    gauge: &'a Gauge,
}

impl Sending<'_> {
    fn send(&mut self, step: Step) {
        if self.sender.send(step).is_err() {
            // The loader has given up.
            self.gauge.cancel();
        }
    }
}

impl TextSink for Sending<'_> {
    fn comment_bytes(&mut self, line: &[u8]) {
        // Most are empty; the ends of dumps and what names an object are worth sending.
        if !line.is_empty() {
            self.send(Step::Comment(line.to_vec()));
        }
    }

    fn statement(&mut self, sql: &[u8], measure: Measure) {
        self.send(match measure.end {
            End::Whole => Step::Statement(sql.to_vec()),
            End::Shortened => Step::TooLong { head: head_of(sql).to_vec(), bytes: measure.bytes },
            End::Missing => Step::Cut(sql.to_vec()),
        });
    }

    fn meta_command(&mut self, line: &str) {
        self.send(Step::Meta(line.to_owned()));
    }

    fn copy_statement(&mut self, statement: &[u8]) {
        self.send(Step::CopyBegin(statement.to_vec()));
    }

    fn copy_data(&mut self, bytes: &[u8]) {
        self.rows.extend_from_slice(bytes);
        if self.rows.len() >= PIECE {
            let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(PIECE + 4096));
            self.send(Step::Rows(rows));
        }
    }

    fn copy_end(&mut self, marker: bool) {
        if !self.rows.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            self.send(Step::Rows(rows));
        }
        self.send(Step::CopyEnd { marker });
    }
}

struct Loader<'a> {
    client: Client,
    target: &'a Target,
    watch: &'a Watch<'a>,
    restored: &'a mut Restored,
    encoding: String,
    samples: Samples,
    owners_left_out: u64,
    database: Arc<str>,
    declared: Declarations,
    /// Statements that set up the session, to be repeated when it has to be begun anew.
    session: Vec<String>,
    /// Schemas and names of objects that aren't there because this place has no right or no means to make them.
    absent: Vec<((String, String), ErrorClass)>,
}

impl<'a> Loader<'a> {
    fn new(
        client: Client,
        target: &'a Target,
        watch: &'a Watch<'a>,
        restored: &'a mut Restored,
    ) -> Loader<'a> {
        Loader {
            client,
            target,
            watch,
            restored,
            encoding: "UTF8".to_owned(),
            samples: Samples::default(),
            owners_left_out: 0,
            database: Arc::from(target.database("")),
            declared: Declarations::default(),
            session: vec![],
            absent: vec![],
        }
    }

    fn load(&mut self, steps: Receiver<Step>) -> Result<(), RestoreFailure> {
        while let Ok(step) = steps.recv() {
            if self.watch.has_struck() {
                return Ok(());
            }
            match step {
                Step::Statement(sql) => self.statement(&sql)?,
                Step::Cut(sql) => {
                    let message = "the dump ends inside a statement".to_owned();
                    let head = String::from_utf8_lossy(head_of(&sql)).into_owned();
                    self.complain(ErrorClass::Backup, None, message, Some(&head));
                }
                Step::TooLong { head, bytes } => self.too_long(&head, bytes),
                Step::Meta(line) => self.meta_command(&line)?,
                Step::Comment(line) => self.comment(&line),
                Step::CopyBegin(statement) => self.copy(&statement, &steps)?,
                // Only behind a CopyBegin, which takes them all.
                Step::Rows(_) | Step::CopyEnd { .. } => {}
            }
            if self.client.is_closed() {
                let message = "the server closed the connection".to_owned();
                self.complain(ErrorClass::Tool, None, message, None);
                return Ok(());
            }
        }
        if self.owners_left_out > 0 {
            self.restored.notes.push(format!(
                "owners were left out: one role owns everything here ({} statements)",
                self.owners_left_out
            ));
        }
        Ok(())
    }

    fn complain(
        &mut self,
        class: ErrorClass,
        object: Option<String>,
        message: String,
        statement: Option<&str>,
    ) {
        self.restored.errors_total += 1;
        if self.restored.errors.len() < KEPT {
            let statement = statement.map(shorten);
            let message = shorten(&message);
            self.restored.errors.push(RestoreError { class, object, entry: None, message, statement });
        }
    }

    fn leave_out(&mut self, what: &str, why: &str) {
        if self.restored.not_restored.len() < KEPT {
            let what: String = what.chars().take(200).collect();
            self.restored.not_restored.push(NotRestored { what, why: why.to_owned() });
        }
    }

    /// The statement as text, whatever the dump's encoding: the server itself knows how to convert.
    fn text_of(&mut self, sql: &[u8]) -> Result<String, String> {
        if sql.is_ascii() || self.is_utf8() {
            return String::from_utf8(sql.to_vec()).map_err(|error| error.to_string());
        }
        self.client
            .query_one("SELECT pg_catalog.convert_from($1, $2::text::name)", &[&sql, &self.encoding])
            .and_then(|row| row.try_get(0))
            .map_err(|error| server_message(&error))
    }

    /// What comes next may stand in it.
    fn comment(&mut self, line: &[u8]) {
        if matches!(line, b"PostgreSQL database dump" | b"PostgreSQL database dump complete") {
            self.declared.end();
        }
        let names = |start: &&[u8]| line.starts_with(start);
        if ![&b"Name: "[..], b"Data for Name: ", b"Statistics for Name: "].iter().any(names) {
            return;
        }
        match self.text_of(line).ok().as_deref().and_then(heading) {
            Some(heading) => self.declared.begin(&self.database, &heading),
            None => self.declared.end(),
        }
    }

    /// A statement that isn't tried: nobody knows whether the server would take it.
    fn too_long(&mut self, head: &[u8], bytes: u64) {
        let lossy = |_| String::from_utf8_lossy(head).into_owned();
        let text = self.text_of(head).unwrap_or_else(lossy);
        let message = format!("a statement of {} MB is too long to be tried", bytes >> 20);
        self.declared.doubt();
        self.complain(ErrorClass::Environment, made_or_filled(&text), message, Some(&text));
    }

    fn is_utf8(&self) -> bool {
        let plain: String = self.encoding.chars().filter(char::is_ascii_alphanumeric).collect();
        plain.eq_ignore_ascii_case("UTF8") || plain.eq_ignore_ascii_case("UNICODE")
    }

    fn statement(&mut self, sql: &[u8]) -> Result<(), RestoreFailure> {
        let text = match self.text_of(sql.trim_ascii()) {
            Ok(text) => text,
            Err(why) => {
                let shown = String::from_utf8_lossy(sql).into_owned();
                let message = format!("the statement isn't text in {}: {why}", self.encoding);
                self.complain(ErrorClass::Backup, None, message, Some(&shown));
                return Ok(());
            }
        };
        if text.is_empty() {
            return Ok(());
        }
        if let Some(encoding) = client_encoding(&text) {
            // Kept here: the connection itself stays with UTF-8.
            self.encoding = encoding;
            return Ok(());
        }
        self.declared.statement(&text);
        if self.leaves_out(&text) {
            return Ok(());
        }
        let mut outcome = self.client.batch_execute(&text);
        // A policy or a grant may name several; one that is there already can't be made again.
        while let Err(error) = &outcome
            && let Some(role) = missing_role(error)
            && self.target.is_scratch()
            && self.target.make_role(&role).is_ok()
        {
            outcome = self.client.batch_execute(&text);
        }
        if let Err(error) = outcome {
            let kind = grants(&text).then_some("ACL");
            self.judge(&error, kind, made_or_filled(&text), &text);
        } else if strip_words(&text, &["SET"]).is_some() || text.starts_with("SELECT pg_catalog.set_config(")
        {
            // Some are set over and over: default_table_access_method, default_tablespace.
            self.session.retain(|before| *before != text);
            self.session.push(text);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        error: &postgres::Error,
        kind: Option<&str>,
        object: Option<String>,
        statement: &str,
    ) {
        if self.watch.has_struck() {
            return;
        }
        let message = server_message(error);
        let mut class = match error.code() {
            Some(code) if *code == SqlState::DISK_FULL => ErrorClass::Space,
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => ErrorClass::Privilege,
            // Made here for an extension, before the dump came to it.
            Some(code)
                if *code == SqlState::DUPLICATE_SCHEMA
                    && self
                        .target
                        .made_schemas
                        .iter()
                        .any(|schema| message.contains(&format!("\"{schema}\""))) =>
            {
                return;
            }
            _ => errors::classify(&message, kind),
        };
        if class == ErrorClass::Backup && message.contains("does not exist") {
            let follows = self.absent.iter().find(|(name, _)| speaks_of(&message, name));
            if let Some((_, of)) = follows {
                class = *of;
            } else if self.target.lacks_extension() {
                class = ErrorClass::Environment;
            }
        }
        if matches!(class, ErrorClass::Environment | ErrorClass::Privilege) {
            self.declared.doubt();
            self.absent.extend(created_name(statement).map(|name| (name, class)));
        }
        self.complain(class, object, message, Some(statement));
    }

    /// Whether the statement isn't for this place: it was done already, or never is.
    fn leaves_out(&mut self, text: &str) -> bool {
        let starts = |words: &[&str]| strip_words(text, words).is_some();
        // Written by hand it may say it in other words; damaged, the server has to see it.
        let extension =
            is_extension_of_pg_dump(text) || !starts(&["CREATE", "EXTENSION", "IF", "NOT", "EXISTS"]);
        let extension = extension_in(text).filter(|_| extension);
        if extension.as_ref().is_some_and(|(name, _)| self.target.lacks(name)) {
            self.declared.doubt();
        }
        if extension.is_some() || starts(&["COMMENT", "ON", "EXTENSION"]) {
            return true;
        }
        // With -n, pg_dump writes out the schema that every new database has.
        let of_public =
            |words: &[&str]| strip_words(text, words).is_some_and(|name| name.trim_end() == "public");
        let forms: [&[&str]; 3] =
            [&["CREATE", "SCHEMA"], &["DROP", "SCHEMA"], &["DROP", "SCHEMA", "IF", "EXISTS"]];
        if forms.into_iter().any(of_public) {
            return true;
        }
        if starts(&["ALTER"]) && gives_owner(text) {
            self.owners_left_out += 1;
            return true;
        }
        if starts(&["SET", "SESSION", "AUTHORIZATION"])
            || starts(&["RESET", "SESSION"])
            || starts(&["SET", "ROLE"])
        {
            self.owners_left_out += 1;
            return true;
        }
        if let Some(value) = strip_words(text, &["SET", "default_tablespace"]) {
            let name = value.trim_start_matches('=').trim().trim_matches('\'');
            if !name.is_empty() {
                self.leave_out(&format!("TABLESPACE {name}"), "everything goes into the default tablespace");
                return true;
            }
            return false;
        }
        let of_cluster = [
            &["CREATE", "DATABASE"][..],
            &["ALTER", "DATABASE"],
            &["DROP", "DATABASE"],
            &["CREATE", "ROLE"],
            &["ALTER", "ROLE"],
            &["DROP", "ROLE"],
            &["CREATE", "TABLESPACE"],
            &["DROP", "TABLESPACE"],
        ];
        if of_cluster.iter().any(|words| starts(words)) {
            // Passwords and rights of roles stay out of the report, too.
            return true;
        }
        if !self.target.is_scratch() && grants(text) {
            return true;
        }
        let outside = [
            (&["CREATE", "SERVER"][..], "it would connect to another server"),
            (&["CREATE", "FOREIGN", "TABLE"], "its rows are on another server"),
            (&["CREATE", "FOREIGN", "DATA", "WRAPPER"], "only a superuser can create one"),
            (&["CREATE", "USER", "MAPPING"], "it would connect to another server"),
            (&["CREATE", "SUBSCRIPTION"], "it would connect to another server"),
            (&["CREATE", "EVENT", "TRIGGER"], "only a superuser can create one"),
        ];
        if let Some((_, why)) = outside.iter().find(|(words, _)| starts(words)) {
            self.leave_out(&created_object(text), why);
            self.declared.doubt();
            self.absent.extend(created_name(text).map(|name| (name, ErrorClass::Privilege)));
            return true;
        }
        false
    }

    fn meta_command(&mut self, line: &str) -> Result<(), RestoreFailure> {
        if let Some(database) = connected_database(line) {
            self.database = Arc::from(self.target.database(&database));
            self.declared.end();
            self.client = self.target.connect(&self.database)?;
            self.watch.watch(&mut self.client);
            self.encoding = "UTF8".to_owned();
            self.session.clear();
        } else if !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ") {
            self.leave_out(line, "psql's meta-commands are never run");
        }
        Ok(())
    }

    /// A new connection in the state of the one before.
    fn reconnect(&mut self) -> Result<(), RestoreFailure> {
        self.client = self.target.connect(&self.database)?;
        self.watch.watch(&mut self.client);
        for sql in &self.session {
            self.client
                .batch_execute(sql)
                .map_err(|error| RestoreFailure::server("set up the session again", error))?;
        }
        Ok(())
    }

    fn copy(&mut self, statement: &[u8], steps: &Receiver<Step>) -> Result<(), RestoreFailure> {
        let statement = match self.text_of(statement) {
            Ok(text) => text,
            Err(why) => {
                let shown = String::from_utf8_lossy(statement).into_owned();
                let message = format!("the statement isn't text in {}: {why}", self.encoding);
                self.complain(ErrorClass::Backup, None, message, Some(&shown));
                while let Ok(step) = steps.recv() {
                    if matches!(step, Step::CopyEnd { .. }) {
                        break;
                    }
                }
                return Ok(());
            }
        };
        let statement = statement.as_str();
        let relation = copy_target(statement).map(|target| target.relation.to_owned());
        let mut sql = statement.trim().trim_end_matches(';').to_owned();
        if relation.is_some() && !self.is_utf8() {
            sql.push_str(&format!(" WITH (ENCODING {})", quote_literal(&self.encoding)));
        }
        let object = Some(format!("TABLE DATA {}", relation.as_deref().unwrap_or("?")));
        self.samples.next_table();
        let mut outcome = Ok(());
        let mut marker = false;
        let mut begun = true;
        // Scoped: the writer borrows the connection.
        {
            let mut writer = match self.client.copy_in(&sql) {
                Ok(writer) => Some(writer),
                Err(error) => {
                    begun = false;
                    outcome = Err(error);
                    None
                }
            };
            while let Ok(step) = steps.recv() {
                match step {
                    Step::Rows(rows) => {
                        self.samples.add(&rows);
                        if let Some(open) = &mut writer
                            && open.write_all(&rows).is_err()
                        {
                            // Finishing says why.
                            outcome = match writer.take() {
                                Some(broken) => broken.finish().map(drop),
                                None => Ok(()),
                            };
                        }
                    }
                    Step::CopyEnd { marker: at_end } => {
                        marker = at_end;
                        break;
                    }
                    // Nothing else comes before the end of the rows.
                    _ => {}
                }
            }
            // Rows without their end marker are cut off: dropping the writer takes them back.
            if let Some(writer) = writer.filter(|_| marker) {
                outcome = writer.finish().map(drop);
            }
        }
        if let Err(error) = outcome {
            self.judge(&error, None, object.clone(), statement);
        }
        if !begun && !self.watch.has_struck() {
            // A COPY that the server refuses to begin leaves the driver one answer behind: it sends a
            // Sync with the COPY and another one after it.
            self.reconnect()?;
        }
        if !marker && !self.watch.has_struck() {
            let message = "the dump ends inside the rows".to_owned();
            self.complain(ErrorClass::Backup, object, message, Some(statement));
        }
        Ok(())
    }
}

/// The beginning of a statement, for messages.
fn head_of(sql: &[u8]) -> &[u8] {
    sql.get(..4096).unwrap_or(sql)
}

/// What a statement is about: rows of a table, as COPY's are called, or what it makes.
fn made_or_filled(text: &str) -> Option<String> {
    match inserted_into(text) {
        Some(relation) => Some(format!("TABLE DATA {relation}")),
        None => Some(created_object(text)).filter(|object| !object.is_empty()),
    }
}

/// Whether it ends in `OWNER TO shop`: the words alone may stand in a constraint.
fn gives_owner(text: &str) -> bool {
    let role = text.rsplit_once(" OWNER TO ").and_then(|(_, role)| identifier(role));
    role.is_some_and(|(_, rest)| rest.trim().is_empty())
}

/// Whether it gives or takes privileges, which carry no data.
fn grants(text: &str) -> bool {
    ["GRANT", "REVOKE"].iter().any(|word| strip_words(text, &[word]).is_some())
        || strip_words(text, &["ALTER", "DEFAULT", "PRIVILEGES"]).is_some()
}

/// The role of `role "app" does not exist`.
fn missing_role(error: &postgres::Error) -> Option<String> {
    let said = error.as_db_error().filter(|said| *said.code() == SqlState::UNDEFINED_OBJECT)?;
    let name = said.message().strip_prefix("role \"")?.strip_suffix("\" does not exist")?;
    Some(name.to_owned())
}

/// The kind and name of what a statement is about: `TABLE public.users`, `INDEX users_email`.
fn created_object(text: &str) -> String {
    let mut words = vec![];
    for word in text.split(|c: char| c.is_whitespace() || c == '(').filter(|word| !word.is_empty()) {
        let is_keyword = word.chars().all(|c| c.is_ascii_uppercase());
        let is_filler = ["CREATE", "ALTER", "OR", "REPLACE", "ADD", "ONLY", "IF", "NOT", "EXISTS", "UNIQUE"];
        if is_keyword && words.len() < 3 {
            if !is_filler.contains(&word) {
                words.push(word);
            }
        } else {
            words.push(word);
            break;
        }
    }
    words.join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_by_their_statements() {
        for (text, object) in [
            ("CREATE TABLE public.users (id int)", "TABLE public.users"),
            ("CREATE UNIQUE INDEX users_email ON public.users USING btree (email)", "INDEX users_email"),
            ("CREATE FOREIGN TABLE public.far (id int)", "FOREIGN TABLE public.far"),
            (
                "ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id)",
                "TABLE public.users",
            ),
        ] {
            assert_eq!(created_object(text), object);
        }
        assert!(gives_owner("ALTER TABLE public.t OWNER TO \"Shop owner\""));
        assert!(!gives_owner("ALTER TABLE public.t ADD CONSTRAINT c CHECK ((q <> ' OWNER TO x'::text))"));
        assert!(grants("REVOKE ALL ON t FROM x") && !grants("CREATE TABLE grants ()"));
    }
}
