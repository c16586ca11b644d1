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
    /// function's name; each once. `None`: it is such a word that nobody can tell.
    pub(super) fn users_of(&self, word: &str) -> Option<impl Iterator<Item = &QName>> {
        let users = self.users.get(word);
        // Of a common word none are kept.
        let is_known = users.is_some() || !is_common(word) && word.chars().all(is_part);
        is_known.then(|| users.into_iter().flatten())
    }

    fn sorted_users_of(&self, word: &str) -> Option<Vec<&QName>> {
        let mut users: Vec<&QName> = self.users_of(word)?.collect();
        users.sort_unstable();
        Some(users)
    }

    /// Those of them that are relations, in the order of their names; where nobody can tell, all.
    pub fn relations_with(&self, word: &str) -> Vec<&Relation> {
        match self.sorted_users_of(word) {
            Some(users) => users.into_iter().filter_map(|name| self.relation(name)).collect(),
            None => self.relations(),
        }
    }

    /// Those that are types.
    pub fn types_with(&self, word: &str) -> Vec<&Type> {
        match self.sorted_users_of(word) {
            Some(users) => users.into_iter().filter_map(|name| self.type_named(name)).collect(),
            None => self.types(),
        }
    }

    /// Those that are functions, or have the name themselves or had it when they were made.
    pub fn functions_with(&self, word: &str) -> Vec<&Function> {
        match self.sorted_users_of(word) {
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
        match self.users.get(word) {
            Some(users) if users.has(user) => return,
            None if is_common(word) => return,
            _ => {}
        }
        self.users.get_or_default(word).push(user.clone());
    }

    /// Notes that all that have a word have another one as well.
    pub(super) fn note_new_word(&mut self, old: &CompactString, new: &CompactString) {
        let Some(users) = self.users.get(old).cloned() else { return };
        if self.users.contains_key(new) || is_common(new) {
            users.iter().for_each(|user| self.note_word(new, user));
        } else {
            self.users.insert(new.clone(), users);
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
        let of_policies = relation.policies.iter().flat_map(|policy| policy.calls());
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::migration::catalog::{Catalog, QName};
    use crate::migration::lint::replay;
    use crate::migration::migration::Migration;

    fn after(sql: &str) -> Catalog {
        replay(&[Migration::whole("1.sql".into(), Arc::from(sql))])
    }

    #[test]
    fn whoever_has_a_word_is_found_by_it_under_any_name() {
        let catalog = after(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE SEQUENCE s;
             CREATE TABLE def (a int DEFAULT f());
             CREATE TABLE gen (a int, b int GENERATED ALWAYS AS (a + f()) STORED);
             CREATE TABLE con (a int CHECK (a > f()));
             CREATE TABLE idx (a int);
             CREATE INDEX ON idx ((a + f()));
             CREATE TABLE pred (a int);
             CREATE INDEX ON pred (a) WHERE a > f();
             CREATE TABLE later (a int);
             ALTER TABLE later ALTER COLUMN a SET DEFAULT f();
             CREATE TABLE child () INHERITS (def);
             CREATE TABLE alike (LIKE def INCLUDING ALL);
             CREATE VIEW seen AS SELECT f() AS a;
             CREATE TABLE none (a int DEFAULT 1);
             CREATE TABLE trig (a int DEFAULT nextval('public.s'::regclass));
             CREATE TRIGGER t BEFORE INSERT ON trig FOR EACH ROW EXECUTE FUNCTION g();
             ALTER TABLE def RENAME TO defined;
             ALTER TABLE trig SET SCHEMA other;",
        );
        let with = |word: &str| -> Vec<String> {
            catalog.relations_with(word).iter().map(|relation| relation.name.to_string()).collect()
        };
        assert_eq!(with("f"), ["alike", "child", "con", "defined", "gen", "idx", "later", "pred", "seen"]);
        assert_eq!((with("g"), with("s")), (vec!["other.trig".to_owned()], vec!["other.trig".to_owned()]));
        assert!(with("h").is_empty());
        let all = catalog.relations().len();
        assert_eq!((with("nextval").len(), with("a-b").len()), (all, all), "nobody can tell");
        let functions: Vec<String> =
            catalog.functions_with("f").iter().map(|it| it.name.to_string()).collect();
        assert_eq!(functions, ["f"]);
    }

    #[test]
    fn what_has_a_type_is_found_by_the_names_that_both_have_now() {
        let catalog = after(
            "CREATE TYPE e AS ENUM ('a');
             CREATE DOMAIN d AS int;
             CREATE TYPE c AS (x d);
             CREATE TABLE one (a e);
             CREATE TABLE two (a int, b text, v d);
             CREATE TABLE three (c c[]);
             CREATE TABLE four (a int);
             ALTER TABLE four ALTER COLUMN a TYPE e USING NULL;
             CREATE TABLE five (a e);
             ALTER TABLE five ALTER COLUMN a TYPE text;
             ALTER TABLE one RENAME TO uno;
             ALTER TYPE e RENAME TO f;
             ALTER TYPE f RENAME TO g;",
        );
        let using = |name: &str| -> Vec<String> {
            let using = catalog.relations_using_type(&QName::new("public", name));
            let columns = |(relation, columns): (&super::Relation, Vec<&super::Column>)| {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                format!("{}.{}", relation.name, names.join(","))
            };
            using.into_iter().map(columns).collect()
        };
        assert_eq!(using("g"), ["four.a", "uno.a"]);
        assert_eq!(
            (using("d"), using("c")),
            (vec!["three.c".into(), "two.v".into()], vec!["three.c".to_owned()])
        );
        assert!(using("e").is_empty() && using("f").is_empty() && using("uno").is_empty());
    }
}
