//! COMMENT ON and SECURITY LABEL.

use super::object::{address, object_kind};
use super::setting::word_or_string;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, ObjectKind};

/// COMMENT ON.
pub fn comment(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["comment", "on"])?;
    labelled(c, false)
}

/// SECURITY LABEL.
pub fn security_label(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["security", "label"])?;
    if c.eat("for") {
        word_or_string(c)?;
    }
    c.expect("on")?;
    labelled(c, true)
}

/// The object and its text.
fn labelled(c: &mut Cursor<'_>, security_label: bool) -> Parsed<Body> {
    let before = *c;
    let mut kind = object_kind(c)?;
    if matches!(kind, ObjectKind::Group | ObjectKind::User | ObjectKind::UserMapping | ObjectKind::Attribute)
    {
        return Err(before.expected("a kind of object"));
    }
    if kind == ObjectKind::Constraint && c.is_nth(1, "on") && c.is_nth(2, "domain") && !c.is_nth(3, "is") {
        kind = ObjectKind::DomainConstraint;
    }
    let target = address(c, kind)?;
    c.expect("is")?;
    if !c.eat("null") {
        c.string("a string or NULL")?;
    }
    Ok(Body::Comment { kind, name: Some(target.name), on_table: target.on_table, security_label })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, ObjectKind};

    #[test]
    fn comments() {
        let Body::Comment { kind, name, on_table, .. } = read("COMMENT ON COLUMN s.t.c IS 'x'") else {
            panic!()
        };
        assert_eq!(
            (kind, name.unwrap().to_string(), on_table.unwrap().to_string()),
            (ObjectKind::Column, "c".into(), "s.t".into())
        );
        assert!(matches!(
            read("COMMENT ON CONSTRAINT c ON DOMAIN d IS NULL"),
            Body::Comment { kind: ObjectKind::DomainConstraint, .. }
        ));
        all_read(&[
            "COMMENT ON TABLE t IS E'a\\n'",
            "COMMENT ON FUNCTION f(int) IS 'x'",
            "COMMENT ON CONSTRAINT c ON t IS 'x'",
            "COMMENT ON LARGE OBJECT 42 IS 'x'",
            "COMMENT ON OPERATOR ^ (NONE, text) IS 'x'",
            "SECURITY LABEL FOR selinux ON TABLE t IS 'x'",
        ]);
        all_refused(&["COMMENT ON t IS 'x'", "COMMENT ON TABLE t IS x", "COMMENT ON TABLE t"]);
    }
}
