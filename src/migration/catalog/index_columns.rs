//! The names of an index's columns, of which PostgreSQL makes the name of an index that has none.
//!
//! Source: `FigureIndexColname` (parse_target.c) and `ChooseIndexColumnNames` (indexcmds.c), the same from 14 to 18.

use compact_str::CompactString;

use super::naming::cut;
use super::relation::{Index, IndexKey};
use crate::migration::parse::lex::{Lexer, Token, TokenKind};
use crate::migration::statement::IndexColumn;

/// The names of all columns, those of INCLUDE too, joined as they stand in the index's name.
pub(super) fn joined(keys: &[IndexKey], include: &[CompactString]) -> String {
    let mut names: Vec<CompactString> = Vec::new();
    let of_keys = keys.iter().map(|key| key.column.clone().unwrap_or_else(|| key.label.clone()));
    for name in of_keys.chain(include.iter().cloned()) {
        let mut chosen = name.clone();
        let mut pass = 0;
        while names.contains(&chosen) {
            pass += 1;
            chosen = CompactString::from(format!("{name}{pass}"));
        }
        names.push(chosen);
    }
    names.join("_")
}

impl Index {
    /// See [`joined`].
    pub fn column_names(&self) -> String {
        joined(&self.keys, &self.include)
    }
}

impl IndexKey {
    /// A key as the catalog has it; `written`: its expression's text.
    pub fn of(key: &IndexColumn, written: &str) -> IndexKey {
        let cast = key.expr.cast.as_ref().map(|to| to.name.name.value.as_str());
        let plain = key.column();
        IndexKey {
            column: plain.map(|column| cut(&column.value).into()),
            text: if plain.is_some() { String::new() } else { written.trim().to_owned() },
            label: if plain.is_some() { CompactString::default() } else { label(written, cast) },
            columns: key.expr.columns.iter().map(|column| column.value.clone()).collect(),
            operator_class: key.operator_class.as_ref().map(|class| class.name.value.clone()),
            collation: key.collation.as_ref().map(|collation| collation.name.value.clone()),
            descending: key.descending,
            nulls_first: key.nulls_first,
        }
    }
}

/// What PostgreSQL calls the column of an expression; `cast`: the type that the whole of it is cast to.
fn label(text: &str, cast: Option<&str>) -> CompactString {
    let mut lexer = Lexer::new(text, 0..text.len());
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    match figured(text, &tokens, MAX_DEPTH) {
        Some((name, true)) => name.into(),
        weak => cast.map(CompactString::from).or(weak.map(|(name, _)| name.into())).unwrap_or("expr".into()),
    }
}

/// How deep parentheses are followed; nobody writes more around a name.
const MAX_DEPTH: u32 = 16;

/// A name, and whether it is one that a cast doesn't replace.
type Figured = Option<(String, bool)>;

