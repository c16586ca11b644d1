//! Statements that run things: transactions, settings, maintenance, COPY, DO, EXPLAIN and cursors.

use compact_str::CompactString;

use super::cursor::{Cursor, Parsed, fold};
use super::lex::TokenKind;
use super::split::Piece;
use super::{query, read_body};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    Body, Call, Copy, CreateTableAs, DoBlock, Expr, Ident, LockTable, Name, Other, Reindex, ReindexTarget,
    SetScope, SetSetting, Statement, TransactionControl, Truncate, Vacuum,
};

/// Reads a statement of this file; `None` where its first word begins none.
pub fn statement(c: &mut Cursor<'_>, piece: &Piece) -> Option<Parsed<Body>> {
    let first = c.word_at(0)?.to_ascii_lowercase();
    Some(match first.as_str() {
        "set" => set(c),
        "reset" => reset(c),
        "show" => show(c),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            transaction(c)
        }
        "prepare" if c.is_nth(1, "transaction") => transaction(c),
        "prepare" => prepare(c),
        "execute" => execute(c),
        "deallocate" => deallocate(c),
        "explain" => explain(c, piece),
        "copy" => copy(c, piece),
        "declare" => declare(c),
        "fetch" | "move" => fetch(c),
        "close" => close(c),
        "listen" | "unlisten" | "notify" => notify(c),
        "checkpoint" => checkpoint(c),
        "discard" => discard(c),
        "load" => load(c),
        "do" => do_block(c),
        "call" => call(c),
        "lock" => lock(c),
        "truncate" => truncate(c),
        "analyze" | "analyse" => analyze(c),
        "vacuum" => vacuum(c),
        "cluster" => cluster(c),
        "reindex" => reindex(c),
        "refresh" => refresh(c),
        "repack" => return None,
        _ => return None,
    })
}

fn other(kind: &'static str) -> Body {
    Body::Other(Box::new(Other { kind, name: None, uses: Vec::new() }))
}

// ---- settings ----

/// SET [SESSION | LOCAL] name { TO | = } value.
fn set(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("set")?;
    if c.eat("constraints") {
        let all = c.eat("all");
        let names = if all { Vec::new() } else { c.list(|c| c.name("a constraint"))? };
        let deferred = c.eat("deferred");
        if !deferred {
            c.expect("immediate")?;
        }
        return Ok(Body::SetConstraints { all, names, deferred });
    }
    if c.is_seq(&["session", "characteristics"]) {
        c.expect_seq(&["session", "characteristics", "as", "transaction"])?;
        transaction_modes(c)?;
        return Ok(setting("session characteristics", SetScope::Session, None, true));
    }
    let mut scope = SetScope::Session;
    if c.is("local") && !c.is_nth(1, "to") {
        c.bump();
        scope = SetScope::Local;
    } else if c.is("session") && !c.is_nth(1, "authorization") {
        c.bump();
    }
    if c.eat("transaction") {
        if c.eat("snapshot") {
            c.string("a snapshot")?;
        } else {
            transaction_modes(c)?;
        }
        return Ok(setting("transaction", scope, None, true));
    }
    if c.eat_seq(&["time", "zone"]) {
        let value = if c.eat_any(&["local", "default"]).is_some() {
            None
        } else if c.is("interval") {
            c.bump();
            if c.at(TokenKind::LeftParen) {
                c.skip_parens()?;
            }
            let value = c.string("an interval")?;
            if c.eat("hour") && c.eat("to") {
                c.expect("minute")?;
            }
            Some(value)
        } else {
            Some(value(c)?)
        };
        return Ok(setting("timezone", scope, value, false));
    }
    if c.eat_seq(&["session", "authorization"]) {
        let value = if c.eat("default") { None } else { Some(value(c)?) };
        return Ok(setting("session_authorization", scope, value, false));
    }
    for (word, name) in
        [("role", "role"), ("catalog", "catalog"), ("schema", "search_path"), ("names", "client_encoding")]
    {
        if c.is(word)
            && !c.is_nth(1, "to")
            && !c.nth(1).is_some_and(|t| c.str(t) == "=" || t.kind == TokenKind::Dot)
        {
            c.bump();
            if word == "names" && (c.is_done() || c.eat("default")) {
                return Ok(setting(name, scope, None, false));
            }
            return Ok(setting(name, scope, Some(value(c)?), false));
        }
    }
    if c.eat_seq(&["xml", "option"]) {
        if c.eat_any(&["document", "content"]).is_none() {
            return Err(c.expected("DOCUMENT or CONTENT"));
        }
        return Ok(setting("xmloption", scope, None, false));
    }
    let name = setting_name(c)?;
    if c.eat_seq(&["from", "current"]) {
        return Ok(setting(&name, scope, None, false));
    }
    if !c.eat("to") && !c.eat_operator("=") {
        return Err(c.expected("`TO` or `=`"));
    }
    if c.eat("default") {
        return Ok(setting(&name, scope, None, false));
    }
    let values = c.list(value)?;
    Ok(setting(&name, scope, Some(values.join(", ")), false))
}

