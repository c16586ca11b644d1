//! The catalog: what exists in the database before a statement runs.
//!
//! Built by replaying earlier migrations (`apply`), or from a schema dump or a snapshot of a live database.
//! What it doesn't know it says: a relation that no replayed statement made is absent, and
//! [`Catalog::complete`] tells whether absence proves anything.

mod alter;
mod apply;
pub(super) mod callers;
mod chunks;
mod create;
mod difference;
mod drop;
mod families;
mod index_columns;
mod keys;
mod links;
mod list;
mod map;
pub mod naming;
mod reads;
mod relation;
mod rename;
mod schemas;
mod snapshot;
mod types;
mod words;

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHashSet};

use super::statement::{CreateRoutine, Expr, Name, PartitionBound, TypeName, has_placeholder, quote_ident};

use links::Link;
use map::SharedMap;
use schemas::BySchema;

pub use apply::Applied;
pub use callers::Caller;
pub use difference::{difference, written as written_type};
pub use list::List;
pub use reads::ColumnOf;
pub use relation::{
    Born, Called, Column, ColumnDefault, Constraint, ConstraintDetail, Generated, Index, IndexKey, Needs,
    Partition, Policy, Relation, RelationKind, RewriteRule, Size, Trigger,
};
pub use snapshot::Live;

/// The schema that unqualified names belong to unless a search_path says otherwise.
pub const PUBLIC: &str = "public";

/// The schema of temporary relations.
pub const TEMPORARY: &str = "pg_temp";

/// A name with its schema: what identifies a relation, type or function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QName {
    /// The schema.
    pub schema: CompactString,
    /// The name, folded and unquoted.
    pub name: CompactString,
}

impl QName {
    /// `schema.name`.
    pub fn new(schema: &str, name: &str) -> Self {
        QName { schema: schema.into(), name: name.into() }
    }

    /// Whether a part of it is put in only when it runs: nobody knows yet what it names.
    pub fn is_put_in(&self) -> bool {
        has_placeholder(&self.name) || has_placeholder(&self.schema)
    }
}

/// As `regclass` prints it with `search_path = public`: `users`, `billing.orders`, `"Users"`.
impl fmt::Display for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema != PUBLIC && self.schema != "pg_catalog" && !self.schema.is_empty() {
            write!(f, "{}.", quote_ident(&self.schema))?;
        }
        f.write_str(&quote_ident(&self.name))
    }
}

/// A type that isn't built in.
#[derive(Clone, Debug)]
pub struct Type {
    /// Its name.
    pub name: QName,
    /// What it is.
    pub kind: TypeKind,
    /// Since when it is there.
    pub born: Born,
}

/// What a type is.
#[derive(Clone, Debug)]
pub enum TypeKind {
    /// Labels, in order, each with the transaction that added it where this run did (see [`Born`]).
    Enum(List<(CompactString, Born)>),
    /// Attributes.
    Composite(Vec<Column>),
    /// A domain.
    Domain(Domain),
    /// CREATE TYPE … AS RANGE.
    Range,
    /// A base or shell type, or one of an extension.
    Base,
}

/// A domain over another type.
#[derive(Clone, Debug)]
pub struct Domain {
    /// The type under it.
    pub base: TypeName,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT.
    pub default: Option<ColumnDefault>,
    /// CHECK constraints: name, expression, validated.
    pub checks: List<(CompactString, Expr, bool)>,
}

/// What a column has of the domains that its type goes through.
#[derive(Clone, Debug, PartialEq)]
pub struct OfDomains {
    /// The domain that the column is of.
    pub name: QName,
    /// One of them is NOT NULL.
    pub not_null: bool,
    /// One of them has a DEFAULT.
    pub default: bool,
    /// The type under them all.
    pub base: TypeName,
}

impl Domain {
    /// Whether a value has to be tested against something.
    pub fn is_constrained(&self) -> bool {
        self.not_null || !self.checks.is_empty()
    }
}

/// A function or procedure that migrations made.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: QName,
    /// As it was defined last.
    pub definition: Arc<CreateRoutine>,
    /// Since when it is there.
    pub born: Born,
    /// The migration that defined it last, by its place in the order: spans in `definition` are of its file.
    pub migration: u32,
    /// What PostgreSQL keeps for it: of a body that is written as SQL.
    pub needs: Needs,
}

