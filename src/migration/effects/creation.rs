//! CREATE of relations: what the new one touches among the old ones.

use super::computation::Computation;
use super::rows::Depth;
use crate::migration::catalog::QName;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    ConstraintKind, CreateTable, CreateTableAs, CreateView, Name, Persistence, SequenceOption,
};

impl Computation<'_> {
    /// The name that a CREATE gives: in the schema written, else the first of the path.
    fn new_name(&self, name: &Name, temporary: bool) -> QName {
        match &name.schema {
            Some(schema) => QName::new(&schema.value, &name.name.value),
            None if temporary => QName::new("pg_temp", &name.name.value),
            None => {
                let schema = self.session.search_path.first().map_or("public", |schema| schema.as_str());
                QName::new(schema, &name.name.value)
            }
        }
    }

    pub(super) fn create_table(&mut self, create: &CreateTable) {
        let name = self.new_name(&create.name, create.persistence == Persistence::Temporary);
        if create.if_not_exists && self.relation(&name).is_some() {
            return;
        }
        self.created.push(name.clone());
        for like in &create.like {
            let source = self.resolve(&like.source);
            self.lock(&source, LockMode::AccessShare, Some(format!("{name} is made like it")));
        }
        for parent in &create.inherits {
            let parent = self.resolve(parent);
            self.lock(&parent, LockMode::ShareUpdateExclusive, Some(format!("{name} inherits from it")));
        }
        if let Some(of) = &create.partition_of {
            let parent = self.resolve(&of.parent);
            self.create_partition(&parent, &of.bound, &name);
        }
        let column_constraints = create.columns.iter().flat_map(|column| &column.constraints);
        for constraint in column_constraints.chain(&create.constraints) {
            if let ConstraintKind::ForeignKey(key) = &constraint.kind {
                let statement = std::mem::replace(&mut self.span, constraint.span);
                let target = self.resolve(&key.target);
                self.lock_foreign_key_target(&target, &name);
                self.span = statement;
            }
        }
    }

    pub(super) fn create_table_as(&mut self, create: &CreateTableAs) {
        let name = self.new_name(&create.name, create.persistence == Persistence::Temporary);
        if create.if_not_exists && self.relation(&name).is_some() {
            return;
        }
        self.created.push(name);
        self.query(&create.query, if create.with_no_data { Depth::Named } else { Depth::Run });
    }

    pub(super) fn create_view(&mut self, create: &CreateView) {
        let name = self.new_name(&create.name, create.temporary);
        if create.replace && self.relation(&name).is_some() {
            self.lock(&name, LockMode::AccessExclusive, None);
        } else {
            self.created.push(name);
        }
        self.query(&create.query, Depth::Named);
    }

    /// OWNED BY looks at the table.
    pub(super) fn sequence_options(&mut self, options: &[SequenceOption]) {
        for option in options {
            if let SequenceOption::OwnedBy(Some((table, _))) = option {
                let table = self.resolve(table);
                self.lock(&table, LockMode::AccessShare, Some("will own the sequence".into()));
            }
        }
    }
}
