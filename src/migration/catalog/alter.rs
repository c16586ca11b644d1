//! Replay of ALTER TABLE, action by action.

use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use super::apply::Replay;
use super::create::MAX_COLUMNS;
use super::naming::cut;
use super::relation::{Born, ConstraintDetail, Generated, Partition, RelationKind};
use super::{QName, Relation};
use crate::migration::parse::cursor::{fold, unquote};
use crate::migration::parse::lex::{Lexer, TokenKind};
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Constraint, ConstraintKind, Expr, ObjectKind, Persistence,
    SequenceOption, TriggerTarget, quote_ident,
};

impl Replay<'_> {
    pub(super) fn alter_table(&mut self, alter: &AlterTable) {
        let mut table = self.resolve(&alter.name);
        if alter.kind == ObjectKind::Index || self.catalog.indexes.contains_key(&table) {
            self.alter_index(&table, alter);
            return;
        }
        if alter.kind == ObjectKind::Type {
            return;
        }
        if alter.if_exists && self.catalog.relation(&table).is_none() {
            return;
        }
        for action in &alter.actions {
            self.action(&mut table, action, alter.only, alter.kind);
        }
    }

    fn alter_index(&mut self, index: &QName, alter: &AlterTable) {
        for action in &alter.actions {
            match &action.kind {
                ActionKind::RenameTo { to } => {
                    let new = QName { schema: index.schema.clone(), name: cut(&to.value).into() };
                    self.rename_relation(index, new);
                }
                ActionKind::AttachPartition { partition, .. } => {
                    let part = self.resolve(partition);
                    let owner = self.catalog.indexes.get(&part).cloned();
                    if let Some(relation) = owner.and_then(|owner| self.known_mut(&owner)) {
                        relation.indexes.change(&part.name, |known| known.part_of = Some(index.name.clone()));
                    }
                    // The parent's index becomes valid with its last part; the last one is near enough here.
                    let owner = self.catalog.indexes.get(index).cloned();
                    if let Some(relation) = owner.and_then(|owner| self.known_mut(&owner)) {
                        relation.indexes.change(&index.name, |known| known.valid = true);
                    }
                }
                _ => {}
            }
        }
    }

    /// The relation and, unless ONLY, all that inherit from it.
    pub(super) fn family(&self, table: &QName, only: bool) -> Vec<QName> {
        let mut family = vec![table.clone()];
        if !only {
            family.extend(self.catalog.descendants(table));
        }
        family
    }

    pub(super) fn on_column(
        &mut self,
        table: &QName,
        only: bool,
        column: &str,
        change: impl Fn(&mut super::Column),
    ) {
        for member in self.family(table, only) {
            if let Some(relation) = self.known_mut(&member) {
                relation.columns.change(column, &change);
            }
        }
    }

    fn action(&mut self, table: &mut QName, action: &Action, only: bool, kind: ObjectKind) {
        let born = self.born;
        match &action.kind {
            ActionKind::AddColumn { column, if_not_exists } => {
                let known =
                    self.catalog.relation(table).is_some_and(|r| r.column(&column.name.value).is_some());
                if *if_not_exists && known {
                    return;
                }
                let born = self.born_if(*if_not_exists);
                let made_before = self.ensure(table).constraints.end();
                for member in self.family(table, only) {
                    self.add_column(&member, column, born);
                }
                self.merge_equal_keys(table, made_before);
            }
            ActionKind::DropColumn { column, cascade, .. } => {
                self.ensure(table);
                let family = self.family(table, only);
                let views: Vec<QName> = if *cascade {
                    let over = family.iter().flat_map(|it| self.catalog.views_naming(it, &column.value));
                    over.filter(|view| !view.mentions.is_empty()).map(|view| view.name.clone()).collect()
                } else {
                    Vec::new()
                };
                for view in views {
                    self.drop_relation(&view, true);
                }
                self.drop_column_of(&family, &column.value);
            }
            ActionKind::SetType { column, type_name, collation, .. } => {
                let stored = self.stored_type(type_name);
                self.ensure(table);
                let known = self.catalog.relation(table);
                let room = known.is_some_and(|r| r.columns.len() < MAX_COLUMNS);
                if room && known.is_some_and(|r| r.column(&column.value).is_none()) {
                    // From here on the type is known.
                    let stub = super::Column { name: column.value.clone(), ..super::Column::default() };
                    self.ensure(table).columns.push(stub);
                }
                for member in self.family(table, only) {
                    self.catalog.note_type(&stored, &member);
                }
                let collation: Option<CompactString> = collation.as_ref().map(|c| c.name.value.clone());
                self.on_column(table, only, &column.value, |known| {
                    known.type_name = stored.clone();
                    known.collation = collation.clone();
                });
            }
            ActionKind::SetDefault { column, default } => {
                let value = self.default_at(default.span);
                for member in self.family(table, only) {
                    self.catalog.note_text(default.span.of(self.text), &member);
                }
                self.on_column(table, only, &column.value, |known| known.default = value.clone());
            }
            ActionKind::DropDefault { column } => {
                self.on_column(table, only, &column.value, |known| known.default = None);
            }
            ActionKind::SetNotNull { column } => {
                self.on_column(table, only, &column.value, |known| known.not_null = true);
            }
            ActionKind::DropNotNull { column } => {
                self.on_column(table, only, &column.value, |known| known.not_null = false);
            }
            ActionKind::SetExpression { column, expr } => {
                let text = self.slice(expr.span);
                let columns: Vec<CompactString> = expr.columns.iter().map(|c| c.value.clone()).collect();
                for member in self.family(table, only) {
                    self.catalog.note_text(&text, &member);
                }
                self.on_column(table, only, &column.value, |known| {
                    let stored = known.generated.as_ref().is_none_or(|generated| generated.stored);
                    known.generated =
                        Some(Generated { text: text.clone(), stored, columns: columns.clone() });
                });
            }
            ActionKind::DropExpression { column, .. } => {
                self.on_column(table, only, &column.value, |known| known.generated = None);
            }
            ActionKind::AddIdentity { column, always, options } => {
                let always = *always;
                self.on_column(table, only, &column.value, |known| known.identity = Some(always));
                let written = options.iter().find_map(|option| match option {
                    SequenceOption::SequenceName(name) => Some(self.resolve(name)),
                    _ => None,
                });
                self.own_sequence(table, &column.value, written, born);
            }
            ActionKind::AlterIdentity { column, always: Some(always), .. } => {
                let always = *always;
                self.on_column(table, only, &column.value, |known| known.identity = Some(always));
            }
            ActionKind::DropIdentity { column, .. } => {
                self.on_column(table, only, &column.value, |known| known.identity = None);
            }
            ActionKind::AddConstraint(constraint) => {
                self.ensure(table);
                let is_key =
                    matches!(constraint.kind, ConstraintKind::Unique(_) | ConstraintKind::PrimaryKey(_));
                if is_key {
                    self.add_key(table, only, constraint);
                    return;
                }
                let partitioned = self.catalog.relation(table).is_some_and(Relation::is_partitioned);
                if let ConstraintKind::ForeignKey(_) = constraint.kind {
                    // That of a partition has the same name.
                    self.add_constraint(table, constraint, None, born);
                    if partitioned && !only {
                        self.spread_foreign_keys(table);
                    }
                    return;
                }
                // What only a partitioned table passes on.
                let stays = matches!(constraint.kind, ConstraintKind::Exclude { .. }) && !partitioned;
                let members = if constraint.no_inherit || stays {
                    vec![table.clone()]
                } else {
                    self.family(table, only)
                };
                for member in members {
                    self.add_constraint(&member, constraint, None, born);
                }
            }
            ActionKind::AlterConstraint { name, deferrable, initially_deferred, enforced, .. } => {
                if let Some(relation) = self.known_mut(table) {
                    relation.constraints.change(&name.value, |known| {
                        if let Some(deferrable) = deferrable {
                            known.deferrable = *deferrable;
                        }
                        if *initially_deferred == Some(true) {
                            known.deferrable = true;
                        }
                        if let Some(enforced) = enforced {
                            known.enforced = *enforced;
                            known.validated = *enforced;
                        }
                    });
                }
            }
            ActionKind::ValidateConstraint { name } => self.validate_constraint(table, only, &name.value),
            ActionKind::DropConstraint { name, .. } => {
                for member in self.family(table, only) {
                    self.drop_constraint(&member, &name.value);
                }
            }
            ActionKind::RenameColumn { column, to } => {
                self.ensure(table);
                self.rename_column_of_family(table, &column.value, cut(&to.value));
            }
            ActionKind::RenameConstraint { name, to } => {
                let index = QName { schema: table.schema.clone(), name: name.value.clone() };
                let new = QName { schema: table.schema.clone(), name: cut(&to.value).into() };
                if self.catalog.indexes.contains_key(&index) {
                    self.rename_relation(&index, new);
                } else if let Some(relation) = self.known_mut(table) {
                    relation.constraints.rename(&name.value, |known| known.name = new.name.clone());
                }
            }
            ActionKind::RenameTo { to } => {
                let new = QName { schema: table.schema.clone(), name: cut(&to.value).into() };
                self.rename_relation(table, new.clone());
                *table = new;
            }
            ActionKind::SetSchema { schema } => {
                let new = QName { schema: schema.value.clone(), name: table.name.clone() };
                self.rename_relation(table, new.clone());
                *table = new;
            }
            ActionKind::Trigger { name, state } => {
                if let Some(relation) = self.known_mut(table) {
                    for trigger in relation.triggers.iter_mut() {
                        let meant = match name {
                            TriggerTarget::Named(name) => trigger.name == name.value,
                            TriggerTarget::All | TriggerTarget::User => true,
                        };
                        if meant {
                            trigger.state = *state;
                        }
                    }
                }
            }
            ActionKind::Rule { name, state } => {
                if let Some(relation) = self.known_mut(table) {
                    relation.rules.change(&name.value, |rule| rule.state = *state);
                }
            }
            ActionKind::RowSecurity { enable } => self.ensure(table).row_security = *enable,
            ActionKind::SetLogged => self.ensure(table).persistence = Persistence::Permanent,
            ActionKind::SetUnlogged => self.ensure(table).persistence = Persistence::Unlogged,
            ActionKind::Inherit { parent } => {
                let parent = self.resolve(parent);
                if self.is_circular(&parent, table) {
                    return;
                }
                self.ensure(table).inherits.push(parent.clone());
                self.catalog.children.get_or_default(&parent).push(table.clone());
            }
            ActionKind::NoInherit { parent } => {
                let parent = self.resolve(parent);
                self.ensure(table).inherits.retain(|known| *known != parent);
                if let Some(children) = self.catalog.children.get_mut(&parent) {
                    children.remove(table);
                }
            }
            ActionKind::ReplicaIdentity { index, mode } => {
                let identity = (*mode, index.as_ref().map(|index| index.value.clone()));
                self.ensure(table).replica_identity = Some(identity);
            }
            ActionKind::AttachPartition { partition, bound } if kind != ObjectKind::Index => {
                let partition = self.resolve(partition);
                if self.is_circular(table, &partition) {
                    return;
                }
                self.ensure(table).kind = RelationKind::PartitionedTable;
                self.ensure(&partition).partition_of =
                    Some(Partition { parent: table.clone(), bound: bound.clone() });
                self.catalog.children.get_or_default(table).push(partition.clone());
                self.catalog.list_default(&partition);
                self.copy_parent_indexes(table, &partition);
            }
            ActionKind::OfType { type_name } => {
                let of = self.catalog.resolve_type(type_name, self.path);
                self.ensure(table).of_type = Some(of.clone());
                self.catalog.typed.get_or_default(&of).push(table.clone());
            }
            ActionKind::NotOfType => {
                let of = self.ensure(table).of_type.take();
                if let Some(tables) = of.and_then(|of| self.catalog.typed.get_mut(&of)) {
                    tables.remove(table);
                }
            }
            ActionKind::DetachPartition { partition, .. } => {
                let partition = self.resolve(partition);
                if let Some(relation) = self.known_mut(&partition) {
                    relation.partition_of = None;
                    relation.indexes.iter_mut().for_each(|index| index.part_of = None);
                }
                if let Some(children) = self.catalog.children.get_mut(table) {
                    children.remove(&partition);
                }
            }
            _ => {}
        }
    }

    /// A primary key or unique constraint: partitions get parts of its index, under names of their own; of a primary key
    /// the descendants get NOT NULL.
    fn add_key(&mut self, table: &QName, only: bool, constraint: &Constraint) {
        let made_before = self.ensure(table).constraints.end();
        self.add_constraint(table, constraint, None, self.born);
        if only {
            return;
        }
        if self.catalog.relation(table).is_some_and(Relation::is_partitioned) {
            self.spread_indexes(table);
        }
        let added =
            self.catalog.relation(table).and_then(|known| known.constraints.since(made_before).next());
        if let Some(ConstraintDetail::PrimaryKey { columns, .. }) = added.map(|added| added.detail.clone()) {
            for column in columns {
                self.on_column(table, false, &column, |known| known.not_null = true);
            }
        }
    }

    /// Whether `child` is above `parent` already, or the same: the server refuses what would make a circle.
    fn is_circular(&self, parent: &QName, child: &QName) -> bool {
        parent == child || self.catalog.descendants(child).contains(parent)
    }

    fn validate_constraint(&mut self, table: &QName, only: bool, name: &str) {
        self.ensure(table);
        for member in self.family(table, only) {
            let Some(relation) = self.known_mut(&member) else { continue };
            let mut not_null: Vec<CompactString> = Vec::new();
            relation.constraints.change(name, |known| {
                known.validated = true;
                if let ConstraintDetail::NotNull { column } = &known.detail {
                    not_null.push(column.clone());
                }
            });
            for column in not_null {
                if let Some(column) = relation.column_mut(&column) {
                    column.not_null = true;
                }
            }
        }
    }

    pub(super) fn drop_constraint(&mut self, table: &QName, name: &str) {
        let Some(constraint) = self.catalog.relation(table).and_then(|it| it.constraint(name)).cloned()
        else {
            return;
        };
        if let ConstraintDetail::PrimaryKey { index, .. } | ConstraintDetail::Unique { index, .. } =
            &constraint.detail
        {
            self.drop_foreign_keys_on(table, index);
        }
        let Some(relation) = self.known_mut(table) else { return };
        relation.constraints.remove(name);
        match &constraint.detail {
            ConstraintDetail::NotNull { column } => {
                if let Some(column) = relation.column_mut(column) {
                    column.not_null = false;
                }
            }
            ConstraintDetail::PrimaryKey { index, .. }
            | ConstraintDetail::Unique { index, .. }
            | ConstraintDetail::Exclude { index } => {
                let index = QName { schema: table.schema.clone(), name: index.clone() };
                self.drop_index(&index);
            }
            ConstraintDetail::ForeignKey { target, .. } => {
                let still = self.catalog.relation(table).is_some_and(|relation| {
                    relation.constraints.iter().any(|other| {
                        matches!(&other.detail, ConstraintDetail::ForeignKey { target: to, .. } if to == target)
                    })
                });
                if !still && let Some(tables) = self.catalog.referencing.get_mut(target) {
                    tables.remove(table);
                }
            }
            ConstraintDetail::Check { .. } => {}
        }
    }

    /// Renames a column of a table and of all that inherits it.
    pub(super) fn rename_column_of_family(&mut self, table: &QName, from: &str, to: &str) {
        let family = self.family(table, false);
        for sequence in self.sequences_of(&family, from) {
            if let Some((_, column)) = self.known_mut(&sequence).and_then(|it| it.owned_by.as_mut()) {
                *column = to.into();
            }
        }
        for member in &family {
            self.rename_column(member, from, to);
        }
    }

    fn rename_column(&mut self, table: &QName, from: &str, to: &str) {
        let swap = swap(from, to);
        let Some(relation) = self.known_mut(table) else { return };
        rename_in(relation, from, to);
        // A view's query follows, too.
        let views = self.catalog.views_naming(table, from);
        for view in views.into_iter().map(|view| view.name.clone()).collect::<Vec<_>>() {
            self.rename_column_read(table, &view, from, to);
        }
        let keys = self.catalog.foreign_keys_to_column(table, from);
        let referencing: FxHashSet<QName> = keys.into_iter().map(|(table, _)| table.name.clone()).collect();
        for name in referencing {
            let Some(other) = self.known_mut(&name) else { continue };
            for constraint in other.constraints.iter_mut() {
                if let ConstraintDetail::ForeignKey { target, target_columns, .. } = &mut constraint.detail
                    && target == table
                {
                    target_columns.iter_mut().for_each(&swap);
                }
            }
            self.catalog.link_foreign_key(table, &name, &[to.into()]);
        }
    }

    /// A view reads a column that has another name now.
    fn rename_column_read(&mut self, table: &QName, view: &QName, from: &str, to: &str) {
        let Some(known) = self.catalog.relation(view) else { return };
        let mentions = |word: &str| known.mentions.iter().any(|mentioned| mentioned == word);
        let reads = known.reads_columns.iter().any(|(of, column)| of == table && column == from);
        let new = (mentions(from) && !mentions(to))
            .then(|| known.mentions.iter().cloned().chain([to.into()]).collect::<Arc<[CompactString]>>());
        if let Some(new) = &new {
            for read in known.reads.clone() {
                self.catalog.link_view(&read, view, new);
            }
        }
        // To be changed, a view that a copy of the catalog shares is copied.
        if !reads && new.is_none() {
            return;
        }
        let Some(view) = self.known_mut(view) else { return };
        if let Some(new) = new {
            view.mentions = new;
        }
        let swap = swap(from, to);
        for (_, column) in view.reads_columns.iter_mut().filter(|(of, _)| of == table) {
            swap(column);
        }
    }
}

