//! A relation as the catalog knows it: columns, constraints, indexes and what hangs on them.

use std::sync::Arc;

use compact_str::CompactString;

use super::{ColumnOf, List, QName};
use crate::migration::statement::{
    Expr, Name, PartitionBound, PartitionBy, Persistence, ReplicaIdentity, RuleDefinition, TriggerState,
    TypeName,
};
use crate::source::Span;

/// Since when an object is there, seen from the run of migrations that is being judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Born {
    /// Before the migrations that are judged: other sessions use it.
    #[default]
    Before,
    /// Made by a migration that is judged.
    Here {
        /// Which migration, by its place in the order.
        migration: u32,
        /// Which transaction (see `Session::transaction`); numbers aren't reused within a run.
        transaction: u32,
        /// Made with IF NOT EXISTS where its absence wasn't proved: it may be old, and full of data.
        maybe_old: bool,
    },
}

/// What kind of relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// An ordinary table.
    #[default]
    Table,
    /// A partitioned table: no rows of its own.
    PartitionedTable,
    /// A foreign table.
    ForeignTable,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A sequence.
    Sequence,
}

impl RelationKind {
    /// In a sentence: "table", "materialized view".
    pub fn noun(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::PartitionedTable => "partitioned table",
            RelationKind::ForeignTable => "foreign table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
            RelationKind::Sequence => "sequence",
        }
    }

    /// Whether it (or its partitions) holds rows.
    pub fn has_storage(self) -> bool {
        matches!(self, RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView)
    }
}

/// How large a relation is, where known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows, estimated (`pg_class.reltuples`).
    pub rows: u64,
    /// Bytes of the heap and its toast.
    pub bytes: u64,
    /// Bytes of all its indexes.
    pub index_bytes: u64,
}

/// A relation.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    /// Its name.
    pub name: QName,
    /// What it is.
    pub kind: RelationKind,
    /// Columns, in order; dropped ones are gone.
    pub columns: List<Column>,
    /// Whether `columns` is all there is: false for CREATE TABLE AS with `*`, a typed table of an unknown
    /// type, a relation of which only parts have been seen.
    pub columns_known: bool,
    /// Constraints, primary key and unique ones included (their index is in `indexes`).
    pub constraints: List<Constraint>,
    /// Indexes.
    pub indexes: List<Index>,
    /// Triggers, foreign keys' internal ones left out.
    pub triggers: List<Trigger>,
    /// Row security policies.
    pub policies: List<Policy>,
    /// Rewrite rules (a view's own left out).
    pub rules: List<RewriteRule>,
    /// Extended statistics, as far as migrations made them.
    pub statistics: Vec<Statistics>,
    /// LOGGED or not.
    pub persistence: Persistence,
    /// PARTITION BY.
    pub partition_by: Option<PartitionBy>,
    /// What it is a partition of.
    pub partition_of: Option<Partition>,
    /// The composite type that it is OF.
    pub of_type: Option<QName>,
    /// Inheritance parents (partitions' parents left out).
    pub inherits: Vec<QName>,
    /// Views: relations read, and columns named.
    pub reads: Vec<QName>,
    /// Views: every identifier in the query, to tell whether a column may be used.
    pub mentions: Arc<[CompactString]>,
    /// Views: columns that the query certainly reads.
    pub reads_columns: Vec<ColumnOf>,
    /// Views: functions of the migrations that the query calls.
    pub calls: Vec<Called>,
    /// ENABLE ROW LEVEL SECURITY.
    pub row_security: bool,
    /// REPLICA IDENTITY.
    pub replica_identity: Option<(ReplicaIdentity, Option<CompactString>)>,
    /// A sequence: the column that owns it.
    pub owned_by: Option<(QName, CompactString)>,
    /// Its size, where a snapshot told it.
    pub size: Option<Size>,
    /// Since when it is there.
    pub born: Born,
    /// Rows have been written to it by this run (INSERT, COPY), by transaction: it isn't empty.
    pub filled_here: bool,
}

impl Relation {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The columns that are generated from a column.
    pub fn generated_from<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a Column> {
        let reads = move |generated: &Generated| generated.columns.iter().any(|from| from == column);
        self.columns.about(column).filter(move |known| known.generated.as_ref().is_some_and(reads))
    }

