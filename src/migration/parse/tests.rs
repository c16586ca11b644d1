//! Queries, expressions, routines and broken text, read through [`parse`].

use proptest::prelude::*;

use super::parse;
use crate::migration::statement::*;

fn statements(text: &str) -> Vec<Statement> {
    parse(text, 0..text.len()).statements
}

/// The one statement of `text`, understood.
#[track_caller]
fn one(text: &str) -> Body {
    let mut read = statements(text);
    assert_eq!(read.len(), 1, "{text}: {read:#?}");
    let read = read.remove(0);
    assert!(read.understood(), "{text}: {:?}", read.problems);
    read.body
}

#[track_caller]
fn query(text: &str) -> Query {
    match one(text) {
        Body::Query(query) => *query,
        other => panic!("{text}: {other:?}"),
    }
}

/// Relations with what is done to them, one word each.
fn uses(query: &Query) -> Vec<String> {
    query.uses.iter().map(|used| format!("{} {:?}", used.name, used.access)).collect()
}

#[track_caller]
fn routine(body: &str) -> Routine {
    match one(&format!("DO $do$ {body} $do$")) {
        Body::Do(block) => block.routine.expect("plpgsql is read"),
        other => panic!("{other:?}"),
    }
}

/// The statements inside a DO block: kind, then letters for conditional, loop, commits, few rounds, dynamic, partial.
#[track_caller]
fn inside(body: &str) -> Vec<String> {
    let routine = routine(body);
    assert!(routine.problems.is_empty(), "{:?}", routine.problems);
    routine
        .statements
        .iter()
        .map(|inner| {
            let mut shown = inner.statement.kind_name();
            for (flag, letter) in [
                (inner.conditional, " conditional"),
                (inner.in_loop, " loop"),
                (inner.loop_commits, " commits"),
                (inner.few_rounds, " few"),
                (inner.dynamic, " dynamic"),
                (inner.partial, " partial"),
            ] {
                shown.push_str(if flag { letter } else { "" });
            }
            shown
        })
        .collect()
}

#[test]
fn queries_name_what_they_read() {
    let read = query(
        "SELECT a, t.b, c AS d, count(*) FROM s.t JOIN ONLY u USING (id), LATERAL f(t.x) g WHERE e IN (SELECT v FROM w)",
    );
    assert_eq!(uses(&read), ["s.t Read", "u Read", "w Read"]);
    let output: Vec<_> = read.output.iter().map(|name| name.as_ref().map(|n| n.value.to_string())).collect();
    assert_eq!(output, [Some("a".into()), Some("b".into()), Some("d".into()), None]);
    assert!(read.has_where && !read.star && !read.has_limit && !read.row_locks);
    assert_eq!(read.calls.iter().map(|call| call.name.to_string()).collect::<Vec<_>>(), ["count", "f"]);
    let read = query("TABLE t LIMIT 3");
    assert!(read.star && read.has_limit && read.kind == QueryKind::Table);
}

#[test]
fn names_of_ctes_are_no_relations() {
    let read = query(
        "WITH users AS (SELECT * FROM users), x AS (SELECT 1 FROM users) SELECT * FROM x, users, public.x",
    );
    assert_eq!(uses(&read), ["users Read", "public.x Read"], "the first CTE reads the table behind its name");
    let read = query(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t, real) SELECT * FROM t, (WITH u AS (SELECT 1) SELECT * FROM u, t) v, u",
    );
    assert_eq!(uses(&read), ["\"real\" Read", "u Read"], "a CTE is known inside its own query only");
    let read = query("WITH old AS (DELETE FROM a WHERE id = 1 RETURNING *) INSERT INTO b SELECT * FROM old");
    assert_eq!(uses(&read), ["a Delete", "b Insert"]);
    let changes: Vec<_> =
        read.changes.iter().map(|c| (c.target.to_string(), c.in_cte, c.sources.len())).collect();
    assert_eq!(changes, [("a".to_owned(), true, 0), ("b".to_owned(), false, 0)]);
}

