//! Functions, procedures and aggregates.

use compact_str::CompactString;

use super::object::address;
use super::options::{definition, numeric};
use super::setting::set_clause;
use super::{Head, other};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::plpgsql;
use crate::migration::parse::query::{at_query, query};
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{
    Body, CreateRoutine, DropName, Inner, ObjectKind, Query, Routine, Statement, TypeName, Volatility,
};
use crate::source::Span;

/// One argument of a routine.
struct Argument {
    name: Option<CompactString>,
    /// OUT arguments are not part of what identifies a routine.
    input: bool,
    type_name: TypeName,
    /// A call may leave it out.
    optional: bool,
    /// A call may give many.
    variadic: bool,
}

/// The options of CREATE and ALTER FUNCTION.
#[derive(Default)]
struct Options {
    language: Option<CompactString>,
    volatility: Option<Volatility>,
    security_definer: Option<bool>,
    sets: Vec<CompactString>,
    /// RESET; `all` for all of them.
    resets: Vec<CompactString>,
    source: Option<Span>,
    /// The index of the token that holds it.
    source_at: Option<usize>,
}

/// CREATE FUNCTION and CREATE PROCEDURE, from that word on.
pub fn create_routine(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    let procedure = c.eat("procedure");
    if !procedure {
        c.expect("function")?;
    }
    let name = c.routine_name(if procedure { "a procedure name" } else { "a function name" })?;
    let arguments = arguments(c, true)?;
    let required = (!arguments.iter().any(|argument| argument.variadic))
        .then(|| arguments.iter().filter(|argument| argument.input && !argument.optional).count());
    let parameters: Vec<CompactString> =
        arguments.iter().filter_map(|argument| argument.name.clone()).collect();
    let arguments = types_of_input(arguments);
    let (mut returns, mut returns_table) = (None, false);
    if !procedure && c.is("returns") && !c.is_nth(1, "null") {
        c.bump();
        if c.eat("table") {
            returns_table = true;
            c.paren_list(|c| {
                c.type_or_function_ident("a column name")?;
                function_type(c)
            })?;
        } else {
            returns = Some(function_type(c)?);
        }
    }
    let mut options = Options::default();
    let mut options_read = true;
    while options_read {
        options_read = option(c, &mut options, true)?;
    }
    let mut body = sql_body(c)?;
    let atomic = body.is_some();
    // Bodies in SQL are wanted wherever the server inlines them.
    let unread = c.skims && options.source.is_some() && options.language.as_deref() == Some("plpgsql");
    if let (None, Some(language), Some(at), false) = (&body, &options.language, options.source_at, unread) {
        body = plpgsql::body_of(&c.at_index(at), language, &parameters);
    }
    Ok(Body::CreateRoutine(Box::new(CreateRoutine {
        procedure,
        replace: head.replace,
        name,
        arguments,
        parameters,
        required,
        returns,
        returns_table,
        language: options.language.or_else(|| body.is_some().then(|| "sql".into())),
        volatility: options.volatility.unwrap_or_default(),
        security_definer: options.security_definer.unwrap_or(false),
        sets: options.sets,
        source: options.source,
        body: body.map(Box::new),
        atomic,
        unread,
    })))
}

/// `func_type`: a type, maybe SETOF, maybe `table.column%TYPE`.
fn function_type(c: &mut Cursor<'_>) -> Parsed<TypeName> {
    type_name(c)
}

fn types_of_input(arguments: Vec<Argument>) -> Vec<TypeName> {
    arguments.into_iter().filter(|argument| argument.input).map(|argument| argument.type_name).collect()
}

/// `( argument, … )`, maybe empty.
fn arguments(c: &mut Cursor<'_>, defaults: bool) -> Parsed<Vec<Argument>> {
    c.open()?;
    if c.eat_kind(TokenKind::RightParen) {
        return Ok(Vec::new());
    }
    let arguments = c.list(|c| argument(c, defaults))?;
    c.close()?;
    Ok(arguments)
}

