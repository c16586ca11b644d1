//! What a restore complains about, told apart: the dump's fault, the place's, or ours.

use std::time::Duration;

use serde::Serialize;

/// Longest message and statement that are kept.
const LONGEST: usize = 2000;
/// How many complaints are kept; more are counted.
pub(super) const KEPT: usize = 1000;

/// Whose fault a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The dump's: it wouldn't restore anywhere.
    Backup,
    /// The place's, by the look of it: a collation, a library, an extension or a setting that isn't here, or whose name is
    /// damaged; a statement too long to be tried. Nobody knows then whether the dump restores where it is.
    Environment,
    /// Only a superuser may, and this restore is done by none; or it follows from that.
    Privilege,
    /// The disk is full.
    Space,
    /// The programs': pg_restore was built without a compression, the server went away.
    Tool,
}

/// One complaint of the server or of pg_restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoreError {
    /// Whose fault.
    pub class: ErrorClass,
    /// What it is about: `TABLE public.users`, `COPY public.users`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Dump id of the TOC entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i32>,
    /// What was said, with DETAIL and CONTEXT.
    pub message: String,
    /// The statement it was said of, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

impl RestoreError {
    /// Whether only a setting of the session wasn't taken, which leaves nothing of the dump out.
    pub(super) fn is_of_a_setting(&self) -> bool {
        let statement = self.statement.as_deref().unwrap_or("");
        statement.starts_with("SET ") || statement.starts_with("SELECT pg_catalog.set_config(")
    }
}

/// The class of a message, by its English text; `kind` is the TOC entry's.
pub(super) fn classify(message: &str, kind: Option<&str>) -> ErrorClass {
    let has = |part: &str| message.contains(part);
    if has("No space left on device") || has("could not extend file") || has("Disk quota exceeded") {
        return ErrorClass::Space;
    }
    if has("does not support compression") || has("cannot restore from compressed archive") {
        return ErrorClass::Tool;
    }
    // A crash, or the kernel short of memory: nothing about the dump can be said.
    if has("server closed the connection")
        || has("terminating connection")
        || has("the database system is in recovery mode")
        || has("connection to server")
    {
        return ErrorClass::Tool;
    }
    // Whatever it is about, the server can't read it: pg_dump wrote something else.
    if has("syntax error at") || has("unrecognized privilege type") {
        return ErrorClass::Backup;
    }
    let missing = has("does not exist") || has("doesn't exist");
    // Grants never carry data; they fail where the roles aren't those of the source. What they are grants on is the dump's.
    let is_grant = matches!(kind, Some("ACL" | "DEFAULT ACL" | "ACL LANGUAGE" | "SECURITY LABEL"));
    if is_grant && (!missing || has("role \"")) {
        return ErrorClass::Privilege;
    }
    let kinds = ["role \"", "tablespace \"", "language \"", "collation \"", "extension \""];
    let of_the_place = (missing && kinds.into_iter().any(has))
        || has("unrecognized configuration parameter")
        || has("is not available")
        || has("could not open extension control file")
        || has("could not access file \"$libdir")
        || has("could not load library")
        || has("could not create locale")
        || has("could not open collator")
        || has("invalid locale name")
        || has("must be loaded via shared_preload_libraries")
        // xml, lz4, ICU: what was left out when this server was built.
        || has("requires the server to be built with")
        || has("unsupported XML feature")
        || has("is not supported in this build");
    if of_the_place {
        return ErrorClass::Environment;
    }
    if has("permission denied")
        || has("must be superuser")
        || has("must be owner")
        || has("must be able to SET ROLE")
        || has("must be member of role")
        || has("must have privileges of")
        || has("only superuser")
        || has("Only superuser")
        || has("Only roles with")
        // A foreign key's check by a role that row security holds for.
        || has("would be affected by row-level security policy")
    {
        return ErrorClass::Privilege;
    }
    ErrorClass::Backup
}

/// `text` without what goes beyond the longest kept.
pub(super) fn shorten(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}

