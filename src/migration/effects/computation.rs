//! The effects of one statement while they are being gathered, and what all subjects need for that.

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Destroyed, DestroyedKind, Effects, IndexBuild, IndexBuildReason, Lock, Rewrite, RewriteReason, Scan,
    ScanReason,
};
use crate::migration::catalog::naming::{choose, cut};
use crate::migration::catalog::{Catalog, QName, Relation, RelationKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::session::Session;
use crate::migration::statement::{Name, ObjectKind};
use crate::source::Span;

/// What a statement does, as far as it has been worked out.
pub(super) struct Computation<'a> {
    pub catalog: &'a Catalog,
    pub session: &'a Session,
    pub version: u16,
    /// The action at hand: what effects are put down to.
    pub span: Span,
    pub effects: Effects,
    /// Relations that the statement itself creates.
    pub created: Vec<QName>,
    /// CONCURRENTLY: later locks are held for moments.
    pub brief: bool,
    /// Indexes that go in the same statement: their names are free.
    pub leaving_indexes: FxHashSet<QName>,
    /// Columns that get another type and keep their values: what was checked of them stays so, unless the table is written
    /// anew for something else.
    pub unchecked: Vec<(QName, CompactString, Span)>,
    places: Places,
}

/// Where in the effects those on a relation are: a statement may reach thousands of partitions.
#[derive(Default)]
struct Places {
    locks: FxHashMap<(QName, Span), usize>,
    /// The strongest lock on each.
    strongest: FxHashMap<QName, LockMode>,
    scans: FxHashMap<(QName, Span), Vec<usize>>,
    builds: FxHashSet<(QName, CompactString)>,
    /// The names of the indexes that are built.
    built: FxHashSet<QName>,
    destroyed: FxHashSet<(DestroyedKind, String)>,
    /// Relations that go, or whose rows or values do.
    dropped: FxHashSet<QName>,
}

impl<'a> Computation<'a> {
    pub fn new(catalog: &'a Catalog, session: &'a Session, version: u16, span: Span) -> Self {
        let effects = Effects { reversible: true, ..Effects::default() };
        Computation {
            catalog,
            session,
            version,
            span,
            effects,
            created: Vec::new(),
            brief: false,
            leaving_indexes: FxHashSet::default(),
            unchecked: Vec::new(),
            places: Places::default(),
        }
    }

    /// The effects, with each scan and index build under the strongest lock that the statement holds.
    pub fn finish(mut self) -> Effects {
        let Effects { locks, scans, index_builds, .. } = &mut self.effects;
        if !scans.is_empty() || !index_builds.is_empty() {
            let mut strongest: FxHashMap<&QName, LockMode> = FxHashMap::default();
            for lock in &*locks {
                let mode = strongest.entry(&lock.relation).or_insert(lock.mode);
                *mode = (*mode).max(lock.mode);
            }
            let under = |relation: &QName, at_least: LockMode| {
                strongest.get(relation).map_or(at_least, |mode| at_least.max(*mode))
            };
            for scan in scans {
                scan.under = under(&scan.relation, scan.under);
            }
            for build in index_builds {
                build.under = under(&build.relation, build.under);
            }
        }
        let gone = self.effects.destroys.iter().any(|destroyed| match destroyed.what {
            DestroyedKind::Rows | DestroyedKind::Values => true,
            DestroyedKind::Object(kind) => matches!(
                kind,
                ObjectKind::Table
                    | ObjectKind::ForeignTable
                    | ObjectKind::Column
                    | ObjectKind::Sequence
                    | ObjectKind::Database
            ),
        });
        self.effects.reversible &= !gone;
        self.effects
    }

    // ---- names ----

    /// The relation (or index) that a name means.
    pub fn resolve(&self, name: &Name) -> QName {
        let found = self.catalog.resolve(name, &self.session.search_path);
        // Names like these are the server's own, unless somebody is known to have taken one.
        let own = name.schema.is_none() && name.name.value.starts_with("pg_");
        if own && self.catalog.relation(&found).is_none() && self.catalog.index(&found).is_none() {
            return QName::new("pg_catalog", &found.name);
        }
        QName { schema: found.schema, name: cut(&found.name).into() }
    }