/// The types in `( argument, … )` that identify a routine.
pub fn argument_types(c: &mut Cursor<'_>) -> Parsed<Vec<TypeName>> {
    Ok(types_of_input(arguments(c, false)?))
}

/// `aggr_args`: `(*)`, `(arguments)`, `([arguments] ORDER BY arguments)`.
pub fn aggregate_argument_types(c: &mut Cursor<'_>) -> Parsed<Vec<TypeName>> {
    c.open()?;
    let mut all = Vec::new();
    if !c.eat_operator("*") {
        if !c.is("order") {
            all = c.list(|c| argument(c, false))?;
        }
        if c.eat_seq(&["order", "by"]) {
            all.extend(c.list(|c| argument(c, false))?);
        }
    }
    c.close()?;
    Ok(types_of_input(all))
}

/// `func_arg`: mode and name in either order, then the type, then maybe a default.
fn argument(c: &mut Cursor<'_>, defaults: bool) -> Parsed<Argument> {
    let mut variadic = c.is("variadic");
    let mut input = mode(c);
    // A lone word is a type; before another type it is the argument's name.
    let mut probe = *c;
    let mut name = None;
    let type_name = match function_type(&mut probe) {
        Ok(type_name) if at_argument_end(&probe) => {
            *c = probe;
            type_name
        }
        _ => {
            name = Some(c.type_or_function_ident("an argument's name or type")?.value);
            variadic |= c.is("variadic");
            input = input.or_else(|| mode(c));
            function_type(c)?
        }
    };
    let optional = defaults && (c.eat("default") || c.eat_operator("="));
    if optional {
        expr(c)?;
    }
    Ok(Argument { name, input: input.unwrap_or(true), type_name, optional, variadic })
}

/// `arg_class`: whether an argument of the mode written here takes input; `None`: no mode is written.
fn mode(c: &mut Cursor<'_>) -> Option<bool> {
    if c.eat("in") {
        c.eat("out");
        return Some(true);
    }
    // OUT and INOUT are reserved for this; VARIADIC is a reserved word.
    if c.eat("inout") || c.eat("variadic") {
        return Some(true);
    }
    c.eat("out").then_some(false)
}

fn at_argument_end(c: &Cursor<'_>) -> bool {
    match c.kind() {
        None | Some(TokenKind::Comma | TokenKind::RightParen) => true,
        Some(TokenKind::Operator) => c.is_operator("="),
        _ => c.is("default") || c.is_seq(&["order", "by"]),
    }
}

