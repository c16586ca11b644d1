//! Which relations a query family touches: pg_stat_statements knows texts, not tables.

use compact_str::CompactString;

use super::{Catalog, PUBLIC, QName};
use crate::migration::effects;
use crate::migration::lock_mode::LockMode;
use crate::migration::parse;
use crate::migration::parse::lex::{Lexer, TokenKind};
use crate::migration::session::Session;
use crate::migration::statement::Body;
use crate::snapshot::{Family, Queries, RelationName};

impl Catalog {
    /// Notes for each family what it reads, locks and changes, by the locks that it takes. Families that touch no relation of
    /// the catalog, or whose text holds a value, are left out and counted.
    pub fn attribute(&self, queries: &mut Queries, search_path: &str, version: u16) {
        let path: Vec<CompactString> = search_path
            .split(',')
            .map(|schema| CompactString::from(schema.trim().trim_matches('"')))
            .filter(|schema| !schema.is_empty() && schema != "$user")
            .collect();
        let before = queries.families.len();
        queries.families.retain_mut(|family| self.attribute_one(family, &path, version).is_some());
        queries.others += (before - queries.families.len()) as u64;
    }

    fn attribute_one(&self, family: &mut Family, path: &[CompactString], version: u16) -> Option<()> {
        if holds_value(&family.query) {
            return None;
        }
        let script = parse::parse(&family.query, 0..family.query.len());
        let [statement] = script.statements.as_slice() else { return None };
        if !matches!(statement.body, Body::Query(_)) {
            return None;
        }
        let mut session = Session::default();
        if !path.is_empty() {
            session.search_path = path.to_vec();
        }
        // Roles have search_paths of their own: a name that only one other schema has is that one.
        let known = |name: &QName| -> Option<QName> {
            if self.relation(name).is_some() {
                return Some(name.clone());
            }
            let mut others = self.relations.keys().filter(|other| other.name == name.name);
            let only = others.next().filter(|_| path.contains(&name.schema) || name.schema == PUBLIC)?;
            others.next().is_none().then(|| only.clone())
        };
        for lock in effects::compute(statement, self, &session, version).locks {
            let Some(name) = known(&lock.relation) else { continue };
            let list = match lock.mode {
                LockMode::AccessShare => &mut family.reads,
                LockMode::RowShare => &mut family.locks,
                _ => &mut family.writes,
            };
            let name = RelationName { schema: name.schema.to_string(), name: name.name.to_string() };
            if !list.contains(&name) {
                list.push(name);
            }
        }
        for list in [&mut family.reads, &mut family.locks, &mut family.writes] {
            list.sort();
        }
        (!family.reads.is_empty() || !family.locks.is_empty() || !family.writes.is_empty()).then_some(())
    }
}

/// Whether a value stands in the text: pg_stat_statements puts `$1` in its place, except in utility statements, and
/// where it has lost the place (manual, "pg_stat_statements").
fn holds_value(query: &str) -> bool {
    let mut lexer = Lexer::new(query, 0..query.len());
    while let Some(token) = lexer.next_token() {
        let is_string = matches!(
            token.kind,
            TokenKind::String | TokenKind::EscapeString | TokenKind::UnicodeString | TokenKind::DollarString
        );
        // An empty string is nobody's.
        if is_string && token.span.of(query) != "''" {
            return true;
        }
    }
    false
}