/// What has a policy or a body that names a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reader {
    /// A table with such a policy.
    Policies(QName),
    /// A function.
    Function(QName),
    /// A table with a constraint trigger FROM it.
    Triggers(QName),
    /// A relation with a rule that names it.
    Rules(QName),
}

impl Function {
    /// Whether these are the types that tell it from others of its name. Where a schema is left out, or a type is that of
    /// a column, nobody knows better: they are.
    pub fn takes(&self, arguments: &[TypeName]) -> bool {
        let same = |(known, other): (&TypeName, &TypeName)| {
            let schemas = match (&known.name.schema, &other.name.schema) {
                (Some(known), Some(other)) => known == other,
                _ => true,
            };
            // Modifiers are no part of it.
            known.percent_type
                || other.percent_type
                || schemas
                    && known.name.name == other.name.name
                    && (known.dimensions > 0) == (other.dimensions > 0)
        };
        let known = &self.definition.arguments;
        known.len() == arguments.len() && known.iter().zip(arguments).all(same)
    }
}

/// What statements did under names that are known only when they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unnamed {
    /// Made relations: one that is absent here may be there.
    pub relations: bool,
    /// Made indexes.
    pub indexes: bool,
    /// Dropped or renamed something: what is here may be gone.
    pub gone: bool,
    /// Changed relations otherwise: their triggers, rules, constraints, parents, what their columns are like.
    pub parts: bool,
    /// Columns of relations that nobody can tell have changed, or more than can be told: absence proves nothing at all.
    pub anything: bool,
}

impl Unnamed {
    /// Takes what another did to what this one did.
    pub fn add(&mut self, other: Unnamed) {
        self.relations |= other.relations;
        self.indexes |= other.indexes;
        self.gone |= other.gone;
        self.parts |= other.parts;
        self.anything |= other.anything;
    }
}

/// What exists. Cheap to clone: what doesn't change is shared.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    schemas: SharedMap<CompactString, Born>,
    relations: BySchema<Arc<Relation>>,
    /// Index → its table. Indexes share the relations' name space.
    indexes: SharedMap<QName, QName>,
    /// Extended statistics → their table.
    statistics: SharedMap<QName, QName>,
    types: BySchema<Arc<Type>>,
    functions: BySchema<Vec<Function>>,
    extensions: SharedMap<CompactString, Born>,
    /// Publication → (all tables, tables).
    publications: SharedMap<CompactString, (bool, List<QName>)>,
    /// Parent → partitions and inheritance children.
    children: SharedMap<QName, List<QName>>,
    /// Parent → partitions, among them its DEFAULT; the partitions themselves say which is.
    defaults: SharedMap<QName, List<QName>>,
    /// Target → tables with a foreign key to it.
    referencing: SharedMap<QName, List<Link>>,
    /// Used relation → views and materialized views over it.
    views_over: SharedMap<QName, List<Link>>,
    /// Relation → what has named it in a policy, a rule, a constraint trigger's FROM or a body that is written as SQL, and may have
    /// gone since.
    read_by: SharedMap<QName, Vec<Reader>>,
    /// Table → sequences, among them all that belong to it; the sequences themselves say which do.
    sequences: SharedMap<QName, List<QName>>,
    /// Composite type → tables OF it; the tables themselves say so too.
    typed: SharedMap<QName, List<QName>>,
    /// Word → relations, types and functions that have it somewhere, or had: see `words`.
    users: SharedMap<CompactString, List<QName>>,
    /// Whether the history is known from an empty database on: then what is absent does not exist.
    complete: bool,
    /// What was made and dropped under names that are known only at run time.
    unnamed: Unnamed,
    /// The migration being replayed, by its place in the order.
    migration: u32,
    /// What it has made or changed so far: see [`Catalog::touched`].
    touched: Vec<QName>,
    /// How many names there may be in it before each is kept only once.
    touched_at_most: usize,
    /// Temporary relations or functions are there.
    has_temporary: bool,
    /// Relations that migrations of other folders make: perhaps in the same database.
    elsewhere: Arc<FxHashSet<QName>>,
}

