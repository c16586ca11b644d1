//! One column replaced by another, old and new side by side until no version needs the old one: the plan of renames and
//! changes of a type. What hangs on the old column is carried over to the new one, as far as the catalog knows it.

use std::cell::RefCell;

use compact_str::CompactString;

use crate::migration::catalog::callers::calls_in;
use crate::migration::catalog::{
    Catalog, Column, Constraint, ConstraintDetail, QName, Relation, RelationKind, TypeKind, naming,
};
use crate::migration::effects::volatility::of_builtin;
use crate::migration::parse::lex::{Lexer, Token, TokenKind};
use crate::migration::statement::{TypeName, Volatility, quote_ident};

use super::add_foreign_key_validates;
use super::create_index_on_partitioned_table::PartitionedIndex;
use super::plans;
use super::rename_column::written;

/// The replacement of a column.
pub(super) struct Replacement<'a> {
    /// What exists before it.
    pub catalog: &'a Catalog,
    /// The table.
    pub table: &'a QName,
    /// The old column.
    pub old: &'a str,
    /// The new one.
    pub new: &'a str,
    /// Its type, where it is another one.
    pub type_name: Option<&'a TypeName>,
    /// Its type as SQL writes it; `None` where that isn't known.
    pub type_text: Option<String>,
    /// Its value from the old column's.
    pub value: String,
    /// Its default.
    pub default: NewDefault,
    /// The oldest version that the SQL has to run on.
    pub version: u16,
}

/// The default of the new column.
pub(super) enum NewDefault {
    /// The old column's.
    Old,
    /// None.
    Dropped,
    /// Another, as SQL writes it.
    Set(String),
}

impl Replacement<'_> {
    /// The stages, as SQL to paste.
    pub fn plan(&self) -> String {
        let known = self.catalog.relation(self.table);
        let column = known.and_then(|known| known.column(self.old));
        let (table, old) = (self.table, quote_ident(self.old));
        if known.and_then(|known| known.partition_by.as_ref()).is_some_and(|by| {
            by.keys.iter().any(|key| key.columns.iter().any(|column| column.as_str() == self.old))
        }) {
            return format!(
                "{table} is partitioned by {old}, which no new column can take over: make a table that is partitioned anew beside it, fill that in \
                 batches while code writes both, and switch over."
            );
        }
        Staged { of: self, known, column, new: quote_ident(self.new).into_owned(), names: RefCell::default() }
            .plan()
    }

    /// The value of the new column where nothing but the type says how.
    pub fn cast(old: &str, type_name: &TypeName, type_text: &str) -> String {
        let old = quote_ident(old);
        // A cast to a shorter text would cut it without a word; an assignment refuses.
        match type_name.name.name.as_str() {
            "varchar" | "bpchar" | "text" if type_name.dimensions == 0 => old.into_owned(),
            _ => format!("{old}::{type_text}"),
        }
    }
}

/// A replacement with what is known of the old column.
struct Staged<'a> {
    of: &'a Replacement<'a>,
    known: Option<&'a Relation>,
    column: Option<&'a Column>,
    /// The new column, as SQL writes it.
    new: String,
    /// Names that the plan has given already.
    names: RefCell<Vec<CompactString>>,
}

