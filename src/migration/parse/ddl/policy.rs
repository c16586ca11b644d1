//! Row security policies.

use super::object::roles;
use super::{Head, object::address};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::statement::{Body, ObjectKind, PolicyExpressions};

/// CREATE POLICY, from POLICY on.
pub fn create_policy(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("policy")?;
    let name = c.ident("a policy name")?;
    c.expect("on")?;
    let table = c.name("a table")?;
    let mut permissive = true;
    if c.eat("as") {
        permissive = !c.eat("restrictive");
        if permissive {
            c.expect("permissive")?;
        }
    }
    if c.eat("for") && c.eat_any(&["all", "select", "insert", "update", "delete"]).is_none() {
        return Err(c.expected("ALL, SELECT, INSERT, UPDATE or DELETE"));
    }
    let expressions = roles_and_expressions(c)?;
    Ok(Body::CreatePolicy { name, table, permissive, expressions })
}

/// ALTER POLICY, from behind POLICY on.
pub fn alter_policy(c: &mut Cursor<'_>) -> Parsed<Body> {
    let if_exists = c.if_exists();
    let policy = address(c, ObjectKind::Policy)?;
    let (name, table) = (policy.name.name, policy.on_table.unwrap_or_default());
    if if_exists || c.is("rename") {
        c.expect_seq(&["rename", "to"])?;
        let rename_to = Some(c.ident("a policy name")?);
        return Ok(Body::AlterPolicy { name, table, rename_to, expressions: PolicyExpressions::default() });
    }
    let expressions = roles_and_expressions(c)?;
    Ok(Body::AlterPolicy { name, table, rename_to: None, expressions })
}

/// `[TO roles] [USING (…)] [WITH CHECK (…)]`.
fn roles_and_expressions(c: &mut Cursor<'_>) -> Parsed<PolicyExpressions> {
    let mut expressions = PolicyExpressions::default();
    if c.eat("to") {
        roles(c)?;
    }
    if c.eat("using") {
        c.open()?;
        expressions.using = Some(Box::new(expr(c)?));
        c.close()?;
    }
    if c.eat_seq(&["with", "check"]) {
        c.open()?;
        expressions.check = Some(Box::new(expr(c)?));
        c.close()?;
    }
    Ok(expressions)
}