/// Schemas that a platform or an extension brings, where no migration makes them: Supabase's, Hasura's, pg_cron's, PostGIS's.
pub fn is_platforms(schema: &str) -> bool {
    matches!(
        schema,
        "auth"
            | "storage"
            | "realtime"
            | "vault"
            | "extensions"
            | "graphql"
            | "supabase_functions"
            | "supabase_migrations"
            | "net"
            | "cron"
            | "hdb_catalog"
            | "topology"
            | "tiger"
    )
}

impl Catalog {
    /// An empty database whose whole history is about to be replayed.
    pub fn empty() -> Self {
        let mut catalog = Catalog { complete: true, ..Catalog::default() };
        catalog.schemas.insert(PUBLIC.into(), Born::Before);
        catalog
    }

    /// A database about which nothing is known yet.
    pub fn unknown() -> Self {
        Catalog { complete: false, ..Catalog::empty() }
    }

    /// Whether what is absent here does not exist.
    pub fn complete(&self) -> bool {
        self.complete
    }

    /// Whether what is here is there, and nothing else is: no relation was made or dropped under a name that nobody knows.
    pub fn exact(&self) -> bool {
        self.complete && Unnamed { parts: false, ..self.unnamed } == Unnamed::default()
    }

    /// What was made and dropped under names that are known only at run time.
    pub fn unnamed(&self) -> Unnamed {
        self.unnamed
    }

    /// Takes note of it.
    pub fn add_unnamed(&mut self, done: Unnamed) {
        self.complete &= !done.anything;
        self.unnamed.add(done);
    }

    /// Names relations that migrations of other folders make: that they are absent here proves nothing.
    pub fn set_elsewhere(&mut self, names: Arc<FxHashSet<QName>>) {
        self.elsewhere = names;
    }

    /// Whether something of that name does not exist if it is absent here.
    pub fn would_hold(&self, name: &QName) -> bool {
        self.complete && !self.unnamed.relations && !name.is_put_in() && !self.elsewhere.contains(name)
    }

    /// Whether it is certain that there is no relation and no index of that name.
    pub fn lacks(&self, name: &QName) -> bool {
        self.would_hold(name) && self.relation(name).is_none() && !self.indexes.contains_key(name)
    }

    /// The same without the texts of expressions, which a server writes otherwise than people: what has one still has
    /// one.
    pub fn without_expressions(&self) -> Catalog {
        let mut bare = self.clone();
        for relation in bare.relations.values_mut() {
            let relation = Arc::make_mut(relation);
            for column in relation.columns.iter_mut() {
                column.default.iter_mut().for_each(|default| default.text.clear());
                column.generated.iter_mut().for_each(|generated| generated.text.clear());
            }
            for constraint in relation.constraints.iter_mut() {
                if let ConstraintDetail::Check { text, .. } = &mut constraint.detail {
                    text.clear();
                }
            }
            for key in relation.indexes.iter_mut().flat_map(|index| &mut index.keys) {
                key.text.clear();
            }
        }
        bare
    }

    /// The sequences that belong to a column of the table.
    pub fn sequences_of(&self, table: &QName) -> impl Iterator<Item = &Relation> {
        let listed = self.sequences.get(table).into_iter().flatten();
        listed
            .filter_map(|sequence| self.relation(sequence))
            .filter(move |sequence| sequence.owned_by.as_ref().is_some_and(|(owner, _)| owner == table))
    }

    /// Lists a sequence under the table that it belongs to.
    fn list_sequence(&mut self, sequence: &QName, owner: Option<&(QName, CompactString)>) {
        let Some((table, _)) = owner else { return };
        let listed = self.sequences.get_or_default(table);
        if !listed.has(sequence) {
            listed.push(sequence.clone());
        }
    }

    /// Leaves a relation out, as if nobody had made it, partitions and children of others included; what refers to it
    /// otherwise is left as it is.
    pub fn forget(&mut self, name: &QName) {
        let parents = self.relations.get(name).map(|relation| {
            let of = relation.partition_of.iter().map(|of| &of.parent);
            of.chain(&relation.inherits).cloned().collect::<Vec<_>>()
        });
        for parent in parents.into_iter().flatten() {
            if let Some(children) = self.children.get_mut(&parent) {
                children.remove(name);
            }
        }
        self.children.remove(name);
        if let Some(relation) = self.relations.remove(name) {
            for index in &relation.indexes {
                self.indexes.remove(&QName { schema: name.schema.clone(), name: index.name.clone() });
            }
        }
    }

