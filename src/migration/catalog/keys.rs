//! Primary and unique keys that one statement writes several times: PostgreSQL makes one of them.

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHashSet};

use super::apply::Replay;
use super::{Constraint, ConstraintDetail, Index, QName};

impl Replay<'_> {
    /// Of the keys that one statement has written, those after the first `made_before` constraints, PostgreSQL makes one where several
    /// are equal: the primary key, or else the first, under the first name that was written (transformIndexConstraints in
    /// parse_utilcmd.c, measured on 18).
    pub(super) fn merge_equal_keys(&mut self, table: &QName, made_before: usize) {
        let Some(relation) = self.catalog.relation(table) else { return };
        let mut keys: Vec<(&Constraint, &Index)> = relation
            .constraints
            .since(made_before)
            .filter(|key| {
                matches!(key.detail, ConstraintDetail::PrimaryKey { .. } | ConstraintDetail::Unique { .. })
            })
            .filter_map(|key| Some((key, relation.index(&key.name)?)))
            .collect();
        if keys.len() < 2 {
            return;
        }
        keys.sort_by_key(|(key, _)| !matches!(key.detail, ConstraintDetail::PrimaryKey { .. }));
        let mut kept: Vec<(&Constraint, CompactString, bool)> = Vec::new();
        let mut places = FxHashMap::default();
        let mut gone: FxHashSet<CompactString> = FxHashSet::default();
        for (key, index) in keys {
            let what = (&index.keys, &index.include, index.nulls_not_distinct, key.deferrable);
            let place = *places.entry(what).or_insert(kept.len());
            match kept.get_mut(place) {
                Some((_, name, named)) => {
                    gone.insert(key.name.clone());
                    if key.named && !*named {
                        (*name, *named) = (key.name.clone(), true);
                    }
                }
                None => kept.push((key, key.name.clone(), key.named)),
            }
        }
        let renamed: Vec<(CompactString, CompactString)> = kept
            .into_iter()
            .filter(|(key, name, _)| key.name != *name)
            .map(|(key, name, _)| (key.name.clone(), name))
            .collect();
        if gone.is_empty() {
            return;
        }
        let of_schema = |name: &CompactString| QName { schema: table.schema.clone(), name: name.clone() };
        for name in gone.iter().chain(renamed.iter().map(|(old, _)| old)) {
            self.catalog.indexes.remove(&of_schema(name));
        }
        for (_, new) in &renamed {
            self.catalog.indexes.insert(of_schema(new), table.clone());
        }
        let relation = self.ensure(table);
        relation.constraints.retain(|key| !gone.contains(&key.name));
        relation.indexes.retain(|index| !gone.contains(&index.name));
        for (old, new) in renamed {
            relation.indexes.rename(&old, |index| {
                index.name = new.clone();
                index.constraint = Some(new.clone());
            });
            relation.constraints.rename(&old, |key| {
                (key.name, key.named) = (new.clone(), true);
                if let Some(index) = key.detail.index_mut() {
                    *index = new.clone();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::migration::catalog::QName;
    use crate::migration::lint::replay;
    use crate::migration::migration::Migration;

    /// The keys of `t`, as `name: columns`.
    fn keys(sql: &str) -> Vec<String> {
        let catalog = replay(&[Migration::whole("1.sql".into(), Arc::from(sql))]);
        let table = catalog.relation(&QName::new("public", "t")).expect("the table");
        let mut keys: Vec<String> = table
            .indexes
            .iter()
            .map(|index| format!("{}: {}", index.name, index.plain_columns().unwrap_or_default().join(" ")))
            .collect();
        assert_eq!(keys.len(), table.constraints.len(), "{:?}", table.constraints);
        keys.sort();
        keys
    }

    // What PostgreSQL 18 makes of them.
    #[test]
    fn equal_keys_of_one_statement_are_one() {
        let one = |columns: &str| keys(&format!("CREATE TABLE t ({columns});"));
        assert_eq!(one("id int UNIQUE PRIMARY KEY"), ["t_pkey: id"]);
        assert_eq!(one("id int PRIMARY KEY, UNIQUE (id)"), ["t_pkey: id"]);
        assert_eq!(one("id int CONSTRAINT x UNIQUE CONSTRAINT y PRIMARY KEY"), ["y: id"]);
        assert_eq!(one("id int CONSTRAINT x UNIQUE PRIMARY KEY"), ["x: id"]);
        assert_eq!(one("id int PRIMARY KEY, CONSTRAINT u UNIQUE (id)"), ["u: id"]);
        assert_eq!(one("id int UNIQUE UNIQUE"), ["t_id_key: id"]);
        assert_eq!(one("id int CONSTRAINT a UNIQUE, CONSTRAINT b UNIQUE (id)"), ["a: id"]);
        assert_eq!(one("id int PRIMARY KEY, UNIQUE (id) DEFERRABLE"), ["t_id_key: id", "t_pkey: id"]);
        assert_eq!(one("id int PRIMARY KEY, UNIQUE NULLS NOT DISTINCT (id)"), ["t_id_key: id", "t_pkey: id"]);
        assert_eq!(
            one("id int, x int, PRIMARY KEY (id, x), UNIQUE (x, id), UNIQUE (id, x)"),
            ["t_pkey: id x", "t_x_id_key: x id"]
        );
        assert_eq!(
            keys("CREATE TABLE t (id int); ALTER TABLE t ADD COLUMN x int PRIMARY KEY UNIQUE;"),
            ["t_pkey: x"]
        );
        assert_eq!(
            keys("CREATE TABLE t (id int); ALTER TABLE t ADD UNIQUE (id), ADD UNIQUE (id);"),
            ["t_id_key1: id", "t_id_key: id"]
        );
    }
}