fn setting(name: &str, scope: SetScope, value: Option<String>, transaction: bool) -> Body {
    Body::Set(Box::new(SetSetting { name: Some(name.into()), scope, value, transaction }))
}

/// A setting's name: `work_mem`, `plpgsql.variable_conflict`.
fn setting_name(c: &mut Cursor<'_>) -> Parsed<CompactString> {
    let mut name = c.label("a setting")?.value;
    while c.eat_kind(TokenKind::Dot) {
        name.push('.');
        name.push_str(&c.label("a setting")?.value);
    }
    name.make_ascii_lowercase();
    Ok(name)
}

/// One value: a string, a number with its sign, a word, a placeholder.
fn value(c: &mut Cursor<'_>) -> Parsed<String> {
    if c.at_string() {
        return c.string("a value");
    }
    let negative = c.eat_operator("-");
    if !negative {
        c.eat_operator("+");
    }
    if c.at(TokenKind::Number) {
        let token = c.expect_kind(TokenKind::Number, "a number")?;
        return Ok(format!("{}{}", if negative { "-" } else { "" }, c.str(token)));
    }
    Ok(c.label("a value")?.value.into())
}

fn reset(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("reset")?;
    let name = if c.eat("all") {
        None
    } else if c.eat_seq(&["time", "zone"]) {
        Some("timezone".into())
    } else if c.eat_seq(&["transaction", "isolation", "level"]) {
        Some("transaction_isolation".into())
    } else if c.eat_seq(&["session", "authorization"]) {
        Some("session_authorization".into())
    } else {
        Some(setting_name(c)?)
    };
    Ok(Body::Set(Box::new(SetSetting { name, scope: SetScope::Session, value: None, transaction: false })))
}

fn show(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("show")?;
    let special: [&[&str]; 3] =
        [&["time", "zone"], &["transaction", "isolation", "level"], &["session", "authorization"]];
    if !c.eat("all") && !special.iter().any(|words| c.eat_seq(words)) {
        setting_name(c)?;
    }
    Ok(other("SHOW"))
}

// ---- transactions ----

fn transaction(c: &mut Cursor<'_>) -> Parsed<Body> {
    let noise = |c: &mut Cursor<'_>| {
        c.eat_any(&["work", "transaction"]);
    };
    let chain = |c: &mut Cursor<'_>| -> Parsed<bool> {
        if !c.eat("and") {
            return Ok(false);
        }
        let no = c.eat("no");
        c.expect("chain")?;
        Ok(!no)
    };
    let control = if c.eat("begin") {
        noise(c);
        if !c.is_done() {
            transaction_modes(c)?;
        }
        TransactionControl::Begin
    } else if c.eat("start") {
        c.expect("transaction")?;
        if !c.is_done() {
            transaction_modes(c)?;
        }
        TransactionControl::Begin
    } else if c.eat("commit") || c.eat("end") {
        if c.eat("prepared") {
            c.string("a transaction's name")?;
            TransactionControl::CommitPrepared
        } else {
            noise(c);
            TransactionControl::Commit { chain: chain(c)? }
        }
    } else if c.eat("rollback") || c.eat("abort") {
        if c.eat("prepared") {
            c.string("a transaction's name")?;
            TransactionControl::RollbackPrepared
        } else {
            noise(c);
            if c.eat("to") {
                c.eat("savepoint");
                TransactionControl::RollbackTo(c.ident("a savepoint")?)
            } else {
                TransactionControl::Rollback { chain: chain(c)? }
            }
        }
    } else if c.eat("savepoint") {
        TransactionControl::Savepoint(c.ident("a savepoint")?)
    } else if c.eat("release") {
        c.eat("savepoint");
        TransactionControl::Release(c.ident("a savepoint")?)
    } else {
        c.expect_seq(&["prepare", "transaction"])?;
        c.string("a transaction's name")?;
        TransactionControl::Prepare
    };
    Ok(Body::Transaction(control))
}

