//! Fixes that work only outside a transaction: whether the statement runs there, what the file needs so that it does, or
//! why it can't.

use crate::finding::{Applicability, Edit, Turn};
use crate::migration::fix::place::{insertion, line_end};
use crate::migration::parse;
use crate::migration::project::runner::{OptOut, Runner, Sections, Switch, Unit};
use crate::migration::project::runners;
use crate::migration::session::Opened;
use crate::migration::statement::{ActionKind, Body, Statement, TransactionControl};

use super::{Mend, Said, StatementContext};

/// Whether and how a statement gets out of the transaction around it.
enum Outside {
    /// It is.
    Is,
    /// With these edits as well.
    With { edits: Vec<Edit>, applicability: Applicability, note: Option<String>, alone: bool },
    /// Not: why.
    Not(String),
}

/// What the fix makes of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// One statement still, with CONCURRENTLY in it.
    Concurrent,
    /// Itself, if only it stands outside.
    Same,
    /// Several statements, whose point is that each commits by itself.
    Several,
}

impl StatementContext<'_> {
    /// Adds a fix that works outside a transaction only, with the switch that the file needs for it; or says why there
    /// is none.
    pub fn mend_outside(&self, said: &mut Said, title: &str, edits: Vec<Edit>, becomes: Becomes) {
        if self.inner.is_some() {
            said.unfixed("it stands in a DO block or function, which always runs in a transaction");
            return;
        }
        if !self.verbatim() || edits.is_empty() {
            return;
        }
        match self.outside(becomes) {
            Outside::Is => {
                said.fix(title, edits);
            }
            Outside::Not(why) => {
                said.unfixed(why);
            }
            Outside::With { edits: mut switch, applicability, note, alone } => {
                let title = if alone {
                    format!("{title}, and take the file out of its transaction")
                } else {
                    title.to_owned()
                };
                switch.extend(edits);
                switch.sort_by_key(|edit| (edit.start, edit.end));
                said.mend(title, applicability, switch);
                if let Some(Mend::Fix(fix)) = &mut said.fix {
                    fix.note = note;
                    fix.turn = if alone { Turn::Alone } else { Turn::Any };
                }
            }
        }
    }

    /// Adds the fix that takes the file out of the tool's transaction, for a statement that can't run in one.
    pub fn mend_switch(&self, said: &mut Said) {
        if self.inner.is_some() {
            return;
        }
        match self.outside(Becomes::Same) {
            Outside::With { edits, applicability, note, alone } if !edits.is_empty() => {
                said.mend("take the file out of its transaction", applicability, edits);
                if let Some(Mend::Fix(fix)) = &mut said.fix {
                    fix.note = note;
                    fix.turn = if alone { Turn::Alone } else { Turn::Any };
                }
            }
            Outside::Not(why) => {
                said.unfixed(why);
            }
            _ => {}
        }
    }

    /// Whether the whole file goes as one query.
    pub fn sent_whole(&self) -> bool {
        let runner = self.run.runner.and_then(runners::runner);
        let joined = || runner.is_some_and(|runner| self.statements.iter().any(|other| runner.joins(other)));
        self.run.one_query || *self.kept_of_all.joined.get_or_init(joined)
    }

    fn outside(&self, becomes: Becomes) -> Outside {
        let runner = self.run.runner.and_then(runners::runner);
        let title = runner.map_or("the migration tool", |runner| runner.title);
        match (self.in_transaction(), self.session.opened()) {
            (Some(false), _) if becomes == Becomes::Several && self.run.one_query => Outside::Not(format!(
                "{title} sends the file as one query, and several statements in it are one transaction: put the \
                 statements of the help into migrations of their own"
            )),
            (Some(false), _) if becomes == Becomes::Several && self.run.query_mark.is_some() => {
                Outside::Not(format!(
                    "{title} sends what stands between `{}` as one query, and several statements in it are one transaction: \
                     put each statement of the help into a part of its own",
                    self.run.query_mark.unwrap_or_default()
                ))
            }
            (Some(false) | None, _)
                if becomes == Becomes::Concurrent
                    && self.statements.len() > 1
                    && runner.is_some_and(|runner| runner.joins(self.concurrent())) =>
            {
                Outside::Not(format!(
                    "{title} sends a file that holds it as one query, and with other statements that is one transaction: put the \
                     statement into a migration of its own"
                ))
            }
            (Some(false), _) => Outside::Is,
            (None, _) if runner.is_some_and(|runner| matches!(runner.unit, Unit::Either)) => {
                Outside::Not(format!("{title}: {}", runner.map_or("", |runner| runner.alone)))
            }
            (None, _) => Outside::With {
                edits: Vec::new(),
                applicability: Applicability::Unsafe,
                note: Some(
                    "the migration tool isn't known: if it opens a transaction, that has to be switched off (name it with --runner)"
                        .to_owned(),
                ),
                alone: false,
            },
            (_, Some(Opened::Begin)) => Outside::Not(
                "it stands between BEGIN and COMMIT: move it behind COMMIT, or take those out".to_owned(),
            ),
            (_, Some(Opened::Implicit)) => Outside::Not(format!(
                "{title} sends {} as one query, which is one transaction: put the statement into {} of its own",
                if self.sent_whole() { "the file" } else { "what stands together with it" },
                if self.sent_whole() { "a file" } else { "a part" }
            )),
            (_, None | Some(Opened::Block)) => Outside::Not("it runs in a transaction".to_owned()),
            (_, Some(Opened::Runner)) => match runner {
                None => Outside::Not("a transaction is said to be around each migration".to_owned()),
                Some(runner) => self.switched(runner, becomes),
            },
        }
    }

    /// The first other statement of the migration of which `is_it` says yes. `question`: a number for what is asked.
    fn other(&self, question: usize, is_it: impl Fn(&Statement) -> bool) -> Option<&Statement> {
        let mut known = self.kept_of_all.others.borrow_mut();
        // Two are enough, since at most one of them is this one.
        let first = known.entry(question).or_insert_with(|| {
            let mut found =
                self.statements.iter().enumerate().filter(|(_, one)| is_it(one)).map(|(at, _)| at);
            [found.next(), found.next()]
        });
        let at = first.iter().flatten().find(|at| **at != self.index)?;
        self.statements.get(*at)
    }

    /// The statement as it is with CONCURRENTLY.
    fn concurrent(&self) -> &Statement {
        self.kept.concurrent.get_or_init(|| concurrent(self.statement))
    }

    /// Out of the tool's own transaction.
    fn switched(&self, runner: &Runner, becomes: Becomes) -> Outside {
        let not = |why: &str| Outside::Not(format!("{why}; {}: {}", runner.title, runner.alone));
        let needing = self.other(0, |other| needs_transaction(other).is_some());
        if let Some(needs) = needing.and_then(needs_transaction) {
            return Outside::Not(format!(
                "{needs} in the same file needs the transaction: put the statement into a file of its own"
            ));
        }
        let only = self.other(1, |other| !is_setting(other)).is_none();
        for (number, switch) in runner.switch.iter().enumerate() {
            let (looks, alone) = match switch {
                Switch::Statements(looks, _) => (looks, false),
                Switch::Alone(looks) => (looks, true),
                _ => continue,
            };
            if becomes == Becomes::Several || !looks(self.concurrent()) {
                continue;
            }
            if alone {
                return Outside::With {
                    edits: Vec::new(),
                    applicability: if only { Applicability::Safe } else { Applicability::Unsafe },
                    note: Some(format!(
                        "{} of today sends it alone by itself; older versions don't",
                        runner.title
                    )),
                    alone: false,
                };
            }
            if self.other(2 + number, |other| !looks(other)).is_some() {
                return Outside::Not(format!(
                    "{} refuses a file that mixes statements with and without a transaction: put it into a file of its own",
                    runner.title
                ));
            }
            return Outside::With {
                edits: Vec::new(),
                applicability: if self.run.held_open.is_some() {
                    Applicability::Unsafe
                } else {
                    Applicability::Safe
                },
                note: self.run.held_open.map(|otherwise| format!("{} would hang: {otherwise}", runner.title)),
                alone: false,
            };
        }
        if self.run.one_transaction_for_all {
            return not("it runs in one transaction with all pending migrations");
        }
        if self.run.down && runner.switch.iter().any(|switch| matches!(switch, Switch::WayThere(_))) {
            return not("the migration that it undoes says for both whether there is a transaction");
        }
        let edit = match runner.opt_out {
            OptOut::Elsewhere => return not("the file can't say itself that it runs outside a transaction"),
            OptOut::FirstLine(_) if self.text.starts_with('\u{feff}') => {
                return not("the file begins with a byte order mark, so nothing can come first");
            }
            OptOut::FirstLine(line) => insertion(0, format!("{line}\n")),
            OptOut::SectionLine(words) => match self.section_line(runner) {
                Some(at) => insertion(at, words.to_owned()),
                None => return not("the line that begins the section wasn't found"),
            },
        };
        let splits = runner.switch.iter().any(|switch| matches!(switch, Switch::LineSplits(_)));
        if self.shares_query && !self.run.one_query {
            return Outside::Not(format!(
                "{} sends what stands together with it as one query, which is one transaction even without the tool's: put \
                 the statement into a part of its own, outside a transaction ({})",
                runner.title, runner.alone
            ));
        }
        if matches!(runner.unit, Unit::Section | Unit::Chunk(_))
            && !splits
            && (self.shares_query || becomes == Becomes::Several)
        {
            return Outside::Not(format!(
                "{} sends the file as one query, which is one transaction even without the tool's: put the statement into a \
                 file of its own, with its switch ({})",
                runner.title, runner.alone
            ));
        }
        // The switch of a file holds for its other sections too: one statement loses nothing by it.
        let elsewhere = || match (runner.opt_out, runner.sections) {
            (OptOut::SectionLine(_), _) | (_, Sections::Whole) => 0,
            _ => *self.kept_of_all.in_file.get_or_init(|| {
                let all = parse::parse(self.text, 0..self.text.len()).statements;
                all.iter().filter(|other| !is_setting(other)).count().saturating_sub(1)
            }),
        };
        let safe = only && elsewhere() <= 1;
        Outside::With {
            edits: vec![edit],
            applicability: if safe { Applicability::Safe } else { Applicability::Unsafe },
            note: (!safe).then(|| {
                "the file's other statements run outside a transaction then, too: if one fails, those before it stay done"
                    .to_owned()
            }),
            alone: true,
        }
    }

    /// The end of the line that begins the section of this statement.
    fn section_line(&self, runner: &Runner) -> Option<usize> {
        let opens = |line: &str| match runner.sections {
            Sections::Lines(opens) | Sections::Gathered(opens) => opens(line).is_some(),
            Sections::Own { opens, .. } => opens(line),
            Sections::Whole | Sections::Separator(_) => false,
        };
        let all = self.kept_of_all.sections.get_or_init(|| {
            let mut at = 0;
            let mut found = Vec::new();
            for line in self.text.split_inclusive('\n') {
                if opens(line.trim_end_matches(['\n', '\r'])) {
                    let end = line_end(self.text, at);
                    let written = self.text.get(at..end).unwrap_or("");
                    found.push((at, at + written.trim_end().len()));
                }
                at += line.len();
            }
            found
        });
        let before = all.partition_point(|(at, _)| *at < self.statement.span.start as usize);
        Some(all.get(before.checked_sub(1)?)?.1)
    }
}

/// The statement as it is with CONCURRENTLY.
fn concurrent(statement: &Statement) -> Statement {
    let mut changed = statement.clone();
    match &mut changed.body {
        Body::CreateIndex(create) => create.concurrently = true,
        Body::Drop(drop) => drop.concurrently = true,
        Body::Reindex(reindex) => reindex.concurrently = true,
        Body::AlterTable(alter) => {
            for action in &mut alter.actions {
                if let ActionKind::DetachPartition { concurrently, .. } = &mut action.kind {
                    *concurrently = true;
                }
            }
        }
        _ => {}
    }
    changed
}

/// What a statement is that PostgreSQL refuses outside a transaction ("can only be used in transaction blocks").
fn needs_transaction(statement: &Statement) -> Option<&'static str> {
    match &statement.body {
        Body::Lock(_) => Some("LOCK TABLE"),
        Body::Transaction(TransactionControl::Savepoint(_)) => Some("SAVEPOINT"),
        _ => None,
    }
}

/// SET and RESET: nothing that would have to be undone.
fn is_setting(statement: &Statement) -> bool {
    matches!(statement.body, Body::Set(_))
}
