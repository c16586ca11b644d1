//! What a migration tool is to the linter: how to recognise it, how it names, orders and cuts files, and how it
//! sends them to the server.
//!
//! Each tool is one description, in its own file under `runners/`; nothing else knows a tool by name. Facts are those
//! of the tools' sources and documentation (versions as of 2026).

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ledger::Ledger;
use super::sections::Section;
use crate::migration::migration::Direction;
use crate::migration::statement::{Body, ObjectKind, ReindexTarget, Statement};

/// A migration tool.
pub struct Runner {
    /// The word for `--runner` and reports: "flyway".
    pub name: &'static str,
    /// As people write it: "Flyway".
    pub title: &'static str,
    /// What gives it away.
    pub signs: Signs,
    /// What a file's path (relative to the migrations folder, with `/`) says; `None`: not a migration of this tool.
    pub named: fn(&str) -> Option<Named>,
    /// In which order files run.
    pub order: Order,
    /// How a file is cut into sections.
    pub sections: Sections,
    /// The transaction that the tool opens.
    pub around: Around,
    /// What is sent as one query.
    pub unit: Unit,
    /// How a migration gets out of the tool's transaction.
    pub switch: &'static [Switch],
    /// What to do so that a statement runs outside any transaction, as an order behind "Flyway: ".
    pub alone: &'static str,
    /// How that is written into a file, where it can be.
    pub opt_out: OptOut,
    /// psql runs the files: meta-commands and COPY data work.
    pub psql: bool,
    /// Where it notes what has run; `None`: nowhere.
    pub ledger: Option<Ledger>,
    /// What its files are exports of, and what the export doesn't tell.
    pub export: Option<Export>,
}

/// SQL that a tool prints, in place of migrations that aren't SQL.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// The command that prints it.
    pub command: &'static str,
    /// Whether BEGIN and COMMIT are printed where the tool sends them.
    pub shows_transactions: bool,
    /// Why a statement may run otherwise than printed, as a sentence without its end.
    pub lost: &'static str,
}

/// How a file says that it runs outside the tool's transaction, so that a fix can write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptOut {
    /// Not in the file: in its name, in another file, in a setting; or not at all.
    Elsewhere,
    /// As the file's first line.
    FirstLine(&'static str),
    /// As words behind the line that begins the section.
    SectionLine(&'static str),
}

/// What gives a tool away, strongest first.
#[derive(Default)]
pub struct Signs {
    /// Files in the migrations folder itself.
    pub inside: &'static [&'static str],
    /// Files in a folder above, up to the repository's root.
    pub above: &'static [&'static str],
    /// Files beside a migration's file.
    pub beside: &'static [&'static str],
    /// (folder, file): folders inside the migrations folder whose files are of one history, where the file lies beside
    /// them or one above.
    pub nested: &'static [(&'static str, &'static str)],
    /// The end of the migrations folder's path: "supabase/migrations".
    pub folder: &'static [&'static str],
    /// Beginnings of lines in the files, compared without case.
    pub content: &'static [&'static str],
    /// File names that only this tool uses.
    pub unique: Option<fn(&str) -> bool>,
    /// (manifest, text in it): the nearest manifest above names the tool as a dependency.
    pub manifest: &'static [(&'static str, &'static str)],
    /// Names that nothing else claims: the tool is assumed where nothing speaks against it.
    pub usual: Option<fn(&str) -> bool>,
}

impl Runner {
    /// Whether it sends a file as one query because this statement is in it.
    pub fn joins(&self, statement: &Statement) -> bool {
        self.switch.iter().any(|switch| matches!(switch, Switch::Joined(joins) if joins(statement)))
    }
}

impl Signs {
    /// Whether anything in a repository can give the tool away.
    pub fn recognisable(&self) -> bool {
        let Signs { inside, above, beside, nested: _, folder, content, unique, manifest, usual } = self;
        let listed = [inside, above, beside, folder, content].iter().any(|signs| !signs.is_empty());
        listed || !manifest.is_empty() || unique.is_some() || usual.is_some()
    }
}

/// No signs: only for `..NO_SIGNS` in descriptions.
pub const NO_SIGNS: Signs = Signs {
    inside: &[],
    above: &[],
    beside: &[],
    nested: &[],
    folder: &[],
    content: &[],
    unique: None,
    manifest: &[],
    usual: None,
};

/// What a file's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The version, as the tool compares it (see [`Order`]); empty for repeatable ones.
    pub version: String,
    /// Which way it goes.
    pub direction: Direction,
}

