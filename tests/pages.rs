//! Pages are documentation, metadata and test suite in one: every page is complete, every code has one, and
//! the SQL in them gives exactly what they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsafe::finding::Severity;
use rollsafe::migration::lint::{LintOptions, lint};
use rollsafe::migration::live::Live;
use rollsafe::migration::migration::{Direction, Migration};
use rollsafe::migration::rules::{Change, RULES};
use rollsafe::pages;

/// An SQL block of a page.
#[derive(Debug)]
struct Block {
    line: usize,
    words: Vec<String>,
    sql: String,
}

impl Block {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }
    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='))
    }
}

/// The fenced `sql` blocks with a word behind `sql`, in order. Blocks may be indented (in lists).
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```sql ") else { continue };
        let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
        let mut sql = String::new();
        for (_, line) in lines.by_ref() {
            if line.trim() == "```" {
                break;
            }
            sql.push_str(line);
            sql.push('\n');
        }
        found.push(Block { line: number + 1, words, sql });
    }
    found
}

fn pages_on_disk() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/migration"))
            .expect("rules/migration is there")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|e| e == "md"))
            .map(|path| {
                let code = path.file_stem().unwrap().to_string_lossy().into_owned();
                (code, std::fs::read_to_string(&path).expect("readable"))
            })
            .collect();
    found.sort();
    found
}

#[test]
fn every_rule_has_its_page_and_every_page_its_rule() {
    let rules: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(rules.len(), RULES.len(), "a code stands twice in the registry");
    let on_disk = pages_on_disk();
    let pages: BTreeSet<&str> = on_disk.iter().map(|(code, _)| code.as_str()).collect();
    let without_rule: Vec<_> = pages.difference(&rules).collect();
    let without_page: Vec<_> = rules.difference(&pages).collect();
    assert!(
        without_rule.is_empty() && without_page.is_empty(),
        "pages without a rule: {without_rule:?}; rules without a page: {without_page:?}"
    );
    for rule in RULES {
        assert!(
            rule.page.starts_with(&format!("# {}\n", rule.code)),
            "{}: the heading is the code",
            rule.code
        );
    }
}

#[test]
fn facts_are_what_a_toml_parser_reads() {
    for (code, page) in pages_on_disk() {
        let facts = pages::facts(&page).unwrap_or_else(|| panic!("{code}: no facts"));
        let block =
            page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a toml block");
        let table: toml::Table = block.parse().unwrap_or_else(|e| panic!("{code}: {e}"));
        assert_eq!(table["summary"].as_str(), Some(facts.summary), "{code}");
        assert_eq!(table["category"].as_str(), Some(facts.category.as_str()), "{code}");
        let severity = facts.severity.map_or("off", Severity::as_str);
        assert_eq!(table["severity"].as_str(), Some(severity), "{code}");
        assert!(!facts.summary.ends_with('.'), "{code}: a summary has no full stop");
        assert!(facts.summary.chars().count() <= 110, "{code}: the summary is longer than a line");
        for section in ["## Why", "## Bad", "## Good", "## When it is fine", "## Limits"] {
            assert!(page.contains(&format!("\n{section}")), "{code}: no section {section}");
        }
        let blocks = blocks(&page);
        assert!(blocks.iter().any(|b| b.has("bad")), "{code}: no bad example");
        assert!(blocks.iter().any(|b| b.has("good")), "{code}: no good example");
        for block in &blocks {
            assert!(
                block.has("bad") || block.has("good") || block.has("setup"),
                "{code}.md:{}: a block is setup, bad or good: {:?}",
                block.line,
                block.words
            );
        }
    }
}