    /// The migrations that built it are not those of the run it is given to: what routines do can't be
    /// followed any more, since the places in their bodies are places in other files.
    pub fn leave_sources(&mut self) {
        for function in self.functions.values_mut().flatten() {
            let definition = Arc::make_mut(&mut function.definition);
            (definition.body, definition.unread) = (None, false);
        }
    }

    /// The relations that a migration has made or changed, in the order of their names: whoever looks for what it has made
    /// needn't look through all that there is, for each migration anew. (Of another migration than the last one, all that there is.)
    pub fn touched_by(&self, migration: u32) -> Vec<&Relation> {
        if migration != self.migration {
            return self.relations();
        }
        let mut names: Vec<&QName> = self.touched.iter().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.relation(name)).collect()
    }

    fn touch(&mut self, name: &QName) {
        if self.touched.last() == Some(name) {
            return;
        }
        self.touched.push(name.clone());
        // A migration may change the same ones over and over.
        if self.touched.len() > self.touched_at_most {
            self.touched.sort_unstable();
            self.touched.dedup();
            self.touched_at_most = 2 * self.touched.len() + 64;
        }
    }

    /// Which migration is replayed from here on, by its place in the order.
    pub fn set_migration(&mut self, migration: u32) {
        self.migration = migration;
        self.touched.clear();
        // Another migration may be another session: what is temporary is gone.
        if std::mem::take(&mut self.has_temporary) {
            for name in self.relations.in_schema(TEMPORARY) {
                let Some(relation) = self.relations.remove(&name) else { continue };
                for index in &relation.indexes {
                    self.indexes.remove(&QName::new(TEMPORARY, &index.name));
                }
            }
            for name in self.functions.in_schema(TEMPORARY) {
                self.functions.remove(&name);
            }
        }
    }

    /// From now on absence proves nothing.
    pub fn set_incomplete(&mut self) {
        self.complete = false;
    }

    /// The relation that `name` means under `search_path`: the first schema that holds it, else the first
    /// schema of the path.
    pub fn resolve(&self, name: &Name, search_path: &[CompactString]) -> QName {
        self.resolve_with(name, search_path, |q| {
            self.relations.contains_key(q) || self.indexes.contains_key(q)
        })
    }

    /// As [`Catalog::resolve`], for types.
    pub fn resolve_type(&self, name: &Name, search_path: &[CompactString]) -> QName {
        self.resolve_with(name, search_path, |q| self.types.contains_key(q) || self.relations.contains_key(q))
    }

    /// The table that extended statistics are of, and their name.
    pub fn statistics(&self, name: &Name, search_path: &[CompactString]) -> Option<(&QName, QName)> {
        let name = self.resolve_with(name, search_path, |q| self.statistics.contains_key(q));
        Some((self.statistics.get(&name)?, name))
    }

    /// As [`Catalog::resolve`], for functions.
    pub fn resolve_function(&self, name: &Name, search_path: &[CompactString]) -> QName {
        self.resolve_with(name, search_path, |q| self.functions.contains_key(q))
    }

    fn resolve_with(&self, name: &Name, path: &[CompactString], exists: impl Fn(&QName) -> bool) -> QName {
        // The server looks for a name as it would keep it.
        let object = CompactString::from(naming::cut(&name.name.value));
        if let Some(schema) = &name.schema {
            return QName { schema: schema.value.clone(), name: object };
        }
        let mut first = None;
        if self.has_temporary {
            // The session's temporary schema comes before the search_path.
            let candidate = QName { schema: TEMPORARY.into(), name: object.clone() };
            if exists(&candidate) {
                return candidate;
            }
        }
        for schema in path {
            let candidate = QName { schema: schema.clone(), name: object.clone() };
            if exists(&candidate) {
                return candidate;
            }
            first.get_or_insert(candidate);
        }
        first.unwrap_or_else(|| QName { schema: PUBLIC.into(), name: object })
    }

    /// Whether a relation or an index of the schema has the name.
    pub fn is_taken(&self, schema: &str, name: &str) -> bool {
        let name = QName::new(schema, name);
        self.relations.contains_key(&name) || self.indexes.contains_key(&name)
    }

    /// Whether neither a relation or index of the table's schema nor a constraint of the table has the name.
    pub fn is_free(&self, table: &QName, name: &str) -> bool {
        !self.is_taken(&table.schema, name)
            && self.relation(table).is_none_or(|known| known.constraint(name).is_none())
    }

    /// The name that PostgreSQL would choose for a constraint or an index of a table, over columns joined with `_`.
    pub fn choose_name(&self, table: &QName, columns: &str, label: &str) -> CompactString {
        let Some(known) = self.relation(table) else {
            return naming::choose(&table.name, columns, label, |candidate| {
                self.is_taken(&table.schema, candidate)
            });
        };
        naming::choose(&table.name, columns, label, |candidate| {
            self.is_taken(&table.schema, candidate) || known.constraints.has(candidate)
        })
    }

    /// A relation (not an index).
    pub fn relation(&self, name: &QName) -> Option<&Relation> {
        self.relations.get(name).map(Arc::as_ref)
    }

    /// All relations, in the order of their names.
    pub fn relations(&self) -> Vec<&Relation> {
        let mut all: Vec<&Relation> = self.relations.values().map(Arc::as_ref).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The relations in a schema, in the order of their names.
    pub fn relations_in(&self, schema: &str) -> Vec<&Relation> {
        let names = self.relations.in_schema(schema);
        let mut found: Vec<&Relation> = names.iter().filter_map(|name| self.relation(name)).collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// All relations, for those who sort what they find.
    pub fn relations_unsorted(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values().map(Arc::as_ref)
    }

    /// The table of an index, and the index.
    pub fn index(&self, name: &QName) -> Option<(&Relation, &Index)> {
        let table = self.relation(self.indexes.get(name)?)?;
        Some((table, table.index(&name.name)?))
    }

    /// A type that migrations (or an extension known to the catalog) made.
    pub fn type_named(&self, name: &QName) -> Option<&Type> {
        self.types.get(name).map(Arc::as_ref)
    }

    /// All such types, in the order of their names.
    pub fn types(&self) -> Vec<&Type> {
        let mut all: Vec<&Type> = self.types.values().map(Arc::as_ref).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Those of them in a schema, in the order of their names.
    pub fn types_in(&self, schema: &str) -> Vec<&Type> {
        let names = self.types.in_schema(schema);
        let mut found: Vec<&Type> = names.iter().filter_map(|name| self.type_named(name)).collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The overloads of a function.
    pub fn functions(&self, name: &QName) -> &[Function] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// All functions.
    pub fn all_functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values().flatten()
    }

    /// Whether a schema is known to exist.
    pub fn has_schema(&self, name: &str) -> bool {
        self.made_schema(name) || name.starts_with("pg_") || name == "information_schema"
    }

    /// Whether one is known to exist that isn't the server's own.
    pub fn made_schema(&self, name: &str) -> bool {
        self.schemas.contains_key(name)
    }

    /// All known schemas, sorted.
    pub fn schemas(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.schemas.keys().map(CompactString::as_str).collect();
        all.sort_unstable();
        all
    }

    /// Whether an extension is known to be installed.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.contains_key(name)
    }

    /// Publications that hold a table: (name, whether by ALL TABLES).
    pub fn publications_of(&self, table: &QName) -> Vec<(&str, bool)> {
        let mut found: Vec<(&str, bool)> = self
            .publications
            .iter()
            .filter(|(_, (all, tables))| *all || tables.has(table))
            .map(|(name, (all, _))| (name.as_str(), *all))
            .collect();
        found.sort_unstable();
        found
    }

    /// Direct partitions and inheritance children.
    pub fn children(&self, parent: &QName) -> impl Iterator<Item = &QName> + use<'_> {
        self.children.get(parent).into_iter().flatten()
    }

    /// Whether it has partitions or inheritance children.
    pub fn has_children(&self, parent: &QName) -> bool {
        self.children.get(parent).is_some_and(|children| !children.is_empty())
    }

    /// The default partition of a partitioned table.
    pub fn default_partition(&self, parent: &QName) -> Option<&QName> {
        let is_default = |of: &Partition| of.parent == *parent && of.bound == Some(PartitionBound::Default);
        self.defaults.get(parent)?.iter().find(|listed| {
            self.relation(listed).and_then(|known| known.partition_of.as_ref()).is_some_and(is_default)
        })
    }

    /// Lists a partition under the table whose DEFAULT it is, if it is.
    fn list_default(&mut self, partition: &QName) {
        let of = self.relation(partition).and_then(|known| known.partition_of.as_ref());
        let Some(of) = of.filter(|of| of.bound == Some(PartitionBound::Default)) else { return };
        let parent = of.parent.clone();
        let listed = self.defaults.get_or_default(&parent);
        if !listed.has(partition) {
            listed.push(partition.clone());
        }
    }

    /// All partitions and inheritance children, at any depth, the relation itself left out.
    pub fn descendants(&self, parent: &QName) -> Vec<QName> {
        let mut found: Vec<QName> = Vec::new();
        let mut known: FxHashSet<&QName> = FxHashSet::default();
        let mut open = vec![parent];
        while let Some(next) = open.pop() {
            for child in self.children(next) {
                if child != parent && known.insert(child) {
                    found.push(child.clone());
                    open.push(child);
                }
            }
        }
        found
    }

    /// The partitioned tables above a partition, nearest first.
    pub fn partition_ancestors(&self, partition: &QName) -> Vec<QName> {
        let mut found: Vec<QName> = Vec::new();
        let mut at = partition.clone();
        while let Some(parent) =
            self.relation(&at).and_then(|r| r.partition_of.as_ref()).map(|p| p.parent.clone())
        {
            if found.contains(&parent) {
                break;
            }
            found.push(parent.clone());
            at = parent;
        }
        found
    }

    /// Policies that name a relation in a subquery: (table, policy).
    pub fn policies_over(&self, relation: &QName) -> Vec<(&Relation, &Policy)> {
        let tables = self.read_by.get(relation).into_iter().flatten().filter_map(|reader| match reader {
            Reader::Policies(table) => self.relation(table),
            _ => None,
        });
        let policies = tables.flat_map(|table| table.policies.iter().map(move |policy| (table, policy)));
        let mut found: Vec<(&Relation, &Policy)> =
            policies.filter(|(_, policy)| policy.reads(relation)).collect();
        found.sort_by(|a, b| (&a.0.name, &a.1.name).cmp(&(&b.0.name, &b.1.name)));
        found.dedup_by(|a, b| a.0.name == b.0.name && a.1.name == b.1.name);
        found
    }

    /// Constraint triggers FROM a relation: (table, trigger).
    pub fn triggers_from(&self, relation: &QName) -> Vec<(&Relation, &Trigger)> {
        let tables = self.read_by.get(relation).into_iter().flatten().filter_map(|reader| match reader {
            Reader::Triggers(table) => self.relation(table),
            _ => None,
        });
        let triggers = tables.flat_map(|table| table.triggers.iter().map(move |trigger| (table, trigger)));
        triggers.filter(|(_, trigger)| trigger.from.as_ref() == Some(relation)).collect()
    }

    /// Rules that name a relation: (whose, rule).
    pub fn rules_over(&self, relation: &QName) -> Vec<(&Relation, &RewriteRule)> {
        let whose = self.read_by.get(relation).into_iter().flatten().filter_map(|reader| match reader {
            Reader::Rules(whose) => self.relation(whose),
            _ => None,
        });
        let rules = whose.flat_map(|whose| whose.rules.iter().map(move |rule| (whose, rule)));
        rules.filter(|(_, rule)| rule.names(relation)).collect()
    }

    /// Takes note of what names a relation.
    fn note_reader(&mut self, relation: &QName, reader: Reader) {
        let readers = self.read_by.get_or_default(relation);
        if !readers.contains(&reader) {
            readers.push(reader);
        }
    }

    /// Functions whose body is written as SQL and names a relation.
    pub fn functions_over(&self, relation: &QName) -> Vec<&Function> {
        let named = self.read_by.get(relation).into_iter().flatten().filter_map(|reader| match reader {
            Reader::Function(name) => Some(name),
            _ => None,
        });
        let mut names: Vec<&QName> = named.collect();
        names.sort();
        names.dedup();
        let functions = names.into_iter().flat_map(|name| self.functions(name));
        functions.filter(|function| function.needs.relations.contains(relation)).collect()
    }

    /// Tables, partitioned tables and materialized views with a column of this type (domain, enum,
    /// composite; arrays of it and domains over it count), with the columns.
    pub fn relations_using_type(&self, name: &QName) -> Vec<(&Relation, Vec<&Column>)> {
        let mut names: FxHashMap<&str, Vec<&QName>> = FxHashMap::default();
        let mut known: FxHashSet<&QName> = FxHashSet::from_iter([name]);
        let mut holders: Vec<&QName> = Vec::new();
        let mut in_any = false;
        let mut open = vec![name];
        while let Some(over) = open.pop() {
            names.entry(&over.name).or_default().push(over);
            let is_over = |user: &&Type| match &user.kind {
                TypeKind::Domain(domain) => self.is_type(&domain.base, over),
                TypeKind::Composite(attributes) => {
                    attributes.iter().any(|attribute| self.is_type(&attribute.type_name, over))
                }
                _ => false,
            };
            match self.users_of(&over.name) {
                Some(users) => {
                    for user in users {
                        holders.push(user);
                        let is_over = self.type_named(user).is_some_and(|user| is_over(&user));
                        if is_over && known.insert(user) {
                            open.push(user);
                        }
                    }
                }
                None => {
                    in_any = true;
                    let users = self.types().into_iter().filter(is_over);
                    open.extend(users.map(|user| &user.name).filter(|user| known.insert(user)));
                }
            }
        }
        let is_one = |written: &TypeName| {
            let same_name = names.get(written.name.name.as_str()).into_iter().flatten();
            same_name.into_iter().any(|name| self.is_type(written, name))
        };
        let mut relations: Vec<&Relation> = match in_any {
            true => self.relations_unsorted().collect(),
            false => holders.into_iter().filter_map(|name| self.relation(name)).collect(),
        };
        relations.retain(|relation| relation.kind.has_storage());
        relations.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        relations.dedup_by(|a, b| a.name == b.name);
        let columns = relations.into_iter().map(|relation| {
            let having = relation.columns.iter().filter(|column| is_one(&column.type_name));
            (relation, having.collect::<Vec<&Column>>())
        });
        columns.filter(|(_, columns)| !columns.is_empty()).collect()
    }

    /// The tables OF a composite type, in the order of their names.
    pub fn tables_of_type(&self, name: &QName) -> Vec<&Relation> {
        let mut names: Vec<&QName> = self.typed.get(name).into_iter().flatten().collect();
        names.sort();
        names.dedup();
        let tables = names.into_iter().filter_map(|table| self.relation(table));
        tables.filter(|table| table.of_type.as_ref() == Some(name)).collect()
    }

    /// Whether a column's written type is the type `name`. Columns' type names are resolved when they
    /// are stored: a schema is written there whenever the type isn't built in.
    fn is_type(&self, written: &TypeName, name: &QName) -> bool {
        written.name.name.value == name.name
            && written.name.schema.as_ref().is_none_or(|schema| schema.value == name.schema)
    }

    /// The domains that a column of this type goes through; `None` where it is of none that is known.
    pub fn domains_of(&self, written: &TypeName) -> Option<OfDomains> {
        let mut found: Option<OfDomains> = None;
        let mut at = written;
        // Domains over domains end; a catalog that says otherwise is cut off.
        for _ in 0..32 {
            let Some(Type { name, kind: TypeKind::Domain(domain), .. }) = self.type_of(at) else { break };
            at = &domain.base;
            let of = found.get_or_insert_with(|| OfDomains {
                name: name.clone(),
                not_null: false,
                default: false,
                base: TypeName::default(),
            });
            of.not_null |= domain.not_null;
            of.default |= domain.default.is_some();
            of.base = at.clone();
        }
        found
    }

    /// The domain, enum or composite type behind a written type, `None` for built-in and unknown ones.
    pub fn type_of(&self, written: &TypeName) -> Option<&Type> {
        if written.dimensions > 0 {
            return None;
        }
        match &written.name.schema {
            Some(schema) => self.type_named(&QName::new(&schema.value, &written.name.name.value)),
            None => self.type_named(&QName::new(PUBLIC, &written.name.name.value)),
        }
    }
}
