//! `drop_view`: DROP VIEW breaks queries that read the view.

use crate::migration::catalog::{QName, Relation};
use crate::migration::statement::{Body, CreateView, ObjectKind, quote_ident};

use super::outlook::same_name;
use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "drop_view", page: migration_page!("drop_view"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for kind in [ObjectKind::View, ObjectKind::ForeignTable] {
        for (dropped, view, known) in cx.dropped(kind) {
            let noun = if kind == ObjectKind::View { "view" } else { "foreign table" };
            let message = match made_again(cx, &view) {
                Some(new) => {
                    let missing = missing_columns(known, new);
                    if missing.is_empty() {
                        continue;
                    }
                    format!(
                        "{noun} {view} comes back without {}: queries that read it fail",
                        joined(&missing)
                    )
                }
                None => format!("queries that read {noun} {view} fail from here on"),
            };
            let help = if cx.in_transaction() == Some(false) {
                "Replace it in one transaction (BEGIN … COMMIT), or drop it in a release after the one whose code no \
                 longer reads it."
            } else {
                "Drop it in a release after the one whose code no longer reads it."
            };
            sink.say(dropped.span, message).help(help);
        }
    }
}

/// The view, materialized view or table of the same name that the transaction makes afterwards.
fn made_again<'a>(cx: &StatementContext<'a>, view: &QName) -> Option<Option<&'a CreateView>> {
    cx.later_in_transaction().find_map(|statement| match &statement.body {
        Body::CreateView(new) if same_name(&new.name, view) => Some(Some(new.as_ref())),
        Body::CreateTableAs(new) if same_name(&new.name, view) => Some(None),
        Body::CreateTable(new) if same_name(&new.name, view) => Some(None),
        _ => None,
    })
}

/// Columns that the new one lacks, where both lists are known.
fn missing_columns(old: Option<&Relation>, new: Option<&CreateView>) -> Vec<String> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    if !old.columns_known || new.query.star || new.columns.is_empty() {
        return Vec::new();
    }
    old.columns
        .iter()
        .filter(|column| !new.columns.iter().any(|kept| *kept == column.name.as_str()))
        .map(|column| quote_ident(&column.name).into_owned())
        .collect()
}