#[test]
fn row_locks_count_for_the_tables_they_name() {
    let read = query(
        "SELECT * FROM a x JOIN b ON true WHERE EXISTS (SELECT FROM c) FOR NO KEY UPDATE OF x SKIP LOCKED",
    );
    assert_eq!(uses(&read), ["a ReadForUpdate", "b Read", "c Read"]);
    assert!(read.row_locks);
}

#[test]
fn changes_tell_columns_values_and_conditions() {
    let read =
        query("UPDATE ONLY t AS x SET a = now(), b = 3 FROM u WHERE x.id = u.id AND u.z IS NULL RETURNING a");
    let change = &read.changes[0];
    assert!(change.only && change.access == Access::Update);
    assert_eq!(change.columns.iter().map(Ident::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(change.values[0].calls[0].name.to_string(), "now");
    assert_eq!(change.values[1].literal, Some(Literal::Number("3".into())));
    assert_eq!(change.sources.iter().map(Name::to_string).collect::<Vec<_>>(), ["u"]);
    let filter = change.filter.as_ref().unwrap();
    assert!(!filter.always_true && !filter.bounded);
    assert_eq!(filter.expr.columns.iter().map(Ident::as_str).collect::<Vec<_>>(), ["id", "id", "z"]);

    let read = query(
        "INSERT INTO t (a, b[1]) VALUES (1, 'x'), (2, DEFAULT) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
    );
    let change = &read.changes[0];
    assert_eq!((change.rows, change.on_conflict, change.columns.len()), (Some(2), true, 2));
    assert_eq!(read.strings[0].0, "x");

    let text = "DELETE FROM t WHERE id IN (SELECT id FROM t LIMIT 10)";
    let read = query(text);
    let filter = read.changes[0].filter.as_ref().unwrap();
    assert!(filter.bounded);
    assert_eq!(filter.expr.span.of(text), "id IN (SELECT id FROM t LIMIT 10)");
    assert_eq!(filter.expr.uses[0].name.to_string(), "t");

    let read = query(
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT VALUES (s.id)",
    );
    assert_eq!(uses(&read), ["t Merge", "s Read"]);
    assert!(!statements("MERGE INTO t USING s ON true WHEN MATCHED THEN INSERT VALUES (1)")[0].understood());
}

#[test]
fn select_into_makes_a_table() {
    let Body::CreateTableAs(made) = one("SELECT a, b AS c INTO TEMP x FROM t") else { panic!() };
    assert_eq!((made.name.to_string(), made.persistence), ("x".to_owned(), Persistence::Temporary));
    assert_eq!(made.columns.iter().map(Ident::as_str).collect::<Vec<_>>(), ["a", "c"]);
}

/// The default of a column: an expression that must leave NOT NULL alone.
#[track_caller]
fn default_of(written: &str) -> (Expr, usize) {
    let text = format!("ALTER TABLE t ADD COLUMN c int DEFAULT {written} NOT NULL");
    let Body::AlterTable(alter) = one(&text) else { panic!() };
    let ActionKind::AddColumn { column, .. } = &alter.actions[0].kind else { panic!() };
    let ConstraintKind::Default(expr) = &column.constraints[0].kind else { panic!() };
    assert_eq!(expr.span.of(&text), written);
    (expr.clone(), column.constraints.len())
}

#[test]
fn expressions_tell_constants_casts_and_calls() {
    let (expr, constraints) = default_of("-1");
    assert_eq!((expr.literal, constraints), (Some(Literal::Number("-1".into())), 2));
    let (expr, _) = default_of("'{}'::jsonb");
    assert_eq!(expr.literal, Some(Literal::String("{}".into())));
    assert_eq!(expr.cast.unwrap().name.to_string(), "jsonb");
    let (expr, _) = default_of("nextval('s'::regclass)");
    assert_eq!(expr.calls[0].strings, [Some("s".to_owned())]);
    let (expr, _) = default_of("timezone('utc', CURRENT_TIMESTAMP(3))");
    assert_eq!(
        expr.calls.iter().map(|c| c.name.to_string()).collect::<Vec<_>>(),
        ["timezone", "\"current_timestamp\""]
    );
    let (expr, _) = default_of("1 + a::int");
    assert!(expr.cast.is_none() && expr.literal.is_none() && expr.bare_column.is_none());
    let (expr, _) = default_of("((x))");
    assert_eq!(expr.bare_column.unwrap().as_str(), "x");
    let (expr, _) = default_of("interval '1' day to second(3)");
    assert_eq!(expr.cast.unwrap().fields.as_deref(), Some("day to second"));
}

#[test]
fn every_form_of_expression() {
    for text in [
        "SELECT a BETWEEN SYMMETRIC 1 AND 2 AND NOT b LIKE 'x' ESCAPE '!' OR c NOT ILIKE ALL (ARRAY['a'])",
        "SELECT x IS NOT DISTINCT FROM y, x IS NOT JSON OBJECT WITH UNIQUE KEYS, x IS NFC NORMALIZED",
        "SELECT (a).b.c[1:2][:], ($1).x, (ROW(1, 2)).f1, (SELECT ROW(1)).*, ARRAY[[1], [2]], ARRAY(SELECT 1)",
        "SELECT CASE a WHEN 1 THEN CASE WHEN b THEN 2 END ELSE 3 END END",
        "SELECT EXTRACT(epoch FROM now() - interval '1 day'), TRIM(BOTH 'x' FROM y), SUBSTRING(a FROM 1 FOR 2)",
        "SELECT POSITION('a' IN b), OVERLAY(a PLACING b FROM 1), CAST(a AS numeric(10, 2)), COLLATION FOR (a)",
        "SELECT count(DISTINCT a ORDER BY b DESC NULLS LAST) FILTER (WHERE c) OVER (PARTITION BY d ORDER BY e ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES)",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), f(VARIADIC b), g(x => 1, y := 2), rank() OVER w FROM t WINDOW w AS (ORDER BY z)",
        "SELECT a OPERATOR(pg_catalog.+) b, @ -1, a AT TIME ZONE 'utc' AT LOCAL, a COLLATE \"C\"",
        "SELECT JSON_OBJECT('a': 1, 'b' VALUE 2 NULL ON NULL RETURNING jsonb), JSON_VALUE(x, '$.a' PASSING 1 AS y RETURNING int DEFAULT 3 ON EMPTY ERROR ON ERROR)",
        "SELECT XMLELEMENT(NAME a, XMLATTRIBUTES(b AS c), d), XMLSERIALIZE(CONTENT x AS text NO INDENT)",
        "SELECT * FROM JSON_TABLE(j, '$[*]' COLUMNS (id FOR ORDINALITY, a int PATH '$.a' ERROR ON EMPTY, NESTED PATH '$.b' COLUMNS (c text)))",
        "SELECT * FROM XMLTABLE('/a' PASSING x COLUMNS i FOR ORDINALITY, b int PATH 'b' DEFAULT 1 NOT NULL) t",
        "SELECT * FROM ROWS FROM (f(1) AS (a int), g(2)) WITH ORDINALITY AS t (x, y, z), h() AS (a int, b text COLLATE \"C\")",
        "SELECT * FROM ((a JOIN b ON true) NATURAL LEFT JOIN c) JOIN d JOIN e ON x ON y CROSS JOIN ((SELECT 1) UNION (SELECT 2)) q",
        "((SELECT 1) UNION ALL SELECT 2 ORDER BY 1) LIMIT 1 OFFSET 2 ROWS FETCH FIRST ROW WITH TIES",
        "SELECT ((SELECT 1)), ((SELECT 1) + 1), (((SELECT 1)) UNION SELECT 2), ((SELECT 1), 2)",
        "SELECT a FROM t GROUP BY GROUPING SETS ((), ROLLUP (a, b), CUBE (c)), DISTINCT_col HAVING GROUPING(a) = 0",
        "SELECT a names, b \"x\", 1 one, c year_ FROM t TABLESAMPLE bernoulli (5) REPEATABLE (1) ORDER BY a USING <",
        "SELECT date '2020-01-01', timestamp(3) with time zone '2020-01-01', pg_catalog.int4 '1', bit varying(3) B'101'",
        "WITH RECURSIVE t AS (SELECT 1) SEARCH DEPTH FIRST BY a SET o CYCLE a SET c TO true DEFAULT false USING p SELECT 1",
    ] {
        one(text);
    }
    for text in [
        "SELECT a b c",
        "SELECT 1 +",
        "SELECT (1",
        "SELECT DISTINCT FROM t",
        "SELECT * FROM a JOIN b",
        "SELECT FROM",
        "SELECT a IN 1",
        "UPDATE t SET",
        "INSERT INTO t",
        "VALUES",
        "SELECT a[1",
        "SELECT CASE WHEN a THEN b",
        "DELETE t",
    ] {
        assert!(!statements(text)[0].understood(), "{text}");
    }
}

#[test]
fn types_have_one_spelling() {
    for (written, name, modifiers, dimensions) in [
        ("integer", "int4", vec![], 0),
        ("character varying(10)[]", "varchar", vec![10], 1),
        ("char", "bpchar", vec![1], 0),
        ("\"char\"", "char", vec![], 0),
        ("timestamp(3) with time zone", "timestamptz", vec![3], 0),
        ("time", "time", vec![], 0),
        ("double precision", "float8", vec![], 0),
        ("float(24)", "float4", vec![], 0),
        ("decimal(10, 2)", "numeric", vec![10, 2], 0),
        ("bigserial", "serial8", vec![], 0),
        ("pg_catalog.text", "text", vec![], 0),
        ("app.color ARRAY[3]", "color", vec![], 1),
        ("bit varying", "varbit", vec![], 0),
        ("int[3][]", "int4", vec![], 2),
    ] {
        let text = format!("ALTER TABLE t ADD c {written}");
        let Body::AlterTable(alter) = one(&text) else { panic!() };
        let ActionKind::AddColumn { column, .. } = &alter.actions[0].kind else { panic!() };
        let read = column.type_name.as_ref().unwrap();
        assert_eq!(
            (read.name.name.as_str(), &read.modifiers, read.dimensions),
            (name, &modifiers, dimensions)
        );
        assert_eq!(read.span.of(&text), written);
    }
}

#[test]
fn blocks_tell_where_statements_stand() {
    assert_eq!(
        inside(
            "DECLARE n int := 0; r record;
             BEGIN
               ALTER TABLE t ADD a int;
               IF NOT EXISTS (SELECT 1 FROM x) THEN
                 DROP TABLE x;
               ELSIF f() THEN NULL;
               ELSE
                 CASE n WHEN 1 THEN DELETE FROM y; ELSE UPDATE z SET a = CASE WHEN b THEN 1 END; END CASE;
               END IF;
               BEGIN
                 TRUNCATE a;
               EXCEPTION WHEN unique_violation OR others THEN
                 INSERT INTO log VALUES (1);
               END;
               CREATE INDEX ON t (a);
             END"
        ),
        [
            "ALTER TABLE",
            "SELECT",
            "DROP TABLE conditional",
            "SELECT conditional",
            "DELETE conditional",
            "UPDATE conditional",
            "TRUNCATE",
            "INSERT conditional",
            "CREATE INDEX",
        ]
    );
}

#[test]
fn loops_know_whether_they_commit() {
    assert_eq!(
        inside(
            "BEGIN
               LOOP
                 UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE a IS NULL LIMIT 100);
                 GET DIAGNOSTICS n = ROW_COUNT;
                 EXIT WHEN n = 0;
                 COMMIT;
               END LOOP;
               <<outer>>
               FOR r IN SELECT * FROM u LOOP DELETE FROM t WHERE id = r.id; END LOOP outer;
               FOR i IN REVERSE 1 .. f(2) BY 2 LOOP PERFORM g(i); END LOOP;
               FOREACH x SLICE 1 IN ARRAY ARRAY(SELECT a FROM v) LOOP NULL; END LOOP;
               WHILE (SELECT count(*) FROM w) > 0 LOOP NULL; END LOOP;
             END"
        ),
        [
            "UPDATE loop commits",
            "COMMIT loop commits",
            "SELECT",
            "DELETE loop",
            "SELECT",
            "SELECT loop",
            "SELECT",
            "SELECT",
        ]
    );
    assert_eq!(inside("BEGIN IF a THEN RETURN; END IF; DROP TABLE t; END"), ["DROP TABLE conditional"]);
}