    /// To change anything but what it is generated from.
    pub(super) fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.get_mut(name)
    }

    /// The constraint of that name.
    pub fn constraint(&self, name: &str) -> Option<&Constraint> {
        self.constraints.get(name)
    }

    /// The index of that name.
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.get(name)
    }

    /// Indexes, in order, among them all that read one of these columns, be it in a predicate.
    pub fn indexes_about(&self, columns: &[&str]) -> Vec<&Index> {
        // Which columns a predicate names isn't kept.
        let or_unknown: Vec<&str> = columns.iter().copied().chain([""]).collect();
        self.indexes.about_any(&or_unknown).collect()
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&Constraint> {
        self.constraints.about("").find(|c| matches!(c.detail, ConstraintDetail::PrimaryKey { .. }))
    }

    /// The index of this partition that is, or else can become, its part of an index of the partitioned table. Each index is
    /// part of one only: `used` are those that become part of others. `any_key`: as before 17, when a primary key's part
    /// could be a unique constraint's.
    pub fn part_of(
        &self,
        parent: &Relation,
        index: &Index,
        any_key: bool,
        used: &[CompactString],
    ) -> Option<&Index> {
        if self.partition_of.as_ref().is_some_and(|of| of.parent == parent.name) {
            let is_it = |own: &&Index| own.part_of.as_ref() == Some(&index.name);
            if let Some(own) = self.indexes.iter().find(is_it) {
                return Some(own);
            }
        }
        let is_primary = |of: &Relation, index: &Index| {
            of.primary_key().is_some_and(|key| index.constraint.as_ref() == Some(&key.name))
        };
        self.indexes.iter().find(|own| {
            own.part_of.is_none()
                && own.valid
                && !used.contains(&own.name)
                && own.is_part_of(index)
                && (any_key || is_primary(self, own) == is_primary(parent, index))
        })
    }

    /// The index that a foreign key to these columns stands on: the first unique one of just them, in whatever order; of
    /// no columns, the primary key's.
    pub fn key_index(&self, columns: &[CompactString]) -> Option<&Index> {
        if columns.is_empty()
            && let Some(ConstraintDetail::PrimaryKey { index, .. }) =
                self.primary_key().map(|key| &key.detail)
        {
            return self.index(index);
        }
        self.indexes.about(columns.first()?).find(|index| {
            let deferrable = || {
                let owner = index.constraint.as_ref().and_then(|owner| self.constraint(owner));
                owner.is_some_and(|owner| owner.deferrable)
            };
            index.unique
                && index.predicate.is_none()
                && index.plain_columns().is_some_and(|keys| {
                    keys.len() == columns.len()
                        && columns.iter().all(|column| keys.contains(&column.as_str()))
                })
                && !deferrable()
        })
    }

    /// Whether it is a partitioned table.
    pub fn is_partitioned(&self) -> bool {
        self.kind == RelationKind::PartitionedTable
    }
}

/// A column.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Its name.
    pub name: CompactString,
    /// Its type; a type that isn't built in carries its schema.
    pub type_name: TypeName,
    /// COLLATE, where written.
    pub collation: Option<CompactString>,
    /// NOT NULL in force (validated), by itself or through the primary key or an identity.
    pub not_null: bool,
    /// DEFAULT.
    pub default: Option<ColumnDefault>,
    /// GENERATED ALWAYS AS (…).
    pub generated: Option<Generated>,
    /// GENERATED … AS IDENTITY: `Some(true)` for ALWAYS.
    pub identity: Option<bool>,
    /// Since when it is there.
    pub born: Born,
}

/// A column's default.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefault {
    /// The expression as written.
    pub text: String,
    /// `nextval` of a serial.
    pub serial: bool,
}

/// A generated column.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The expression as written.
    pub text: String,
    /// STORED; else VIRTUAL (18).
    pub stored: bool,
    /// Columns that it reads.
    pub columns: Vec<CompactString>,
}

/// A constraint of a table.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Its name, PostgreSQL's choice where none was written.
    pub name: CompactString,
    /// Whether the name was written, not chosen.
    pub named: bool,
    /// What it demands.
    pub detail: ConstraintDetail,
    /// False after NOT VALID, until VALIDATE.
    pub validated: bool,
    /// False: NOT ENFORCED.
    pub enforced: bool,
    /// DEFERRABLE.
    pub deferrable: bool,
    /// NO INHERIT.
    pub no_inherit: bool,
    /// Since when it is there.
    pub born: Born,
    /// Where it was written, in the migration that made it.
    pub span: Span,
}

