//! The schema of a live database as a list of definitions, and what differs between two of them.
//!
//! Definitions are the server's own (`pg_get_constraintdef` and its kin), so nothing is lost on the way that
//! rollsafe's parser wouldn't know. A column's place in the table isn't compared: a column that was dropped and
//! made again stands last, which a query by name doesn't see.

use std::collections::BTreeMap;

use postgres::Client;

use super::RehearsalError;
use super::relations::{NAME, OF_NO_EXTENSION, USER_SCHEMA};
use super::report::SchemaDifference;

/// Definitions by kind and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Schema {
    objects: BTreeMap<(String, String), String>,
    /// Columns in their order, by table: for notes on order only.
    pub column_order: BTreeMap<String, Vec<String>>,
    /// Sequences that belong to a column, by table.
    sequences_of: BTreeMap<String, Vec<String>>,
}

/// What belongs to an extension isn't compared: (class, alias of the row).
fn of_no_extension(class: &str, alias: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
         AND d.classid = 'pg_catalog.{class}'::pg_catalog.regclass AND d.objid = {alias}.oid)"
    )
}

/// Each query gives kind, name and definition.
fn queries() -> Vec<String> {
    let function = of_no_extension("pg_proc", "p");
    let kind = of_no_extension("pg_type", "t");
    let relation = |what: &str| {
        format!(
            "{what} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        )
    };
    vec![
        "SELECT 'schema', pg_catalog.quote_ident(n.nspname), '' FROM pg_catalog.pg_namespace n \
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
            .to_owned(),
        "SELECT 'extension', pg_catalog.quote_ident(e.extname), e.extversion FROM pg_catalog.pg_extension e"
            .to_owned(),
        relation(&format!(
            "SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END, \
             {NAME}, pg_catalog.concat_ws(' ', CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END, \
             CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid) END, \
             CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END, \
             CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END, \
             CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END, CASE WHEN c.relforcerowsecurity THEN 'FORCED' END, \
             CASE c.relreplident WHEN 'n' THEN 'REPLICA IDENTITY NOTHING' WHEN 'f' THEN 'REPLICA IDENTITY FULL' \
             WHEN 'i' THEN 'REPLICA IDENTITY INDEX' END, pg_catalog.array_to_string(c.reloptions, ', '))",
        )) + " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        format!(
            "SELECT 'column', {NAME} || '.' || pg_catalog.quote_ident(a.attname), \
             pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), \
             CASE WHEN a.attnotnull THEN 'NOT NULL' END, \
             CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::text END, \
             CASE WHEN a.attgenerated <> '' THEN 'GENERATED AS' WHEN f.adbin IS NOT NULL THEN 'DEFAULT' END, \
             pg_catalog.pg_get_expr(f.adbin, f.adrelid), \
             CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || pg_catalog.quote_ident(l.collname) END, \
             CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || a.attstorage::text END, \
             CASE WHEN a.attstattarget > 0 THEN 'STATISTICS ' || a.attstattarget END) \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
             LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        // NOT NULL constraints of 18 stand with their columns already.
        format!(
            "SELECT 'constraint', {NAME} || '.' || pg_catalog.quote_ident(k.conname), pg_catalog.pg_get_constraintdef(k.oid) \
             FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.contype <> 'n' AND k.contype <> 't' AND {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        format!(
            "SELECT 'index', {NAME}, pg_catalog.pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA} \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
             AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indrelid)"
        ),
        format!(
            "SELECT 'sequence', {NAME}, pg_catalog.concat_ws(' ', pg_catalog.format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqcycle) \
             FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        format!(
            "SELECT 'trigger', {NAME} || '.' || pg_catalog.quote_ident(g.tgname), pg_catalog.pg_get_triggerdef(g.oid) || \
             CASE g.tgenabled WHEN 'O' THEN '' ELSE ' ENABLED ' || g.tgenabled::text END \
             FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT g.tgisinternal AND {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        format!(
            "SELECT 'rule', {NAME} || '.' || pg_catalog.quote_ident(r.rulename), pg_catalog.pg_get_ruledef(r.oid) \
             FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        format!(
            "SELECT 'policy', {NAME} || '.' || pg_catalog.quote_ident(y.polname), pg_catalog.concat_ws(' ', y.polcmd, y.polpermissive, \
             pg_catalog.pg_get_expr(y.polqual, y.polrelid), pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid), \
             (SELECT pg_catalog.string_agg(coalesce(o.rolname, 'public'), ',' ORDER BY o.rolname) FROM pg_catalog.unnest(y.polroles) u LEFT JOIN pg_catalog.pg_roles o ON o.oid = u)) \
             FROM pg_catalog.pg_policy y JOIN pg_catalog.pg_class c ON c.oid = y.polrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        format!(
            "SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, \
             pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname) || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')', \
             CASE WHEN p.prokind = 'a' THEN pg_catalog.pg_get_function_result(p.oid) ELSE pg_catalog.pg_get_functiondef(p.oid) END \
             FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {USER_SCHEMA} AND {function}"
        ),
        format!(
            "SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, CASE WHEN n.nspname = 'public' THEN pg_catalog.quote_ident(t.typname) \
             ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname) END, \
             CASE t.typtype \
             WHEN 'e' THEN 'ENUM ' || (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) \
             WHEN 'd' THEN pg_catalog.concat_ws(' ', pg_catalog.format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || t.typdefault, \
             (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) \
             WHEN 'c' THEN (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) \
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) \
             ELSE t.typtype::text END \
             FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid \
             WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typtype <> 'c' OR c.relkind = 'c') AND {USER_SCHEMA} AND {kind}"
        ),
        relation(&format!(
            "SELECT 'privileges', {NAME}, (SELECT pg_catalog.string_agg(x::text, ', ' ORDER BY x::text) FROM pg_catalog.unnest(c.relacl) x)"
        )) + " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relacl IS NOT NULL",
        relation(&format!("SELECT 'comment', {NAME}, pg_catalog.obj_description(c.oid, 'pg_class')"))
            + " AND pg_catalog.obj_description(c.oid, 'pg_class') IS NOT NULL AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        format!(
            "SELECT 'comment', {NAME} || '.' || pg_catalog.quote_ident(a.attname), o.description FROM pg_catalog.pg_description o \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = o.objoid AND a.attnum = o.objsubid AND o.objsubid > 0 \
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE o.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND {USER_SCHEMA} AND {OF_NO_EXTENSION}"
        ),
        format!(
            "SELECT 'statistics', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.stxname), pg_catalog.pg_get_statisticsobjdef(s.oid) \
             FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE {USER_SCHEMA}"
        ),
        "SELECT 'publication', pg_catalog.quote_ident(p.pubname), pg_catalog.concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, \
         (SELECT pg_catalog.string_agg(t.schemaname || '.' || t.tablename, ', ' ORDER BY t.schemaname, t.tablename) FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname)) \
         FROM pg_catalog.pg_publication p"
            .to_owned(),
    ]
}