fn transaction_modes(c: &mut Cursor<'_>) -> Parsed<()> {
    loop {
        if c.eat_seq(&["isolation", "level"]) {
            let level: [&[&str]; 4] = [
                &["serializable"],
                &["repeatable", "read"],
                &["read", "committed"],
                &["read", "uncommitted"],
            ];
            if !level.iter().any(|words| c.eat_seq(words)) {
                return Err(c.expected("an isolation level"));
            }
        } else if c.eat("read") {
            if c.eat_any(&["write", "only"]).is_none() {
                return Err(c.expected("WRITE or ONLY"));
            }
        } else if c.eat("deferrable") || c.eat_seq(&["not", "deferrable"]) {
        } else {
            return Err(c.expected("a transaction mode"));
        }
        c.comma();
        if c.is_done() {
            return Ok(());
        }
    }
}

// ---- prepared statements, cursors, notification ----

fn prepare(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("prepare")?;
    let name = c.ident("a name")?;
    if c.at(TokenKind::LeftParen) {
        c.paren_list(super::type_name::type_name)?;
    }
    c.expect("as")?;
    let query = query::query(c)?;
    Ok(Body::Prepare { name, query: Box::new(query) })
}

fn execute(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("execute")?;
    let name = c.ident("a prepared statement")?;
    if c.at(TokenKind::LeftParen) {
        c.paren_list(super::expression::expr)?;
    }
    Ok(Body::Execute { name })
}

fn deallocate(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("deallocate")?;
    c.eat("prepare");
    if !c.eat("all") {
        c.ident("a prepared statement")?;
    }
    Ok(other("DEALLOCATE"))
}

fn declare(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("declare")?;
    c.ident("a cursor")?;
    while c.eat_any(&["binary", "insensitive", "asensitive", "scroll"]).is_some()
        || c.eat_seq(&["no", "scroll"])
    {}
    c.expect("cursor")?;
    if c.eat_any(&["with", "without"]).is_some() {
        c.expect("hold")?;
    }
    c.expect("for")?;
    let query = query::query(c)?;
    Ok(Body::Other(Box::new(Other { kind: "DECLARE CURSOR", name: None, uses: query.uses })))
}

fn fetch(c: &mut Cursor<'_>) -> Parsed<Body> {
    let kind = if c.eat("fetch") { "FETCH" } else { "MOVE" };
    if kind == "MOVE" {
        c.expect("move")?;
    }
    if c.eat_any(&["next", "prior", "first", "last", "all"]).is_some() {
    } else if c.eat_any(&["absolute", "relative"]).is_some() {
        c.integer("a number")?;
    } else if c.eat_any(&["forward", "backward"]).is_some() {
        if !c.eat("all") && (c.at(TokenKind::Number) || c.is_operator("-")) {
            c.integer("a number")?;
        }
    } else if c.at(TokenKind::Number) || c.is_operator("-") {
        c.integer("a number")?;
    }
    c.eat_any(&["from", "in"]);
    c.ident("a cursor")?;
    Ok(other(kind))
}

fn close(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("close")?;
    if !c.eat("all") {
        c.ident("a cursor")?;
    }
    Ok(other("CLOSE"))
}

fn notify(c: &mut Cursor<'_>) -> Parsed<Body> {
    if c.eat("notify") {
        c.ident("a channel")?;
        if c.comma() {
            c.string("a payload")?;
        }
        return Ok(other("NOTIFY"));
    }
    if c.eat("listen") {
        c.ident("a channel")?;
        return Ok(other("LISTEN"));
    }
    c.expect("unlisten")?;
    if !c.eat_operator("*") {
        c.ident("a channel")?;
    }
    Ok(other("UNLISTEN"))
}

