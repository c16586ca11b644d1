//! What validated CHECK constraints prove, so that PostgreSQL needn't read the table: that a column holds
//! no NULL, that all rows are inside a partition's bound.
//!
//! PostgreSQL has a theorem prover (`predtest.c`); this knows the forms that people write for the purpose.
//! What it can't follow counts as not proved.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;

use crate::migration::catalog::{Constraint, ConstraintDetail, Relation};
use crate::migration::parse::lex::{Lexer, Token, TokenKind};
use crate::migration::statement::{Expr, Literal, PartitionBound};

/// A condition, as far as it is understood.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    NotNull(String),
    IsNull(String),
    Compare(String, Comparison, Value),
    In(String, Vec<Value>),
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
    Null,
}

impl Value {
    /// Which comes first; `None` where the texts don't tell.
    fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
            (Value::Text(a), Value::Text(b)) if a == b => Some(Ordering::Equal),
            // ISO dates of one length sort as text, whatever the type.
            (Value::Text(a), Value::Text(b)) if a.len() == b.len() && is_iso(a) && is_iso(b) => {
                Some(a.cmp(b))
            }
            _ => None,
        }
    }
}

fn is_iso(text: &str) -> bool {
    let shape: Vec<bool> = text.bytes().take(10).map(|b| b.is_ascii_digit()).collect();
    shape.len() == 10
        && shape == [true, true, true, true, false, true, true, false, true, true]
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b' ' | b'.' | b'+' | b'T' | b'Z'))
}

/// Whether the relation's own constraints prove that `column` holds no NULL (12 on). Constraints named in
/// `leaving` go in the same statement and prove nothing.
pub fn proves_not_null(relation: &Relation, column: &str, leaving: &FxHashSet<&str>) -> bool {
    proven(relation.constraints.about(column), leaving)
        .iter()
        .any(|condition| matches!(condition, Condition::NotNull(c) if c == column))
}

/// Whether the relation's constraints prove that all its rows fit `bound` of a table partitioned by `key`.
pub fn proves_bound(relation: &Relation, key: &str, bound: &PartitionBound) -> bool {
    let facts = proven(relation.constraints.about(key), &FxHashSet::default());
    let not_null = relation.column(key).is_some_and(|column| column.not_null)
        || facts.iter().any(|fact| matches!(fact, Condition::NotNull(c) if c == key));
    match bound {
        PartitionBound::Range { from, to } => {
            let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return false };
            not_null
                && (is_unbounded(from, "minvalue")
                    || value_of(from).is_some_and(|from| at_least(&facts, key, &from)))
                && (is_unbounded(to, "maxvalue") || value_of(to).is_some_and(|to| below(&facts, key, &to)))
        }
        PartitionBound::In(values) => {
            let Some(values) = values.iter().map(value_of).collect::<Option<Vec<Value>>>() else {
                return false;
            };
            let inside = |value: &Value| values.iter().any(|v| v.compare(value) == Some(Ordering::Equal));
            let null = values.contains(&Value::Null);
            let fits = |fact: &Condition| match fact {
                Condition::Compare(c, Comparison::Equal, value) => c == key && inside(value),
                Condition::In(c, listed) => c == key && listed.iter().all(inside),
                Condition::IsNull(c) => c == key && null,
                _ => false,
            };
            (not_null || null)
                && facts.iter().any(|fact| match fact {
                    Condition::Or(parts) => parts.iter().all(fits),
                    other => fits(other),
                })
        }
        PartitionBound::Default | PartitionBound::Hash { .. } => false,
    }
}

/// Whether the relation's constraints prove that no row of it fits `bound`: the default partition's case.
pub fn excludes_bound(relation: &Relation, key: &str, bound: &PartitionBound) -> bool {
    let facts = proven(relation.constraints.about(key), &FxHashSet::default());
    let PartitionBound::Range { from, to } = bound else { return false };
    let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return false };
    let outside = |fact: &Condition| {
        // A range holds no NULL.
        if matches!(fact, Condition::IsNull(column) if column == key) {
            return true;
        }
        let fact = std::slice::from_ref(fact);
        value_of(from).is_some_and(|from| below(fact, key, &from))
            || value_of(to).is_some_and(|to| at_least(fact, key, &to))
    };
    facts.iter().any(|fact| match fact {
        Condition::Or(parts) => parts.iter().all(outside),
        other => outside(other),
    })
}