#[test]
fn variables_are_told_from_tables() {
    let routine = routine(
        "DECLARE c CURSOR (k int) FOR SELECT * FROM a; t text; x int[] := '{}';
         BEGIN
           SELECT count(*), max(id) INTO STRICT n, r.m FROM b WHERE id = ANY (x);
           INSERT INTO d VALUES (1) RETURNING id INTO n;
           x[1] := (SELECT 1 FROM e);
           r.f = f(n);
           OPEN c FOR SELECT 1 FROM g;
           RETURN QUERY SELECT * FROM h;
         END",
    );
    assert!(routine.problems.is_empty(), "{:?}", routine.problems);
    let named: Vec<String> = routine
        .statements
        .iter()
        .map(|inner| match &inner.statement.body {
            Body::Query(query) => uses(query).join(","),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(named, ["a Read", "b Read", "d Insert", "e Read", "", "g Read", "h Read"]);
}

#[test]
fn dynamic_text_is_read_where_it_is_known() {
    let body = "DECLARE q text := 'DROP TABLE d'; r record; k CONSTANT text := 'K';
         BEGIN
           EXECUTE 'DROP TABLE a';
           EXECUTE 'ALTER TABLE ' || quote_ident(x) || ' ADD COLUMN c int';
           EXECUTE format('DROP INDEX %I.%I', 'S', 'i');
           EXECUTE format($f$ALTER TABLE %1$I RENAME TO %1$s_old; TRUNCATE %2$s$f$, r.name, y) USING z;
           EXECUTE q;
           q := 'SELECT ' || c;
           EXECUTE 'SELECT a FROM b WHERE c = ' || quote_literal(v) INTO n;
           EXECUTE something;
           EXECUTE 'DELETE FROM t ' || condition;
           EXECUTE 'it''s';
           EXECUTE 'DROP TABLE ' || quote_ident(k) || format('.%I', k);
         END";
    let text = format!("DO $do$ {body} $do$");
    let Body::Do(block) = one(&text) else { panic!() };
    let routine = block.routine.unwrap();
    let read: Vec<(String, bool, &str)> = routine
        .statements
        .iter()
        .map(|i| (i.statement.kind_name(), i.partial, i.statement.span.of(&text)))
        .collect();
    let put_together = "'ALTER TABLE ' || quote_ident(x) || ' ADD COLUMN c int'";
    let formatted = "format($f$ALTER TABLE %1$I RENAME TO %1$s_old; TRUNCATE %2$s$f$, r.name, y)";
    assert_eq!(
        read,
        [
            ("DROP TABLE".into(), false, "DROP TABLE a"),
            ("ALTER TABLE".into(), true, put_together),
            ("DROP INDEX".into(), false, "format('DROP INDEX %I.%I', 'S', 'i')"),
            ("ALTER TABLE".into(), true, formatted),
            ("TRUNCATE".into(), true, formatted),
            ("DROP TABLE".into(), false, "DROP TABLE d"),
            ("SELECT".into(), true, "'SELECT a FROM b WHERE c = ' || quote_literal(v)"),
            ("DROP TABLE".into(), false, "'DROP TABLE ' || quote_ident(k) || format('.%I', k)"),
        ]
    );
    let Body::AlterTable(renamed) = &routine.statements[3].statement.body else { panic!() };
    assert_eq!(renamed.name.to_string(), "${r.name}", "as far as it is known");
    let Body::Drop(drop) = &routine.statements[2].statement.body else { panic!() };
    assert_eq!(drop.names[0].name.to_string(), "\"S\".i");
    let unread: Vec<&str> = routine.dynamic.iter().map(|span| span.of(&text)).collect();
    assert_eq!(unread, ["something", "'DELETE FROM t ' || condition"]);
    assert_eq!(routine.problems.len(), 1, "`it's` is no SQL: {:?}", routine.problems);
}

#[test]
fn names_may_hold_placeholders() {
    let name = |text: &str| match one(text) {
        Body::Drop(drop) => drop.names[0].name.to_string(),
        other => panic!("{other:?}"),
    };
    for (written, read) in [
        ("${schema}.users", "${schema}.users"),
        ("${a}_${b}", "${a}_${b}"),
        ("t_${env}_x", "t_${env}_x"),
        (":old", ":old"),
        (":\"old\"", ":\"old\""),
        ("\"${schema}\".users", "${schema}.users"),
        ("\"{{ index .Options \"Namespace\" }}\".\"users\"", "{{ index .Options \"Namespace\" }}.users"),
        ("\"a {{ b\"", "\"a {{ b\""),
        ("\"${a};\"", "\"${a};\""),
    ] {
        assert_eq!(name(&format!("DROP TABLE {written}")), read);
    }
}

#[test]
fn spans_inside_a_body_are_those_of_the_file() {
    let text = "SELECT 1;\nCREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n  UPDATE é SET a = 1;\nEND $$;";
    let read = statements(text);
    let Body::CreateRoutine(create) = &read[1].body else { panic!() };
    let body = create.body.as_ref().unwrap();
    assert_eq!(body.statements[0].statement.span.of(text), "UPDATE é SET a = 1");
    // A quoted body with escapes isn't in the file as it reads: the whole literal is the place.
    let text = "DO 'BEGIN UPDATE t SET a = ''x''; END'";
    let Body::Do(block) = one(text) else { panic!() };
    let inner = &block.routine.unwrap().statements[0].statement;
    assert_eq!(inner.span.of(text), "'BEGIN UPDATE t SET a = ''x''; END'");
    let Body::Query(query) = &inner.body else { panic!() };
    assert_eq!(query.changes[0].target.span(), inner.span);
}

#[test]
fn broken_bodies_say_so_and_go_on() {
    for body in [
        "BEGIN IF a DROP TABLE t; END",
        "BEGIN",
        "BEGIN END IF; END",
        "BEGIN ALTER TABLE; END",
        "BEGIN LOOP END",
        "BEGIN PERFORM (; END",
        "BEGIN SELECT a INTO",
        "BEGIN SELECT INTO; END",
        "BEGIN FOR x IN y; END",
        "BEGIN CASE; END",
    ] {
        assert!(!routine(body).problems.is_empty(), "{body}");
    }
    let read = routine("BEGIN FROBNICATE t; DROP TABLE t; END");
    assert_eq!((read.problems.len(), read.statements.len()), (1, 1));
}

#[test]
fn absurd_nesting_is_a_problem_and_not_a_crash() {
    let deep = |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(10_000), close.repeat(10_000));
    for text in [
        deep("(", ")"),
        deep("(SELECT ", ")"),
        deep("f(", ")"),
        deep("ARRAY[", "]"),
        deep("CASE WHEN ", " THEN 1 END"),
        deep("a[", "]"),
        format!("SELECT * FROM {}t{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}SELECT 1{}", "WITH a AS (".repeat(10_000), ") SELECT 1".repeat(10_000)),
        format!("{}SELECT 1", "EXPLAIN ".repeat(10_000)),
        format!("CREATE TABLE t (a int CHECK {}true{})", "(".repeat(10_000), ")".repeat(10_000)),
        format!("DO $$ {} {} $$", "BEGIN IF a THEN ".repeat(10_000), "END IF; END; ".repeat(10_000)),
        format!("SELECT {}1", "- ".repeat(10_000)),
        format!("SELECT {}1", "1 + ".repeat(10_000)),
        format!("DELETE FROM t WHERE {}a", "a OR ".repeat(10_000)),
        (0..2_000).map(|n| format!("DO $a{n}$ BEGIN EXECUTE $b{n}$")).collect::<String>(),
        (0..300).map(|n| format!("DO $a{n}$ BEGIN ")).collect::<String>()
            + &(0..300).rev().map(|n| format!(" ; END $a{n}$")).collect::<String>(),
    ] {
        // On a small stack, as a worker thread may have.
        let read = std::thread::Builder::new().stack_size(1 << 20).spawn(move || statements(&text).len());
        assert!(read.unwrap().join().is_ok());
    }
}

/// Pieces that stress the reader: SQL's words, quotes, brackets, and PL/pgSQL.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "SELECT",
        "FROM",
        "WHERE",
        "(",
        ")",
        "[",
        "]",
        ",",
        ";",
        "'",
        "\"",
        "$$",
        "$a$",
        "/*",
        "*/",
        "--",
        "\n",
        "\\.",
        "COPY t FROM STDIN;",
        "BEGIN",
        "END",
        "IF",
        "THEN",
        "LOOP",
        "EXECUTE",
        "format('%I', x)",
        "||",
        "'DROP TABLE t'",
        "CASE",
        "WHEN",
        "DO $$",
        "CREATE FUNCTION f() RETURNS int AS $$",
        "LANGUAGE plpgsql",
        "ALTER TABLE t",
        "ADD COLUMN",
        "a",
        "1",
        "1.5e",
        "::",
        ":=",
        "=",
        "..",
        ".",
        "*",
        "NOT",
        "NULL",
        "IN",
        "BETWEEN",
        "AND",
        "INSERT INTO t VALUES",
        "UPDATE t SET",
        "WITH x AS",
        "UNION",
        "JOIN",
        "ON",
        "é",
        "\u{feff}",
        "E'\\",
        "U&'",
        "${x}",
        "{{ y }}",
        ":'v'",
        "\\gexec\n",
        "INTO",
        "USING",
        "CREATE RULE r AS ON",
        "BEGIN ATOMIC",
        "DECLARE",
        "EXCEPTION",
        "RETURN QUERY",
        "FOR r IN",
        "TABLE",
        "MERGE",
        "VALUES",
        "ARRAY",
        "INTERVAL",
        "\0",
        "\r\n",
        "#",
        "<<l>>",
        "%TYPE",
    ];
    proptest::collection::vec(
        prop_oneof![9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,6}"],
        0..60,
    )
    .prop_map(|words| words.join(" "))
}

