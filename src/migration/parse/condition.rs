//! What a condition means for the rows it lets through. The one place that names the SQL parser crate:
//! a tree is wanted here, and only here.

use std::collections::HashSet;

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArguments, InTarget, LimitClause, Query, UnaryOperator, Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::cursor::Cursor;
use super::lex::{Lexer, TokenKind};
use crate::migration::statement::BoundColumn;

/// Longer conditions are lists of constants or machine-made; their trees would be as deep as they are
/// long, and dropping one recurses.
const LONGEST: usize = 4096;

/// More rows than this are no batch.
const LARGEST_BATCH: f64 = 100_000.0;

/// What is known of a WHERE clause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// It holds for every row.
    pub always_true: bool,
    /// It bounds how many rows there are, if what it compares is a key.
    pub bounded: bool,
    /// It bounds them whatever it compares: a subquery with LIMIT, a cursor's row.
    pub limited: bool,
    /// The columns by which it does: what is compared with a value, a list or a range.
    pub by: Vec<BoundColumn>,
}

/// Judges the text of a condition. What can't be read is neither.
pub fn judge(text: &str) -> Judged {
    judge_beside(text, &HashSet::new())
}

/// The same in a routine that has these variables, in lower case: they mean one value.
pub fn judge_beside(text: &str, variables: &HashSet<String>) -> Judged {
    if text.len() > LONGEST {
        let by: Vec<BoundColumn> = of_list_of_constants(text).into_iter().collect();
        return Judged { bounded: !by.is_empty(), by, ..Judged::default() };
    }
    if text.get(..10).is_some_and(|head| head.eq_ignore_ascii_case("current of")) {
        return Judged { bounded: true, limited: true, ..Judged::default() };
    }
    let dialect = PostgreSqlDialect {};
    let Ok(mut parser) = Parser::new(&dialect).try_with_sql(text) else { return Judged::default() };
    let Ok(expr) = parser.parse_expr() else { return Judged::default() };
    if parser.peek_token().token != sqlparser::tokenizer::Token::EOF {
        return Judged::default();
    }
    Judged {
        always_true: constant(&expr) == Some(true),
        bounded: is_bounded(&expr, variables),
        limited: has_limit(&expr),
        by: bounding(&expr, variables),
    }
}

/// The column of `column IN (constants)`, from its tokens.
fn of_list_of_constants(text: &str) -> Option<BoundColumn> {
    let mut lexer = Lexer::new(text, 0..text.len());
    let tokens: Vec<_> = std::iter::from_fn(|| lexer.next_token()).collect();
    let mut c = Cursor::new(text, &tokens);
    let column = c.name("a column").ok().filter(|_| c.eat("in") && c.open().is_ok())?;
    let constants = |kind| !matches!(kind, TokenKind::Word | TokenKind::LeftParen | TokenKind::RightParen);
    while c.kind().is_some_and(constants) {
        c.bump();
    }
    let of = column.schema.map(|of| of.value.to_string());
    (c.close().is_ok() && c.is_done()).then(|| BoundColumn { of, name: column.name.value.to_string() })
}

/// The operands of a chain of `operator`, however long, without recursing along it.
fn arms<'a>(expr: &'a Expr, operator: &BinaryOperator) -> Vec<&'a Expr> {
    let mut arms = Vec::new();
    let mut left = bare(expr);
    loop {
        match left {
            Expr::BinaryOp { left: further, op, right } if op == operator => {
                arms.push(bare(right));
                left = bare(further);
            }
            last => {
                arms.push(last);
                return arms;
            }
        }
    }
}