/// What linting `block` after `setup` gives, one code for each finding.
fn findings_of(code: &str, setup: Option<&Block>, block: &Block) -> Vec<(String, String)> {
    let mut migrations = Vec::new();
    let text = |sql: &str, guard: bool| -> Arc<str> {
        if guard {
            format!("SET lock_timeout = '2s'; SET statement_timeout = '1h';\n{sql}").into()
        } else {
            sql.into()
        }
    };
    let history = |sql: &str| {
        let mut migration = Migration::whole(PathBuf::from("0_setup.sql"), sql.into());
        migration.judged = false;
        migration.runner_known = true;
        migration
    };
    if !block.has("alone") {
        // With a migration before it the history counts as known from empty.
        migrations.push(history(""));
        if let Some(setup) = setup {
            migrations.push(history(&setup.sql));
        }
    }
    if block.has("downs") {
        // A migration with a way back, so that one is usual here.
        migrations.push(history("CREATE TABLE with_a_way_back (id bigint PRIMARY KEY);"));
        let mut down = history("DROP TABLE with_a_way_back;");
        down.direction = Direction::Down;
        down.run.down = true;
        down.undoes = Some(migrations.len() - 1);
        migrations.push(down);
    }
    // What a live database has, beside migrations that have all run there.
    let live = block.has("live").then(|| {
        let catalog = rollsafe::migration::lint::replay(&[history(&block.sql)]);
        Arc::new(Live { catalog, ..Live::default() })
    });
    let changes = if live.is_some() { "" } else { block.sql.as_str() };
    for (at, part) in changes.split("-- next file\n").filter(|part| !part.is_empty()).enumerate() {
        let (part, down) = match part.split_once("-- the way back\n") {
            Some((up, down)) => (up, Some(down)),
            None => (part, None),
        };
        let path = PathBuf::from(format!("{}_change.sql", at + 1));
        let mut change = Migration::whole(path, text(part, !block.has("bare")));
        change.runner_known = !block.has("unknown");
        change.run.runner_transaction = block.has("tx") || block.has("together");
        change.run.one_transaction_for_all = block.has("together");
        change.run.one_query = block.has("onequery");
        if block.has("ignored") {
            let at = part.find("-- no-transaction").expect("the switch");
            change.run.ignored_switch = Some(rollsafe::source::Span::new(at, at + "-- no-transaction".len()));
        }
        if block.has("heldopen") {
            change.run.held_open = Some("Have the tool take a lock of the session instead.");
        }
        if block.has("mixed") {
            change.run.alone_only = Some(rollsafe::migration::project::runner::needs_no_transaction);
        }
        if block.has("edited") {
            change.change = Some(Change::Edited);
        }
        if block.has("twice") {
            change.version = "1".to_owned();
            migrations[0].version = "1".to_owned();
        }
        if block.has("early") || block.has("added") {
            change.change = Some(Change::Added);
        }
        if block.has("early") {
            migrations.insert(0, change);
            continue;
        }
        let (undoes, like) = (migrations.len(), change.clone());
        migrations.push(change);
        if let Some(down) = down {
            let text = text(down, !block.has("bare"));
            let range = 0..text.len();
            let mut way_back = Migration { source: text.clone(), text, range, undoes: Some(undoes), ..like };
            way_back.direction = Direction::Down;
            way_back.run.down = true;
            way_back.path = PathBuf::from(format!("{}_change.down.sql", at + 1));
            migrations.push(way_back);
        }
    }
    let mut options = LintOptions { live, ..LintOptions::default() };
    if let Some(version) = block.value("pg") {
        options.rules.version = version.parse().expect("a version");
    }
    if let Some(rule) = RULES.iter().find(|rule| rule.code == code)
        && pages::facts(rule.page).is_some_and(|facts| facts.severity.is_none())
    {
        options.severities.set(code, Some(Severity::Warning));
    }
    let report = lint(&migrations, &options);
    report
        .findings
        .iter()
        .map(|f| (f.code.to_string(), format!("{}:{}: {}", f.span.map_or(0, |s| s.line), f.code, f.message)))
        .collect()
}

#[test]
fn examples_give_exactly_what_they_say() {
    // One page: PAGE=drop_column cargo test --test pages examples
    let only = std::env::var("PAGE").ok();
    let mut wrong = Vec::new();
    let mut examined = 0;
    for (code, page) in pages_on_disk() {
        if only.as_ref().is_some_and(|only| *only != code) {
            continue;
        }
        let blocks = blocks(&page);
        let mut setup = None;
        for block in &blocks {
            if block.has("setup") {
                setup = Some(block);
                continue;
            }
            examined += 1;
            let found = findings_of(&code, setup, block);
            let also: Vec<&str> =
                block.value("also").map(|list| list.split(',').collect()).unwrap_or_default();
            let mine = found.iter().filter(|(c, _)| *c == code).count();
            let expected = if block.has("bad") {
                block.words.iter().find_map(|w| w.parse::<usize>().ok()).unwrap_or(1)
            } else {
                0
            };
            let others: Vec<&String> = found
                .iter()
                .filter(|(c, _)| *c != code && !also.contains(&c.as_str()))
                .map(|(_, m)| m)
                .collect();
            let absent: Vec<&&str> = also.iter().filter(|a| !found.iter().any(|(c, _)| c == **a)).collect();
            if mine != expected || !others.is_empty() || !absent.is_empty() {
                wrong.push(format!(
                    "rules/migration/{code}.md:{} ({}): {expected} expected, {mine} found{}{}",
                    block.line,
                    block.words.join(" "),
                    if absent.is_empty() { String::new() } else { format!("; missing {absent:?}") },
                    found.iter().map(|(_, m)| format!("\n      {m}")).collect::<String>(),
                ));
            }
        }
    }
    assert!(examined > 0, "no examples were examined");
    assert!(wrong.is_empty(), "{} of {examined} examples are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