/// In which order files run.
#[derive(Clone, Copy)]
pub enum Order {
    /// By version as a number of any length, then by name.
    Number,
    /// By the path as a string.
    Text,
    /// By the version as a string.
    Version,
    /// By dotted version numbers (`1.2` before `1.10`; `_` counts as a dot), trailing zeros dropped.
    Dotted,
    /// As a file lists them: gives the paths relative to the migrations folder, in order.
    Listed(fn(&Path) -> Option<Vec<String>>),
    /// As files list them, whose lists may be more than rollsafe reads: what they don't list comes last, by its path.
    Led(fn(&Path) -> Vec<String>),
}

impl Order {
    /// A version as the tool tells it from others: equal where the tool takes two versions for one.
    pub fn key(self, version: &str) -> Cow<'_, str> {
        let number = |text: &str| {
            let bare = text.trim_start_matches('0');
            if bare.is_empty() { "0".to_owned() } else { bare.to_owned() }
        };
        match self {
            Order::Number => Cow::Owned(number(version)),
            Order::Dotted => {
                let mut parts: Vec<String> = version.split(['.', '_']).map(number).collect();
                while parts.len() > 1 && parts.last().is_some_and(|last| last == "0") {
                    parts.pop();
                }
                Cow::Owned(parts.join("."))
            }
            Order::Text | Order::Version | Order::Listed(_) | Order::Led(_) => Cow::Borrowed(version),
        }
    }
}

/// A section, and the file's text with all that doesn't belong to it blanked out.
pub type Cut = (Section, Arc<str>);

/// How a file is cut into sections.
#[derive(Clone, Copy)]
pub enum Sections {
    /// A file is one migration.
    Whole,
    /// A line begins a section: gives what it begins, `None` for other lines. What stands before the first such
    /// line is an up section only if nothing begins one.
    Lines(fn(&str) -> Option<Opens>),
    /// As `Lines`, but all sections of one direction are one migration, in one transaction unless one of them says
    /// that there is none.
    Gathered(fn(&str) -> Option<Opens>),
    /// The tool's own way: sections with their text, in which what belongs to others is blanked out; `None`: the file is
    /// none of the tool's.
    Own {
        /// Cuts a file.
        cut: fn(&str) -> Option<Vec<Cut>>,
        /// Whether a line begins a section.
        opens: fn(&str) -> bool,
    },
    /// A line that separates up (before it) from down (behind it).
    Separator(fn(&str) -> bool),
}

/// What a section line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opens {
    /// Which way the section goes.
    pub direction: Direction,
    /// Whether a transaction is around it, where the line itself says.
    pub transaction: Option<bool>,
}

/// The transaction that a tool opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// None.
    Nothing,
    /// One for each migration.
    Migration,
    /// One for all pending migrations.
    Run,
}

/// What a tool sends as one query string. More than one statement in it is an implicit transaction
/// (PostgreSQL manual, "Multiple Statements in a Simple Query").
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Each statement alone.
    Statement,
    /// What ends with a line that ends with a semicolon; the lines between two marks together. Tells whether a line is the mark
    /// that begins a block (`true`) or ends it.
    Lines(fn(&str) -> Option<bool>),
    /// The whole section.
    Section,
    /// The whole section, or each statement alone: versions of the tool differ, and nothing tells which it is.
    Either,
    /// What stands between lines that begin with this.
    Chunk(&'static str),
}