fn at_least(facts: &[Condition], key: &str, from: &Value) -> bool {
    facts.iter().any(|fact| match fact {
        Condition::Compare(c, Comparison::GreaterEqual | Comparison::Greater | Comparison::Equal, value) => {
            c == key && value.compare(from).is_some_and(Ordering::is_ge)
        }
        Condition::In(c, values) => {
            c == key && values.iter().all(|value| value.compare(from).is_some_and(Ordering::is_ge))
        }
        _ => false,
    })
}

fn below(facts: &[Condition], key: &str, to: &Value) -> bool {
    facts.iter().any(|fact| match fact {
        Condition::Compare(c, Comparison::Less, value) => {
            c == key && value.compare(to).is_some_and(Ordering::is_le)
        }
        Condition::Compare(c, Comparison::LessEqual | Comparison::Equal, value) => {
            c == key && value.compare(to).is_some_and(Ordering::is_lt)
        }
        Condition::In(c, values) => {
            c == key && values.iter().all(|value| value.compare(to).is_some_and(Ordering::is_lt))
        }
        _ => false,
    })
}

fn value_of(expr: &Expr) -> Option<Value> {
    match expr.literal.as_ref()? {
        Literal::Null => Some(Value::Null),
        Literal::Bool(b) => Some(Value::Text(b.to_string())),
        Literal::Number(n) => n.parse().ok().map(Value::Number),
        Literal::String(s) => Some(match s.parse::<f64>() {
            Ok(n) => Value::Number(n),
            Err(_) => Value::Text(s.clone()),
        }),
    }
}

fn is_unbounded(expr: &Expr, word: &str) -> bool {
    expr.bare_column.as_ref().is_some_and(|column| *column == word)
}

/// The conditions that hold for every row by these constraints, one by one.
fn proven<'a>(
    constraints: impl Iterator<Item = &'a Constraint>,
    leaving: &FxHashSet<&str>,
) -> Vec<Condition> {
    let mut all = Vec::new();
    for constraint in constraints {
        if let ConstraintDetail::Check { text, .. } = &constraint.detail
            && constraint.validated
            && constraint.enforced
            && !leaving.contains(constraint.name.as_str())
        {
            flatten(read(text), &mut all);
        }
    }
    all
}

fn flatten(condition: Condition, into: &mut Vec<Condition>) {
    match condition {
        Condition::And(parts) => parts.into_iter().for_each(|part| flatten(part, into)),
        other => into.push(other),
    }
}

/// Nesting beyond this isn't followed.
const DEEPEST: usize = 40;

fn read(text: &str) -> Condition {
    let mut lexer = Lexer::new(text, 0..text.len());
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    let mut reader = Reader { text, tokens: &tokens, at: 0, depth: 0 };
    let condition = reader.or();
    if reader.at == tokens.len() { condition } else { Condition::Unknown }
}