impl Staged<'_> {
    fn plan(&self) -> String {
        let (table, old, new) = (self.of.table, quote_ident(self.of.old), &self.new);
        let type_text = self.of.type_text.as_deref().unwrap_or("…");
        if let Some(generated) = self.column.and_then(|column| column.generated.as_ref()) {
            let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
            let note = if generated.stored { " -- writes the table anew: when nobody minds" } else { "" };
            return format!(
                "-- release 1: then deploy code that reads {new}\n\
                 ALTER TABLE {table} ADD COLUMN {new} {type_text} GENERATED ALWAYS AS ({}) {kind};{note}\n\
                 {}\
                 -- release 2: after a release without {old} in the code\n\
                 {}ALTER TABLE {table} DROP COLUMN {old};",
                generated.text,
                lines(&self.carried()),
                lines(&self.views()),
            );
        }
        let collation =
            self.column.and_then(|column| column.collation.as_ref()).filter(|_| self.of.type_name.is_none());
        let collation = collation.map_or(String::new(), |name| format!(" COLLATE {}", quote_ident(name)));
        // What the database draws by itself no code writes: the database has to copy it.
        let writer = if self.draws() { "the trigger writes" } else { "then deploy code that writes" };
        let assignment = format!("{new} = {}", self.of.value);
        let rows = plans::Rows::of(self.of.catalog, table);
        let backfill = plans::walk(rows, &assignment, None).unwrap_or_else(|| {
            // As text: not every type has an equality.
            let pending = format!("{new}::text IS DISTINCT FROM ({})::{type_text}::text", self.of.value);
            plans::backfill(self.of.catalog, table, &assignment, &pending)
        });
        let empty = self.while_empty();
        let column_type = empty.as_ref().map_or(type_text, |(_, base)| base);
        let empty_note = empty.as_ref().map_or(String::new(), |(domain, _)| {
            format!("-- {domain} takes no NULL, which {new} holds until it is filled: the type under it stands in\n")
        });
        format!(
            "-- release 1, expand: {writer} both columns and {}reads {old}\n\
             {empty_note}ALTER TABLE {table} ADD COLUMN {new} {column_type}{collation};\n\
             {}\
             \n\
             -- release 2, backfill (outside a transaction), once every instance writes both\n\
             {backfill}\n\
             {}\
             \n\
             -- release 3, switch: code reads {new}, still writes both; watch it for two weeks\n\
             {}\
             \n\
             -- release 4, contract: after a release without {old} in the code, and a backup\n\
             {}\
             ALTER TABLE {table} DROP COLUMN {old};",
            if self.draws() { "code " } else { "" },
            lines(&self.filled_from_now_on()),
            lines(&self.carried()),
            lines(&self.released()),
            lines(&self.contracted()),
        )
    }

    /// The domain of the new column that takes no NULL, and the type under it.
    fn while_empty(&self) -> Option<(QName, String)> {
        let type_name = self.of.type_name.or_else(|| self.column.map(|column| &column.type_name))?;
        plans::while_empty(self.of.catalog, type_name)
    }

    /// Whether the database draws each row's value of the old column, so that a default of the new one would be another:
    /// serial, identity, `gen_random_uuid()`.
    fn draws(&self) -> bool {
        self.column.is_some_and(|column| {
            column.identity.is_some()
                || column.default.as_ref().is_some_and(|default| default.serial || is_volatile(&default.text))
        })
    }

    /// The function and the trigger that copy what the database draws.
    fn trigger(&self) -> QName {
        QName {
            schema: self.of.table.schema.clone(),
            name: naming::choose(&self.of.table.name, self.of.new, "copy", |_| false),
        }
    }

    /// What gives the new column a value in new rows.
    fn filled_from_now_on(&self) -> Vec<String> {
        let (table, old, new) = (self.of.table, quote_ident(self.of.old), &self.new);
        if self.draws() {
            let function = self.trigger();
            return vec![format!(
                "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
                 BEGIN\n  \
                   NEW.{new} := {};\n  \
                   RETURN NEW;\n\
                 END $$;\n\
                 CREATE TRIGGER {} BEFORE INSERT OR UPDATE ON {table}\n  \
                   FOR EACH ROW EXECUTE FUNCTION {function}();",
                self.renamed(&self.of.value, &format!("NEW.{old}")),
                quote_ident(&function.name)
            )];
        }
        self.default().into_iter().collect()
    }

    /// The old column's default, for the new one.
    fn default(&self) -> Option<String> {
        let (table, old, new) = (self.of.table, quote_ident(self.of.old), &self.new);
        let default = match &self.of.default {
            NewDefault::Old => self.column?.default.as_ref().filter(|default| !default.text.is_empty())?,
            NewDefault::Dropped => return None,
            NewDefault::Set(text) => {
                return Some(format!("ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT {text};"));
            }
        };
        let cast = self.of.type_name.zip(self.of.type_text.as_deref());
        Some(match cast {
            None => format!("ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT {};", default.text),
            Some((name, text)) if self.of.value == Replacement::cast(self.of.old, name, text) => {
                format!("ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT ({})::{text};", default.text)
            }
            Some(_) => format!(
                "-- {old} has DEFAULT {}; what that is in the new type:\n\
                 -- ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT …;",
                default.text
            ),
        })
    }

    /// What the old column has, for the new one: NOT NULL, indexes, constraints.
    fn carried(&self) -> Vec<String> {
        let (Some(known), table) = (self.known, self.of.table) else { return Vec::new() };
        let mut steps = Vec::new();
        let empty = self.while_empty();
        if empty.is_some() || self.column.is_some_and(|column| column.not_null) {
            steps.push(plans::set_not_null(self.of.catalog, table, self.of.new, self.of.version));
        }
        if let Some((domain, _)) = empty
            && let Some(TypeKind::Domain(known)) =
                self.of.catalog.type_named(&domain).map(|known| &known.kind)
            && known.checks.iter().next().is_some()
        {
            steps.push(format!(
                "-- what {domain} checks, with {} in place of VALUE:\n\
                 -- ALTER TABLE {table} ADD CONSTRAINT … CHECK (…) NOT VALID;\n\
                 -- ALTER TABLE {table} VALIDATE CONSTRAINT …;",
                self.new
            ));
        }
        for index in
            known.indexes_about(&[self.of.old]).into_iter().filter(|index| index.constraint.is_none())
        {
            let plain = index.keys.iter().all(|key| key.column.is_some()) && index.predicate.is_none();
            if !self.mentions_index(index) {
                continue;
            }
            let label = index.keys.iter().map(|key| key.column.as_ref().map_or("expr", |c| c.as_str()));
            let columns: Vec<&str> =
                label.map(|column| if column == self.of.old { self.of.new } else { column }).collect();
            let name = self.name(&columns.join("_"), "idx");
            let tail = plans::index_tail(index, |text| self.renamed(text, &self.new));
            let sql = if known.is_partitioned() {
                let columns = columns.join("_");
                let recipe = PartitionedIndex {
                    name: &name,
                    unique: index.unique,
                    tail: &tail,
                    columns: &columns,
                    label: "idx",
                };
                recipe.recipe(self.of.catalog, table)
            } else {
                let unique = if index.unique { "UNIQUE " } else { "" };
                format!("CREATE {unique}INDEX CONCURRENTLY {} ON {table} {tail};", quote_ident(&name))
            };
            steps.push(if plain || self.alike() { sql } else { commented(&sql) });
        }
        for constraint in known.constraints.about_any(&[self.of.old, ""]) {
            steps.extend(self.carried_constraint(known, constraint));
        }
        if !steps.is_empty() {
            steps.insert(0, format!("-- then what {} has", quote_ident(self.of.old)));
        }
        steps
    }

    fn carried_constraint(&self, known: &Relation, constraint: &Constraint) -> Option<String> {
        let table = self.of.table;
        let deferrable = if constraint.deferrable { " DEFERRABLE" } else { "" };
        let old_name = quote_ident(&constraint.name);
        match &constraint.detail {
            ConstraintDetail::Check { expr, text } => {
                if !expr.columns.iter().any(|column| column.as_str() == self.of.old) || text.is_empty() {
                    return None;
                }
                let name = quote_ident(&self.name(self.of.new, "check")).into_owned();
                let sql = format!(
                    "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({}) NOT VALID;\n\
                     -- next migration\n\
                     ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
                    self.renamed(text, &self.new)
                );
                Some(if self.alike() { sql } else { commented(&sql) })
            }
            ConstraintDetail::ForeignKey { columns, target, target_columns, on_delete, on_update } => {
                if !columns.iter().any(|column| column == self.of.old) {
                    return None;
                }
                let columns = self.columns(columns);
                let name = self.name(&columns.join("_"), "fkey");
                let definition =
                    foreign_key(&columns, target, target_columns, (*on_delete, *on_update), deferrable);
                let sql = add_foreign_key_validates::stages(
                    self.of.catalog,
                    table,
                    &quote_ident(&name),
                    &definition,
                    "",
                    self.of.version,
                );
                Some(if self.alike() { sql } else { commented(&sql) })
            }
            ConstraintDetail::PrimaryKey { columns, index } | ConstraintDetail::Unique { columns, index } => {
                if !columns.iter().any(|column| column == self.of.old) {
                    return None;
                }
                if known.is_partitioned() {
                    return Some(format!("-- a partitioned table refuses USING INDEX: {old_name} can't be taken over without blocking"));
                }
                let tail = plans::index_tail(known.index(index)?, |text| self.renamed(text, &self.new));
                let primary = matches!(constraint.detail, ConstraintDetail::PrimaryKey { .. });
                let name = self.key_name(columns);
                let create = format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {tail};");
                Some(if primary {
                    create
                } else {
                    let add = format!("ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}{deferrable};");
                    format!("{create}\n{add}")
                })
            }
            ConstraintDetail::Exclude { index } => known.index(index).filter(|index| self.mentions_index(index)).map(|_| {
                format!("-- the exclusion constraint {old_name} has no way without blocking: add it for {} in a quiet hour", self.new)
            }),
            ConstraintDetail::NotNull { .. } => None,
        }
    }

    /// What must be done before code leaves the old column out: keys and the keys that refer to them go over to the new
    /// column, and inserts without the old one must work.
    fn released(&self) -> Vec<String> {
        let (Some(known), Some(column)) = (self.known, self.column) else { return Vec::new() };
        let (table, old) = (self.of.table, quote_ident(self.of.old));
        let mut steps = Vec::new();
        let primary = known.primary_key().and_then(|key| match &key.detail {
            ConstraintDetail::PrimaryKey { columns, .. } if columns.iter().any(|c| c == self.of.old) => {
                Some((key, columns))
            }
            _ => None,
        });
        if known.is_partitioned() && primary.is_some() {
            return vec![format!(
                "-- the primary key of a partitioned table is taken over in a maintenance window: DROP CONSTRAINT, ADD PRIMARY KEY over {}",
                self.new
            )];
        }
        let mut referring = Vec::new();
        for (child, constraint) in self.of.catalog.foreign_keys_naming(table, &[self.of.old]) {
            let ConstraintDetail::ForeignKey { columns, target_columns, on_delete, on_update, .. } =
                &constraint.detail
            else {
                continue;
            };
            let implied = primary.map(|(_, columns)| columns).filter(|_| target_columns.is_empty());
            let target_columns = implied.unwrap_or(target_columns);
            if child.partition_of.is_none() && target_columns.iter().any(|column| column == self.of.old) {
                let deferrable = if constraint.deferrable { " DEFERRABLE" } else { "" };
                let target_columns: Vec<CompactString> =
                    self.columns(target_columns).iter().map(CompactString::from).collect();
                let columns: Vec<String> = columns.iter().map(CompactString::to_string).collect();
                let definition =
                    foreign_key(&columns, table, &target_columns, (*on_delete, *on_update), deferrable);
                referring.push((child, quote_ident(&constraint.name), definition));
            }
        }
        if primary.is_some() || !referring.is_empty() {
            steps.push(format!("-- then the keys go over to {}", self.new));
            steps.push("BEGIN;\nSET LOCAL lock_timeout = '2s';".to_owned());
            for (child, name, _) in &referring {
                steps.push(format!("ALTER TABLE {} DROP CONSTRAINT {name};", child.name));
            }
            if let Some((key, columns)) = primary {
                let (name, index) = (quote_ident(&key.name), self.key_name(columns));
                steps.push(format!(
                    "ALTER TABLE {table} DROP CONSTRAINT {name};\n\
                     ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {index};"
                ));
            }
            for (child, name, definition) in &referring {
                let not_valid =
                    if child.is_partitioned() && self.of.version < 18 { "" } else { " NOT VALID" };
                steps.push(format!(
                    "ALTER TABLE {} ADD CONSTRAINT {name} {definition}{not_valid};",
                    child.name
                ));
            }
            steps.push("COMMIT;".to_owned());
            for (child, name, _) in &referring {
                steps.push(format!("ALTER TABLE {} VALIDATE CONSTRAINT {name};", child.name));
            }
        }
        let demands = plans::demands_value(self.of.catalog, column);
        if let Some(lifted) = demands.lifted(table, self.of.old) {
            steps
                .push(format!("-- then, before code leaves {old} out, which its NOT NULL forbids\n{lifted}"));
        }
        steps
    }

    /// What must be done before the old column can go.
    fn contracted(&self) -> Vec<String> {
        let (table, old, new) = (self.of.table, quote_ident(self.of.old), &self.new);
        let mut steps = self.views();
        let Some(known) = self.known else { return steps };
        for column in &known.columns {
            let reads = |generated: &&crate::migration::catalog::Generated| {
                generated.columns.iter().any(|column| column == self.of.old)
            };
            let Some(generated) = column.generated.as_ref().filter(reads) else { continue };
            let name = quote_ident(&column.name);
            let (kind, note) = if generated.stored {
                ("STORED", " -- writes the table anew: when nobody minds")
            } else {
                ("VIRTUAL", "")
            };
            let sql = format!(
                "ALTER TABLE {table} DROP COLUMN {name},\n  \
                   ADD COLUMN {name} {} GENERATED ALWAYS AS ({}) {kind};{note}",
                written(&column.type_name),
                self.renamed(&generated.text, new)
            );
            steps.push(format!("-- {name} is computed from {old}"));
            steps.push(if self.alike() { sql } else { commented(&sql) });
        }
        if !self.draws() {
            return steps;
        }
        let function = self.trigger();
        steps.push("BEGIN;\nSET LOCAL lock_timeout = '2s';".to_owned());
        steps.push(format!(
            "DROP TRIGGER {} ON {table};\nDROP FUNCTION {function}();",
            quote_ident(&function.name)
        ));
        let column = self.column;
        if let Some(always) = column.and_then(|column| column.identity) {
            let when = if always { "ALWAYS" } else { "BY DEFAULT" };
            steps.push(format!(
                "ALTER TABLE {table} ALTER COLUMN {old} DROP IDENTITY;\n\
                 ALTER TABLE {table} ALTER COLUMN {new} ADD GENERATED {when} AS IDENTITY;\n\
                 SELECT setval(pg_get_serial_sequence({}, {}), max({new})) FROM {table};",
                text(&table.to_string()),
                text(self.of.new)
            ));
        } else {
            let sequence = self
                .of
                .catalog
                .sequences_of(table)
                .filter(|it| it.owned_by.as_ref().is_some_and(|(_, column)| column == self.of.old))
                .map(|it| &it.name)
                .min();
            // Else it would go with the old column.
            if let Some(sequence) = sequence {
                let bigger = match self.of.type_name.map(|name| name.name.name.as_str()) {
                    Some("int8") => format!("ALTER SEQUENCE {sequence} AS bigint;\n"),
                    _ => String::new(),
                };
                steps.push(format!("{bigger}ALTER SEQUENCE {sequence} OWNED BY {table}.{new};"));
            }
            let is_serial = column.and_then(|column| column.default.as_ref()).is_some_and(|it| it.serial);
            match sequence.filter(|_| is_serial && matches!(self.of.default, NewDefault::Old)) {
                Some(sequence) => steps.push(format!(
                    "ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT nextval({});",
                    text(&sequence.to_string())
                )),
                None => steps.extend(self.default()),
            }
        }
        steps.push("COMMIT;".to_owned());
        steps
    }

    /// The views that have to do without the old column.
    fn views(&self) -> Vec<String> {
        let (old, new) = (quote_ident(self.of.old), &self.new);
        let known = |view: &&Relation| !view.mentions.is_empty();
        let views = self.of.catalog.views_naming(self.of.table, self.of.old).into_iter().filter(known);
        views
            .map(|view| match (view.kind, self.of.type_name) {
                (RelationKind::MaterializedView, _) => format!(
                    "-- the materialized view {0} reads {old}: make it anew with {new}\n\
                     DROP MATERIALIZED VIEW {0};\n\
                     CREATE MATERIALIZED VIEW {0} AS …;",
                    view.name
                ),
                (_, None) => format!(
                    "CREATE OR REPLACE VIEW {} AS …; -- its query with {new} AS {old} in place of {old}",
                    view.name
                ),
                _ => format!(
                    "-- in one transaction\nDROP VIEW {0};\nCREATE VIEW {0} AS …; -- its query with {new} AS {old} in place of {old}",
                    view.name
                ),
            })
            .collect()
    }

    /// Whether what is said of the old column can be said of the new one: it has the same type, or both are numbers, or both text.
    fn alike(&self) -> bool {
        let Some(to) = self.of.type_name else { return true };
        let Some(from) = self.column.map(|column| &column.type_name) else { return false };
        // A domain's values are those of the type under it.
        let under = |of: &TypeName| self.of.catalog.domains_of(of).map(|of| of.base);
        let (from_base, to_base) = (under(from), under(to));
        let (from, to) = (from_base.as_ref().unwrap_or(from), to_base.as_ref().unwrap_or(to));
        let family = |of: &TypeName| match of.name.name.as_str() {
            _ if of.dimensions > 0 || of.name.schema.is_some() => None,
            "int2" | "int4" | "int8" | "serial2" | "serial4" | "serial8" | "numeric" | "float4"
            | "float8" => Some(1),
            "text" | "varchar" | "bpchar" => Some(2),
            _ => None,
        };
        family(from).is_some() && family(from) == family(to)
    }

    /// Column names with the new one in place of the old, not quoted.
    fn columns(&self, columns: &[CompactString]) -> Vec<String> {
        columns
            .iter()
            .map(|column| if column == self.of.old { self.of.new.to_owned() } else { column.to_string() })
            .collect()
    }

    /// A name that is free, and that the plan hasn't given yet.
    fn name(&self, columns: &str, label: &str) -> CompactString {
        let (catalog, table) = (self.of.catalog, self.of.table);
        let mut given = self.names.borrow_mut();
        let name = naming::choose(&table.name, columns, label, |candidate| {
            !catalog.is_free(table, candidate) || given.iter().any(|known| known == candidate)
        });
        given.push(name.clone());
        name
    }

    /// The index of a key over these columns: the same name each time, since the plan comes back to it.
    fn key_name(&self, columns: &[CompactString]) -> String {
        let columns = self.columns(columns).join("_");
        quote_ident(&self.of.catalog.choose_name(self.of.table, &columns, "key")).into_owned()
    }

    fn mentions_index(&self, index: &crate::migration::catalog::Index) -> bool {
        let in_predicate = || index.predicate.as_ref().is_some_and(|text| self.renamed(text, "") != *text);
        index.keys.iter().any(|key| key.columns.iter().any(|column| column == self.of.old))
            || index.include.iter().any(|column| column == self.of.old)
            || in_predicate()
    }

    /// An expression with `new` in place of the old column.
    fn renamed(&self, text: &str, new: &str) -> String {
        let mut lexer = Lexer::new(text, 0..text.len());
        let mut tokens: Vec<Token> = Vec::new();
        while let Some(token) = lexer.next_token() {
            tokens.push(token);
        }
        let (mut changed, mut at) = (String::new(), 0);
        for (place, token) in tokens.iter().enumerate() {
            let Some(name) = plans::identifier(*token, text) else { continue };
            let before = place.checked_sub(1).and_then(|before| tokens.get(before));
            let is_type = before.is_some_and(|before| {
                before.kind == TokenKind::DoubleColon || before.span.of(text).eq_ignore_ascii_case("as")
            });
            let is_call = tokens.get(place + 1).is_some_and(|next| {
                matches!(next.kind, TokenKind::LeftParen | TokenKind::String | TokenKind::Dot)
            });
            if name == self.of.old && !is_type && !is_call {
                changed.push_str(&text[at..token.span.start as usize]); // spans of this text
                changed.push_str(new);
                at = token.span.end as usize;
            }
        }
        changed.push_str(&text[at..]); // as above
        changed
    }
}

