//! Rules of a project's own: every example of docs/custom-rules.md does what it says, and every mistake is told with its
//! place.

use std::path::Path;

use rollsafe::config;
use rollsafe::migration::custom::VARIABLES;
use rollsafe::migration::lint::{self, LintOptions};
use rollsafe::migration::migration::Migration;

const HISTORY: &str = "CREATE SCHEMA billing;\n\
    CREATE TABLE customers (id bigint PRIMARY KEY, age int);\n\
    CREATE TABLE billing.ledger (id bigint PRIMARY KEY, account int);\n";

/// The messages of findings of `code`.
fn found(settings: &str, code: &str, sql: &str) -> Vec<String> {
    let config = config::parse(settings).unwrap_or_else(|error| panic!("{error}\n{settings}"));
    let options = LintOptions { custom: config.custom_rules().expect("checked"), ..LintOptions::default() };
    let mut history = Migration::whole("V1__history.sql".into(), HISTORY.into());
    history.judged = false;
    let mut change = Migration::whole("db/V2__change.sql".into(), sql.into());
    change.run.runner_transaction = false;
    let report = lint::lint(&[history, change], &options);
    report
        .findings
        .into_iter()
        .filter(|finding| finding.code == code)
        .map(|finding| finding.message)
        .collect()
}

fn rule(when: &str) -> String {
    format!("[[custom-rules]]\ncode = \"own\"\nmessage = \"no\"\nwhen = '''{when}'''\n")
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/custom-rules.md");
    std::fs::read_to_string(path).expect("it is there")
}