/// Without the parentheses around it.
fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// The value of a condition, when no row can change it.
fn constant(expr: &Expr) -> Option<bool> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        },
        Expr::Cast { expr, .. } => match bare(expr) {
            Expr::Value(value) => match &value.value {
                Value::Boolean(value) => Some(*value),
                Value::SingleQuotedString(text) => match text.as_str() {
                    "t" | "true" | "1" | "on" | "yes" => Some(true),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => constant(expr).map(|value| !value),
        Expr::IsTrue(expr) => constant(expr),
        Expr::IsNotFalse(expr) => constant(expr),
        Expr::IsNotNull(expr) => match bare(expr) {
            Expr::Value(value) => Some(!matches!(value.value, Value::Null)),
            _ => None,
        },
        whole @ Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            let values: Vec<_> = arms(whole, &BinaryOperator::Or).into_iter().map(constant).collect();
            if values.contains(&Some(true)) || is_tautology(whole) {
                Some(true)
            } else if values.iter().all(|value| *value == Some(false)) {
                Some(false)
            } else {
                None
            }
        }
        whole @ Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            let values: Vec<_> = arms(whole, &BinaryOperator::And).into_iter().map(constant).collect();
            if values.contains(&Some(false)) {
                Some(false)
            } else if values.iter().all(|value| *value == Some(true)) {
                Some(true)
            } else {
                None
            }
        }
        Expr::BinaryOp { left, op, right } => {
            let (Expr::Value(left), Expr::Value(right)) = (bare(left), bare(right)) else { return None };
            let same = left.value == right.value;
            match (op, &left.value, &right.value) {
                (_, Value::Null | Value::Placeholder(_), _) | (_, _, Value::Null | Value::Placeholder(_)) => {
                    None
                }
                (BinaryOperator::Eq, ..) if same => Some(true),
                // `1 <> 2`; not `1 <> 1.0`.
                (BinaryOperator::NotEq, Value::Number(a, _), Value::Number(b, _)) => {
                    Some(a.parse::<f64>().ok()? != b.parse::<f64>().ok()?)
                }
                (BinaryOperator::Eq, Value::Number(a, _), Value::Number(b, _)) => {
                    Some(a.parse::<f64>().ok()? == b.parse::<f64>().ok()?)
                }
                (BinaryOperator::Gt, Value::Number(a, _), Value::Number(b, _)) => {
                    Some(a.parse::<f64>().ok()? > b.parse::<f64>().ok()?)
                }
                (BinaryOperator::Lt, Value::Number(a, _), Value::Number(b, _)) => {
                    Some(a.parse::<f64>().ok()? < b.parse::<f64>().ok()?)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// `a IS NULL OR a IS NOT NULL`.
fn is_tautology(or: &Expr) -> bool {
    let arms = arms(or, &BinaryOperator::Or);
    arms.iter().any(|arm| match arm {
        Expr::IsNull(tested) => {
            arms.iter().any(|other| matches!(other, Expr::IsNotNull(same) if bare(same) == bare(tested)))
        }
        _ => false,
    })
}

/// Whether a condition bounds how many rows there are.
fn is_bounded(expr: &Expr, variables: &HashSet<String>) -> bool {
    let fixed = |value: &Expr| is_constant(value) || is_subquery(value) || is_variable(value, variables);
    let varies = |value: &Expr| is_column(value) && !is_variable(value, variables);
    match bare(expr) {
        whole @ Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            let arms = arms(whole, &BinaryOperator::And);
            arms.iter().any(|arm| is_bounded(arm, variables)) || ranged(&arms).is_some()
        }
        whole @ Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            arms(whole, &BinaryOperator::Or).into_iter().all(|arm| is_bounded(arm, variables))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            (varies(left) && fixed(right)) || (varies(right) && fixed(left))
        }
        Expr::In { expr, target, negated: false, .. } => {
            (is_column(expr) || matches!(bare(expr), Expr::Tuple(_)))
                && match target {
                    InTarget::List(list) => {
                        list.iter().all(|value| is_constant(value) || is_variable(value, variables))
                    }
                    InTarget::Subquery(query) => is_limited(query),
                    _ => false,
                }
        }
        Expr::Between { expr, negated: false, low, high } => {
            // Variables of PL/pgSQL look like columns.
            let end = |end: &Expr| is_constant(end) || is_column(end) || is_sum(end);
            is_column(expr) && end(low) && end(high)
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            is_column(left) && is_bounded_set(right)
        }
        _ => false,
    }
}

/// The columns that a condition bounds the rows by; none where it doesn't.
fn bounding(expr: &Expr, variables: &HashSet<String>) -> Vec<BoundColumn> {
    match bare(expr) {
        whole @ Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            let arms = arms(whole, &BinaryOperator::And);
            let mut columns: Vec<_> = arms.iter().flat_map(|arm| bounding(arm, variables)).collect();
            columns.extend(ranged(&arms).and_then(named));
            columns
        }
        whole @ Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            let mut arms = arms(whole, &BinaryOperator::Or).into_iter().map(|arm| bounding(arm, variables));
            let first = arms.next().unwrap_or_default();
            arms.fold(first, |mut all, arm| {
                all.retain(|column| arm.contains(column));
                all
            })
        }
        whole if !is_bounded(whole, variables) => Vec::new(),
        Expr::BinaryOp { left, right, .. } => {
            let varies = |side: &&Expr| is_column(side) && !is_variable(side, variables);
            [left.as_ref(), right.as_ref()].into_iter().find(varies).and_then(named).into_iter().collect()
        }
        Expr::In { expr, .. } | Expr::Between { expr, .. } | Expr::AnyOp { left: expr, .. } => {
            match bare(expr) {
                Expr::Tuple(parts) => parts.iter().filter_map(named).collect(),
                column => named(column).into_iter().collect(),
            }
        }
        _ => Vec::new(),
    }
}

