//! PARTITION BY and the bounds of partitions.

use super::index::key_expression;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::statement::{Expr, PartitionBound, PartitionBy, PartitionStrategy};

/// `PARTITION BY strategy ( key, … )`, or nothing.
pub fn partition_by(c: &mut Cursor<'_>) -> Parsed<Option<PartitionBy>> {
    if !c.eat_seq(&["partition", "by"]) {
        return Ok(None);
    }
    let strategy = if c.eat("list") {
        PartitionStrategy::List
    } else if c.eat("range") {
        PartitionStrategy::Range
    } else if c.eat("hash") {
        PartitionStrategy::Hash
    } else {
        return Err(c.expected("LIST, RANGE or HASH"));
    };
    let keys = c.paren_list(|c| {
        let key = key_expression(c)?;
        if c.eat("collate") {
            c.name("a collation")?;
        }
        if c.at_ident() {
            c.name("an operator class")?;
        }
        Ok(key)
    })?;
    Ok(Some(PartitionBy { strategy, keys }))
}

/// `PartitionBoundSpec`: FOR VALUES … or DEFAULT.
pub fn partition_bound(c: &mut Cursor<'_>) -> Parsed<PartitionBound> {
    if c.eat("default") {
        return Ok(PartitionBound::Default);
    }
    c.expect_seq(&["for", "values"])?;
    if c.eat("in") {
        return Ok(PartitionBound::In(c.paren_list(expr)?));
    }
    if c.eat("from") {
        let from: Vec<Expr> = c.paren_list(expr)?;
        c.expect("to")?;
        return Ok(PartitionBound::Range { from, to: c.paren_list(expr)? });
    }
    c.expect("with")?;
    let (mut modulus, mut remainder) = (None, None);
    c.paren_list(|c| {
        let part = if c.eat("modulus") {
            &mut modulus
        } else if c.eat("remainder") {
            &mut remainder
        } else {
            return Err(c.expected("MODULUS or REMAINDER"));
        };
        *part = Some(c.integer("a whole number")?);
        Ok(())
    })?;
    match (modulus, remainder) {
        (Some(modulus), Some(remainder)) => Ok(PartitionBound::Hash { modulus, remainder }),
        _ => Err(c.expected("MODULUS and REMAINDER")),
    }
}