/// Reads one option (`createfunc_opt_item`, `common_func_opt_item`); whether there was one.
/// `create`: AS, LANGUAGE, TRANSFORM and WINDOW are allowed.
fn option(c: &mut Cursor<'_>, options: &mut Options, create: bool) -> Parsed<bool> {
    if create && c.eat("as") {
        options.source = source_span(c);
        options.source_at = Some(c.index());
        c.pass_string("the routine's source")?;
        if c.comma() {
            c.string("a link symbol")?;
            options.source = None;
            options.source_at = None;
        }
    } else if create && c.eat("language") {
        options.language = Some(language(c)?);
    } else if create && c.eat("transform") {
        c.list(|c| {
            c.expect_seq(&["for", "type"])?;
            type_name(c)
        })?;
    } else if create && c.eat("window") {
    } else if c.eat("immutable") {
        options.volatility = Some(Volatility::Immutable);
    } else if c.eat("stable") {
        options.volatility = Some(Volatility::Stable);
    } else if c.eat("volatile") {
        options.volatility = Some(Volatility::Volatile);
    } else if c.eat("strict")
        || c.eat("leakproof")
        || c.eat_seq(&["not", "leakproof"])
        || c.eat_seq(&["called", "on", "null", "input"])
        || c.eat_seq(&["returns", "null", "on", "null", "input"])
    {
    } else if c.is("security") || c.is_seq(&["external", "security"]) {
        c.eat("external");
        c.bump();
        let definer = c.eat("definer");
        if !definer {
            c.expect("invoker")?;
        }
        options.security_definer = Some(definer);
    } else if c.eat("cost") || c.eat("rows") {
        numeric(c)?;
    } else if c.eat("support") {
        c.name("a support function")?;
    } else if c.eat("parallel") {
        c.ident("SAFE, RESTRICTED or UNSAFE")?;
    } else if c.is("set") || c.is("reset") {
        if c.is("reset") {
            options.resets.push(set_clause(c)?.unwrap_or_else(|| "all".into()));
        } else {
            options.sets.extend(set_clause(c)?);
        }
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// A language's name, folded; it may be written as a string.
fn language(c: &mut Cursor<'_>) -> Parsed<CompactString> {
    if c.at_string() {
        return Ok(c.string("a language")?.to_ascii_lowercase().into());
    }
    Ok(c.ident("a language")?.value)
}

/// Where the text of the string here stands, when it is written exactly as it reads.
fn source_span(c: &Cursor<'_>) -> Option<Span> {
    // Inside the value of another literal nothing stands in the file as it reads.
    if c.place().is_some() {
        return None;
    }
    let token = c.peek()?;
    let written = c.str(token);
    let quote = match token.kind {
        TokenKind::DollarString => written.get(1..)?.find('$')? + 2,
        TokenKind::String if written.starts_with('\'') => {
            let inner = written.get(1..written.len().checked_sub(1)?)?;
            let continued = c.nth(1).is_some_and(|next| next.kind == TokenKind::String);
            if inner.contains('\'') || continued {
                return None;
            }
            1
        }
        _ => return None,
    };
    let range = token.span.range();
    (range.end - range.start >= 2 * quote).then(|| Span::new(range.start + quote, range.end - quote))
}

/// `opt_routine_body`: RETURN expression, or BEGIN ATOMIC … END.
fn sql_body(c: &mut Cursor<'_>) -> Parsed<Option<Routine>> {
    if c.is("return") {
        let statement = inner_statement(c)?;
        return Ok(Some(Routine { statements: vec![statement], ..Routine::default() }));
    }
    if !c.eat_seq(&["begin", "atomic"]) {
        return Ok(None);
    }
    let mut routine = Routine::default();
    while !c.eat("end") {
        if c.eat_kind(TokenKind::Semicolon) {
            continue;
        }
        routine.statements.push(inner_statement(c)?);
        c.expect_kind(TokenKind::Semicolon, "`;`")?;
    }
    Ok(Some(routine))
}

/// A statement of an SQL body.
fn inner_statement(c: &mut Cursor<'_>) -> Parsed<Inner> {
    let first = c.index();
    let body = if c.eat("return") {
        let value = expr(c)?;
        Body::Query(Box::new(Query {
            span: value.span,
            uses: value.uses,
            calls: value.calls,
            ..Query::default()
        }))
    } else if at_query(c) {
        Body::Query(Box::new(query(c)?))
    } else {
        match c.deeper(|c| super::statement(c).unwrap_or_else(|| Err(c.expected("a statement"))))? {
            Body::NotUnderstood => return Err(c.expected("a statement")),
            body => body,
        }
    };
    let statement = Statement { span: c.span_since(first), body, problems: Vec::new() };
    Ok(Inner {
        statement,
        conditional: false,
        in_loop: false,
        loop_commits: false,
        few_rounds: false,
        dynamic: false,
        partial: false,
    })
}

/// ALTER FUNCTION, PROCEDURE, ROUTINE with options, from behind the address on.
pub fn alter_routine(c: &mut Cursor<'_>, kind: ObjectKind, target: DropName) -> Parsed<Body> {
    let mut options = Options::default();
    if !option(c, &mut options, false)? {
        return Err(c.expected("what to alter"));
    }
    while option(c, &mut options, false)? {}
    c.eat("restrict");
    Ok(Body::AlterRoutine {
        kind,
        name: target.name,
        arguments: target.arguments,
        volatility: options.volatility,
        security_definer: options.security_definer,
        sets: options.sets,
        resets: options.resets,
    })
}

/// CREATE AGGREGATE, from AGGREGATE on.
pub fn create_aggregate(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("aggregate")?;
    // The form of old names the base type among the options.
    let mut probe = *c;
    let name = probe.routine_name("an aggregate's name")?;
    probe.open()?;
    if probe.label("").is_ok() && probe.is_operator("=") {
        c.routine_name("an aggregate's name")?;
    } else {
        address(c, ObjectKind::Aggregate)?;
    }
    definition(c)?;
    Ok(other("CREATE AGGREGATE", Some(name)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, CreateRoutine, Volatility};

    fn routine(sql: &str) -> CreateRoutine {
        match read(sql) {
            Body::CreateRoutine(routine) => *routine,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn options_in_any_order() {
        let sql = "CREATE OR REPLACE FUNCTION s.f(a int, b s.t.c%TYPE, OUT d text, VARIADIC e text[] DEFAULT '{}', double precision = 1) \
                   RETURNS SETOF text AS $x$ SELECT 1 $x$ COST 5 STABLE SECURITY DEFINER SET search_path TO s, pg_temp \
                   PARALLEL SAFE LANGUAGE 'SQL' ROWS 10 STRICT";
        let f = routine(sql);
        assert_eq!(f.source.unwrap().of(sql), " SELECT 1 ");
        let types: Vec<&str> = f.arguments.iter().map(|t| t.name.name.as_str()).collect();
        assert_eq!(types, ["int4", "c", "text", "float8"]);
        assert_eq!(
            (f.volatility, f.security_definer, f.language.as_deref()),
            (Volatility::Stable, true, Some("sql"))
        );
        assert_eq!(f.sets, ["search_path"]);
        assert!(f.returns.unwrap().set_of);
    }

    #[test]
    fn bodies() {
        let f = routine("CREATE FUNCTION f() RETURNS TABLE (a int, b text) LANGUAGE sql AS 'SELECT ''x'''");
        assert!(f.returns_table && f.returns.is_none() && f.source.is_none());
        let f = routine("CREATE FUNCTION f(a int) RETURNS int RETURN a + 1");
        assert_eq!(f.body.unwrap().statements.len(), 1);
        let p = routine("CREATE PROCEDURE p() BEGIN ATOMIC DELETE FROM t; SELECT 1; END");
        assert!(p.procedure);
        assert_eq!(p.body.unwrap().statements.len(), 2);
        assert!(routine("CREATE FUNCTION f() RETURNS int AS 'lib', 'sym' LANGUAGE C").source.is_none());
    }

    #[test]
    fn other_statements() {
        all_read(&[
            "CREATE AGGREGATE a (int) (sfunc = f, stype = int, initcond = '0', sortop = >)",
            "CREATE AGGREGATE a (basetype = 'ANY', sfunc = f, stype = int)",
            "CREATE OR REPLACE AGGREGATE a (VARIADIC \"any\" ORDER BY VARIADIC \"any\") (sfunc = f, stype = internal, hypothetical)",
            "ALTER FUNCTION f(int) IMMUTABLE SECURITY INVOKER RESET ALL RESTRICT",
            "ALTER FUNCTION f RENAME TO g",
            "ALTER ROUTINE f(int) DEPENDS ON EXTENSION e",
            "ALTER PROCEDURE p SET work_mem = '4MB'",
            "CREATE FUNCTION f(internal) RETURNS int TRANSFORM FOR TYPE a, FOR TYPE b WINDOW LEAKPROOF SUPPORT s.g LANGUAGE c AS 'x'",
            "CREATE FUNCTION f(IN OUT a int, b INOUT text) RETURNS record CALLED ON NULL INPUT LANGUAGE sql AS ''",
            "CREATE FUNCTION f() RETURNS trigger RETURNS NULL ON NULL INPUT LANGUAGE plpgsql AS $$begin end$$",
        ]);
        all_refused(&[
            "ALTER FUNCTION f(int)",
            "CREATE FUNCTION f RETURNS int LANGUAGE sql AS ''",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS '' BOGUS",
        ]);
    }
}
