//! The words that expressions of a project's own rules may use. They are a contract: names are added, never removed.

use std::collections::BTreeSet;

use cel::Value;
use serde::Serialize;

use super::Surrounds;
use crate::migration::catalog::{Catalog, ConstraintDetail, QName, Relation, written_type};
use crate::migration::effects::Effects;
use crate::migration::session::Session;
use crate::migration::statement::{Body, Statement};

/// Elements of a list that expressions see: evaluation stays short whatever a statement touches.
pub const MOST: usize = 1000;

/// A type of the vocabulary.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// true or false.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// A list of one type.
    List(&'static Type),
    /// Named fields, each with its type and what it is.
    Object(&'static [(&'static str, Type, &'static str)]),
    /// Anything, null included.
    Any,
}

impl Type {
    /// In a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Type::Bool => "true or false",
            Type::Int => "a number",
            Type::Text => "text",
            Type::List(_) => "a list",
            Type::Object(_) => "an object",
            Type::Any => "anything",
        }
    }
}

/// The variables, each with its type and what it is.
pub static VARIABLES: &[(&str, Type, &str)] = &[
    ("statement", Type::Object(STATEMENT), "the statement"),
    ("effects", Type::Object(EFFECTS), "what it does"),
    ("relations", Type::List(&Type::Object(RELATION)), "the relations that it makes, changes or locks"),
    ("file", Type::Object(FILE), "the file"),
    ("runner", Type::Text, "the migration tool (`flyway`), empty where it isn't known"),
    ("direction", Type::Text, "`up`, `down`, `repeatable` or `baseline`"),
    (
        "in_transaction",
        Type::Any,
        "whether it shares a transaction with other statements; null where nothing tells",
    ),
    ("postgres_version", Type::Int, "the major version that is judged for"),
];

static STATEMENT: &[(&str, Type, &str)] = &[
    ("kind", Type::Text, "its first words, in capitals: `CREATE TABLE`, `ALTER TABLE`, `UPDATE`"),
    ("text", Type::Text, "as it is written"),
    ("understood", Type::Bool, "whether it could be read"),
    ("actions", Type::List(&Type::Object(ACTION)), "the actions of an ALTER TABLE; else one, the statement"),
];

static ACTION: &[(&str, Type, &str)] = &[
    ("kind", Type::Text, "`ADD COLUMN`, `DROP CONSTRAINT`, `SET NOT NULL` …"),
    ("text", Type::Text, "as it is written"),
];

static EFFECTS: &[(&str, Type, &str)] = &[
    ("locks", Type::List(&Type::Object(LOCK)), "each relation that was there before with its strongest lock"),
    ("rewrites", Type::List(&Type::Text), "relations written anew"),
    ("scans", Type::List(&Type::Text), "relations read in full"),
    ("index_builds", Type::List(&Type::Object(BUILD)), "indexes built"),
    ("destroys", Type::List(&Type::Object(GONE)), "what is gone afterwards"),
    ("reversible", Type::Bool, "whether SQL can undo it without a backup"),
];

static LOCK: &[(&str, Type, &str)] = &[
    ("relation", Type::Text, "its name"),
    ("mode", Type::Text, "as in PostgreSQL's manual: `ACCESS EXCLUSIVE`"),
    ("blocks_reads", Type::Bool, "whether SELECT waits"),
    ("blocks_writes", Type::Bool, "whether INSERT, UPDATE and DELETE wait"),
];

static BUILD: &[(&str, Type, &str)] = &[
    ("relation", Type::Text, "the table"),
    ("index", Type::Text, "the index, empty where it has no name yet"),
    ("concurrently", Type::Bool, "CONCURRENTLY"),
];

static GONE: &[(&str, Type, &str)] = &[
    ("kind", Type::Text, "`table`, `column`, `rows`, `values` …"),
    ("name", Type::Text, "`users.email`"),
    ("cascaded", Type::Bool, "because something else goes"),
];