    /// A relation that the catalog knows.
    pub fn relation(&self, name: &QName) -> Option<&'a Relation> {
        self.catalog.relation(name)
    }

    /// Whether it is certain that there is no relation of that name.
    pub fn is_absent(&self, name: &QName) -> bool {
        self.catalog.lacks(name)
    }

    /// The relation and, unless `only`, everything that inherits from it or is a partition of it.
    pub fn tree(&self, relation: &QName, only: bool) -> Vec<QName> {
        let mut all = vec![relation.clone()];
        if !only {
            all.extend(self.catalog.descendants(relation));
        }
        all
    }

    /// Those of the tree that hold rows themselves.
    pub fn leaves(&self, relation: &QName, only: bool) -> Vec<QName> {
        let mut all = self.tree(relation, only);
        all.retain(|name| self.holds_rows(name));
        all
    }

    /// Whether the relation has a heap: not a partitioned table, view or foreign table.
    pub fn holds_rows(&self, name: &QName) -> bool {
        self.relation(name)
            .is_none_or(|r| matches!(r.kind, RelationKind::Table | RelationKind::MaterializedView))
    }

    pub fn is_partitioned(&self, name: &QName) -> bool {
        self.relation(name).is_some_and(Relation::is_partitioned)
    }

    /// The default partition of a partitioned table.
    pub fn default_partition(&self, parent: &QName) -> Option<QName> {
        self.catalog.default_partition(parent).cloned()
    }

    /// The name that PostgreSQL gives a new index.
    pub fn choose_index_name(&self, table: &QName, columns: &str, label: &str) -> CompactString {
        choose(&table.name, columns, label, |candidate| {
            let name = QName::new(&table.schema, candidate);
            self.catalog.relation(&name).is_some()
                || (self.catalog.index(&name).is_some() && !self.leaving_indexes.contains(&name))
                || self.places.built.contains(&name)
        })
    }

    // ---- what is gathered ----

    /// A lock, unless the relation is none that counts (the statement's own, a sequence, a catalog).
    pub fn lock(&mut self, relation: &QName, mode: LockMode, because: Option<String>) {
        if self.created.contains(relation)
            || matches!(
                relation.schema.as_str(),
                "pg_catalog" | "information_schema" | "pg_temp" | "pg_toast"
            )
            || self.relation(relation).is_some_and(|r| r.kind == RelationKind::Sequence)
            || (self.relation(relation).is_none() && self.catalog.index(relation).is_some())
        {
            return;
        }
        let span = self.span;
        let brief = self.brief;
        let strongest = self.places.strongest.entry(relation.clone()).or_insert(mode);
        *strongest = (*strongest).max(mode);
        let locks = &mut self.effects.locks;
        let place = *self.places.locks.entry((relation.clone(), span)).or_insert(locks.len());
        let lock = Lock { relation: relation.clone(), mode, span, because, brief };
        match locks.get_mut(place) {
            Some(held) if held.mode >= mode => {}
            Some(held) => *held = lock,
            None => locks.push(lock),
        }
    }

    /// The relation, and its partitions or children with a word of why.
    pub fn lock_tree(&mut self, relation: &QName, only: bool, mode: LockMode) {
        self.lock_tree_because(relation, only, mode, None);
    }

    /// As [`Computation::lock_tree`], with a reason for the root.
    pub fn lock_tree_because(&mut self, root: &QName, only: bool, mode: LockMode, because: Option<String>) {
        self.lock(root, mode, because);
        if !only {
            self.lock_below(root, mode);
        }
    }

    /// The partitions or children of a relation, at any depth.
    pub fn lock_below(&mut self, root: &QName, mode: LockMode) {
        for name in self.catalog.descendants(root) {
            let why = self.below(&name, root);
            self.lock(&name, mode, Some(why));
        }
    }

    fn below(&self, name: &QName, root: &QName) -> String {
        let partition = self.relation(name).is_some_and(|r| r.partition_of.is_some());
        if partition { format!("partition of {root}") } else { format!("inherits from {root}") }
    }

    /// Whether effects on it concern nobody else: the statement's own relation, or a temporary one.
    fn is_own(&self, relation: &QName) -> bool {
        self.created.contains(relation) || relation.schema == "pg_temp"
    }

    /// The relation is read in full.
    pub fn scan(&mut self, relation: &QName, reason: ScanReason) {
        if self.is_own(relation) || !self.holds_rows(relation) {
            return;
        }
        let span = self.span;
        let scans = &mut self.effects.scans;
        let places = self.places.scans.entry((relation.clone(), span)).or_default();
        // Places are those of `scans`.
        if places.iter().any(|&place| scans[place].reason == reason) {
            return;
        }
        places.push(scans.len());
        scans.push(Scan { relation: relation.clone(), reason, span, under: LockMode::AccessShare });
    }

    /// The relation is written anew; its indexes are rebuilt too, unless its files are only copied.
    pub fn rewrite(&mut self, relation: &QName, reason: RewriteReason) {
        if self.is_own(relation) || !self.holds_rows(relation) {
            return;
        }
        let copied = reason == RewriteReason::Tablespace;
        self.effects.rewrites.push(Rewrite { relation: relation.clone(), reason, span: self.span });
        self.scan(relation, ScanReason::Rewrite);
        if !copied {
            let indexes: Vec<CompactString> = self
                .relation(relation)
                .map(|r| r.indexes.iter().map(|i| i.name.clone()).collect())
                .unwrap_or_default();
            for index in indexes {
                if !self.leaving_indexes.contains(&QName::new(&relation.schema, &index)) {
                    self.build(relation, Some(index), IndexBuildReason::Rewrite, false);
                }
            }
        }
    }

    /// An index is built; the relation is read for that.
    pub fn build(
        &mut self,
        relation: &QName,
        index: Option<CompactString>,
        reason: IndexBuildReason,
        concurrently: bool,
    ) {
        if self.is_own(relation) || !self.holds_rows(relation) {
            return;
        }
        let index = index.map(|name| CompactString::from(cut(&name)));
        if let Some(index) = &index
            && !self.places.builds.insert((relation.clone(), index.clone()))
        {
            return;
        }
        if reason != IndexBuildReason::Rewrite {
            self.scan(relation, ScanReason::IndexBuild { index: index.clone(), concurrently });
        }
        if let Some(index) = &index {
            self.places.built.insert(QName { schema: relation.schema.clone(), name: index.clone() });
        }
        self.effects.index_builds.push(IndexBuild {
            relation: relation.clone(),
            index,
            concurrently,
            under: LockMode::AccessShare,
            reason,
            span: self.span,
        });
    }

    /// Something is gone afterwards.
    pub fn destroy(&mut self, what: DestroyedKind, name: String, relation: Option<QName>, cascaded: bool) {
        if !self.places.destroyed.insert((what, name.clone())) {
            return;
        }
        if let Some(relation) = relation.as_ref().filter(|relation| relation.to_string() == name) {
            self.places.dropped.insert(relation.clone());
        }
        self.effects.destroys.push(Destroyed { what, name, relation, span: self.span, cascaded });
    }

    /// Whether something of that name goes.
    pub fn is_destroyed(&self, what: DestroyedKind, name: &str) -> bool {
        self.places.destroyed.contains(&(what, name.to_owned()))
    }

    /// The strongest lock on a relation so far.
    pub fn lock_on(&self, relation: &QName) -> Option<LockMode> {
        self.places.strongest.get(relation).copied()
    }

    /// Whether a relation itself goes, or what is in it.
    pub fn is_dropped(&self, relation: &QName) -> bool {
        self.places.dropped.contains(relation)
    }

    /// As [`Computation::destroy`], for an object of the schema.
    pub fn destroy_object(
        &mut self,
        kind: ObjectKind,
        name: String,
        relation: Option<QName>,
        cascaded: bool,
    ) {
        self.destroy(DestroyedKind::Object(kind), name, relation, cascaded);
    }
}

/// The kind of object that a relation is, as DROP names it.
pub(super) fn object_kind(relation: &Relation) -> ObjectKind {
    match relation.kind {
        RelationKind::Table | RelationKind::PartitionedTable => ObjectKind::Table,
        RelationKind::ForeignTable => ObjectKind::ForeignTable,
        RelationKind::View => ObjectKind::View,
        RelationKind::MaterializedView => ObjectKind::MaterializedView,
        RelationKind::Sequence => ObjectKind::Sequence,
    }
}
