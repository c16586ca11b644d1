//! PostgreSQL's data definition language: a recogniser for each family of statements, and the tables
//! that choose one by a statement's first words.
//!
//! The grammar is the union of PostgreSQL 12 to 18 (`gram.y`). A recogniser accounts for every token it
//! passes; what it does not know it leaves where it stands, and the statement is then not understood.

pub mod alter_object;
pub mod alter_table;
pub mod column;
pub mod comment;
pub mod constraint;
pub mod create_table;
pub mod database;
pub mod drop;
pub mod extension;
pub mod foreign;
pub mod index;
pub mod language;
pub mod object;
pub mod operator;
pub mod options;
pub mod partition;
pub mod policy;
pub mod privileges;
pub mod replication;
pub mod role;
pub mod routine;
pub mod rule;
pub mod schema;
pub mod sequence;
pub mod setting;
pub mod statistics;
pub mod text_search;
pub mod trigger;
pub mod types;
pub mod view;

#[cfg(test)]
mod tests;

use super::cursor::{Cursor, Parsed};
use super::lex::TokenKind;
use crate::migration::statement::{Body, Name, Other, Persistence};

/// What stands between CREATE and the kind of object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// OR REPLACE.
    pub replace: bool,
    /// TEMPORARY, UNLOGGED.
    pub persistence: Persistence,
}

type Recogniser = fn(&mut Cursor<'_>, Head) -> Parsed<Body>;

/// One way a CREATE statement goes on, with what may stand before it.
struct CreateHead {
    words: &'static [&'static str],
    replace: bool,
    persistence: bool,
    read: Recogniser,
}

const fn plain(words: &'static [&'static str], read: Recogniser) -> CreateHead {
    CreateHead { words, replace: false, persistence: false, read }
}
const fn replaceable(words: &'static [&'static str], read: Recogniser) -> CreateHead {
    CreateHead { words, replace: true, persistence: false, read }
}
const fn storable(words: &'static [&'static str], read: Recogniser) -> CreateHead {
    CreateHead { words, replace: false, persistence: true, read }
}

/// The words after CREATE [OR REPLACE] [TEMPORARY | UNLOGGED], the frequent ones first.
static CREATE: [CreateHead; 48] = [
    storable(&["table"], create_table::create_table),
    plain(&["index"], index::create_index),
    plain(&["unique", "index"], index::create_index),
    replaceable(&["trigger"], trigger::create_trigger),
    replaceable(&["constraint", "trigger"], trigger::create_trigger),
    replaceable(&["function"], routine::create_routine),
    replaceable(&["procedure"], routine::create_routine),
    plain(&["type"], types::create_type),
    CreateHead { words: &["view"], replace: true, persistence: true, read: view::create_view },
    CreateHead { words: &["recursive", "view"], replace: true, persistence: true, read: view::create_view },
    storable(&["materialized", "view"], view::create_materialized_view),
    storable(&["sequence"], sequence::create_sequence),
    plain(&["extension"], extension::create_extension),
    plain(&["schema"], schema::create_schema),
    plain(&["policy"], policy::create_policy),
    plain(&["domain"], types::create_domain),
    replaceable(&["aggregate"], routine::create_aggregate),
    replaceable(&["rule"], rule::create_rule),
    plain(&["statistics"], statistics::create_statistics),
    plain(&["event", "trigger"], trigger::create_event_trigger),
    plain(&["role"], role::create_role),
    plain(&["user", "mapping"], foreign::create_user_mapping),
    plain(&["user"], role::create_role),
    plain(&["group"], role::create_role),
    plain(&["publication"], replication::create_publication),
    plain(&["subscription"], replication::create_subscription),
    plain(&["database"], database::create_database),
    plain(&["tablespace"], database::create_tablespace),
    plain(&["foreign", "table"], foreign::create_foreign_table),
    plain(&["foreign", "data", "wrapper"], foreign::create_wrapper),
    plain(&["server"], foreign::create_server),
    plain(&["operator", "class"], operator::create_operator_class),
    plain(&["operator", "family"], operator::create_operator_family),
    plain(&["operator"], operator::create_operator),
    plain(&["cast"], operator::create_cast),
    plain(&["collation"], operator::create_collation),
    plain(&["conversion"], operator::create_conversion),
    plain(&["default", "conversion"], operator::create_conversion),
    plain(&["text", "search", "configuration"], text_search::create_text_search),
    plain(&["text", "search", "dictionary"], text_search::create_text_search),
    plain(&["text", "search", "parser"], text_search::create_text_search),
    plain(&["text", "search", "template"], text_search::create_text_search),
    replaceable(&["language"], language::create_language),
    replaceable(&["procedural", "language"], language::create_language),
    replaceable(&["trusted", "language"], language::create_language),
    replaceable(&["trusted", "procedural", "language"], language::create_language),
    replaceable(&["transform"], language::create_transform),
    plain(&["access", "method"], language::create_access_method),
];