/// What a constraint demands.
#[derive(Clone, Debug)]
pub enum ConstraintDetail {
    /// CHECK.
    Check {
        /// The expression.
        expr: Expr,
        /// Its text.
        text: String,
    },
    /// A NOT NULL constraint that is not (yet) in force for all rows, or has a name of its own (18).
    NotNull {
        /// The column.
        column: CompactString,
    },
    /// PRIMARY KEY.
    PrimaryKey {
        /// Its columns.
        columns: Vec<CompactString>,
        /// Its index.
        index: CompactString,
    },
    /// UNIQUE.
    Unique {
        /// Its columns.
        columns: Vec<CompactString>,
        /// Its index.
        index: CompactString,
    },
    /// EXCLUDE.
    Exclude {
        /// Its index.
        index: CompactString,
    },
    /// FOREIGN KEY.
    ForeignKey {
        /// The referencing columns.
        columns: Vec<CompactString>,
        /// The referenced table.
        target: QName,
        /// The referenced columns; empty where they are the primary key of an unknown table.
        target_columns: Vec<CompactString>,
        /// `cascade`, `set null` …
        on_delete: Option<&'static str>,
        /// `cascade`, `set null` …
        on_update: Option<&'static str>,
    },
}

impl ConstraintDetail {
    /// The columns that it is about.
    pub fn columns(&self) -> Vec<CompactString> {
        match self {
            ConstraintDetail::Check { expr, .. } => {
                expr.columns.iter().map(|column| column.value.clone()).collect()
            }
            ConstraintDetail::NotNull { column } => vec![column.clone()],
            ConstraintDetail::PrimaryKey { columns, .. }
            | ConstraintDetail::Unique { columns, .. }
            | ConstraintDetail::ForeignKey { columns, .. } => columns.clone(),
            ConstraintDetail::Exclude { .. } => Vec::new(),
        }
    }

    /// The name of the constraint's index, where it has one.
    pub(super) fn index_mut(&mut self) -> Option<&mut CompactString> {
        match self {
            ConstraintDetail::PrimaryKey { index, .. }
            | ConstraintDetail::Unique { index, .. }
            | ConstraintDetail::Exclude { index } => Some(index),
            _ => None,
        }
    }
}

/// An index.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Its name, PostgreSQL's choice where none was written.
    pub name: CompactString,
    /// UNIQUE (also a primary key's).
    pub unique: bool,
    /// btree, hash, gin …
    pub method: CompactString,
    /// Key columns.
    pub keys: Vec<IndexKey>,
    /// INCLUDE columns.
    pub include: Vec<CompactString>,
    /// WHERE, as written.
    pub predicate: Option<String>,
    /// False: a failed or unfinished CONCURRENTLY build, or ON ONLY a partitioned table without all parts attached.
    pub valid: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// The constraint that owns it.
    pub constraint: Option<CompactString>,
    /// Of a partition: the index of the partitioned table that it is part of.
    pub part_of: Option<CompactString>,
    /// Since when it is there.
    pub born: Born,
    /// Where it was written, in the migration that made it.
    pub span: Span,
    /// Bytes, where a snapshot told it.
    pub bytes: Option<u64>,
}

impl Index {
    /// Whether this index of a partition serves as its part of an index of the partitioned table, so that none is built
    /// (CompareIndexInfo in index.c; the sort order of a key makes no difference to it). From 17 on a primary key's is one
    /// of a primary key there too: see [`Relation::part_of`].
    pub fn is_part_of(&self, parent: &Index) -> bool {
        let alike = |(own, key): (&IndexKey, &IndexKey)| {
            own.column == key.column
                && own.text == key.text
                && own.operator_class == key.operator_class
                && own.collation == key.collation
        };
        self.unique == parent.unique
            && self.nulls_not_distinct == parent.nulls_not_distinct
            && self.method == parent.method
            && self.predicate == parent.predicate
            && self.include == parent.include
            && self.keys.len() == parent.keys.len()
            && self.keys.iter().zip(&parent.keys).all(alike)
            // The index of a constraint is one of a constraint there too.
            && (parent.constraint.is_none() || self.constraint.is_some())
    }