fn checkpoint(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("checkpoint")?;
    if c.at(TokenKind::LeftParen) {
        options(c)?;
    }
    Ok(other("CHECKPOINT"))
}

fn discard(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("discard")?;
    match c.eat_any(&["all", "plans", "sequences", "temp", "temporary"]) {
        Some(what) => Ok(Body::Discard { all: what == "all" }),
        None => Err(c.expected("ALL, PLANS, SEQUENCES or TEMP")),
    }
}

fn load(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("load")?;
    c.string("a file")?;
    Ok(other("LOAD"))
}

// ---- EXPLAIN, COPY ----

fn explain(c: &mut Cursor<'_>, piece: &Piece) -> Parsed<Body> {
    c.expect("explain")?;
    let mut analyze = false;
    if c.at(TokenKind::LeftParen) && !query::at_query(c) {
        for (name, value) in options(c)? {
            if name == "analyze" || name == "analyse" {
                analyze = is_on(&value);
            }
        }
    } else {
        analyze = c.eat_any(&["analyze", "analyse"]).is_some();
        c.eat("verbose");
    }
    let first = c.index();
    let body = c.deeper(|c| read_body(c, piece))?;
    let statement = Statement { span: c.span_since(first), body, problems: Vec::new() };
    Ok(Body::Explain { analyze, statement: Box::new(statement) })
}

/// `( name [value], … )`: folded names with their values as written.
fn options(c: &mut Cursor<'_>) -> Parsed<Vec<(CompactString, Option<String>)>> {
    c.paren_list(|c| {
        let name = c.label("an option")?.value;
        let value =
            if c.at(TokenKind::Comma) || c.at(TokenKind::RightParen) { None } else { Some(value(c)?) };
        Ok((name, value))
    })
}

fn is_on(value: &Option<String>) -> bool {
    !value
        .as_deref()
        .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "0" | "no"))
}

fn copy(c: &mut Cursor<'_>, piece: &Piece) -> Parsed<Body> {
    c.expect("copy")?;
    let mut copy = Copy {
        table: None,
        columns: Vec::new(),
        query: None,
        from: false,
        program: false,
        data: piece.copy_data.map(|(span, _)| span),
        rows: piece.copy_data.map_or(0, |(_, rows)| rows),
    };
    if c.at(TokenKind::LeftParen) {
        c.open()?;
        copy.query = Some(query::query(c)?);
        c.close()?;
    } else {
        c.eat("binary");
        copy.table = Some(c.name("a table")?);
        if c.at(TokenKind::LeftParen) {
            copy.columns = c.paren_list(|c| c.ident("a column"))?;
        }
    }
    if copy.table.is_some() && c.eat("from") {
        copy.from = true;
    } else {
        c.expect("to")?;
    }
    copy.program = c.eat("program");
    if c.eat_any(&["stdin", "stdout"]).is_none() && !c.eat_kind(TokenKind::Placeholder) {
        c.string("a file name, STDIN or STDOUT")?;
    }
    if c.eat_any(&["using"]).is_some() || c.is("delimiters") {
        c.expect("delimiters")?;
        c.string("a delimiter")?;
    }
    c.eat("with");
    if c.at(TokenKind::LeftParen) {
        c.paren_list(|c| {
            c.label("an option")?;
            if c.at(TokenKind::LeftParen) {
                c.paren_list(|c| c.ident("a column"))?;
            } else if !c.eat_operator("*") && !c.at(TokenKind::Comma) && !c.at(TokenKind::RightParen) {
                value(c)?;
            }
            Ok(())
        })?;
    } else {
        old_copy_options(c)?;
    }
    if copy.from && c.eat("where") {
        super::expression::expr(c)?;
    }
    Ok(Body::Copy(Box::new(copy)))
}