/// Reads a statement of the data definition language; `None` where its first word begins none.
pub fn statement(c: &mut Cursor<'_>) -> Option<Parsed<Body>> {
    type Statement = fn(&mut Cursor<'_>) -> Parsed<Body>;
    static FIRST: [(&str, Statement); 9] = [
        ("create", create),
        ("alter", alter),
        ("drop", drop::drop),
        ("comment", comment::comment),
        ("grant", privileges::grant),
        ("revoke", privileges::revoke),
        ("security", comment::security_label),
        ("reassign", role::reassign_owned),
        ("import", foreign::import_foreign_schema),
    ];
    let (_, read) = FIRST.iter().find(|(word, _)| c.is(word))?;
    Some(read(c))
}

/// CREATE of any kind.
pub fn create(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("create")?;
    let start = *c;
    let replace = c.eat_seq(&["or", "replace"]);
    let before_persistence = *c;
    let persistence = persistence(c);
    for head in &CREATE {
        if c.is_seq(head.words) {
            if replace && !head.replace {
                return Err(start.expected("a kind of object that can be replaced"));
            }
            if persistence != Persistence::Permanent && !head.persistence {
                return Err(before_persistence.expected("a kind of object"));
            }
            return (head.read)(c, Head { replace, persistence });
        }
    }
    Err(c.expected("a kind of object"))
}

/// `OptTemp`: [LOCAL | GLOBAL] TEMPORARY | TEMP, UNLOGGED, or nothing.
pub fn persistence(c: &mut Cursor<'_>) -> Persistence {
    let scoped = usize::from(c.is_any(&["local", "global"]));
    if c.is_nth(scoped, "temporary") || c.is_nth(scoped, "temp") {
        for _ in 0..=scoped {
            c.bump();
        }
        Persistence::Temporary
    } else if c.eat("unlogged") {
        Persistence::Unlogged
    } else {
        Persistence::Permanent
    }
}

/// ALTER of any kind.
fn alter(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("alter")?;
    if c.is_seq(&["default", "privileges"]) {
        return privileges::alter_default_privileges(c);
    }
    if c.is("system") {
        return database::alter_system(c);
    }
    alter_object::alter(c)
}

/// CASCADE (true), RESTRICT or nothing (false).
pub fn behavior(c: &mut Cursor<'_>) -> bool {
    let cascade = c.eat("cascade");
    if !cascade {
        c.eat("restrict");
    }
    cascade
}

/// `relation_expr`: a relation with whether ONLY is written: `t`, `t *`, `ONLY t`, `ONLY (t)`.
pub fn relation(c: &mut Cursor<'_>, what: &str) -> Parsed<(Name, bool)> {
    if c.eat("only") {
        if c.eat_kind(TokenKind::LeftParen) {
            let name = c.name(what)?;
            c.close()?;
            return Ok((name, true));
        }
        return Ok((c.name(what)?, true));
    }
    let name = c.name(what)?;
    c.eat_operator("*");
    Ok((name, false))
}

/// A statement whose kind is all that matters.
fn other(kind: &'static str, name: Option<Name>) -> Body {
    Body::Other(Box::new(Other { kind, name, uses: Vec::new() }))
}
