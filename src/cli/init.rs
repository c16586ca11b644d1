//! `rollsafe init`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use super::lint::{Scope, gather, judge};
use crate::config::{self, Loaded};
use crate::files;
use crate::finding::Severity;
use crate::git;
use crate::migration::project::{self, Request};
use crate::place::{Places, slashed};
use crate::report::terminal::counted;
use crate::setup::{self, Action, Ci, Facts, Step};

/// Set up configuration, pre-commit hook and CI workflow for this repository
///
/// Looks for migrations, the tool that runs them, hooks and CI, shows what it would write, and asks. A file that is there is
/// never overwritten: a hook is added to .pre-commit-config.yaml, everything else in it stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rollsafe init --dry-run     show what would be written\n  \
    rollsafe init --yes         write it without asking")]
pub struct InitArgs {
    /// Write without asking
    #[arg(short, long, conflicts_with = "dry_run")]
    yes: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write a workflow for this CI system [default: the one whose files are there]
    #[arg(long, value_enum)]
    ci: Option<Ci>,
    /// The command with which CI installs rollsafe
    #[arg(long, value_name = "COMMAND", default_value = concat!("cargo install --locked rollsafe@", env!("CARGO_PKG_VERSION")))]
    install: String,
}

/// Asks a person: shows the first, and tells whether they agree to the second.
pub type Ask<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Runs it.
pub fn run(arguments: &InitArgs, ask: Option<Ask<'_>>) -> Outcome {
    match plan_and_write(arguments, ask) {
        Ok(outcome) => outcome,
        Err(message) => Outcome::failed(message),
    }
}

fn plan_and_write(arguments: &InitArgs, ask: Option<Ask<'_>>) -> Result<Outcome, String> {
    let here = std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
    let root = Places::of(&here).root;
    // Everything is about the repository; paths in what is written count from its root.
    std::env::set_current_dir(&root).map_err(|error| format!("can't go to {}: {error}", root.display()))?;
    let survey = project::survey(Path::new(".")).map_err(|error| error.to_string())?;
    if survey.folders.is_empty() {
        let mut message = "no migrations in SQL found here; nothing to set up".to_owned();
        survey.notes.iter().for_each(|note| message.push_str(&format!("\n  {note}")));
        return Err(message);
    }
    let facts = facts(arguments, &survey.folders)?;
    let steps = setup::propose(&facts, &|path| std::fs::read_to_string(path).ok());
    for step in &steps {
        // A file that is no text is there all the same.
        if matches!(step.action, Action::Create(_)) && std::fs::symlink_metadata(&step.path).is_ok() {
            return Err(format!("{} is there, and can't be read", step.path.display()));
        }
    }
    let mut text = found(&facts, &root);
    text.push_str(&shown(&steps));
    let writes = steps.iter().any(|step| !matches!(step.action, Action::Leave(_)));
    if !writes {
        text.push_str("\nNothing to write.\n");
        return Ok(Outcome::ok(text));
    }
    if arguments.dry_run {
        text.push_str("\nNothing was written (--dry-run).\n");
        return Ok(Outcome::ok(text));
    }
    if !arguments.yes {
        match ask {
            Some(ask) => {
                if !ask(&text, "Write these files?") {
                    return Ok(Outcome::ok("Nothing was written.\n"));
                }
                text.clear();
            }
            None => {
                return Ok(Outcome {
                    stdout: text,
                    stderr: "error: nothing was written: there is no terminal to ask; --yes writes, --dry-run shows\n".to_owned(),
                    code: 2,
                });
            }
        }
    }
    for step in &steps {
        write(step)?;
    }
    text.push_str(&next(&facts, &steps));
    Ok(Outcome::ok(text))
}

fn facts(arguments: &InitArgs, folders: &[PathBuf]) -> Result<Facts, String> {
    let mut facts = Facts { install: arguments.install.clone(), ..Facts::default() };
    for folder in folders {
        let request = Request { paths: vec![folder.clone()], ..Request::default() };
        let project = project::gather(&request).map_err(|error| error.to_string())?;
        let runner = project.parts.iter().find_map(|part| part.runner);
        let shown = slashed(folder);
        facts.folders.push((
            if shown.is_empty() { ".".to_owned() } else { shown },
            runner.map(|found| (found.runner.title.to_owned(), found.because.to_owned())),
        ));
    }
    facts.postgres = postgres();
    facts.ci = Some(arguments.ci.unwrap_or_else(ci));
    facts.other_hooks = [("lefthook.yml", "lefthook"), ("lefthook.yaml", "lefthook"), (".husky", "husky")]
        .iter()
        .find(|(path, _)| Path::new(path).exists())
        .map(|(_, name)| (*name).to_owned());
    Ok(facts)
}

/// The CI system whose files are there, else the one that the repository comes from.
fn ci() -> Ci {
    if Path::new(".gitlab-ci.yml").exists() {
        return Ci::Gitlab;
    }
    if Path::new(".github").is_dir() {
        return Ci::Github;
    }
    match git::remote(Path::new(".")) {
        Some(remote) if remote.contains("github.") => Ci::Github,
        Some(remote) if remote.contains("gitlab.") => Ci::Gitlab,
        _ => Ci::None,
    }
}