#[test]
fn every_example_does_what_it_says() {
    let text = document();
    let (mut settings, mut rules, mut examined) = (String::new(), 0, 0);
    for block in text.split("\n```").filter(|block| !block.trim().is_empty()) {
        let (language, body) = block.split_once('\n').unwrap_or((block, ""));
        match language {
            "toml" => {
                settings = body.to_owned();
                rules += 1;
            }
            "sql bad" | "sql good" => {
                let code = settings
                    .split("code = \"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .expect("a code");
                let count = found(&settings, code, body).len();
                assert_eq!(count, usize::from(language == "sql bad"), "{code}: {language}\n{body}");
                examined += 1;
            }
            _ => {}
        }
    }
    assert!(rules >= 8 && examined >= 15, "{rules} rules, {examined} examples");
}

#[test]
fn the_vocabulary_is_documented() {
    fn lines(of: rollsafe::migration::custom::Type, path: &str, about: &str, out: &mut String) {
        use rollsafe::migration::custom::Type;
        let (noun, inner, prefix) = match of {
            Type::List(inner) => match *inner {
                Type::Object(fields) => ("list of objects", Some(fields), format!("{path}[]")),
                _ => ("list of text", None, String::new()),
            },
            Type::Object(fields) => ("object", Some(fields), path.to_owned()),
            Type::Bool => ("bool", None, String::new()),
            Type::Int => ("int", None, String::new()),
            Type::Text => ("string", None, String::new()),
            Type::Any => ("", None, String::new()),
        };
        out.push_str(&format!("| `{path}` | {noun} | {about} |\n"));
        for (name, of, about) in inner.unwrap_or_default() {
            lines(*of, &format!("{prefix}.{name}"), about, out);
        }
    }
    let mut table = String::new();
    for (name, of, about) in VARIABLES {
        lines(*of, name, about, &mut table);
    }
    let marked = format!("<!-- vocabulary -->\n{table}<!-- end -->");
    if std::env::var_os("UPDATE_VOCABULARY").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/custom-rules.md");
        let text = document();
        let start = text.find("<!-- vocabulary -->").expect("a mark");
        let end = text
            .find("<!-- end -->")
            .map_or(start + "<!-- vocabulary -->".len(), |at| at + "<!-- end -->".len());
        std::fs::write(path, format!("{}{marked}{}", &text[..start], &text[end..])).expect("written");
    }
    assert!(
        document().contains(&table),
        "docs/custom-rules.md: UPDATE_VOCABULARY=1 cargo test --test custom_rules writes it\n{table}"
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (when, expected) in [
        ("statement.knd == \"X\"", "no field `knd`; did you mean `kind`?\n  statement.knd"),
        ("statment.kind == \"X\"", "no variable `statment`; did you mean `statement`?"),
        ("statement.kind = \"X\"", "line 4: custom-rules: `when` of own: "),
        ("relations.exists(r, r.colums.size() > 0)", "did you mean `columns`?"),
        (
            "true ||\n  effects.locks.exists(l, l.mod == \"x\")",
            "no field `mod`; did you mean `mode`?\n    effects.locks",
        ),
        ("statement.kind.startswith(\"X\")", "no function `startswith`; did you mean `startsWith`?"),
        ("statement.text.matches(\"(\")", "the regular expression is none"),
        ("statement.kind", "must be true or false, and is string"),
        ("", "is empty"),
        ("statement.kind.size.x", "has no fields"),
        ("statement.exists(x, true)", "loops over an object"),
        ("relations.exists(a, relations.exists(b, relations.exists(c, true)))", "nested more than 2 deep"),
        ("statement.kind + 1 == 2", "nsupported binary operator"),
        ("((((((((((", "`when` of own"),
        ("\"open", "`when` of own"),
    ] {
        let error = config::parse(&rule(when)).expect_err(when);
        assert!(error.contains(expected), "{when}: {error}");
        assert!(error.starts_with("line 4: custom-rules"), "{error}");
    }
    let two = format!("{}{}", rule("true"), rule("true"));
    assert!(config::parse(&two).unwrap_err().contains("line 6: custom-rules: `own` is there twice"));
    let taken = rule("true").replace("\"own\"", "\"drop_table\"");
    assert!(config::parse(&taken).unwrap_err().contains("taken by rollsafe itself"));
    let odd = rule("true").replace("\"own\"", "\"Own-Rule\"");
    assert!(config::parse(&odd).unwrap_err().contains("lower-case letters"));
    assert!(config::parse(&rule("true").replace("message", "mesage")).unwrap_err().contains("mesage"));
}

#[test]
fn no_expression_stops_the_linter() {
    let deep = format!("{}true{}", "(".repeat(5000), ")".repeat(5000));
    assert!(config::parse(&rule(&deep)).is_err());
    let long = format!("true{}", " || true".repeat(900));
    let _ = config::parse(&rule(&long));
    assert!(config::parse(&rule(&" ".repeat(9000))).is_err());
    for odd in [
        "\u{0}",
        "é == 1",
        "`a`",
        "a.?b",
        "{}[1]",
        "[1][5] == 1",
        "1/0 == 1",
        "9223372036854775807 + 1 == 0",
        "b'\\xff'",
    ] {
        let _ = config::parse(&rule(odd));
    }
    // What fails on some statements only is told there.
    let told = found(&rule("relations[0].name == \"x\""), "own", "SELECT 1;\n");
    assert!(told.len() == 1 && told[0].contains("can't be judged here"), "{told:?}");
}

#[test]
fn own_rules_are_suppressed_and_switched_as_others() {
    let settings = rule("statement.kind == \"ALTER TABLE\"");
    assert_eq!(found(&settings, "own", "ALTER TABLE customers ADD COLUMN a int;").len(), 1);
    let inside = "DO $$ BEGIN ALTER TABLE customers ADD COLUMN a int; END $$;";
    assert_eq!(found(&settings, "own", inside).len(), 1, "inside a block, once");
    let held = "ALTER TABLE customers ADD COLUMN a int; -- rollsafe: ignore own -- agreed\n";
    assert_eq!(found(&settings, "own", held).len(), 0);
    assert_eq!(found(&settings, "suppression_unused", held).len(), 0);
    let config = config::parse(&format!("{settings}[lint.rules]\nown = \"off\"\n")).unwrap();
    assert_eq!(config.code_or_category("own").as_deref(), Ok("own"));
}
