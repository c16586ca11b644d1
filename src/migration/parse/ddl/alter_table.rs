//! ALTER TABLE, and ALTER of the other relations, which take the same actions.

use compact_str::CompactString;

use super::behavior;
use super::column::{column_definition, column_keyword, generated_when};
use super::constraint::{at_table_constraint, attributes, table_constraint};
use super::object::{role, roles};
use super::options::{alter_generic_options, option_list};
use super::partition::partition_bound;
use super::relation;
use super::sequence::{parenthesized_options, sequence_option, sequence_options};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Body, Constraint, ConstraintKind, Ident, ObjectKind, ReplicaIdentity,
    SequenceOption, TriggerState, TriggerTarget,
};

/// ALTER of a relation of `kind`, from behind its words on.
pub fn alter(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<Body> {
    let movable = matches!(kind, ObjectKind::Table | ObjectKind::Index | ObjectKind::MaterializedView);
    if movable && c.eat_seq(&["all", "in", "tablespace"]) {
        return move_all(c, kind);
    }
    let if_exists = c.if_exists();
    let (name, only) = match kind {
        ObjectKind::Table | ObjectKind::ForeignTable => relation(c, "a table")?,
        ObjectKind::Index => (c.name("an index")?, false),
        ObjectKind::Sequence => (c.name("a sequence")?, false),
        _ => (c.name("a view")?, false),
    };
    if kind == ObjectKind::Sequence {
        let options = sequence_options(c)?;
        if !options.is_empty() {
            return Ok(Body::AlterSequence { name, if_exists, options });
        }
    }
    let actions = match alone(c, kind)? {
        Some(action) => vec![action],
        None => c.list(action)?,
    };
    Ok(Body::AlterTable(Box::new(AlterTable { kind, name, if_exists, only, actions })))
}

/// What follows ALL IN TABLESPACE.
fn move_all(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<Body> {
    let from = c.ident("a tablespace")?;
    if c.eat_seq(&["owned", "by"]) {
        roles(c)?;
    }
    c.expect_seq(&["set", "tablespace"])?;
    let to = c.ident("a tablespace")?;
    c.eat("nowait");
    Ok(Body::MoveAllInTablespace { kind, from, to })
}

/// The actions that no other may stand beside; `None` where none of them begins here.
fn alone(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<Option<Action>> {
    let first = c.index();
    let action = if c.eat("rename") {
        rename(c, kind)?
    } else if c.eat_seq(&["set", "schema"]) {
        ActionKind::SetSchema { schema: c.ident("a schema")? }
    } else if matches!(kind, ObjectKind::Table | ObjectKind::Index) && c.eat_seq(&["attach", "partition"]) {
        let partition = c.name("a table")?;
        let bound = if kind == ObjectKind::Index { None } else { Some(partition_bound(c)?) };
        ActionKind::AttachPartition { partition, bound }
    } else if kind == ObjectKind::Table && c.eat_seq(&["detach", "partition"]) {
        let partition = c.name("a table")?;
        let concurrently = c.eat("concurrently");
        ActionKind::DetachPartition { partition, concurrently, finalize: !concurrently && c.eat("finalize") }
    } else if c.is_seq(&["depends", "on", "extension"]) || c.is_seq(&["no", "depends", "on", "extension"]) {
        super::alter_object::depends_on_extension(c)?;
        ActionKind::Harmless
    } else {
        return Ok(None);
    };
    Ok(Some(Action { span: c.span_since(first), kind: action }))
}

fn rename(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<ActionKind> {
    if c.eat("to") {
        return Ok(ActionKind::RenameTo { to: c.ident("a name")? });
    }
    if matches!(kind, ObjectKind::Index | ObjectKind::Sequence) {
        return Err(c.expected("`TO`"));
    }
    if kind == ObjectKind::Table && c.eat("constraint") {
        let name = c.ident("a constraint")?;
        c.expect("to")?;
        return Ok(ActionKind::RenameConstraint { name, to: c.ident("a constraint name")? });
    }
    c.eat("column");
    let column = c.ident("a column")?;
    c.expect("to")?;
    Ok(ActionKind::RenameColumn { column, to: c.ident("a column name")? })
}

/// `alter_table_cmd`.
pub fn action(c: &mut Cursor<'_>) -> Parsed<Action> {
    let first = c.index();
    let Some(word) = c.word_at(0) else { return Err(c.expected("an action")) };
    let before = *c;
    c.bump();
    let kind = match word.to_ascii_lowercase().as_str() {
        "add" => add(c)?,
        "alter" => alter_part(c)?,
        "drop" => drop(c)?,
        "validate" => {
            c.expect("constraint")?;
            ActionKind::ValidateConstraint { name: c.ident("a constraint")? }
        }
        "set" => set(c)?,
        "reset" => ActionKind::SetOptions { options: option_list(c)?, reset: true },
        "enable" => enable(c)?,
        "disable" => disable(c)?,
        "force" => {
            c.expect_seq(&["row", "level", "security"])?;
            ActionKind::ForceRowSecurity { force: true }
        }
        "no" if c.eat("force") => {
            c.expect_seq(&["row", "level", "security"])?;
            ActionKind::ForceRowSecurity { force: false }
        }
        "no" => {
            c.expect("inherit")?;
            ActionKind::NoInherit { parent: c.name("a table")? }
        }
        "inherit" => ActionKind::Inherit { parent: c.name("a table")? },
        "of" => ActionKind::OfType { type_name: c.name("a composite type")? },
        "not" => {
            c.expect("of")?;
            ActionKind::NotOfType
        }
        "owner" => {
            c.expect("to")?;
            ActionKind::OwnerTo { role: role(c)? }
        }
        "cluster" => {
            c.expect("on")?;
            ActionKind::ClusterOn { index: c.ident("an index")? }
        }
        "replica" => {
            c.expect("identity")?;
            replica_identity(c)?
        }
        "options" => {
            *c = before;
            alter_generic_options(c)?;
            ActionKind::Harmless
        }
        _ => return Err(before.expected("an action")),
    };
    Ok(Action { span: c.span_since(first), kind })
}

fn add(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    if at_table_constraint(c) {
        return Ok(ActionKind::AddConstraint(Box::new(table_constraint(c)?)));
    }
    c.eat("column");
    let if_not_exists = c.if_not_exists();
    Ok(ActionKind::AddColumn { column: Box::new(column_definition(c)?), if_not_exists })
}

fn drop(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    if c.eat("constraint") {
        let if_exists = c.if_exists();
        let name = c.ident("a constraint")?;
        return Ok(ActionKind::DropConstraint { name, if_exists, cascade: behavior(c) });
    }
    c.eat("column");
    let if_exists = c.if_exists();
    let column = c.ident("a column")?;
    Ok(ActionKind::DropColumn { column, if_exists, cascade: behavior(c) })
}

fn alter_part(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    if c.eat("constraint") {
        return alter_constraint(c);
    }
    c.eat("column");
    if c.at(TokenKind::Number) {
        // A column of an index, by its number.
        let span = c.span();
        let before = *c;
        let number = c.integer("a column's number")?;
        if !(1..=32767).contains(&number) {
            return Err(before.expected("a column's number from 1 to 32767"));
        }
        let value = CompactString::from(number.to_string());
        c.expect_seq(&["set", "statistics"])?;
        statistics_target(c)?;
        return Ok(ActionKind::SetStatistics { column: Ident { value, quoted: false, span } });
    }
    let column = c.ident("a column")?;
    if c.eat("type") {
        return set_type(c, column);
    }
    if c.eat("drop") {
        return drop_from_column(c, column);
    }
    if c.eat_seq(&["add", "generated"]) {
        let always = generated_when(c)?;
        c.expect_seq(&["as", "identity"])?;
        return Ok(ActionKind::AddIdentity { column, always, options: parenthesized_options(c)? });
    }
    if c.eat("reset") {
        return Ok(ActionKind::SetColumnOptions { column, options: option_list(c)?, reset: true });
    }
    if alter_generic_options(c)? {
        return Ok(ActionKind::Harmless);
    }
    if c.is("restart") {
        return alter_identity(c, column);
    }
    if !c.is("set") {
        return Err(c.expected("what to alter of the column"));
    }
    let before = *c;
    c.bump();
    Ok(if c.eat_seq(&["data", "type"]) {
        return set_type(c, column);
    } else if c.eat("default") {
        ActionKind::SetDefault { column, default: expr(c)? }
    } else if c.eat_seq(&["not", "null"]) {
        ActionKind::SetNotNull { column }
    } else if c.eat("statistics") {
        statistics_target(c)?;
        ActionKind::SetStatistics { column }
    } else if c.eat("storage") {
        ActionKind::SetStorage { column, storage: column_keyword(c, "a storage")? }
    } else if c.eat("compression") {
        ActionKind::SetCompression { column, method: column_keyword(c, "a compression method")? }
    } else if c.eat("expression") {
        c.expect("as")?;
        c.open()?;
        let expr = expr(c)?;
        c.close()?;
        ActionKind::SetExpression { column, expr }
    } else if c.at(TokenKind::LeftParen) {
        ActionKind::SetColumnOptions { column, options: option_list(c)?, reset: false }
    } else {
        *c = before;
        return alter_identity(c, column);
    })
}

fn drop_from_column(c: &mut Cursor<'_>, column: Ident) -> Parsed<ActionKind> {
    Ok(if c.eat("default") {
        ActionKind::DropDefault { column }
    } else if c.eat_seq(&["not", "null"]) {
        ActionKind::DropNotNull { column }
    } else if c.eat("expression") {
        ActionKind::DropExpression { column, if_exists: c.if_exists() }
    } else if c.eat("identity") {
        ActionKind::DropIdentity { column, if_exists: c.if_exists() }
    } else {
        return Err(c.expected("DEFAULT, NOT NULL, EXPRESSION or IDENTITY"));
    })
}

fn set_type(c: &mut Cursor<'_>, column: Ident) -> Parsed<ActionKind> {
    let type_name = type_name(c)?;
    let collation = if c.eat("collate") { Some(c.name("a collation")?) } else { None };
    let using = if c.eat("using") { Some(expr(c)?) } else { None };
    Ok(ActionKind::SetType { column, type_name, collation, using })
}

/// A number, or DEFAULT (PostgreSQL 17).
fn statistics_target(c: &mut Cursor<'_>) -> Parsed<()> {
    if !c.eat("default") {
        c.integer("a statistics target")?;
    }
    Ok(())
}

/// `alter_identity_column_option_list`.
fn alter_identity(c: &mut Cursor<'_>, column: Ident) -> Parsed<ActionKind> {
    let (mut always, mut options) = (None, Vec::new());
    loop {
        if c.is("restart") {
            options.extend(sequence_option(c)?);
        } else if c.eat_seq(&["set", "generated"]) {
            always = Some(generated_when(c)?);
        } else if c.eat("set") {
            let before = *c;
            match sequence_option(c)? {
                // What kind of sequence it is and whose can't be altered here.
                Some(SequenceOption::As(_) | SequenceOption::OwnedBy(_) | SequenceOption::Restart(_))
                | None => {
                    return Err(before.expected("what to set of the column"));
                }
                Some(option) => options.push(option),
            }
        } else {
            return Ok(ActionKind::AlterIdentity { column, always, options });
        }
    }
}

fn alter_constraint(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    let name = c.ident("a constraint")?;
    let mut written = Constraint::of(ConstraintKind::Null);
    let mut inherit = None;
    if c.eat("inherit") {
        inherit = Some(true);
    } else {
        while attributes(c, &mut written, true) {}
        if written.no_inherit {
            inherit = Some(false);
        }
    }
    if written.not_valid || (written.deferrable == Some(false) && written.initially_deferred == Some(true)) {
        return Err(c.expected("an attribute that can be altered"));
    }
    Ok(ActionKind::AlterConstraint {
        name,
        deferrable: written.deferrable,
        initially_deferred: written.initially_deferred,
        enforced: written.enforced,
        inherit,
    })
}

fn set(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    Ok(if c.at(TokenKind::LeftParen) {
        ActionKind::SetOptions { options: option_list(c)?, reset: false }
    } else if c.eat("tablespace") {
        ActionKind::SetTablespace { tablespace: c.ident("a tablespace")? }
    } else if c.eat("logged") {
        ActionKind::SetLogged
    } else if c.eat("unlogged") {
        ActionKind::SetUnlogged
    } else if c.eat_seq(&["access", "method"]) {
        let method = if c.eat("default") { None } else { Some(c.ident("an access method")?) };
        ActionKind::SetAccessMethod { method }
    } else if c.eat_seq(&["without", "cluster"]) {
        ActionKind::SetWithoutCluster
    } else if c.eat_seq(&["without", "oids"]) {
        ActionKind::SetWithoutOids
    } else {
        return Err(c.expected("what to set"));
    })
}

fn enable(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    if c.eat_seq(&["row", "level", "security"]) {
        return Ok(ActionKind::RowSecurity { enable: true });
    }
    let state = if c.eat("always") {
        TriggerState::EnableAlways
    } else if c.eat("replica") {
        TriggerState::EnableReplica
    } else {
        TriggerState::Enable
    };
    if c.eat("rule") {
        return Ok(ActionKind::Rule { name: c.ident("a rule")?, state });
    }
    c.expect("trigger")?;
    let name = if state == TriggerState::Enable {
        trigger_target(c)?
    } else {
        TriggerTarget::Named(c.ident("a trigger")?)
    };
    Ok(ActionKind::Trigger { name, state })
}

fn disable(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    if c.eat_seq(&["row", "level", "security"]) {
        return Ok(ActionKind::RowSecurity { enable: false });
    }
    let state = TriggerState::Disable;
    if c.eat("rule") {
        return Ok(ActionKind::Rule { name: c.ident("a rule")?, state });
    }
    c.expect("trigger")?;
    Ok(ActionKind::Trigger { name: trigger_target(c)?, state })
}

fn trigger_target(c: &mut Cursor<'_>) -> Parsed<TriggerTarget> {
    Ok(if c.eat("all") {
        TriggerTarget::All
    } else if c.eat("user") {
        TriggerTarget::User
    } else {
        TriggerTarget::Named(c.ident("a trigger")?)
    })
}

fn replica_identity(c: &mut Cursor<'_>) -> Parsed<ActionKind> {
    let (mode, index) = if c.eat("nothing") {
        (ReplicaIdentity::Nothing, None)
    } else if c.eat("full") {
        (ReplicaIdentity::Full, None)
    } else if c.eat("default") {
        (ReplicaIdentity::Default, None)
    } else {
        c.expect_seq(&["using", "index"])?;
        (ReplicaIdentity::Index, Some(c.ident("an index")?))
    };
    Ok(ActionKind::ReplicaIdentity { index, mode })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{ActionKind, AlterTable, Body, ObjectKind, TriggerTarget};

    fn altered(sql: &str) -> AlterTable {
        match read(sql) {
            Body::AlterTable(table) => *table,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn every_action_has_its_place() {
        let sql = "ALTER TABLE IF EXISTS ONLY app.t ADD COLUMN IF NOT EXISTS a int DEFAULT 1 NOT NULL, DROP b CASCADE, \
                   ALTER c TYPE numeric(10, 2) USING c::numeric, ADD CONSTRAINT k CHECK (a > 0) NOT VALID";
        let table = altered(sql);
        assert!(table.if_exists && table.only);
        let written: Vec<&str> = table.actions.iter().map(|action| action.span.of(sql)).collect();
        assert_eq!(
            written,
            [
                "ADD COLUMN IF NOT EXISTS a int DEFAULT 1 NOT NULL",
                "DROP b CASCADE",
                "ALTER c TYPE numeric(10, 2) USING c::numeric",
                "ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
            ]
        );
        assert!(
            matches!(&table.actions[0].kind, ActionKind::AddColumn { column, if_not_exists: true } if column.constraints.len() == 2)
        );
        assert!(matches!(
            &table.actions[1].kind,
            ActionKind::DropColumn { cascade: true, if_exists: false, .. }
        ));
        assert!(
            matches!(&table.actions[2].kind, ActionKind::SetType { using: Some(_), type_name, .. } if type_name.modifiers == [10, 2])
        );
        assert!(matches!(&table.actions[3].kind, ActionKind::AddConstraint(c) if c.not_valid));
    }

    #[test]
    fn actions() {
        all_read(&[
            "ALTER TABLE t ALTER a SET DEFAULT now() + interval '1 day', ALTER COLUMN b DROP DEFAULT",
            "ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL, ALTER c DROP EXPRESSION IF EXISTS",
            "ALTER TABLE t ALTER a SET EXPRESSION AS (b + 1), ALTER c ADD GENERATED ALWAYS AS IDENTITY (START 5)",
            "ALTER TABLE t ALTER a SET GENERATED ALWAYS SET INCREMENT BY 2 RESTART, ALTER b DROP IDENTITY IF EXISTS",
            "ALTER TABLE t ALTER a SET STATISTICS -1, ALTER a SET (n_distinct = 5), ALTER a RESET (n_distinct)",
            "ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER a SET COMPRESSION lz4, ALTER a SET STATISTICS DEFAULT",
            "ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE INITIALLY DEFERRED, ALTER CONSTRAINT d NOT ENFORCED",
            "ALTER TABLE t ALTER CONSTRAINT c NO INHERIT, ALTER CONSTRAINT c INHERIT",
            "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID, VALIDATE CONSTRAINT n, DROP CONSTRAINT IF EXISTS o",
            "ALTER TABLE t ADD PRIMARY KEY USING INDEX i, ADD UNIQUE (a) WITH (fillfactor = 9)",
            "ALTER TABLE t SET WITHOUT CLUSTER, CLUSTER ON i, SET WITHOUT OIDS, SET LOGGED, SET UNLOGGED",
            "ALTER TABLE t SET ACCESS METHOD heap, SET ACCESS METHOD DEFAULT, SET TABLESPACE x",
            "ALTER TABLE t SET (fillfactor = 70), RESET (fillfactor, toast.autovacuum_enabled)",
            "ALTER TABLE t INHERIT p, NO INHERIT q, OF k, NOT OF, OWNER TO CURRENT_USER",
            "ALTER TABLE t REPLICA IDENTITY FULL, REPLICA IDENTITY USING INDEX i",
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            "ALTER TABLE t ENABLE TRIGGER a, DISABLE TRIGGER ALL, ENABLE REPLICA RULE r, DISABLE RULE s",
            "ALTER TABLE p ATTACH PARTITION q FOR VALUES IN ('a', NULL)",
            "ALTER TABLE p DETACH PARTITION q FINALIZE",
            "ALTER INDEX p ATTACH PARTITION q",
            "ALTER INDEX i ALTER COLUMN 2 SET STATISTICS 500",
            "ALTER INDEX i NO DEPENDS ON EXTENSION e",
            "ALTER VIEW v ALTER a SET DEFAULT 1",
            "ALTER VIEW v RENAME COLUMN a TO b",
            "ALTER FOREIGN TABLE f OPTIONS (ADD a 'b', SET c 'd', DROP e)",
            "ALTER FOREIGN TABLE f ALTER a OPTIONS (x 'y'), ADD b int OPTIONS (z '1')",
            "ALTER SEQUENCE s OWNER TO me",
            "ALTER SEQUENCE s SET LOGGED",
            "ALTER MATERIALIZED VIEW ALL IN TABLESPACE a OWNED BY x, y SET TABLESPACE b NOWAIT",
        ]);
        all_refused(&[
            "ALTER TABLE t RENAME a TO b, ADD c int",
            "ALTER TABLE t ADD a int, SET SCHEMA s",
            "ALTER TABLE t ADD a int ADD b int",
            "ALTER TABLE t ALTER a SET NOT NULL NOT VALID",
            "ALTER TABLE t ALTER a",
            "ALTER TABLE t DETACH PARTITION q CONCURRENTLY FINALIZE",
            "ALTER TABLE t SET WITH OIDS",
        ]);
    }

    #[test]
    fn kinds_and_targets() {
        let table = altered("ALTER MATERIALIZED VIEW IF EXISTS s.v RENAME TO w");
        assert_eq!((table.kind, table.if_exists), (ObjectKind::MaterializedView, true));
        let table = altered("ALTER TABLE t DISABLE TRIGGER USER, ENABLE TRIGGER \"user\"");
        assert!(matches!(&table.actions[0].kind, ActionKind::Trigger { name: TriggerTarget::User, .. }));
        assert!(
            matches!(&table.actions[1].kind, ActionKind::Trigger { name: TriggerTarget::Named(n), .. } if n == "user")
        );
        let table = altered("ALTER TABLE p DETACH PARTITION s.q CONCURRENTLY");
        assert!(matches!(
            &table.actions[0].kind,
            ActionKind::DetachPartition { concurrently: true, finalize: false, .. }
        ));
    }
}