fn check_order(text: &str) {
    let script = parse(text, 0..text.len());
    let mut end = 0;
    for statement in &script.statements {
        let span = statement.span;
        assert!(span.start >= end && span.end >= span.start, "in order, not overlapping: {text:?}");
        assert!(text.get(span.range()).is_some(), "on character boundaries: {text:?}");
        assert!(
            statement.understood() || !statement.problems.is_empty(),
            "what is not understood says why: {text:?}"
        );
        for problem in &statement.problems {
            assert!(text.get(problem.span.range()).is_some(), "problems too: {text:?}");
        }
        end = span.end;
    }
    for comment in &script.comments {
        assert!(text.get(comment.range()).is_some());
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        check_order(&text);
    }

    #[test]
    fn any_pieces_of_sql_are_read_without_a_panic(text in fragment()) {
        check_order(&text);
    }

    #[test]
    fn statements_do_not_depend_on_line_ends(text in fragment()) {
        let unix = text.replace('\r', "");
        let windows = unix.replace('\n', "\r\n");
        let kinds = |text: &str| statements(text).iter().map(Statement::kind_name).collect::<Vec<_>>();
        // A CR in a string or an identifier is part of it, and COPY data is told by its lines.
        if !unix.contains(['\'', '"', '$']) {
            prop_assert_eq!(kinds(&unix), kinds(&windows));
        }
    }
}