/// The options without parentheses (`copy_opt_list`).
fn old_copy_options(c: &mut Cursor<'_>) -> Parsed<()> {
    let columns = |c: &mut Cursor<'_>| -> Parsed<()> {
        if !c.eat_operator("*") {
            c.list(|c| c.ident("a column"))?;
        }
        Ok(())
    };
    loop {
        if c.eat_any(&["binary", "freeze", "csv", "header"]).is_some() {
        } else if c.eat_any(&["delimiter", "null", "quote", "escape", "encoding"]).is_some() {
            c.eat("as");
            c.string("a string")?;
        } else if c.eat_seq(&["force", "quote"])
            || c.eat_seq(&["force", "not", "null"])
            || c.eat_seq(&["force", "null"])
        {
            columns(c)?;
        } else {
            return Ok(());
        }
    }
}

// ---- DO, CALL ----

fn do_block(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("do")?;
    let mut language: CompactString = "plpgsql".into();
    let mut source = None;
    while !c.is_done() {
        if c.eat("language") {
            language =
                if c.at_string() { fold(&c.string("a language")?) } else { c.label("a language")?.value };
        } else {
            source = Some(*c);
            c.pass_string("a code block")?;
        }
    }
    let Some(source) = source else { return Err(c.expected("a code block")) };
    // A block in SQL isn't one.
    let routine = if language == "plpgsql" { super::plpgsql::body_of(&source, &language, &[]) } else { None };
    Ok(Body::Do(Box::new(DoBlock { language, routine })))
}

fn call(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("call")?;
    let expr: Expr = super::expression::expr(c)?;
    match expr.calls.into_iter().last() {
        Some(call) => Ok(Body::Call(Box::new(call))),
        None => Ok(Body::Call(Box::new(Call {
            name: Name::default(),
            strings: Vec::new(),
            arguments: 0,
            span: expr.span,
        }))),
    }
}

// ---- maintenance ----

/// `[ONLY] name [*]`, with whether ONLY.
fn relation(c: &mut Cursor<'_>) -> Parsed<(Name, bool)> {
    let only = c.eat("only");
    let parens = only && c.eat_kind(TokenKind::LeftParen);
    let name = c.name("a table")?;
    if parens {
        c.close()?;
    }
    c.eat_operator("*");
    Ok((name, only))
}

fn lock(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("lock")?;
    c.eat("table");
    let tables = c.list(relation)?;
    let mut mode = LockMode::AccessExclusive;
    if c.eat("in") {
        let modes: [(&[&str], LockMode); 8] = [
            (&["access", "share"], LockMode::AccessShare),
            (&["row", "share"], LockMode::RowShare),
            (&["row", "exclusive"], LockMode::RowExclusive),
            (&["share", "update", "exclusive"], LockMode::ShareUpdateExclusive),
            (&["share", "row", "exclusive"], LockMode::ShareRowExclusive),
            (&["share"], LockMode::Share),
            (&["exclusive"], LockMode::Exclusive),
            (&["access", "exclusive"], LockMode::AccessExclusive),
        ];
        let Some((_, named)) = modes.iter().find(|(words, _)| c.eat_seq(words)) else {
            return Err(c.expected("a lock mode"));
        };
        mode = *named;
        c.expect("mode")?;
    }
    let nowait = c.eat("nowait");
    Ok(Body::Lock(Box::new(LockTable { tables, mode, nowait })))
}

fn truncate(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("truncate")?;
    c.eat("table");
    let tables = c.list(relation)?;
    let restart_identity = c.eat_seq(&["restart", "identity"]);
    if !restart_identity {
        c.eat_seq(&["continue", "identity"]);
    }
    let cascade = super::ddl::behavior(c);
    Ok(Body::Truncate(Box::new(Truncate { tables, restart_identity, cascade })))
}

/// `table [(columns)], …`
fn maintained(c: &mut Cursor<'_>) -> Parsed<(Vec<Name>, bool)> {
    let mut any_only = false;
    if c.is_done() {
        return Ok((Vec::new(), false));
    }
    let tables = c.list(|c| {
        let (name, only) = relation(c)?;
        any_only |= only;
        if c.at(TokenKind::LeftParen) {
            c.paren_list(|c| c.ident("a column"))?;
        }
        Ok(name)
    })?;
    Ok((tables, any_only))
}

fn analyze(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.bump();
    if c.at(TokenKind::LeftParen) {
        options(c)?;
    } else {
        c.eat("verbose");
    }
    let (tables, only) = maintained(c)?;
    Ok(Body::Analyze { tables, only })
}