/// Puts one name in another's place.
fn swap(from: &str, to: &str) -> impl Fn(&mut CompactString) {
    move |name| {
        if name == from {
            *name = to.into();
        }
    }
}

fn rename_in(relation: &mut Relation, from: &str, to: &str) {
    let swap = &swap(from, to);
    let reword = &|text: &mut String| *text = renamed(text, from, to);
    let in_expr = |expr: &mut Expr| {
        expr.columns.iter_mut().chain(&mut expr.bare_column).for_each(|column| swap(&mut column.value));
    };
    relation.columns.rename(from, |column| column.name = to.into());
    relation.columns.rename_column(from, to, |column| {
        if let Some(generated) = &mut column.generated {
            generated.columns.iter_mut().for_each(swap);
            reword(&mut generated.text);
        }
    });
    for key in relation.partition_by.iter_mut().flat_map(|by| &mut by.keys) {
        in_expr(key);
    }
    relation.triggers.rename_column(from, to, |trigger| trigger.columns.iter_mut().for_each(swap));
    relation.statistics.iter_mut().flat_map(|known| &mut known.columns).for_each(swap);
    relation.policies.rename_column(from, to, |policy| {
        policy.expressions_mut().into_iter().flat_map(|named| &mut named.columns).for_each(swap);
    });
    relation.indexes.rename_column(from, to, |index| {
        for key in &mut index.keys {
            key.column.iter_mut().for_each(swap);
            key.columns.iter_mut().for_each(swap);
            reword(&mut key.text);
        }
        index.include.iter_mut().for_each(swap);
        index.predicate.iter_mut().for_each(reword);
    });
    relation.constraints.rename_column(from, to, |constraint| match &mut constraint.detail {
        ConstraintDetail::Check { expr, text } => {
            in_expr(expr);
            reword(text);
        }
        ConstraintDetail::NotNull { column } => swap(column),
        ConstraintDetail::PrimaryKey { columns, .. }
        | ConstraintDetail::Unique { columns, .. }
        | ConstraintDetail::ForeignKey { columns, .. } => columns.iter_mut().for_each(swap),
        ConstraintDetail::Exclude { .. } => {}
    });
}