fn figured(text: &str, tokens: &[Token], depth: u32) -> Figured {
    let depth = depth.checked_sub(1)?;
    let word = |token: &Token| match token.kind {
        TokenKind::Word => Some(token.span.of(text).to_lowercase()),
        TokenKind::Quoted => Some(token.span.of(text).trim_matches('"').replace("\"\"", "\"")),
        _ => None,
    };
    let first = tokens.first()?;
    let (name, mut at) = match first.kind {
        TokenKind::LeftParen => {
            let end = closing(tokens, 0)?;
            (figured(text, tokens.get(1..end)?, depth), end + 1)
        }
        TokenKind::Word if word(first).as_deref() == Some("case") => {
            (Some(("case".to_owned(), false)), case_end(text, tokens)?)
        }
        TokenKind::Word if word(first).as_deref() == Some("array") => {
            let end = closing(tokens, 1)?;
            (Some(("array".to_owned(), true)), end + 1)
        }
        TokenKind::Word | TokenKind::Quoted => {
            let mut name = word(first)?;
            let mut at = 1;
            while tokens.get(at).is_some_and(|token| token.kind == TokenKind::Dot) {
                name = tokens.get(at + 1).and_then(word)?;
                at += 2;
            }
            if tokens.get(at).is_some_and(|token| token.kind == TokenKind::LeftParen) {
                let end = closing(tokens, at)?;
                let inside = tokens.get(at + 1..end)?;
                at = end + 1;
                match name.as_str() {
                    // The type is told by the caller.
                    "cast" => {
                        let split = inside.iter().rposition(|token| word(token).as_deref() == Some("as"))?;
                        (figured(text, inside.get(..split)?, depth), at)
                    }
                    "trim" => {
                        let side = inside.first().and_then(word);
                        let function = match side.as_deref() {
                            Some("leading") => "ltrim",
                            Some("trailing") => "rtrim",
                            _ => "btrim",
                        };
                        (Some((function.to_owned(), true)), at)
                    }
                    _ => (Some((name, true)), at),
                }
            } else {
                (Some((name, true)), at)
            }
        }
        TokenKind::String => (None, 1),
        _ => return None,
    };
    while let Some(token) = tokens.get(at) {
        match token.kind {
            TokenKind::LeftBracket => at = closing(tokens, at)? + 1,
            // The type of a cast ends the expression, or another cast follows.
            TokenKind::DoubleColon => {
                let rest = tokens.get(at + 1..)?;
                let is_type = |token: &Token| !matches!(token.kind, TokenKind::Operator);
                return if rest.iter().all(is_type) { name } else { None };
            }
            _ => match (word(token).as_deref(), tokens.get(at + 1).and_then(word).as_deref()) {
                (Some("collate"), Some(_)) => at += 2,
                (Some("at"), Some("time")) => {
                    let rest = tokens.get(at + 1..)?;
                    let is_operator = |token: &Token| token.kind == TokenKind::Operator;
                    return (!rest.iter().any(is_operator)).then(|| ("timezone".to_owned(), true));
                }
                _ => return None,
            },
        }
    }
    name
}

/// The token that closes the parenthesis or bracket at `open`.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            TokenKind::LeftParen | TokenKind::LeftBracket => depth += 1,
            TokenKind::RightParen | TokenKind::RightBracket => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// What follows the END of a CASE.
fn case_end(text: &str, tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Word) {
        let word = token.span.of(text);
        if word.eq_ignore_ascii_case("case") {
            depth += 1;
        } else if word.eq_ignore_ascii_case("end") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::migration::catalog::QName;
    use crate::migration::lint::replay;
    use crate::migration::migration::Migration;

    // What PostgreSQL 18 calls them, each on a table of its own.
    #[test]
    fn an_index_is_called_after_its_columns() {
        let cases = [
            ("(lower(a))", "t_lower_idx"),
            ("(lower(a), lower(b))", "t_lower_lower1_idx"),
            ("((a||b), (b||a))", "t_expr_expr1_idx"),
            ("((c->>'x'))", "t_expr_idx"),
            ("(((c->>'x')::int))", "t_int4_idx"),
            ("(coalesce(a,b))", "t_coalesce_idx"),
            ("((n::text))", "t_n_idx"),
            ("(cast(n as bigint))", "t_n_idx"),
            ("((lower(a)::varchar))", "t_lower_idx"),
            ("((case when n>1 then n else 0 end))", "t_case_idx"),
            ("(trim(a))", "t_btrim_idx"),
            ("(substring(a from 1 for 2), substr(a,1))", "t_substring_substr_idx"),
            ("((d at time zone 'UTC'))", "t_timezone_idx"),
            ("(date_trunc('day', d at time zone 'UTC'))", "t_date_trunc_idx"),
            ("(extract(year from d at time zone 'UTC'))", "t_extract_idx"),
            ("((a collate \"C\"))", "t_a_idx"),
            ("(pg_catalog.upper(a))", "t_upper_idx"),
            ("((n+1))", "t_expr_idx"),
            ("((a is null))", "t_expr_idx"),
            ("(a, a)", "t_a_a1_idx"),
            ("((-n))", "t_expr_idx"),
            ("(md5(a)) include (b)", "t_md5_b_idx"),
            ("((c['x']))", "t_c_idx"),
            ("((array[n]))", "t_array_idx"),
            ("((\"lower\"(a)))", "t_lower_idx"),
        ];
        for (columns, expected) in cases {
            let sql = format!(
                "CREATE TABLE t (a text, b text, c jsonb, d timestamptz, n int);CREATE INDEX ON t {columns};"
            );
            let catalog = replay(&[Migration::whole("1.sql".into(), Arc::from(sql))]);
            let table = catalog.relation(&QName::new("public", "t")).expect("the table");
            assert_eq!(table.indexes[0].name, expected, "{columns}");
        }
    }
}