/// How a migration gets out of the tool's transaction.
#[derive(Clone, Copy)]
pub enum Switch {
    /// The file's first bytes.
    Prefix(&'static str),
    /// A line anywhere in the file.
    Line(fn(&str) -> bool),
    /// What the whole text says.
    Text(fn(&str) -> bool),
    /// What the whole text of the way there says; it holds for the way back as well, which can't say it itself.
    WayThere(fn(&str) -> bool),
    /// A part of the file's path.
    Path(fn(&str) -> bool),
    /// Another file beside it: where that is, and what its text says; `Some(false)` takes the transaction away.
    Beside(fn(&Path) -> PathBuf, fn(&str) -> Option<bool>),
    /// The tool looks for statements that can't run in a transaction, and opens none for a file that holds one; it
    /// refuses a file that holds others too, unless its configuration (looked for from the folder upward) lets it.
    Statements(fn(&Statement) -> bool, fn(&Path) -> bool),
    /// The tool sends statements that can't run in a transaction alone, between transactions of the rest.
    Alone(fn(&Statement) -> bool),
    /// The tool sends the whole file as one query where it holds a statement that it can't read.
    Joined(fn(&Statement) -> bool),
    /// The tool's configuration, looked for from the folder upward, has all pending migrations run in one transaction.
    Grouped(fn(&Path) -> bool),
    /// While it migrates the tool holds a transaction open on another connection, with a snapshot, unless its configuration
    /// (looked for from the folder upward) says otherwise; and how that is said, as sentences.
    HeldOpen(fn(&Path) -> bool, &'static str),
    /// As [`Switch::Line`], and statements are then sent one by one whatever [`Runner::unit`] says.
    LineSplits(fn(&str) -> bool),
}

/// A number at the beginning of a name, and what follows it.
pub fn leading_number(name: &str) -> Option<(&str, &str)> {
    let end = name.bytes().take_while(u8::is_ascii_digit).count();
    (end > 0).then(|| name.split_at(end))
}

/// The last part of a path with `/`.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether the path has no folder in it.
pub fn is_flat(path: &str) -> bool {
    !path.contains('/')
}

/// `<digits>_name.up.sql`, `<digits>_name.down.sql`, flat.
pub fn numbered_up_down(path: &str) -> Option<Named> {
    up_down_behind(path, '_')
}

/// As [`numbered_up_down`], with another character behind the number.
pub fn up_down_behind(path: &str, separator: char) -> Option<Named> {
    let (version, rest) = leading_number(path).filter(|_| is_flat(path))?;
    let rest = rest.strip_prefix(separator)?;
    let direction = if rest.ends_with(".up.sql") {
        Direction::Up
    } else if rest.ends_with(".down.sql") {
        Direction::Down
    } else {
        return None;
    };
    Some(Named { version: version.to_owned(), direction })
}

/// `<digits>…​.sql`, flat, forward.
pub fn numbered(path: &str) -> Option<Named> {
    let (version, rest) = leading_number(path).filter(|_| is_flat(path))?;
    rest.ends_with(".sql").then(|| Named { version: version.to_owned(), direction: Direction::Up })
}

/// `<digits>_name/migration.sql`.
pub fn numbered_folder(path: &str) -> Option<Named> {
    let (folder, file) = path.split_once('/')?;
    leading_number(folder)?;
    // The whole name is the version: two folders may share a time.
    (file == "migration.sql").then(|| Named { version: folder.to_owned(), direction: Direction::Up })
}

/// `<digits>_name/up.sql`, `down.sql`.
pub fn numbered_folder_up_down(path: &str) -> Option<Named> {
    let (folder, file) = path.split_once('/')?;
    let version = folder.split('_').next().filter(|v| v.starts_with(|c: char| c.is_ascii_digit()))?;
    let direction = match file {
        "up.sql" => Direction::Up,
        "down.sql" => Direction::Down,
        _ => return None,
    };
    Some(Named { version: version.replace('-', ""), direction })
}

/// The nearest file of that name in `folder` or above it, `root` being the last folder looked at.
pub fn nearest(folder: &Path, root: &Path, name: &str) -> Option<PathBuf> {
    for above in folder.ancestors() {
        let candidate = above.join(name);
        if candidate.is_file() {
            return Some(candidate);
        }
        if above == root {
            break;
        }
    }
    None
}

/// CREATE/DROP INDEX CONCURRENTLY, VACUUM and what else PostgreSQL refuses in a transaction block.
pub fn needs_no_transaction(statement: &Statement) -> bool {
    match &statement.body {
        Body::CreateIndex(create) => create.concurrently,
        Body::Drop(drop) => {
            drop.concurrently
                || matches!(
                    drop.kind,
                    ObjectKind::Database | ObjectKind::Tablespace | ObjectKind::Subscription
                )
        }
        Body::Reindex(reindex) => {
            reindex.concurrently || !matches!(reindex.target, ReindexTarget::Index | ReindexTarget::Table)
        }
        Body::Vacuum(_)
        | Body::AlterSystem { .. }
        | Body::CreateDatabase { .. }
        | Body::CreateTablespace { .. }
        | Body::CreateSubscription { .. }
        | Body::Discard { all: true } => true,
        Body::AlterTable(alter) => alter.actions.iter().any(|action| {
            matches!(
                action.kind,
                crate::migration::statement::ActionKind::DetachPartition { concurrently: true, .. }
            )
        }),
        _ => false,
    }
}
