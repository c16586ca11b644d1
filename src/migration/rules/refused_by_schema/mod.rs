//! `refused_by_schema`: what PostgreSQL refuses because of the schema as it stands, whatever the data.

mod attachment;
mod columns;
mod inherited;
mod keys;
mod missing;
mod rows;

use crate::migration::catalog::{Born, Relation, RelationKind, naming};
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Body, Constraint, CreateTable, Ident, Name, ObjectKind,
};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "refused_by_schema",
    page: migration_page!("refused_by_schema"),
    check: Check::Statement(check),
};

/// Why a statement fails: what is so, and PostgreSQL's words for it.
struct Refusal {
    why: String,
    words: &'static str,
    help: Option<String>,
}

impl Refusal {
    fn new(why: impl Into<String>, words: &'static str) -> Refusal {
        Refusal { why: why.into(), words, help: None }
    }

    fn some(why: impl Into<String>, words: &'static str) -> Option<Refusal> {
        Some(Refusal::new(why, words))
    }
}

/// An action of an ALTER TABLE, with what it is an action on.
#[derive(Clone, Copy)]
struct On<'a> {
    cx: &'a StatementContext<'a>,
    alter: &'a AlterTable,
    table: &'a Relation,
    action: &'a Action,
}

impl<'a> On<'a> {
    /// The column of a written name, as the server would look for it.
    fn column(&self, name: &Ident) -> Option<&'a crate::migration::catalog::Column> {
        self.table.column(naming::cut(name.as_str()))
    }

    /// ALTER TABLE ONLY, where there are children.
    fn leaves_children_out(&self) -> bool {
        self.alter.only && self.cx.before.has_children(&self.table.name)
    }

    /// Whether another action of the statement is one of these: it may make or unmake what this one meets.
    fn beside(&self, is_one: impl Fn(&ActionKind) -> bool) -> bool {
        self.alter.actions.iter().any(|other| is_one(&other.kind))
    }
}

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    // A block may ask first; what isn't known may have changed what is here.
    let unnamed = cx.before.unnamed();
    if cx.inner.is_some() || !cx.before.complete() || unnamed.gone || unnamed.parts {
        return;
    }
    let mut say = |span, refusal: Refusal| {
        let said = sink.say(span, format!("{}, so this fails: \"{}\"", refusal.why, refusal.words));
        if let Some(help) = refusal.help {
            said.help(help);
        }
    };
    match &cx.statement.body {
        Body::AlterTable(alter) if matches!(alter.kind, ObjectKind::Table | ObjectKind::ForeignTable) => {
            let Some(table) = sure(cx, &alter.name) else { return };
            for action in &alter.actions {
                let on = On { cx, alter, table, action };
                let refusal = inherited::refusal(on)
                    .or_else(|| columns::refusal(on))
                    .or_else(|| attachment::refusal(on))
                    .or_else(|| missing::refusal(on));
                match refusal {
                    Some(refusal) => say(action.span, refusal),
                    None if adds(on) => {
                        for constraint in action.added_constraints() {
                            if let Some(refusal) = keys::added(cx, table, constraint) {
                                say(constraint.span, refusal);
                            }
                        }
                    }
                    None => {}
                }
            }
        }
        Body::CreateTable(create) => {
            // Where the table is there, the rest isn't looked at.
            if create.if_not_exists && !cx.before.lacks(&cx.resolve(&create.name)) {
                return;
            }
            if let Some(refusal) = attachment::created(cx, create) {
                say(cx.statement.span, refusal);
                return;
            }
            for constraint in constraints_of(create) {
                if let Some(refusal) = keys::created(cx, create, constraint) {
                    say(constraint.span, refusal);
                }
            }
        }
        Body::CreateIndex(create) if !create.if_not_exists => {
            if let Some(refusal) = sure(cx, &create.table).and_then(|table| keys::index(table, create)) {
                say(cx.statement.span, refusal);
            }
        }
        Body::Drop(drop) if !drop.if_exists => {
            for dropped in &drop.names {
                let (name, of) = (&dropped.name.name, dropped.on_table.as_ref());
                if let Some(refusal) = missing::of_table(cx, drop.kind, name, of) {
                    say(dropped.span, refusal);
                }
            }
        }
        Body::AlterObject(alter) if !alter.if_exists => {
            let (name, of) = (&alter.name.name, alter.on_table.as_ref());
            if let Some(refusal) = missing::of_table(cx, alter.kind, name, of) {
                say(cx.statement.span, refusal);
            }
        }
        // Where it is renamed, IF EXISTS may be written.
        Body::AlterPolicy { name, table, rename_to: None, .. } => {
            if let Some(refusal) = missing::of_table(cx, ObjectKind::Policy, name, Some(table)) {
                say(cx.statement.span, refusal);
            }
        }
        Body::Cluster { table: Some(table), index: Some(index), .. } => {
            if let Some(refusal) = missing::clustered(cx, table, index) {
                say(cx.statement.span, refusal);
            }
        }
        Body::Query(query) => {
            for change in &query.changes {
                if let Some((column, refusal)) = rows::written(cx, change) {
                    say(column.span, refusal);
                }
            }
        }
        Body::Truncate(truncate) => {
            for (name, refusal) in rows::truncated(cx, truncate) {
                say(name.span(), refusal);
            }
        }
        _ => {}
    }
}

/// Whether an action adds what it says: ADD COLUMN IF NOT EXISTS may find the column there.
fn adds(on: On<'_>) -> bool {
    match &on.action.kind {
        ActionKind::AddColumn { column, if_not_exists: true } => on.column(&column.name).is_none(),
        _ => true,
    }
}

fn constraints_of(create: &CreateTable) -> impl Iterator<Item = &Constraint> {
    create.columns.iter().flat_map(|column| &column.constraints).chain(&create.constraints)
}

/// The table of a written name, where all of it is known: nothing but the migrations could have made or changed it.
fn sure<'a>(cx: &StatementContext<'a>, name: &Name) -> Option<&'a Relation> {
    let relation = cx.relation(name)?;
    let is_table = matches!(
        relation.kind,
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable
    );
    let may_be_other = matches!(relation.born, Born::Here { maybe_old: true, .. });
    (is_table && relation.columns_known && !may_be_other && cx.before.would_hold(&relation.name))
        .then_some(relation)
}