/// The text of an expression with another name for a column.
fn renamed(text: &str, from: &str, to: &str) -> String {
    // Most don't name it, and there may be thousands: to look for its letters is quicker than to read them.
    let plain = from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_here = |part: &[u8]| part.eq_ignore_ascii_case(from.as_bytes());
    if plain && !from.is_empty() && !text.as_bytes().windows(from.len()).any(is_here) {
        return text.to_owned();
    }
    let mut lexer = Lexer::new(text, 0..text.len());
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    let mut new = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, token) in tokens.iter().enumerate() {
        let kind = |at: usize| tokens.get(at).map(|token| token.kind);
        let is_it = match token.kind {
            TokenKind::Word => fold(token.span.of(text)) == from,
            TokenKind::Quoted => unquote(token.span.of(text), b'"') == from,
            _ => false,
        };
        // A function, a table before its column, a type.
        let is_other = matches!(kind(at + 1), Some(TokenKind::LeftParen | TokenKind::Dot))
            || at.checked_sub(1).and_then(kind) == Some(TokenKind::DoubleColon);
        if is_it && !is_other {
            let span = token.span.range();
            new.push_str(text.get(copied..span.start).unwrap_or_default());
            new.push_str(&quote_ident(to));
            copied = span.end;
        }
    }
    new.push_str(text.get(copied..).unwrap_or_default());
    new
}

/// Whether an object was made by the run that is judged.
impl Born {
    /// True for objects made by a judged migration, whatever its transaction.
    pub fn is_here(self) -> bool {
        matches!(self, Born::Here { .. })
    }
}
