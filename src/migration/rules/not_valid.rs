//! The fix that adds a constraint NOT VALID and validates it in a statement of its own.

use compact_str::CompactString;

use crate::finding::{Applicability, Edit};
use crate::migration::catalog::QName;
use crate::migration::fix::place;
use crate::migration::statement::{Action, ActionKind, Body, Constraint, quote_ident};

use super::outside::Becomes;
use super::{Mend, Said, StatementContext};

/// A constraint that an action adds, and what becomes of it.
pub(super) struct OneConstraint<'a> {
    /// ADD CONSTRAINT, or ADD COLUMN with the constraint in it.
    pub action: &'a Action,
    /// As it is written.
    pub constraint: &'a Constraint,
    /// Its name, or the one that PostgreSQL would choose.
    pub name: &'a CompactString,
    /// The table.
    pub table: &'a QName,
    /// What follows ADD in a statement of its own, NOT VALID included.
    pub definition: &'a str,
}

impl StatementContext<'_> {
    /// Adds the fix: `NOT VALID` where the constraint stands, or the constraint in a statement of its own behind ADD COLUMN;
    /// then VALIDATE.
    pub(super) fn mend_not_valid(&self, said: &mut Said, title: &str, one: &OneConstraint<'_>) {
        if !self.verbatim() {
            return;
        }
        let OneConstraint { action, constraint, name, table, definition } = *one;
        let quoted = quote_ident(name);
        let if_exists = match &self.statement.body {
            Body::AlterTable(alter) if alter.if_exists => "IF EXISTS ",
            _ => "",
        };
        let validate = format!("ALTER TABLE {if_exists}{table} VALIDATE CONSTRAINT {quoted};");
        let (mut edits, behind) = match &action.kind {
            ActionKind::AddConstraint(_) => {
                let mut edits = Vec::new();
                if constraint.name.is_none() {
                    let at = constraint.span.start as usize;
                    edits.push(place::insertion(at, format!("CONSTRAINT {quoted} ")));
                }
                edits.extend(self.insertion(action.span, " NOT VALID"));
                (edits, validate)
            }
            _ => {
                // The blank before it goes too.
                let before = self.text.get(..constraint.span.start as usize).unwrap_or("");
                let start = before.trim_end().len() as u32;
                let cut = Edit { start, end: constraint.span.end, text: String::new() };
                (vec![cut], format!("ALTER TABLE {if_exists}{table} ADD {definition};\n{validate}"))
            }
        };
        if edits.is_empty() {
            return;
        }
        match place::after(self.text, self.statement.span, &behind) {
            // No semicolon: one edit where both would go.
            Some(edit)
                if edits.last().is_some_and(|last| last.start == edit.start && last.end == edit.end) =>
            {
                if let Some(last) = edits.last_mut() {
                    last.text.push_str(&edit.text);
                }
            }
            Some(edit) => edits.push(edit),
            None => {
                said.unfixed("the statement doesn't end with a semicolon");
                return;
            }
        }
        self.mend_outside(said, title, edits, Becomes::Several);
        if !self.before.complete()
            && constraint.name.is_none()
            && let Some(Mend::Fix(fix)) = &mut said.fix
        {
            fix.applicability = Applicability::Unsafe;
        }
    }

    /// Whether no constraint of the table and no relation of its schema has the name.
    pub(super) fn is_free(&self, table: &QName, name: &str) -> bool {
        self.before.is_free(table, name)
    }
}