static RELATION: &[(&str, Type, &str)] = &[
    ("name", Type::Text, "`orders`, `billing.orders`"),
    ("schema", Type::Text, "`public`"),
    (
        "kind",
        Type::Text,
        "`table`, `partitioned table`, `view`, `materialized view`, `foreign table`, `sequence`",
    ),
    ("created", Type::Bool, "whether this statement makes it"),
    ("exists", Type::Bool, "whether it is still there after the statement"),
    ("known", Type::Bool, "whether all its columns are known"),
    (
        "columns",
        Type::List(&Type::Object(COLUMN)),
        "its columns after the statement (before it, where it is gone)",
    ),
    ("primary_key", Type::List(&Type::Text), "the columns of its primary key"),
    ("rows", Type::Any, "how many rows it has; null where no snapshot tells"),
];

static COLUMN: &[(&str, Type, &str)] = &[
    ("name", Type::Text, "its name"),
    ("type", Type::Text, "`int8`, `varchar(50)`, `timestamptz`, `text[]`"),
    ("not_null", Type::Bool, "NOT NULL"),
    ("default", Type::Text, "its default as written, empty where there is none"),
    ("identity", Type::Bool, "GENERATED … AS IDENTITY"),
];

static FILE: &[(&str, Type, &str)] =
    &[("path", Type::Text, "as reports show it, with `/`"), ("name", Type::Text, "without its folder")];

/// The relations that a statement touches, as they were before it.
#[derive(Default)]
pub struct Touched {
    names: Vec<(QName, Option<Relation>)>,
}

impl Touched {
    pub fn of(statement: &Statement, effects: &Effects, catalog: &Catalog, session: &Session) -> Self {
        let mut names = BTreeSet::new();
        let written = match &statement.body {
            Body::CreateTable(create) => Some(&create.name),
            Body::CreateTableAs(create) => Some(&create.name),
            Body::CreateView(create) => Some(&create.name),
            Body::CreateIndex(create) => Some(&create.table),
            Body::AlterTable(alter) => Some(&alter.name),
            _ => None,
        };
        names.extend(written.map(|name| catalog.resolve(name, &session.search_path)));
        names.extend(effects.locks.iter().map(|lock| lock.relation.clone()));
        let names = names
            .into_iter()
            .map(|name| {
                let before = catalog.relation(&name).cloned();
                (name, before)
            })
            .collect();
        Touched { names }
    }
}

#[derive(Serialize, Default)]
struct StatementValue {
    kind: String,
    text: String,
    understood: bool,
    actions: Vec<ActionValue>,
}

#[derive(Serialize, Default)]
struct ActionValue {
    kind: String,
    text: String,
}

#[derive(Serialize, Default)]
struct EffectsValue {
    locks: Vec<LockValue>,
    rewrites: Vec<String>,
    scans: Vec<String>,
    index_builds: Vec<BuildValue>,
    destroys: Vec<GoneValue>,
    reversible: bool,
}

#[derive(Serialize, Default)]
struct LockValue {
    relation: String,
    mode: String,
    blocks_reads: bool,
    blocks_writes: bool,
}

#[derive(Serialize, Default)]
struct BuildValue {
    relation: String,
    index: String,
    concurrently: bool,
}

#[derive(Serialize, Default)]
struct GoneValue {
    kind: String,
    name: String,
    cascaded: bool,
}

#[derive(Serialize, Default)]
struct RelationValue {
    name: String,
    schema: String,
    kind: String,
    created: bool,
    exists: bool,
    known: bool,
    columns: Vec<ColumnValue>,
    primary_key: Vec<String>,
    rows: Option<i64>,
}

#[derive(Serialize, Default)]
struct ColumnValue {
    name: String,
    r#type: String,
    not_null: bool,
    default: String,
    identity: bool,
}

#[derive(Serialize, Default)]
struct FileValue {
    path: String,
    name: String,
}