/// The lowest version that images of compose files and workflows name.
fn postgres() -> Option<(u16, String)> {
    let mut paths: Vec<PathBuf> =
        ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml", ".gitlab-ci.yml"]
            .iter()
            .map(PathBuf::from)
            .collect();
    if let Ok(entries) = std::fs::read_dir(".github/workflows") {
        let mut found: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        found.sort();
        paths.extend(found);
    }
    paths
        .iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((setup::postgres_version(&text)?, slashed(path)))
        })
        .min_by_key(|(version, _)| *version)
}

fn found(facts: &Facts, root: &Path) -> String {
    let mut text = format!("In {}:\n", root.display());
    for (folder, tool) in &facts.folders {
        let tool = match tool {
            Some((name, because)) => format!("{name}, recognised by {because}"),
            None => "the tool isn't recognised".to_owned(),
        };
        text.push_str(&format!("  migrations in {folder} ({tool})\n"));
    }
    if let Some((version, from)) = &facts.postgres {
        text.push_str(&format!("  PostgreSQL {version}, as in {from}\n"));
    }
    text
}

fn shown(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let path = slashed(&step.path);
        match &step.action {
            Action::Create(contents) => {
                text.push_str(&format!("\nnew file {path}\n{}", prefixed(contents)));
            }
            Action::Insert { text: lines, .. } => {
                text.push_str(&format!("\n{path}: added, the rest stays as it is\n{}", prefixed(lines)));
            }
            Action::Leave(why) => text.push_str(&format!("\n{path}: left as it is, {why}\n")),
        }
    }
    text
}

fn prefixed(text: &str) -> String {
    text.trim_matches('\n').lines().map(|line| format!("  + {line}").trim_end().to_owned() + "\n").collect()
}

fn write(step: &Step) -> Result<(), String> {
    let contents = match &step.action {
        Action::Leave(_) => return Ok(()),
        Action::Create(contents) => {
            if let Some(folder) = step.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)
                    .map_err(|error| format!("can't make {}: {error}", folder.display()))?;
            }
            contents.clone()
        }
        Action::Insert { at, text } => {
            let there = std::fs::read_to_string(&step.path)
                .map_err(|error| format!("can't read {}: {error}", step.path.display()))?;
            let (Some(before), Some(after)) = (there.get(..*at), there.get(*at..)) else {
                return Err(format!("{} has changed meanwhile: run it again", step.path.display()));
            };
            format!("{before}{text}{after}")
        }
    };
    files::write_whole(&step.path, contents.as_bytes()).map_err(|error| error.to_string())
}

/// What was written, and what to do then.
fn next(facts: &Facts, steps: &[Step]) -> String {
    let mut text = String::from("\n");
    for step in steps.iter().filter(|step| !matches!(step.action, Action::Leave(_))) {
        text.push_str(&format!("wrote {}\n", slashed(&step.path)));
    }
    let loaded = Loaded {
        path: Some(PathBuf::from(config::FILE)),
        config: std::fs::read_to_string(config::FILE)
            .ok()
            .and_then(|text| config::parse(&text).ok())
            .unwrap_or_default(),
    };
    let scope = Scope { all: true, ..Scope::default() };
    text.push_str("\nNext:\n");
    match gather(&scope, &loaded) {
        Ok((project, options)) => {
            let report = judge(&project, &options);
            let errors = report.count(Severity::Error);
            let total = report.findings.len();
            if total > 0 {
                text.push_str(&format!(
                    "  The history has {} ({}). Only what a change adds or edits is judged, so nothing has to be mended; to check the\n  \
                     whole history too, write a baseline first: rollsafe lint --write-baseline rollsafe-baseline.json\n",
                    counted(total, "finding"),
                    counted(errors, "error")
                ));
            }
            if report.not_understood() > 0 {
                text.push_str(&format!(
                    "  {} could not be read: rollsafe lint --all shows which\n",
                    counted(report.not_understood(), "statement")
                ));
            }
        }
        Err(error) => text.push_str(&format!("  rollsafe lint --all can't run yet: {error}\n")),
    }
    let wrote = |path: &str| {
        steps.iter().any(|step| step.path == Path::new(path) && !matches!(step.action, Action::Leave(_)))
    };
    if wrote(".pre-commit-config.yaml") {
        text.push_str("  pre-commit install\n");
    }
    if facts.postgres.is_none() && wrote(config::FILE) {
        text.push_str("  set postgres-version in rollsafe.toml to that of production\n");
    }
    if !matches!(facts.ci, Some(Ci::None) | None) {
        text.push_str(&format!(
            "  CI installs rollsafe with `{}`; --install says otherwise\n",
            facts.install
        ));
    }
    text.push_str("  rollsafe lint\n");
    text
}