/// A column by its name, as the server sees it.
fn named(expr: &Expr) -> Option<BoundColumn> {
    let folded = |name: &sqlparser::ast::Ident| match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    };
    match bare(expr) {
        Expr::Identifier(name) => Some(BoundColumn { of: None, name: folded(name) }),
        Expr::CompoundIdentifier(parts) => {
            let (name, before) = parts.split_last()?;
            Some(BoundColumn { of: before.last().map(folded), name: folded(name) })
        }
        Expr::Cast { expr, .. } => named(expr),
        _ => None,
    }
}

/// Whether a subquery with LIMIT bounds the rows.
fn has_limit(expr: &Expr) -> bool {
    match bare(expr) {
        whole @ Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            arms(whole, &BinaryOperator::And).into_iter().any(has_limit)
        }
        whole @ Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            arms(whole, &BinaryOperator::Or).into_iter().all(has_limit)
        }
        Expr::In { target: InTarget::Subquery(query), negated: false, .. } => is_limited(query),
        Expr::AnyOp { compare_op: BinaryOperator::Eq, right, .. } => {
            !is_column(right) && !is_constant(right) && is_bounded_set(right)
        }
        _ => false,
    }
}

/// The right side of `= ANY (…)`.
fn is_bounded_set(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Array(array) => array.elem.iter().all(is_constant),
        Expr::Subquery(query) => is_limited(query),
        // `ARRAY(SELECT … LIMIT n)` looks like a function.
        Expr::Function(function) => match &function.args {
            FunctionArguments::Subquery(query) => is_limited(query),
            _ => false,
        },
        Expr::Cast { expr, .. } => is_bounded_set(expr),
        other => is_constant(other) || is_column(other),
    }
}

/// The column of `id > a AND id <= b`.
fn ranged<'a>(arms: &[&'a Expr]) -> Option<&'a Expr> {
    let bound = |arm: &&'a Expr| -> Option<(&'a Expr, bool)> {
        let Expr::BinaryOp { left, op, right } = *arm else { return None };
        let lower = match op {
            BinaryOperator::Gt | BinaryOperator::GtEq => true,
            BinaryOperator::Lt | BinaryOperator::LtEq => false,
            _ => return None,
        };
        let value = is_constant(right) || is_column(right) || is_sum(right);
        (is_column(left) && value).then(|| (bare(left), lower))
    };
    let bounds: Vec<_> = arms.iter().filter_map(bound).collect();
    let is_closed = |column: &Expr| bounds.iter().any(|(other, lower)| !lower && *other == column);
    bounds.iter().find(|(column, lower)| *lower && is_closed(column)).map(|(column, _)| *column)
}

/// `start + 1000`.
fn is_sum(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
            (is_column(left) || is_constant(left)) && (is_column(right) || is_constant(right))
        }
        _ => false,
    }
}

fn is_column(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Cast { expr, .. } => is_column(expr),
        _ => false,
    }
}

/// A variable, or a field of one.
fn is_variable(expr: &Expr, variables: &HashSet<String>) -> bool {
    let named = |name: &sqlparser::ast::Ident| variables.contains(&name.value.to_lowercase());
    match bare(expr) {
        Expr::Identifier(name) => named(name),
        Expr::CompoundIdentifier(parts) => parts.first().is_some_and(named),
        Expr::Cast { expr, .. } => is_variable(expr, variables),
        _ => false,
    }
}

fn is_constant(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Cast { expr, .. } | Expr::UnaryOp { expr, .. } => is_constant(expr),
        Expr::Tuple(parts) => parts.iter().all(is_constant),
        _ => false,
    }
}

/// A query in an expression gives one row or fails.
fn is_subquery(expr: &Expr) -> bool {
    matches!(bare(expr), Expr::Subquery(_))
}

