//! What `rollsafe init` proposes for a repository: which files, with which text. Nothing is written here.

use std::path::{Path, PathBuf};

/// What was found out about a repository.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Migrations folders from the repository's root, with `/`, each with the tool and what gave it away.
    pub folders: Vec<(String, Option<(String, String)>)>,
    /// The PostgreSQL major version, and the file that names it.
    pub postgres: Option<(u16, String)>,
    /// Which CI system.
    pub ci: Option<Ci>,
    /// The command that installs rollsafe in CI.
    pub install: String,
    /// What runs hooks instead of pre-commit.
    pub other_hooks: Option<String>,
}

/// A CI system that a workflow can be written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ci {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
    /// No workflow
    None,
}

/// One file of the proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// From the repository's root.
    pub path: PathBuf,
    /// What is done with it.
    pub action: Action,
}

/// What is done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create(String),
    /// It is there: these lines come in, at this byte; nothing else changes.
    Insert {
        /// Where.
        at: usize,
        /// What.
        text: String,
    },
    /// It is left as it is, for this reason.
    Leave(String),
}

/// The files to write; `read` gives the text of a file of the repository that is there.
pub fn propose(facts: &Facts, read: &dyn Fn(&str) -> Option<String>) -> Vec<Step> {
    let mut steps = vec![step("rollsafe.toml", settings(facts, read("rollsafe.toml")))];
    steps.push(step(".pre-commit-config.yaml", hooks(facts, read(".pre-commit-config.yaml").as_deref())));
    match facts.ci {
        Some(Ci::Github) => {
            let path = ".github/workflows/rollsafe.yml";
            let action = match read(path) {
                Some(_) => Action::Leave("it is there already".to_owned()),
                None => Action::Create(github(facts)),
            };
            steps.push(step(path, action));
        }
        Some(Ci::Gitlab) => steps.extend(gitlab(facts, read)),
        Some(Ci::None) | None => {}
    }
    steps
}

fn step(path: &str, action: Action) -> Step {
    Step { path: Path::new(path).to_owned(), action }
}

fn quoted(text: &str) -> String {
    // A JSON string is a TOML basic string and a YAML double-quoted one.
    serde_json::Value::String(text.to_owned()).to_string()
}

fn settings(facts: &Facts, there: Option<String>) -> Action {
    if there.is_some() {
        return Action::Leave("it is there already".to_owned());
    }
    let mut text = "# What rollsafe reads, and how. `rollsafe config` shows what is in force.\n\n\
        # The PostgreSQL major version of production, 12 to 18: what locks and rewrites depends on it.\n"
        .to_owned();
    match &facts.postgres {
        Some((version, from)) => text.push_str(&format!("postgres-version = {version}    # as in {from}\n")),
        None => text.push_str("# postgres-version = 16\n"),
    }
    let list: Vec<String> = facts.folders.iter().map(|(folder, _)| quoted(folder)).collect();
    text.push_str(&format!("\n[project]\nmigrations = [{}]\n", list.join(", ")));
    for (folder, tool) in &facts.folders {
        match tool {
            Some((name, because)) => {
                text.push_str(&format!("# {folder}: {name}, recognised by {because}\n"));
            }
            None => text.push_str(&format!(
                "# {folder}: the tool isn't recognised. Name it, or say how it runs files:\n\
                 # runner = \"…\"\n# assume-in-transaction = true\n"
            )),
        }
    }
    Action::Create(text)
}

const HOOK: &str = "\
- repo: local
  hooks:
    - id: rollsafe
      name: rollsafe lint
      entry: rollsafe lint --staged
      language: system
      types: [sql]
      pass_filenames: false
";

fn hooks(facts: &Facts, there: Option<&str>) -> Action {
    let Some(text) = there else {
        return match &facts.other_hooks {
            Some(other) => {
                Action::Leave(format!("hooks are {other}'s here: have it run `rollsafe lint --staged`"))
            }
            None => Action::Create(format!("repos:\n{}", indented(HOOK, 2))),
        };
    };
    if text.contains("id: rollsafe") {
        return Action::Leave("it has the hook already".to_owned());
    }
    match insertion(text) {
        Some((at, indent)) => {
            let gap = if text[..at].ends_with('\n') { "" } else { "\n" }; // a line's beginning, or the end
            Action::Insert { at, text: format!("{gap}{}", indented(HOOK, indent)) }
        }
        None => {
            Action::Leave(format!("its list of repos isn't in lines of its own: add\n{}", indented(HOOK, 2)))
        }
    }
}

/// Where an item of the list `repos:` can be added, and how far items are indented.
fn insertion(text: &str) -> Option<(usize, usize)> {
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        lines.push((at, line));
        at += line.len();
    }
    let head = lines.iter().position(|(_, line)| {
        let bare = line.split(" #").next().unwrap_or("").trim_end();
        bare == "repos:"
    })?;
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let mut indent = None;
    let mut end = lines[head].0 + lines[head].1.len(); // found just above
    for (start, line) in &lines[head + 1..] {
        if blank(line) {
            continue;
        }
        let depth = line.len() - line.trim_start_matches(' ').len();
        let item = line.trim_start().starts_with("- ");
        match indent {
            None if item => indent = Some(depth),
            None => return None,
            // The next key of the document.
            Some(indent) if depth < indent || depth == 0 && !item => break,
            Some(_) => {}
        }
        end = start + line.len();
    }
    Some((end, indent.unwrap_or(2)))
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