fn vacuum(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("vacuum")?;
    let mut vacuum = Vacuum::default();
    if c.at(TokenKind::LeftParen) {
        for (name, value) in options(c)? {
            let on = is_on(&value);
            match name.as_str() {
                "full" => vacuum.full = on,
                "freeze" => vacuum.freeze = on,
                "analyze" | "analyse" => vacuum.analyze = on,
                _ => {}
            }
        }
    } else {
        vacuum.full = c.eat("full");
        vacuum.freeze = c.eat("freeze");
        c.eat("verbose");
        vacuum.analyze = c.eat_any(&["analyze", "analyse"]).is_some();
    }
    (vacuum.tables, vacuum.only) = maintained(c)?;
    Ok(Body::Vacuum(Box::new(vacuum)))
}

fn cluster(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("cluster")?;
    let mut verbose = false;
    if c.at(TokenKind::LeftParen) {
        verbose = options(c)?.iter().any(|(name, value)| name == "verbose" && is_on(value));
    } else {
        verbose |= c.eat("verbose");
    }
    if c.is_done() {
        return Ok(Body::Cluster { table: None, index: None, verbose });
    }
    let first = c.name("a table")?;
    if c.eat("on") {
        // The old order: CLUSTER index ON table.
        let table = c.name("a table")?;
        return Ok(Body::Cluster { table: Some(table), index: Some(first.name), verbose });
    }
    let index: Option<Ident> = if c.eat("using") { Some(c.ident("an index")?) } else { None };
    Ok(Body::Cluster { table: Some(first), index, verbose })
}

fn reindex(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("reindex")?;
    let mut concurrently = false;
    if c.at(TokenKind::LeftParen) {
        for (name, value) in options(c)? {
            concurrently |= name == "concurrently" && is_on(&value);
        }
    }
    let target_span = c.span();
    let target = match c.eat_any(&["index", "table", "schema", "database", "system"]) {
        Some("index") => ReindexTarget::Index,
        Some("table") => ReindexTarget::Table,
        Some("schema") => ReindexTarget::Schema,
        Some("database") => ReindexTarget::Database,
        Some(_) => ReindexTarget::System,
        None => return Err(c.expected("INDEX, TABLE, SCHEMA, DATABASE or SYSTEM")),
    };
    concurrently |= c.eat("concurrently");
    let name = if c.is_done() { None } else { Some(c.name("a name")?) };
    if name.is_none() && !matches!(target, ReindexTarget::Database | ReindexTarget::System) {
        return Err(c.expected("a name"));
    }
    Ok(Body::Reindex(Box::new(Reindex { target, name, concurrently, target_span })))
}

fn refresh(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["refresh", "materialized", "view"])?;
    let concurrently = c.eat("concurrently");
    let name = c.name("a materialized view")?;
    let mut with_no_data = false;
    if c.eat("with") {
        with_no_data = c.eat("no");
        c.expect("data")?;
    }
    Ok(Body::RefreshMaterializedView { name, concurrently, with_no_data })
}

/// A psql meta-command.
pub fn meta_command(c: &mut Cursor<'_>) -> Option<Body> {
    let token = c.peek().filter(|token| token.kind == TokenKind::MetaCommand)?;
    c.bump();
    let written = c.str(token).trim_start_matches('\\');
    let (name, arguments) = written.split_once(char::is_whitespace).unwrap_or((written, ""));
    Some(Body::MetaCommand { name: name.into(), arguments: arguments.trim().into() })
}

/// A query or DML as a statement; `SELECT … INTO` makes a table.
pub fn query_statement(c: &mut Cursor<'_>) -> Parsed<Body> {
    let (query, into) = query::query_into(c)?;
    Ok(match into {
        None => Body::Query(Box::new(query)),
        Some(into) => Body::CreateTableAs(Box::new(CreateTableAs {
            name: into.name,
            materialized_view: false,
            if_not_exists: false,
            persistence: into.persistence,
            columns: query.output.iter().flatten().cloned().collect(),
            query,
            with_no_data: false,
            tablespace: None,
        })),
    })
}