/// Whether a query gives a batch of rows at most. What isn't a constant is taken to be the size of one.
fn is_limited(query: &Query) -> bool {
    let few = |count: &Expr| match bare(count) {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse::<f64>().is_ok_and(|number| number <= LARGEST_BATCH),
            Value::Null => false,
            _ => true,
        },
        _ => true,
    };
    let limit = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => limit.as_ref(),
        Some(LimitClause::OffsetCommaLimit { limit, .. }) => Some(limit),
        None => None,
    };
    let fetch = query.fetch.as_ref().map(|fetch| fetch.quantity.as_ref().is_none_or(few));
    limit.map(few).or(fetch).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_for_every_row() {
        for text in [
            "true",
            "1=1",
            "(1 = 1)",
            "NOT false",
            "id IS NOT NULL OR true",
            "'a' = 'a' AND TRUE",
            "deleted IS NULL OR deleted IS NOT NULL",
            "1 < 2",
            "'t'::boolean",
        ] {
            assert!(judge(text).always_true, "{text}");
        }
        for text in
            ["id = 1", "a = a", "false", "1 = 2", "id IS NOT NULL", "true AND id = 3", "NULL", "not (", ""]
        {
            assert!(!judge(text).always_true, "{text}");
        }
    }

    #[test]
    fn what_bounds_the_rows() {
        for text in [
            "id = 5",
            "t.id IN (1, 2, 3)",
            "id IN (SELECT id FROM t WHERE x IS NULL LIMIT 1000)",
            "id IN (SELECT id FROM t ORDER BY id FETCH FIRST 10 ROWS ONLY)",
            "ctid = ANY (ARRAY(SELECT ctid FROM t LIMIT 1000))",
            "id BETWEEN 1 AND 1000",
            "id BETWEEN low AND low + 999",
            "id >= start AND id < start + 1000",
            "x IS NULL AND id = 5",
            "id = 5 OR id = 6",
            "CURRENT OF c",
            "id = ANY ('{1,2}'::int[])",
        ] {
            assert!(judge(text).bounded, "{text}");
        }
        for text in [
            "x IS NULL",
            "id > 5",
            "id IN (SELECT id FROM other)",
            "id IN (SELECT id FROM t LIMIT 100000000)",
            "id IN (SELECT id FROM t LIMIT ALL)",
            "id IN (SELECT id FROM t OFFSET 10)",
            "id = 5 OR x IS NULL",
            "a = b",
            "true",
            "id NOT IN (1, 2)",
        ] {
            assert!(!judge(text).bounded, "{text}");
        }
    }

    #[test]
    fn what_bounds_has_its_columns() {
        let variables = HashSet::from(["wanted".to_owned()]);
        for (text, expected) in [
            ("id = 5 AND x > 3", "id"),
            ("x = 'a' AND id NOT IN (1, 2)", "x"),
            ("a = 1 AND \"B\" = 2", "B,a"),
            ("t.id IN (1, 2) OR t.id = wanted", "t.id"),
            ("a = 1 OR b = 2", ""),
            ("(a, b) IN ((1, 2), (3, 4))", "a,b"),
            ("id >= low AND id < low + 10 AND y", "id"),
            ("ID BETWEEN 1 AND 5", "id"),
            ("id::text = wanted", "id"),
        ] {
            let by = judge_beside(text, &variables).by;
            let shown: Vec<String> = by
                .into_iter()
                .map(|column| column.of.map_or(String::new(), |of| of + ".") + &column.name)
                .collect();
            assert_eq!(shown.join(","), expected, "{text}");
        }
    }

    #[test]
    fn a_limit_bounds_whatever_is_compared() {
        for text in [
            "kind IN (SELECT kind FROM t LIMIT 10)",
            "ctid = ANY (ARRAY(SELECT ctid FROM t LIMIT 1000))",
            "x IS NULL AND id IN (SELECT id FROM t LIMIT 10)",
            "CURRENT OF c",
        ] {
            assert!(judge(text).limited, "{text}");
        }
        for text in [
            "kind = 'a' AND id NOT IN (SELECT id FROM t LIMIT 10)",
            "id = 5",
            "id = (SELECT max(id) FROM t)",
            "id = ANY ('{1,2}')",
        ] {
            assert!(!judge(text).limited, "{text}");
        }
    }

    #[test]
    fn variables_mean_one_value() {
        let variables = HashSet::from(["wanted".to_owned(), "row".to_owned()]);
        let bounded = |text| judge_beside(text, &variables).bounded;
        for text in ["id = wanted", "ROW.id = t.id", "id = row.id::bigint AND x > 5", "id IN (wanted, 5)"] {
            assert!(bounded(text), "{text}");
        }
        for text in ["id = other", "wanted = row.id", "wanted = 5", "id > wanted"] {
            assert!(!bounded(text), "{text}");
        }
    }

    #[test]
    fn long_lists_are_read_without_a_tree() {
        let list = (0..5000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        assert!(judge(&format!("id IN ({list})")).bounded);
        let chain = vec!["a = b"; 5000].join(" AND ");
        assert_eq!(judge(&chain), Judged::default());
    }
}