/// At most [`MOST`] of `all`; `cut` tells whether there were more.
fn few<T>(all: impl Iterator<Item = T>, cut: &mut bool) -> Vec<T> {
    let mut list: Vec<T> = all.take(MOST + 1).collect();
    if list.len() > MOST {
        list.truncate(MOST);
        *cut = true;
    }
    list
}

/// The values of all variables for one statement, and whether a list had to be cut.
pub fn values(
    touched: &Touched,
    statement: &Statement,
    effects: &Effects,
    after: &Catalog,
    surrounds: &Surrounds<'_>,
) -> (Vec<(&'static str, Value)>, bool) {
    let mut cut = false;
    let text = |span: crate::source::Span| span.of(surrounds.text).to_owned();
    let actions = match &statement.body {
        Body::AlterTable(alter) => few(
            alter.actions.iter().map(|action| ActionValue {
                kind: action.kind.kind_name().to_owned(),
                text: text(action.span),
            }),
            &mut cut,
        ),
        _ => vec![ActionValue { kind: statement.kind_name(), text: text(statement.span) }],
    };
    let unique = |names: BTreeSet<String>, cut: &mut bool| few(names.into_iter(), cut);
    let effects = EffectsValue {
        locks: few(
            effects.strongest_locks().into_iter().map(|(relation, mode)| LockValue {
                relation: relation.to_string(),
                mode: mode.as_str().to_owned(),
                blocks_reads: mode.blocks_reads(),
                blocks_writes: mode.blocks_writes(),
            }),
            &mut cut,
        ),
        rewrites: unique(effects.rewrites.iter().map(|one| one.relation.to_string()).collect(), &mut cut),
        scans: unique(effects.scans.iter().map(|one| one.relation.to_string()).collect(), &mut cut),
        index_builds: few(
            effects.index_builds.iter().map(|build| BuildValue {
                relation: build.relation.to_string(),
                index: build.index.as_deref().unwrap_or("").to_owned(),
                concurrently: build.concurrently,
            }),
            &mut cut,
        ),
        destroys: few(
            effects.destroys.iter().map(|gone| GoneValue {
                kind: gone.what.as_str(),
                name: gone.name.clone(),
                cascaded: gone.cascaded,
            }),
            &mut cut,
        ),
        reversible: effects.reversible,
    };
    let relations = few(
        touched.names.iter().filter_map(|(name, before)| {
            let now = after.relation(name);
            let shown = now.or(before.as_ref())?;
            Some(relation(shown, before.is_none(), now.is_some()))
        }),
        &mut cut,
    );
    let statement = StatementValue {
        kind: statement.kind_name(),
        text: text(statement.span),
        understood: statement.understood(),
        actions,
    };
    let file = FileValue {
        path: surrounds.path.to_owned(),
        name: surrounds.path.rsplit('/').next().unwrap_or("").to_owned(),
    };
    let all = vec![
        ("statement", value(&statement)),
        ("effects", value(&effects)),
        ("relations", value(&relations)),
        ("file", value(&file)),
        ("runner", value(surrounds.run.runner.unwrap_or(""))),
        ("direction", value(surrounds.direction.as_str())),
        ("in_transaction", value(&surrounds.in_transaction)),
        ("postgres_version", value(&i64::from(surrounds.postgres_version))),
    ];
    (all, cut)
}

fn relation(relation: &Relation, created: bool, exists: bool) -> RelationValue {
    RelationValue {
        name: relation.name.to_string(),
        schema: relation.name.schema.to_string(),
        kind: relation.kind.noun().to_owned(),
        created,
        exists,
        known: relation.columns_known,
        // PostgreSQL's own limit is 1600.
        columns: relation
            .columns
            .iter()
            .map(|column| ColumnValue {
                name: column.name.to_string(),
                r#type: written_type(&column.type_name),
                not_null: column.not_null,
                default: column.default.as_ref().map(|default| default.text.clone()).unwrap_or_default(),
                identity: column.identity.is_some(),
            })
            .collect(),
        primary_key: match relation.primary_key().map(|key| &key.detail) {
            Some(ConstraintDetail::PrimaryKey { columns, .. }) => {
                columns.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        },
        rows: relation.size.map(|size| i64::try_from(size.rows).unwrap_or(i64::MAX)),
    }
}

fn value<T: Serialize + ?Sized>(of: &T) -> Value {
    // Only text, numbers, booleans, lists and fields: all of them are CEL's.
    cel::to_value(of).unwrap_or(Value::Null)
}

/// Values with one element in each list, for a trial.
pub fn sample() -> Vec<(&'static str, Value)> {
    let text = || "orders".to_owned();
    let column = ColumnValue { name: "id".to_owned(), r#type: "int8".to_owned(), ..ColumnValue::default() };
    let relation = RelationValue {
        name: text(),
        schema: "public".to_owned(),
        kind: "table".to_owned(),
        created: true,
        exists: true,
        known: true,
        columns: vec![column],
        primary_key: vec!["id".to_owned()],
        rows: Some(1000),
    };
    let statement = StatementValue {
        kind: "ALTER TABLE".to_owned(),
        text: "ALTER TABLE orders ADD COLUMN id bigint".to_owned(),
        understood: true,
        actions: vec![ActionValue { kind: "ADD COLUMN".to_owned(), text: "ADD COLUMN id bigint".to_owned() }],
    };
    let lock = LockValue {
        relation: text(),
        mode: "ACCESS EXCLUSIVE".to_owned(),
        blocks_reads: true,
        blocks_writes: true,
    };
    let effects = EffectsValue {
        locks: vec![lock],
        rewrites: vec![text()],
        scans: vec![text()],
        index_builds: vec![BuildValue { relation: text(), ..BuildValue::default() }],
        destroys: vec![GoneValue {
            kind: "column".to_owned(),
            name: "orders.id".to_owned(),
            cascaded: false,
        }],
        reversible: true,
    };
    with(&statement, &effects, &[relation])
}

/// Values with empty lists, for another.
pub fn empty_sample() -> Vec<(&'static str, Value)> {
    with(&StatementValue::default(), &EffectsValue::default(), &[])
}

fn with(
    statement: &StatementValue,
    effects: &EffectsValue,
    relations: &[RelationValue],
) -> Vec<(&'static str, Value)> {
    vec![
        ("statement", value(statement)),
        ("effects", value(effects)),
        ("relations", value(relations)),
        ("file", value(&FileValue { path: "db/V1__x.sql".to_owned(), name: "V1__x.sql".to_owned() })),
        ("runner", value("flyway")),
        ("direction", value("up")),
        ("in_transaction", value(&Some(true))),
        ("postgres_version", value(&18_i64)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(of: Type, value: &Value, at: &str) {
        match (of, value) {
            (Type::Object(fields), Value::Map(map)) => {
                assert_eq!(map.map.len(), fields.len(), "{at} has other fields than it says");
                for (name, of, _) in fields {
                    let key = cel::objects::Key::from((*name).to_owned());
                    let value = map.map.get(&key).unwrap_or_else(|| panic!("{at} has no {name}"));
                    compare(*of, value, &format!("{at}.{name}"));
                }
            }
            (Type::List(of), Value::List(list)) => {
                assert!(!list.is_empty(), "{at} is empty in the sample");
                list.iter().for_each(|value| compare(*of, value, at));
            }
            (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Text, Value::String(_))
            | (Type::Any, _) => {}
            (of, value) => panic!("{at} says it is {}, and is {value:?}", of.noun()),
        }
    }

    #[test]
    fn the_vocabulary_says_what_values_are() {
        let sample = sample();
        assert_eq!(sample.len(), VARIABLES.len());
        for (name, of, _) in VARIABLES {
            let value = sample.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}"));
            compare(*of, &value.1, name);
        }
    }
}
