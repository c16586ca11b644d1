//! Which relations, types and functions have a name in their expressions, types or triggers.
//!
//! Whoever drops a function, a sequence or a type asks what still needs it, and squashed migrations do so by the thousand:
//! nobody looks through the whole catalog for each.

use compact_str::CompactString;

use super::relation::{Index, Relation};
use super::{Catalog, Column, ConstraintDetail, Function, QName, Type, TypeKind};
use crate::migration::effects::volatility::of_builtin;
use crate::migration::statement::{Call, TypeName};

impl Catalog {
    /// Some relations, types and functions, among them all that have a word in an expression of their own, a type or a
    /// function's name; sorted, each once. `None`: it is such a word that nobody can tell.
    pub(super) fn users_of(&self, word: &str) -> Option<Vec<&QName>> {
        if is_common(word) || !word.chars().all(is_part) {
            return None;
        }
        let mut users: Vec<&QName> = self.users.get(word).into_iter().flatten().collect();
        users.sort_unstable();
        Some(users)
    }

    /// Those of them that are relations, in the order of their names; where nobody can tell, all.
    pub fn relations_with(&self, word: &str) -> Vec<&Relation> {
        match self.users_of(word) {
            Some(users) => users.into_iter().filter_map(|name| self.relation(name)).collect(),
            None => self.relations(),
        }
    }

    /// Those that are types.
    pub fn types_with(&self, word: &str) -> Vec<&Type> {
        match self.users_of(word) {
            Some(users) => users.into_iter().filter_map(|name| self.type_named(name)).collect(),
            None => self.types(),
        }
    }

    /// Those that are functions, or have the name themselves or had it when they were made.
    pub fn functions_with(&self, word: &str) -> Vec<&Function> {
        match self.users_of(word) {
            Some(users) => users.into_iter().flat_map(|name| self.functions(name)).collect(),
            None => {
                let mut all: Vec<&Function> = self.all_functions().collect();
                all.sort_by(|a, b| a.name.cmp(&b.name));
                all
            }
        }
    }

    /// Notes that it has a word.
    pub(super) fn note_word(&mut self, word: &CompactString, user: &QName) {
        if is_common(word) {
            return;
        }
        let users = self.users.get_or_default(word);
        if !users.has(user) {
            users.push(user.clone());
        }
    }

    /// The words of an expression of which only the text is kept. Without parentheses it calls nothing, nor counts with a
    /// sequence.
    pub(super) fn note_text(&mut self, text: &str, user: &QName) {
        if !text.contains('(') {
            return;
        }
        let words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
        for word in words.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()) && !is_common(word)) {
            self.note_word(&word.into(), user);
        }
    }

    pub(super) fn note_calls<'c>(&mut self, calls: impl IntoIterator<Item = &'c Call>, user: &QName) {
        for call in calls {
            self.note_word(&call.name.name.value, user);
        }
    }

    pub(super) fn note_type(&mut self, written: &TypeName, user: &QName) {
        self.note_word(&written.name.name.value, user);
    }

    /// What a column of the relation has.
    pub(super) fn note_column(&mut self, column: &Column, relation: &QName) {
        self.note_type(&column.type_name, relation);
        if let Some(default) = &column.default {
            self.note_text(&default.text, relation);
        }
        if let Some(generated) = &column.generated {
            self.note_text(&generated.text, relation);
        }
    }

    pub(super) fn note_index(&mut self, index: &Index, relation: &QName) {
        let keys = index.keys.iter().filter(|key| key.column.is_none()).map(|key| &key.text);
        for text in keys.chain(&index.predicate) {
            self.note_text(text, relation);
        }
    }

    /// All that the relation has, for instance under another name than before.
    pub(super) fn note_relation(&mut self, name: &QName) {
        let Some(relation) = self.relations.get(name).cloned() else { return };
        relation.columns.iter().for_each(|column| self.note_column(column, name));
        relation.indexes.iter().for_each(|index| self.note_index(index, name));
        for constraint in &relation.constraints {
            if let ConstraintDetail::Check { expr, .. } = &constraint.detail {
                self.note_calls(&expr.calls, name);
            }
        }
        let of_policies = relation.policies.iter().flat_map(|policy| &policy.needs.calls);
        for called in of_policies.chain(&relation.calls) {
            self.note_word(&called.function.name, name);
        }
        relation.triggers.iter().for_each(|trigger| self.note_word(&trigger.function.name, name));
    }

    /// The type's name, and all that it has.
    pub(super) fn note_type_itself(&mut self, name: &QName) {
        let Some(found) = self.types.get(name).cloned() else { return };
        self.note_word(&name.name, name);
        match &found.kind {
            TypeKind::Domain(domain) => {
                self.note_type(&domain.base, name);
                domain.checks.iter().for_each(|(_, expr, _)| self.note_calls(&expr.calls, name));
            }
            TypeKind::Composite(attributes) => {
                attributes.iter().for_each(|attribute| self.note_type(&attribute.type_name, name));
            }
            _ => {}
        }
    }

    /// All that a function has: its name, the types that it takes and gives, and what its body calls.
    pub(super) fn note_function(&mut self, function: &Function) {
        let (name, definition) = (&function.name, &function.definition);
        self.note_word(&name.name, name);
        self.note_word(&definition.name.name.value, name);
        for written in definition.arguments.iter().chain(&definition.returns) {
            self.note_type(written, name);
        }
        for called in &function.needs.calls {
            self.note_word(&called.function.name, name);
        }
    }
}

/// Whether a character is one of a word.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Words that nobody asks for but those who have called something by a name of the server's: its types and functions, and
/// what stands around the name of a sequence.
fn is_common(word: &str) -> bool {
    matches!(
        word,
        "int2"
            | "int4"
            | "int8"
            | "text"
            | "varchar"
            | "bpchar"
            | "bool"
            | "timestamptz"
            | "timestamp"
            | "date"
            | "time"
            | "timetz"
            | "interval"
            | "uuid"
            | "jsonb"
            | "json"
            | "numeric"
            | "float4"
            | "float8"
            | "bytea"
            | "inet"
            | "serial2"
            | "serial4"
            | "serial8"
            | "trigger"
            | "void"
            | "record"
            | "public"
            | "regclass"
            | "character"
            | "varying"
            | "integer"
            | "bigint"
            | "boolean"
            | ""
            | "AND"
            | "OR"
            | "IS"
            | "NOT"
            | "NULL"
            | "and"
            | "or"
            | "is"
            | "not"
            | "null"
            | "true"
            | "false"
    ) || of_builtin(word).is_some()
}