impl Schema {
    /// Reads the whole schema.
    pub fn read(client: &mut Client) -> Result<Schema, RehearsalError> {
        let failed = |source| RehearsalError::server("read the schema", source);
        let mut schema = Schema::default();
        for sql in queries() {
            for row in client.query(&sql, &[]).map_err(failed)? {
                let definition: Option<String> = row.get(2);
                schema.objects.insert((row.get(0), row.get(1)), definition.unwrap_or_default());
            }
        }
        let sql = format!(
            "SELECT {NAME}, pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND {USER_SCHEMA} ORDER BY 1, a.attnum"
        );
        for row in client.query(&sql, &[]).map_err(failed)? {
            schema.column_order.entry(row.get(0)).or_default().push(row.get(1));
        }
        let table = NAME.replace("n.", "m.").replace("c.", "t.");
        let sql = format!(
            "SELECT {table}, {NAME} FROM pg_catalog.pg_depend d \
             JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_class t ON t.oid = d.refobjid JOIN pg_catalog.pg_namespace m ON m.oid = t.relnamespace \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') AND {USER_SCHEMA}"
        );
        for row in client.query(&sql, &[]).map_err(failed)? {
            schema.sequences_of.entry(row.get(0)).or_default().push(row.get(1));
        }
        Ok(schema)
    }