/// A foreign key as a table constraint without its name.
pub(super) fn foreign_key(
    columns: &[String],
    target: &QName,
    target_columns: &[CompactString],
    acts: (Option<&str>, Option<&str>),
    deferrable: &str,
) -> String {
    let list = |columns: Vec<&str>| columns.into_iter().map(quote_ident).collect::<Vec<_>>().join(", ");
    let mut text =
        format!("FOREIGN KEY ({}) REFERENCES {target}", list(columns.iter().map(String::as_str).collect()));
    if !target_columns.is_empty() {
        text.push_str(&format!(" ({})", list(target_columns.iter().map(CompactString::as_str).collect())));
    }
    for (clause, act) in [("ON DELETE", acts.0), ("ON UPDATE", acts.1)] {
        if let Some(act) = act {
            text.push_str(&format!(" {clause} {}", act.to_uppercase()));
        }
    }
    text.push_str(deferrable);
    text
}

/// A string literal.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// SQL that has to be looked through first.
fn commented(sql: &str) -> String {
    let lines: Vec<String> = sql.lines().map(|line| format!("-- {line}")).collect();
    format!("-- if it holds for the new type too:\n{}", lines.join("\n"))
}

fn lines(steps: &[String]) -> String {
    steps.iter().map(|step| format!("{step}\n")).collect()
}

/// Whether an expression may give another value each time: it calls a function that isn't known not to.
fn is_volatile(expression: &str) -> bool {
    expression.contains('(')
        && calls_in(expression, |call, _| {
            of_builtin(&call.name.name.value).is_none_or(|known| known == Volatility::Volatile)
        })
}
