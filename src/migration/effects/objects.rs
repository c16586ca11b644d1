//! Types and domains, triggers, policies, publications, comments, and maintenance commands.

use super::alter::Altered;
use super::computation::Computation;
use super::rows::Depth;
use super::{RewriteReason, ScanReason};
use crate::migration::catalog::{QName, RelationKind, TypeKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    AlterObject, AlterType, AttributeActionKind, Body, ConstraintKind, CreateRoutine, CreateTrigger,
    DomainAction, Grant, Name, ObjectChange, ObjectKind, PublicationAction, TypeAction, Vacuum,
};

impl Computation<'_> {
    // ---- maintenance ----

    pub(super) fn vacuum(&mut self, vacuum: &Vacuum) {
        let mode = if vacuum.full { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
        for table in self.named_or_all(&vacuum.tables) {
            let partitioned = self.is_partitioned(&table);
            self.lock(&table, mode, None);
            // Since 18 children by inheritance are vacuumed too.
            for leaf in self.leaves(&table, vacuum.only || !(partitioned || self.version >= 18)) {
                let why = (leaf != table).then(|| format!("partition of {table}"));
                self.lock(&leaf, mode, why);
                if vacuum.full {
                    self.rewrite(&leaf, RewriteReason::VacuumFull);
                }
            }
        }
    }

    pub(super) fn analyze(&mut self, tables: &[Name], only: bool) {
        for table in self.named_or_all(tables) {
            let partitioned = self.is_partitioned(&table);
            let down = partitioned || self.version >= 18;
            self.lock_tree(&table, only || !down, LockMode::ShareUpdateExclusive);
            if !down || only {
                // Children are sampled for the statistics of the whole tree.
                for child in self.catalog.descendants(&table) {
                    self.lock(&child, LockMode::AccessShare, Some(format!("inherits from {table}")));
                }
            }
        }
    }

    fn named_or_all(&self, tables: &[Name]) -> Vec<QName> {
        if !tables.is_empty() {
            return tables.iter().map(|table| self.resolve(table)).collect();
        }
        self.catalog
            .relations()
            .into_iter()
            .filter(|r| matches!(r.kind, RelationKind::Table | RelationKind::MaterializedView))
            .map(|r| r.name.clone())
            .collect()
    }

    pub(super) fn cluster(&mut self, table: Option<&Name>) {
        // Without a table: all that were clustered before, which isn't known.
        let Some(table) = table else { return };
        let table = self.resolve(table);
        self.lock(&table, LockMode::AccessExclusive, None);
        for leaf in self.leaves(&table, !self.is_partitioned(&table)) {
            let why = (leaf != table).then(|| format!("partition of {table}"));
            self.lock(&leaf, LockMode::AccessExclusive, why);
            self.rewrite(&leaf, RewriteReason::Cluster);
        }
    }

    pub(super) fn refresh(&mut self, name: &Name, concurrently: bool, with_no_data: bool) {
        let view = self.resolve(name);
        let mode = if concurrently { LockMode::Exclusive } else { LockMode::AccessExclusive };
        self.lock(&view, mode, None);
        if with_no_data {
            return;
        }
        let reads = self.relation(&view).map(|relation| relation.reads.clone()).unwrap_or_default();
        let uses: Vec<_> = reads
            .iter()
            .map(|read| crate::migration::statement::RelationUse {
                name: Name::made(Some(&read.schema), &read.name),
                access: crate::migration::statement::Access::Read,
                only: false,
            })
            .collect();
        self.uses(&uses, Depth::Planned);
        if !concurrently {
            self.rewrite(&view, RewriteReason::Refresh);
        }
    }

    // ---- types and domains ----

    /// Tables OF a composite type get what it gets, with CASCADE; without it, it fails.
    pub(super) fn alter_type(&mut self, alter: &AlterType) {
        if let TypeAction::AddValue { .. } = alter.action {
            self.effects.reversible = false;
        }
        let name = self.catalog.resolve_type(&alter.name, &self.session.search_path);
        for table in self.catalog.tables_of_type(&name) {
            let altered = Altered::of(table.name.clone());
            let why = format!("is of the type {name}");
            match &alter.action {
                TypeAction::RenameAttribute { cascade: true, .. } => {
                    self.lock_tree_because(&table.name, false, LockMode::AccessExclusive, Some(why));
                }
                TypeAction::Attributes(actions) => {
                    for action in actions.iter().filter(|action| action.cascade) {
                        self.span = action.span;
                        self.lock_tree_because(
                            &table.name,
                            false,
                            LockMode::AccessExclusive,
                            Some(why.clone()),
                        );
                        match &action.kind {
                            AttributeActionKind::Add(_) => {}
                            AttributeActionKind::Drop { name, .. } => {
                                self.column_goes(&table.name, false, &name.value, true, true);
                            }
                            AttributeActionKind::SetType { name, type_name } => {
                                self.set_type(&altered, name, type_name, None, None);
                            }
                        }
                    }
                    self.check_rewritten(&altered);
                }
                _ => {}
            }
        }
    }

    pub(super) fn alter_domain(&mut self, name: &Name, action: &DomainAction) {
        let domain = self.catalog.resolve_type(name, &self.session.search_path);
        let not_null = self
            .catalog
            .type_named(&domain)
            .is_some_and(|known| matches!(&known.kind, TypeKind::Domain(domain) if domain.not_null));
        let checks = match action {
            DomainAction::SetNotNull => !not_null,
            DomainAction::ValidateConstraint { .. } => true,
            DomainAction::AddConstraint(constraint) => {
                !constraint.not_valid
                    && matches!(constraint.kind, ConstraintKind::Check(_) | ConstraintKind::NotNull { .. })
            }
            _ => false,
        };
        if !checks {
            return;
        }
        let tables: Vec<QName> = self
            .catalog
            .relations_using_type(&domain)
            .into_iter()
            .map(|(relation, _)| relation.name.clone())
            .filter(|table| self.holds_rows(table))
            .collect();
        for table in tables {
            self.lock(&table, LockMode::Share, Some(format!("has a column of domain {domain}")));
            self.scan(&table, ScanReason::Domain { domain: domain.clone() });
        }
    }

    // ---- triggers, routines ----

    pub(super) fn create_trigger(&mut self, create: &CreateTrigger) {
        let table = self.resolve(&create.table);
        let copies = create.for_each_row && self.is_partitioned(&table);
        self.lock_tree(&table, !copies, LockMode::ShareRowExclusive);
        if let Some(from) = &create.from {
            let from = self.resolve(from);
            self.lock(&from, LockMode::AccessShare, None);
        }
    }

    /// The body of an SQL function is analysed at once (`check_function_bodies`).
    pub(super) fn create_routine(&mut self, create: &CreateRoutine) {
        if create.language.as_deref().is_some_and(|language| language != "sql") {
            return;
        }
        for inner in create.body.iter().flat_map(|body| &body.statements) {
            if let Body::Query(query) = &inner.statement.body {
                self.query(query, Depth::Rewritten);
            }
        }
    }

    // ---- the rest ----

    pub(super) fn alter_object(&mut self, alter: &AlterObject) {
        match alter.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView => {
                let relation = self.resolve(&alter.name);
                if !(alter.if_exists && self.is_absent(&relation)) {
                    self.lock(&relation, LockMode::AccessExclusive, None);
                }
            }
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                if let Some(table) = &alter.on_table
                    && !matches!(alter.change, ObjectChange::Harmless)
                {
                    let table = self.resolve(table);
                    // All are looked through for copies, whether the trigger has any or not.
                    let copies = alter.kind == ObjectKind::Trigger && self.is_partitioned(&table);
                    self.lock_tree(&table, !copies, LockMode::AccessExclusive);
                }
            }
            _ => {}
        }
    }

    pub(super) fn comment(&mut self, kind: ObjectKind, name: Option<&Name>, on_table: Option<&Name>) {
        let (relation, mode) = match kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView => (name, LockMode::ShareUpdateExclusive),
            ObjectKind::Column => (on_table, LockMode::ShareUpdateExclusive),
            ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                (on_table, LockMode::AccessShare)
            }
            _ => return,
        };
        if let Some(relation) = relation {
            let relation = self.resolve(relation);
            self.lock(&relation, mode, None);
        }
    }

    pub(super) fn grant(&mut self, grant: &Grant) {
        let tables = matches!(grant.kind, None | Some(ObjectKind::Table | ObjectKind::View));
        if self.version < 18 || grant.roles || grant.default_privileges || grant.all_in_schema || !tables {
            return;
        }
        for object in &grant.objects {
            let relation = self.resolve(object);
            self.lock(&relation, LockMode::AccessShare, None);
        }
    }

    pub(super) fn publication(
        &mut self,
        publication: &str,
        tables: &[Name],
        action: Option<PublicationAction>,
    ) {
        for table in tables {
            let table = self.resolve(table);
            // A partitioned table stands for its partitions; children by inheritance are taken one by one.
            let partitioned = self.is_partitioned(&table);
            self.lock_tree(&table, partitioned, LockMode::ShareUpdateExclusive);
        }
        if action == Some(PublicationAction::Set) {
            let held: Vec<QName> = self
                .catalog
                .relations()
                .into_iter()
                .map(|relation| relation.name.clone())
                .filter(|table| self.catalog.publications_of(table).contains(&(publication, false)))
                .collect();
            for table in held {
                self.lock(
                    &table,
                    LockMode::ShareUpdateExclusive,
                    Some(format!("leaves publication {publication}")),
                );
            }
        }
    }
}