    /// Leaves out what belongs to `table` itself: a ledger changes with every run.
    pub fn without_table(mut self, table: &str) -> Schema {
        let inside = format!("{table}.");
        let sequences = self.sequences_of.remove(table).unwrap_or_default();
        self.objects.retain(|(kind, name), definition| {
            let index = kind == "index"
                && indexed(definition).is_some_and(|on| on.strip_prefix("public.").unwrap_or(on) == table);
            name != table && !name.starts_with(&inside) && !sequences.contains(name) && !index
        });
        self.column_order.remove(table);
        self
    }

    /// What differs in `after`, by kind and name. What goes with a table that is gone or new isn't listed apart.
    pub fn differences(&self, after: &Schema) -> Vec<SchemaDifference> {
        let mut found = Vec::new();
        let names = self.objects.keys().chain(after.objects.keys());
        let mut keys: Vec<&(String, String)> = names.collect();
        keys.sort();
        keys.dedup();
        let has_table = |schema: &Schema, name: &str| {
            ["table", "view", "materialized view", "foreign table"]
                .iter()
                .any(|kind| schema.objects.contains_key(&((*kind).to_owned(), name.to_owned())))
        };
        for key in keys {
            let (before, now) = (self.objects.get(key), after.objects.get(key));
            if before == now {
                continue;
            }
            let (kind, name) = key;
            // `orders.placed_at` belongs to `orders`; `billing.orders.placed_at` to `billing.orders`.
            let owner = match kind.as_str() {
                "column" | "constraint" | "trigger" | "rule" | "policy" | "comment" => {
                    split_last(name).map(|(table, _)| table)
                }
                "privileges" => Some(name.as_str()),
                _ => None,
            };
            let goes_with_table =
                owner.is_some_and(|table| has_table(self, table) != has_table(after, table));
            let goes_with_index = kind == "index"
                && before.or(now).and_then(|definition| indexed(definition)).is_some_and(|table| {
                    let table = table.strip_prefix("public.").unwrap_or(table);
                    has_table(self, table) != has_table(after, table)
                });
            if !goes_with_table && !goes_with_index {
                found.push(SchemaDifference {
                    kind: kind.clone(),
                    name: name.clone(),
                    before: before.cloned(),
                    after: now.cloned(),
                });
            }
        }
        found
    }

    /// Tables whose columns are the same but stand in another order.
    pub fn reordered(&self, after: &Schema) -> Vec<String> {
        self.column_order
            .iter()
            .filter(|(table, columns)| {
                after.column_order.get(*table).is_some_and(|now| {
                    let (mut a, mut b) = ((*columns).clone(), now.clone());
                    a.sort();
                    b.sort();
                    a == b && *columns != now
                })
            })
            .map(|(table, _)| table.clone())
            .collect()
    }
}

/// `orders.placed_at` at its last dot outside of quotes.
fn split_last(name: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut at = None;
    for (place, byte) in name.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'.' if !quoted => at = Some(place),
            _ => {}
        }
    }
    let at = at?;
    Some((name.get(..at)?, name.get(at + 1..)?))
}

/// The table of `CREATE INDEX … ON [ONLY] public.orders USING …`.
fn indexed(definition: &str) -> Option<&str> {
    let (_, rest) = definition.split_once(" ON ")?;
    let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
    rest.split(" USING ").next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(objects: &[(&str, &str, &str)]) -> Schema {
        let mut schema = Schema::default();
        for (kind, name, definition) in objects {
            schema.objects.insert(((*kind).to_owned(), (*name).to_owned()), (*definition).to_owned());
        }
        schema
    }

    #[test]
    fn what_goes_with_a_table_is_not_listed_apart() {
        let before = schema(&[
            ("table", "orders", ""),
            ("column", "orders.id", "bigint"),
            ("index", "orders_x", "CREATE INDEX orders_x ON public.orders USING btree (x)"),
            ("table", "users", ""),
            ("column", "users.\"a.b\"", "text"),
        ]);
        let after = schema(&[("table", "users", ""), ("column", "users.\"a.b\"", "integer")]);
        let found = before.differences(&after);
        let names: Vec<_> = found.iter().map(|one| (one.kind.as_str(), one.name.as_str())).collect();
        assert_eq!(names, [("column", "users.\"a.b\""), ("table", "orders")]);
    }
}