fn github(facts: &Facts) -> String {
    let paths: String = facts
        .folders
        .iter()
        .map(|(folder, _)| format!("      - {}\n", quoted(&below(folder, "**"))))
        .collect();
    format!(
        "# Judges the migrations that a pull request adds or edits: annotations at the lines, a summary beside.\n\
         name: rollsafe\n\
         on:\n  pull_request:\n    paths:\n{paths}      - rollsafe.toml\n\
         permissions:\n  contents: read\n\
         jobs:\n  lint:\n    runs-on: ubuntu-latest\n    steps:\n\
         \x20     - uses: actions/checkout@v4\n        with:\n          # The base of the pull request must be there.\n          fetch-depth: 0\n\
         \x20     - name: Install rollsafe\n        run: |\n          {}\n\
         \x20     - name: Lint migrations\n        run: rollsafe lint\n",
        facts.install
    )
}

fn below(folder: &str, rest: &str) -> String {
    match folder {
        "" | "." => rest.to_owned(),
        folder => format!("{folder}/{rest}"),
    }
}

fn gitlab_job(facts: &Facts) -> String {
    let paths: String = facts
        .folders
        .iter()
        .map(|(folder, _)| format!("        - {}\n", quoted(&below(folder, "**/*"))))
        .collect();
    format!(
        "# Judges the migrations that a merge request adds or edits, for its Code Quality widget.\n\
         rollsafe:\n  stage: test\n  image: rust:1-slim\n  rules:\n\
         \x20   - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"\n      changes:\n{paths}        - rollsafe.toml\n\
         \x20 variables:\n    # The base of the merge request must be there.\n    GIT_DEPTH: \"0\"\n\
         \x20 before_script:\n    - apt-get update -qq && apt-get install -qq -y --no-install-recommends git gcc libc6-dev make\n    - {}\n\
         \x20 script:\n    - git fetch origin \"$CI_MERGE_REQUEST_TARGET_BRANCH_NAME\"\n    - rollsafe lint\n\
         \x20 artifacts:\n    when: always\n    reports:\n      codequality: gl-code-quality-report.json\n",
        quoted(&facts.install)
    )
}

fn gitlab(facts: &Facts, read: &dyn Fn(&str) -> Option<String>) -> Vec<Step> {
    const MAIN: &str = ".gitlab-ci.yml";
    const JOB: &str = ".gitlab/rollsafe.yml";
    let Some(main) = read(MAIN) else {
        return vec![step(MAIN, Action::Create(gitlab_job(facts)))];
    };
    if read(JOB).is_some() || main.contains("rollsafe") {
        return vec![step(JOB, Action::Leave("there is a job already".to_owned()))];
    }
    let include = main.lines().any(|line| line.starts_with("include:"));
    let action = if include {
        Action::Leave(format!("it includes files already: add `- local: {JOB}` to its `include`"))
    } else {
        let gap = if main.is_empty() || main.ends_with('\n') { "" } else { "\n" };
        Action::Insert { at: main.len(), text: format!("{gap}\ninclude:\n  - local: {JOB}\n") }
    };
    vec![step(JOB, Action::Create(gitlab_job(facts))), step(MAIN, action)]
}

/// The PostgreSQL version that an image of a compose file or workflow has: `postgres:16-alpine`.
pub fn postgres_version(text: &str) -> Option<u16> {
    ["postgres:", "postgis:", "postgresql:", "pgvector:pg", "timescaledb:latest-pg", "POSTGRES_VERSION="]
        .iter()
        .flat_map(|name| text.match_indices(name).map(|(at, name)| at + name.len()))
        .filter_map(|at| {
            let rest = text.get(at..)?.trim_start_matches(['"', '\'', ' ']);
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().filter(|version| (12..=18).contains(version))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(text: &str) -> Option<String> {
        match hooks(&Facts::default(), Some(text)) {
            Action::Insert { at, text: lines } => Some(format!("{}{lines}{}", &text[..at], &text[at..])),
            _ => None,
        }
    }

    #[test]
    fn hooks_are_added_where_the_list_ends_and_nothing_else_changes() {
        let two = "# c\nrepos:\n  # one\n  - repo: a\n    hooks:\n      - id: x  # why\n";
        assert_eq!(merged(two).unwrap(), format!("{two}{}", indented(HOOK, 2)));
        let none = "repos:\n- repo: a\n  hooks:\n  - id: x\n";
        assert_eq!(merged(none).unwrap(), format!("{none}{HOOK}"));
        let between = "default_stages: [commit]\nrepos:   # all\n- repo: a\n  hooks:\n  - id: x\n\n# then\nci:\n  skip: []\n";
        let (before, after) = between.split_once("\n# then").unwrap();
        assert_eq!(merged(between).unwrap(), format!("{before}{HOOK}\n# then{after}"));
        let open = "repos:\n  - repo: a\n    hooks: [{id: x}]";
        assert_eq!(merged(open).unwrap(), format!("{open}\n{}", indented(HOOK, 2)));
        assert_eq!(merged("repos: []\n"), None, "told, not guessed");
        assert_eq!(merged("repos:\n  - repo: local\n    hooks:\n    - id: rollsafe\n"), None);
    }

    #[test]
    fn versions_of_images() {
        assert_eq!(postgres_version("image: postgres:16-alpine\n"), Some(16));
        assert_eq!(postgres_version("image: \"postgis/postgis:15-3.4\"\nimage: postgres:14.2"), Some(14));
        assert_eq!(postgres_version("postgres://localhost:5432/db image: postgres:latest"), None);
    }
}