/// NOT of a condition. In three-valued logic too, NOT (a AND b) is NOT a OR NOT b.
fn negated(condition: Condition) -> Condition {
    match condition {
        Condition::IsNull(column) => Condition::NotNull(column),
        Condition::NotNull(column) => Condition::IsNull(column),
        Condition::And(parts) => Condition::Or(parts.into_iter().map(negated).collect()),
        Condition::Or(parts) => Condition::And(parts.into_iter().map(negated).collect()),
        Condition::Compare(column, comparison, value) => match comparison {
            Comparison::Less => Condition::Compare(column, Comparison::GreaterEqual, value),
            Comparison::LessEqual => Condition::Compare(column, Comparison::Greater, value),
            Comparison::GreaterEqual => Condition::Compare(column, Comparison::Less, value),
            Comparison::Greater => Condition::Compare(column, Comparison::LessEqual, value),
            Comparison::Equal => Condition::Unknown,
        },
        Condition::In(..) | Condition::Unknown => Condition::Unknown,
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn kind(&self) -> Option<TokenKind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn written(&self) -> String {
        self.tokens.get(self.at).map(|token| token.span.of(self.text).to_owned()).unwrap_or_default()
    }

    fn take(&mut self, kind: TokenKind) -> bool {
        let there = self.kind() == Some(kind);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.kind() == Some(TokenKind::Word) && self.written().eq_ignore_ascii_case(word);
        self.at += usize::from(there);
        there
    }

    fn or(&mut self) -> Condition {
        let mut parts = vec![self.and()];
        while self.word("or") {
            parts.push(self.and());
        }
        if parts.len() == 1 { parts.remove(0) } else { Condition::Or(parts) }
    }

    fn and(&mut self) -> Condition {
        let mut parts = vec![self.not()];
        while self.word("and") {
            parts.push(self.not());
        }
        if parts.len() == 1 { parts.remove(0) } else { Condition::And(parts) }
    }

    fn not(&mut self) -> Condition {
        if self.word("not") {
            return negated(self.not());
        }
        let start = self.at;
        if self.depth < DEEPEST && self.take(TokenKind::LeftParen) {
            self.depth += 1;
            let inner = self.or();
            self.depth -= 1;
            // A parenthesis that goes on as an operand, `(a) IS NOT NULL`, is read as one below.
            if self.take(TokenKind::RightParen) && self.at_end_of_atom() {
                return inner;
            }
        }
        self.at = start;
        let atom = self.atom();
        match atom {
            Some(atom) if self.at_end_of_atom() => atom,
            _ => {
                self.at = start;
                self.skip_atom();
                Condition::Unknown
            }
        }
    }

    fn at_end_of_atom(&self) -> bool {
        match self.kind() {
            None | Some(TokenKind::RightParen) => true,
            Some(TokenKind::Word) => {
                let word = self.written();
                word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or")
            }
            _ => false,
        }
    }

    fn skip_atom(&mut self) {
        let mut open = 0;
        loop {
            match self.kind() {
                None => return,
                Some(TokenKind::LeftParen) => open += 1,
                Some(TokenKind::RightParen) if open == 0 => return,
                Some(TokenKind::RightParen) => open -= 1,
                _ if open == 0 && self.at_end_of_atom() => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn atom(&mut self) -> Option<Condition> {
        let start = self.at;
        if let Some(column) = self.column() {
            if self.word("is") {
                let not = self.word("not");
                let found = if not { Condition::NotNull(column) } else { Condition::IsNull(column) };
                return self.word("null").then_some(found);
            }
            if self.word("between") {
                let low = self.value()?;
                if !self.word("and") {
                    return None;
                }
                let high = self.value()?;
                return Some(Condition::And(vec![
                    Condition::Compare(column.clone(), Comparison::GreaterEqual, low),
                    Condition::Compare(column, Comparison::LessEqual, high),
                ]));
            }
            if self.word("in") {
                return self
                    .values(TokenKind::LeftParen, TokenKind::RightParen)
                    .map(|v| Condition::In(column, v));
            }
            let comparison = self.comparison()?;
            if comparison == Comparison::Equal && self.word("any") {
                let parens = self.take(TokenKind::LeftParen);
                let array = self.word("array");
                let values = self.values(TokenKind::LeftBracket, TokenKind::RightBracket)?;
                self.cast();
                return (parens && array && self.take(TokenKind::RightParen))
                    .then_some(Condition::In(column, values));
            }
            return self.value().map(|value| Condition::Compare(column, comparison, value));
        }
        self.at = start;
        let value = self.value()?;
        let comparison = match self.comparison()? {
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::Equal => Comparison::Equal,
            Comparison::GreaterEqual => Comparison::LessEqual,
            Comparison::Greater => Comparison::Less,
        };
        Some(Condition::Compare(self.column()?, comparison, value))
    }

    /// A column, maybe in parentheses, cast or qualified.
    fn column(&mut self) -> Option<String> {
        if self.take(TokenKind::LeftParen) {
            let inner = self.column()?;
            if !self.take(TokenKind::RightParen) {
                return None;
            }
            self.cast();
            return Some(inner);
        }
        let mut name = self.identifier()?;
        while self.take(TokenKind::Dot) {
            name = self.identifier()?;
        }
        // A function call, or `DATE '2024-01-01'`.
        if matches!(self.kind(), Some(TokenKind::LeftParen | TokenKind::String)) {
            return None;
        }
        self.cast();
        Some(name)
    }

    fn identifier(&mut self) -> Option<String> {
        let written = self.written();
        let name = match self.kind()? {
            TokenKind::Word => written.to_lowercase(),
            TokenKind::Quoted => written.trim_matches('"').replace("\"\"", "\""),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        if self.kind()? != TokenKind::Operator {
            return None;
        }
        let comparison = match self.written().as_str() {
            "<" => Comparison::Less,
            "<=" => Comparison::LessEqual,
            "=" => Comparison::Equal,
            ">=" => Comparison::GreaterEqual,
            ">" => Comparison::Greater,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn values(&mut self, open: TokenKind, close: TokenKind) -> Option<Vec<Value>> {
        if !self.take(open) {
            return None;
        }
        let mut values = vec![self.value()?];
        while self.take(TokenKind::Comma) {
            values.push(self.value()?);
        }
        self.take(close).then_some(values)
    }

    fn value(&mut self) -> Option<Value> {
        if self.take(TokenKind::LeftParen) {
            let inner = self.value()?;
            if !self.take(TokenKind::RightParen) {
                return None;
            }
            self.cast();
            return Some(inner);
        }
        let negative = self.kind() == Some(TokenKind::Operator) && self.written() == "-";
        self.at += usize::from(negative);
        // `DATE '…'`
        if self.kind() == Some(TokenKind::Word)
            && self.tokens.get(self.at + 1).is_some_and(|next| next.kind == TokenKind::String)
        {
            self.at += 1;
        }
        let written = self.written();
        let value = match self.kind()? {
            TokenKind::Number => {
                let number: f64 = written.parse().ok()?;
                Value::Number(if negative { -number } else { number })
            }
            TokenKind::String if !negative => {
                let text = written.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
                text.parse().map_or(Value::Text(text), Value::Number)
            }
            TokenKind::Word if written.eq_ignore_ascii_case("null") => Value::Null,
            TokenKind::Word
                if written.eq_ignore_ascii_case("true") || written.eq_ignore_ascii_case("false") =>
            {
                Value::Text(written.to_lowercase())
            }
            _ => return None,
        };
        self.at += 1;
        self.cast();
        Some(value)
    }

    /// Passes over `::type(…)`, also `::timestamp with time zone`.
    fn cast(&mut self) {
        while self.take(TokenKind::DoubleColon) {
            while self.kind() == Some(TokenKind::Word) || self.kind() == Some(TokenKind::Quoted) {
                let word = self.written().to_lowercase();
                let goes_on =
                    matches!(word.as_str(), "with" | "without" | "time" | "zone" | "varying" | "precision");
                if matches!(word.as_str(), "and" | "or" | "is" | "in" | "between" | "not") && !goes_on {
                    break;
                }
                self.at += 1;
                self.take(TokenKind::Dot);
            }
            if self.kind() == Some(TokenKind::LeftParen) {
                while self.kind().is_some_and(|kind| kind != TokenKind::RightParen) {
                    self.at += 1;
                }
                self.take(TokenKind::RightParen);
            }
            if self.take(TokenKind::LeftBracket) {
                self.take(TokenKind::RightBracket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Vec<Condition> {
        let mut all = Vec::new();
        flatten(read(text), &mut all);
        all
    }

    #[test]
    fn forms_of_not_null() {
        let column = || Condition::NotNull("a".into());
        for text in
            ["a IS NOT NULL", "(a) is not null", "((a IS NOT NULL))", "NOT (a IS NULL)", "t.a IS NOT NULL"]
        {
            assert_eq!(facts(text), [column()], "{text}");
        }
        assert!(facts("a IS NOT NULL AND length(b) > 3 AND (x OR y)").contains(&column()));
        assert!(!facts("a IS NOT NULL OR b IS NOT NULL").contains(&column()));
        assert!(!facts("a > 0").contains(&column()));
        assert!(!facts("coalesce(a, b) IS NOT NULL").contains(&column()));
    }

    #[test]
    fn comparisons() {
        assert_eq!(
            facts("id >= 200 AND 300 > id"),
            [
                Condition::Compare("id".into(), Comparison::GreaterEqual, Value::Number(200.0)),
                Condition::Compare("id".into(), Comparison::Less, Value::Number(300.0)),
            ]
        );
        let day = || Value::Text("2024-01-01".into());
        let at = |c| Condition::Compare("at".into(), c, day());
        assert_eq!(facts("at >= '2024-01-01'::timestamp with time zone"), [at(Comparison::GreaterEqual)]);
        assert_eq!(facts("at < DATE '2024-01-01'"), [at(Comparison::Less)]);
        assert_eq!(
            facts("k = ANY (ARRAY['a'::text, 'b'::text])"),
            [Condition::In("k".into(), vec![Value::Text("a".into()), Value::Text("b".into())])]
        );
        assert_eq!(
            Value::Text("2024-01-01".into()).compare(&Value::Text("2024-02-01".into())),
            Some(Ordering::Less)
        );
        assert_eq!(Value::Text("b".into()).compare(&Value::Text("a".into())), None);
    }
}