    /// The key columns when all keys are plain columns.
    pub fn plain_columns(&self) -> Option<Vec<&str>> {
        self.keys.iter().map(|key| key.column.as_deref()).collect()
    }
}

/// A key of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IndexKey {
    /// The column, when it is a plain one.
    pub column: Option<CompactString>,
    /// The expression as written, otherwise.
    pub text: String,
    /// What PostgreSQL calls the index's column, where it is an expression.
    pub label: CompactString,
    /// Columns named in it.
    pub columns: Vec<CompactString>,
    /// Operator class, where written.
    pub operator_class: Option<CompactString>,
    /// COLLATE, where written.
    pub collation: Option<CompactString>,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST / LAST, where written.
    pub nulls_first: Option<bool>,
}

/// What a partition belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// The partitioned table.
    pub parent: QName,
    /// FOR VALUES …; `None` where unknown.
    pub bound: Option<PartitionBound>,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// Its name.
    pub name: CompactString,
    /// The function it calls.
    pub function: QName,
    /// Whether it fires.
    pub state: TriggerState,
    /// The table's columns in its UPDATE OF and WHEN.
    pub columns: Vec<CompactString>,
    /// FOR EACH ROW: a partitioned table's has a copy in each partition.
    pub for_each_row: bool,
    /// A constraint trigger's FROM: it goes with that table.
    pub from: Option<QName>,
}

/// Extended statistics of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Their name.
    pub name: QName,
    /// The columns that they are of, or that their expressions name.
    pub columns: Vec<CompactString>,
}

/// A rewrite rule.
#[derive(Clone, Debug)]
pub struct RewriteRule {
    /// Its name.
    pub name: CompactString,
    /// Whether it is used.
    pub state: TriggerState,
    /// What it does, with whole names; `None` where only its name is known.
    pub definition: Option<Arc<RuleDefinition>>,
}

impl RewriteRule {
    /// Whether it names a relation.
    pub fn names(&self, relation: &QName) -> bool {
        self.definition.iter().flat_map(|it| &it.uses).any(|used| *relation == of_whole(&used.name))
    }
}

/// By name: a snapshot doesn't tell more.
impl PartialEq for RewriteRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a name with its schema means.
pub(super) fn of_whole(name: &Name) -> QName {
    let schema = name.schema.as_ref().map(|schema| schema.value.as_str());
    QName::new(schema.unwrap_or_default(), &name.name.value)
}

/// A row security policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: CompactString,
    /// USING.
    pub using: Names,
    /// WITH CHECK.
    pub check: Names,
}

/// What an expression of a policy names, as far as known.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The table's columns, outside subqueries.
    pub columns: Vec<CompactString>,
    /// What else.
    pub needs: Needs,
}

impl Policy {
    fn expressions(&self) -> [&Names; 2] {
        [&self.using, &self.check]
    }

    /// To change what its expressions name.
    pub fn expressions_mut(&mut self) -> [&mut Names; 2] {
        [&mut self.using, &mut self.check]
    }

    /// The columns of its table that it names.
    pub fn named_columns(&self) -> impl Iterator<Item = &CompactString> {
        self.expressions().into_iter().flat_map(|it| &it.columns)
    }

    /// Whether it names a column of its table.
    pub fn names_column(&self, column: &str) -> bool {
        self.named_columns().any(|named| named == column)
    }

    /// Whether it names a relation in a subquery.
    pub fn reads(&self, relation: &QName) -> bool {
        self.expressions().into_iter().any(|it| it.needs.relations.contains(relation))
    }

    /// The functions of the migrations that it calls.
    pub fn calls(&self) -> impl Iterator<Item = &Called> {
        self.expressions().into_iter().flat_map(|it| &it.needs.calls)
    }
}

/// What PostgreSQL keeps for a policy, or for a function whose body is written as SQL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// Relations read or written.
    pub relations: Vec<QName>,
    /// Functions of the migrations.
    pub calls: Vec<Called>,
}

/// A call of a function that migrations made.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// Which, as its name was looked up then.
    pub function: QName,
    /// How many arguments are written.
    pub arguments: usize,
}

/// By name: a snapshot doesn't tell the expressions.
impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