/// What the server said, with its detail; or what else went wrong with the connection.
pub(super) fn server_message(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => {
            let mut text = format!("{}: {}", said.severity(), said.message());
            for (name, more) in [("DETAIL", said.detail()), ("HINT", said.hint()), ("CONTEXT", said.where_())]
            {
                if let Some(more) = more {
                    text.push_str(&format!("\n{name}: {more}"));
                }
            }
            text
        }
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// Whether parallel jobs of pg_restore wrote into each other's messages: program, severity and message are a write each
/// (`pg_log_generic_v` in `logging.c`), so that another job's name comes in the middle of a line.
pub(super) fn is_muddled(stderr: &str) -> bool {
    stderr.lines().any(|line| line.match_indices("pg_restore:").any(|(at, _)| at > 0))
}

/// Reads what pg_restore wrote to its standard error.
pub(super) fn read_stderr(text: &str, kind_of: impl Fn(i32) -> Option<String>) -> (Vec<RestoreError>, u64) {
    let mut errors: Vec<RestoreError> = Vec::new();
    let mut total = 0;
    // What comes without "pg_restore:" in front continues the message before.
    let mut open: Option<Open> = None;
    let mut entry: Option<(i32, String)> = None;
    let mut finish = |open: &mut Option<Open>| {
        let Some(Open { text, entry }) = open.take() else { return };
        total += 1;
        if errors.len() < KEPT {
            errors.push(read_message(&text, entry, &kind_of));
        }
    };
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("pg_restore: ") {
            if let Some(message) = rest.strip_prefix("error: ") {
                finish(&mut open);
                open = Some(Open { text: message.to_owned(), entry: entry.clone() });
            } else if let Some(from) = rest.strip_prefix("from TOC entry ") {
                finish(&mut open);
                entry = read_entry(from);
            } else if let Some(more) = rest.strip_prefix("detail: ").or(rest.strip_prefix("hint: ")) {
                if let Some(open) = &mut open {
                    open.text.push_str(&format!("\n{more}"));
                }
            } else {
                finish(&mut open);
            }
        } else if let Some(open) = &mut open
            && open.text.len() < 4 * LONGEST
        {
            open.text.push('\n');
            open.text.push_str(line);
        }
    }
    finish(&mut open);
    (errors, total)
}

struct Open {
    text: String,
    entry: Option<(i32, String)>,
}

/// Reads `217; 1259 16389 TABLE users owner`.
fn read_entry(text: &str) -> Option<(i32, String)> {
    let (id, rest) = text.split_once(';')?;
    let mut words = rest.trim().splitn(3, ' ');
    let (_table, _oid) = (words.next()?, words.next()?);
    let described = words.next()?;
    // The owner comes last and tells nothing here.
    let described = described.rsplit_once(' ').map_or(described, |(before, _)| before);
    Some((id.trim().parse().ok()?, described.to_owned()))
}

fn read_message(
    text: &str,
    entry: Option<(i32, String)>,
    kind_of: &impl Fn(i32) -> Option<String>,
) -> RestoreError {
    let (message, statement) = match text.split_once("\nCommand was: ") {
        Some((message, statement)) => (message, Some(shorten(statement))),
        None => (text, None),
    };
    let message = message.strip_prefix("could not execute query: ").unwrap_or(message);
    // A failing COPY of a parallel job names its table and not its entry.
    let copied = message.strip_prefix("COPY failed for table \"").and_then(|rest| rest.split_once('"'));
    let (entry, object) = match (entry, copied) {
        (_, Some((table, _))) => (None, Some(format!("TABLE DATA {table}"))),
        (Some((id, described)), None) => (Some(id), Some(described)),
        (None, None) => (None, None),
    };
    let kind = entry.and_then(kind_of);
    RestoreError {
        class: classify(message, kind.as_deref()),
        object,
        entry,
        message: shorten(message),
        statement,
    }
}

