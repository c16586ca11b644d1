//! What the documentation says about commands, settings and codes is so.

use std::collections::BTreeSet;
use std::path::Path;

use rollsafe::config;
use rollsafe::finding::Category;
use rollsafe::migration::rules::RULES;

fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    for entry in std::fs::read_dir(root.join("docs")).expect("docs is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|e| e == "md") {
            paths.push(path);
        }
    }
    paths.sort();
    assert!(paths.len() > 3, "documents are found");
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).expect("under the root").display().to_string();
            (name, std::fs::read_to_string(&path).expect("readable"))
        })
        .collect()
}

/// The fenced blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap_or("")).collect()
}

#[test]
fn configuration_examples_are_accepted() {
    let mut examined = 0;
    for (name, text) in documents() {
        // A language server is another program's configuration.
        for block in blocks(&text, "toml").into_iter().filter(|block| !block.contains("[language-server.")) {
            let config = config::parse(block).unwrap_or_else(|error| panic!("{name}: {error}\n{block}"));
            let words = config.lint.select.iter().chain(&config.lint.ignore).chain(config.lint.rules.keys());
            for word in words.chain(config.lint.overrides.iter().flat_map(|one| one.rules.keys())) {
                config::code_or_category(word).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            examined += 1;
        }
    }
    assert!(examined > 0, "no configuration was examined");
}

#[test]
fn codes_in_suppression_examples_exist() {
    let mut examined = 0;
    for (name, text) in documents() {
        for line in text.lines().filter(|line| line.contains("-- rollsafe: ignore")) {
            let list = line.split("-- rollsafe: ignore").nth(1).expect("just filtered");
            let list = list.trim_start_matches("-file").split(" -- ").next().unwrap_or("");
            for word in
                list.split(',').map(|word| word.trim().trim_matches('`')).filter(|word| !word.is_empty())
            {
                if word == "CODE" {
                    continue;
                }
                config::code_or_category(word).unwrap_or_else(|error| panic!("{name}: {error}\n{line}"));
                examined += 1;
            }
        }
    }
    assert!(examined > 0, "no suppression was examined");
}

#[test]
fn flags_exist() {
    let mut known = BTreeSet::new();
    for command in [
        "lint",
        "snapshot",
        "verify-backup",
        "backup",
        "rehearse",
        "gate",
        "runbook",
        "explain",
        "rules",
        "config",
        "init",
    ] {
        let help = rollsafe::cli::run(
            ["rollsafe", command, "--help"].map(std::ffi::OsString::from),
            rollsafe::cli::Surroundings { terminal: false, color: false, width: 100, progress: false },
        );
        known.extend(flags(&help.stdout));
    }
    assert!(known.contains("--fail-on"), "help is read: {known:?}");
    for (name, text) in documents().into_iter().filter(|(name, _)| name.starts_with("docs/")) {
        // What stands in backticks and begins with `rollsafe` or with the flag itself is about rollsafe.
        for span in
            text.split('`').skip(1).step_by(2).filter(|s| s.starts_with("--") || s.starts_with("rollsafe "))
        {
            for flag in flags(span) {
                let foreign = ["--schema-only", "--list", "--bench", "--example"].contains(&flag.as_str());
                assert!(foreign || known.contains(&flag), "{name}: rollsafe has no flag {flag}");
            }
        }
    }
}

fn flags(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && word.len() > 3)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_category_of_the_linter_is_described() {
    let (_, text) =
        documents().into_iter().find(|(name, _)| name == "docs/configuration.md").expect("it is there");
    let used: BTreeSet<Category> = RULES
        .iter()
        .filter_map(|rule| rollsafe::pages::facts(rule.page))
        .map(|facts| facts.category)
        .collect();
    for category in used {
        assert!(
            text.contains(&format!("| `{category}` | {}", category.about())),
            "docs/configuration.md doesn't describe {category}: {}",
            category.about()
        );
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, text) in documents() {
        let folder = root.join(&name).parent().expect("in a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let path = folder.join(target.split('#').next().unwrap_or(target));
            assert!(path.exists(), "{name}: {target} leads nowhere");
        }
    }
}
