//! Replay of what makes and changes types and domains.

use std::sync::Arc;

use compact_str::CompactString;

use super::naming::{choose, cut};
use super::relation::Column;
use super::{Domain, List, QName, Type, TypeKind};
use crate::migration::statement::{
    self as sql, ConstraintKind, DomainAction, Name, TypeAction, TypeDefinition, TypeName,
};

use super::apply::Replay;

impl Replay<'_> {
    pub(super) fn create_type(&mut self, name: &Name, definition: &TypeDefinition) {
        let name = self.new_name(name, false);
        let born = self.born;
        let kind = match definition {
            TypeDefinition::Enum(labels) => TypeKind::Enum(
                labels.iter().map(|label| (CompactString::from(label.as_str()), born)).collect(),
            ),
            TypeDefinition::Composite(columns) => TypeKind::Composite(
                columns
                    .iter()
                    .map(|column| Column {
                        name: column.name.value.clone(),
                        type_name: column.type_name.as_ref().map(|t| self.stored_type(t)).unwrap_or_default(),
                        born,
                        ..Column::default()
                    })
                    .collect(),
            ),
            TypeDefinition::Range => TypeKind::Range,
            TypeDefinition::Base | TypeDefinition::Shell => TypeKind::Base,
        };
        self.catalog.types.insert(name.clone(), Arc::new(Type { name: name.clone(), kind, born }));
        self.catalog.note_type_itself(&name);
    }

    pub(super) fn type_mut(&mut self, name: &Name) -> Option<&mut Type> {
        let name = self.catalog.resolve_type(name, self.path);
        self.catalog.types.get_mut(&name).map(Arc::make_mut)
    }

    pub(super) fn alter_type(&mut self, name: &Name, action: &TypeAction) {
        let born = self.born;
        let attributes: Option<Vec<TypeName>> = match action {
            TypeAction::Attributes(actions) => Some(
                actions
                    .iter()
                    .map(|action| match &action.kind {
                        sql::AttributeActionKind::Add(column) => {
                            column.type_name.as_ref().map(|t| self.stored_type(t)).unwrap_or_default()
                        }
                        sql::AttributeActionKind::SetType { type_name, .. } => self.stored_type(type_name),
                        sql::AttributeActionKind::Drop { .. } => TypeName::default(),
                    })
                    .collect(),
            ),
            _ => None,
        };
        self.alter_typed_tables(name, action);
        let resolved = self.catalog.resolve_type(name, self.path);
        for attribute in attributes.iter().flatten() {
            self.catalog.note_type(attribute, &resolved);
        }
        let Some(found) = self.type_mut(name) else { return };
        match (&mut found.kind, action) {
            (TypeKind::Enum(labels), TypeAction::AddValue { value, .. }) if !labels.has(value.as_str()) => {
                labels.push((value.as_str().into(), born));
            }
            (TypeKind::Enum(labels), TypeAction::RenameValue { from, to }) => {
                labels.rename(from.as_str(), |(label, _)| *label = to.as_str().into());
            }
            (TypeKind::Composite(columns), TypeAction::RenameAttribute { name, to, .. }) => {
                if let Some(column) = columns.iter_mut().find(|column| column.name == name.value) {
                    column.name = to.value.clone();
                }
            }
            (TypeKind::Composite(columns), TypeAction::Attributes(actions)) => {
                for (action, resolved) in actions.iter().zip(attributes.unwrap_or_default()) {
                    match &action.kind {
                        sql::AttributeActionKind::Add(column) => columns.push(Column {
                            name: column.name.value.clone(),
                            type_name: resolved,
                            born,
                            ..Column::default()
                        }),
                        sql::AttributeActionKind::Drop { name, .. } => {
                            columns.retain(|column| column.name != name.value);
                        }
                        sql::AttributeActionKind::SetType { name, .. } => {
                            if let Some(column) = columns.iter_mut().find(|column| column.name == name.value)
                            {
                                column.type_name = resolved;
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// What tables are OF a composite type get with CASCADE: without it, it fails.
    fn alter_typed_tables(&mut self, name: &Name, action: &TypeAction) {
        let of = self.catalog.resolve_type(name, self.path);
        let typed: Vec<QName> =
            self.catalog.tables_of_type(&of).into_iter().map(|table| table.name.clone()).collect();
        let born = self.born;
        for table in &typed {
            match action {
                TypeAction::RenameAttribute { name, to, .. } => {
                    self.rename_column_of_family(table, &name.value, cut(&to.value));
                }
                TypeAction::Attributes(actions) => {
                    for action in actions {
                        let family = self.family(table, false);
                        match &action.kind {
                            sql::AttributeActionKind::Add(column) => {
                                family.iter().for_each(|member| self.add_column(member, column, born));
                            }
                            sql::AttributeActionKind::Drop { name, .. } => {
                                self.drop_column_of(&family, &name.value);
                            }
                            sql::AttributeActionKind::SetType { name, type_name } => {
                                let stored = self.stored_type(type_name);
                                for member in &family {
                                    self.catalog.note_type(&stored, member);
                                }
                                self.on_column(table, false, &name.value, |known| {
                                    known.type_name = stored.clone();
                                });
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn create_domain(&mut self, create: &sql::CreateDomain) {
        let name = self.new_name(&create.name, false);
        let base = self.stored_type(&create.base);
        let mut domain = Domain { base, not_null: false, default: None, checks: List::default() };
        for constraint in &create.constraints {
            self.add_domain_constraint(&mut domain, &name, constraint);
        }
        let made = Type { name: name.clone(), kind: TypeKind::Domain(domain), born: self.born };
        self.catalog.types.insert(name.clone(), Arc::new(made));
        self.catalog.note_type_itself(&name);
    }

    pub(super) fn add_domain_constraint(
        &self,
        domain: &mut Domain,
        name: &QName,
        constraint: &sql::Constraint,
    ) {
        match &constraint.kind {
            ConstraintKind::NotNull { .. } => domain.not_null = true,
            ConstraintKind::Default(expr) => {
                domain.default = self.default_at(expr.span);
            }
            ConstraintKind::Check(expr) => {
                let taken = |candidate: &str| domain.checks.has(candidate);
                let chosen = match &constraint.name {
                    Some(name) => name.value.clone(),
                    None => choose(&name.name, "", "check", taken),
                };
                domain.checks.push((chosen, expr.clone(), !constraint.not_valid));
            }
            _ => {}
        }
    }

    pub(super) fn alter_domain(&mut self, name: &Name, action: &DomainAction) {
        let qualified = self.catalog.resolve_type(name, self.path);
        // Taken out while it is changed: it may have thousands of constraints.
        let Some(Type { kind, .. }) = self.type_mut(name) else { return };
        let mut domain = match std::mem::replace(kind, TypeKind::Base) {
            TypeKind::Domain(domain) => domain,
            other => {
                *kind = other;
                return;
            }
        };
        match action {
            DomainAction::SetDefault(expr) => {
                domain.default = self.default_at(expr.span);
            }
            DomainAction::DropDefault => domain.default = None,
            DomainAction::SetNotNull => domain.not_null = true,
            DomainAction::DropNotNull => domain.not_null = false,
            DomainAction::AddConstraint(constraint) => {
                if let ConstraintKind::Check(expr) = &constraint.kind {
                    self.catalog.note_calls(&expr.calls, &qualified);
                }
                self.add_domain_constraint(&mut domain, &qualified, constraint);
            }
            DomainAction::DropConstraint { name, .. } => {
                domain.checks.remove(&name.value);
            }
            DomainAction::ValidateConstraint { name } => {
                domain.checks.change(&name.value, |(_, _, validated)| *validated = true);
            }
        }
        if let Some(found) = self.type_mut(name) {
            found.kind = TypeKind::Domain(domain);
        }
    }
}