/// The complaint that pg_restore was stopped for taking too long.
pub(super) fn stopped(limit: Duration) -> RestoreError {
    RestoreError {
        class: ErrorClass::Backup,
        object: None,
        entry: None,
        message: format!("the restore was stopped after {} s", limit.as_secs()),
        statement: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_pg_restore_are_taken_apart() {
        let stderr = "\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 217; 1259 16389 TABLE users shop
pg_restore: error: could not execute query: ERROR:  type \"public.mood\" does not exist
LINE 3:     feeling public.mood
                    ^
Command was: CREATE TABLE public.users (
    feeling public.mood
);

pg_restore: from TOC entry 3340; 0 0 ACL TABLE users shop
pg_restore: error: could not execute query: ERROR:  syntax error
Command was: GRANT

pg_restore: error: COPY failed for table \"orders\": ERROR:  invalid input syntax for type integer: \"x\"
CONTEXT:  COPY orders, line 2, column id: \"x\"
pg_restore: warning: errors ignored on restore: 3
";
        let (errors, total) =
            read_stderr(stderr, |id| Some(if id == 3340 { "ACL" } else { "TABLE" }.to_owned()));
        assert_eq!(total, 3);
        assert_eq!(errors[0].entry, Some(217));
        assert_eq!(errors[0].object.as_deref(), Some("TABLE users"));
        assert_eq!(errors[0].class, ErrorClass::Backup);
        assert!(errors[0].message.starts_with("ERROR:  type \"public.mood\" does not exist\nLINE 3:"));
        assert!(errors[0].statement.as_deref().unwrap().starts_with("CREATE TABLE public.users"));
        assert_eq!(errors[1].class, ErrorClass::Privilege);
        assert_eq!(errors[2].object.as_deref(), Some("TABLE DATA orders"));
        assert!(errors[2].message.contains("CONTEXT:  COPY orders, line 2"));
    }

    #[test]
    fn messages_in_each_other_are_seen() {
        // As pg_restore 17 wrote them with four jobs.
        for stderr in [
            "pg_restore: error: pg_restore: error: could not execute query: ERROR:  relation \"public.t24\" does not exist\n\
             Command was: COPY public.t24 (id) FROM stdin;\n\
             could not execute query: ERROR:  relation \"public.t23\" does not exist\n",
            "pg_restore:pg_restore: error: could not execute query: ERROR:  relation \"public.t18\" does not exist\n\
             Command was: COPY public.t18 (id) FROM stdin;\n error: could not execute query: ERROR:  relation\n",
            "pg_restore:pg_restore:  error: error: could not execute query: ERROR:  relation \"public.t18\" does not exist\n",
        ] {
            assert!(is_muddled(stderr), "{stderr}");
        }
        assert!(!is_muddled(
            "pg_restore: error: could not execute query: ERROR:  relation \"public.t1\" does not exist\n\
             Command was: COPY public.t1 (id) FROM stdin;\npg_restore: warning: errors ignored on restore: 1\n"
        ));
    }

    #[test]
    fn faults_of_the_place_are_not_the_dumps() {
        for (message, class) in [
            ("ERROR:  role \"app\" does not exist", ErrorClass::Environment),
            ("ERROR:  unrecognized configuration parameter \"transaction_timeout\"", ErrorClass::Environment),
            ("ERROR:  extension \"postgis\" is not available", ErrorClass::Environment),
            (
                "ERROR:  unsupported XML feature\nDETAIL:  This functionality requires the server to be built with libxml support.",
                ErrorClass::Environment,
            ),
            ("ERROR:  permission denied to COPY to or from an external program", ErrorClass::Privilege),
            ("ERROR:  relation \"public.users\" does not exist", ErrorClass::Backup),
            ("ERROR:  could not create unique index \"users_pkey\"", ErrorClass::Backup),
            ("ERROR:  could not extend file \"base/1/2\": No space left on device", ErrorClass::Space),
            (
                "ERROR:  collation \"pg_catalog.B\" for encoding \"UTF8\" does not exist",
                ErrorClass::Environment,
            ),
            ("this build does not support compression with LZ4", ErrorClass::Tool),
            ("server closed the connection unexpectedly", ErrorClass::Tool),
        ] {
            assert_eq!(classify(message, Some("TABLE")), class, "{message}");
        }
        let grant = |message| classify(message, Some("ACL"));
        assert_eq!(grant("ERROR:  role \"app\" does not exist"), ErrorClass::Privilege);
        assert_eq!(grant("ERROR:  relation \"public.userr\" does not exist"), ErrorClass::Backup);
    }
}
