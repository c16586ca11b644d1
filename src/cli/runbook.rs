//! `rollsafe runbook`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::gate::{GatherArgs, gather};
use super::{Outcome, Surroundings};
use crate::config::Loaded;
use crate::gate::clock::{Start, Zone};
use crate::gate::{self, GateReport};
use crate::runbook::{self, Language, Options};

/// Write the procedure of the release and of the way back, to work through
///
/// Filled from the migrations and, where given, the backup, the rehearsal, the live server and the gate's evidence.
/// What isn't known is a blank to fill in, never invented.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rollsafe runbook --rehearsal rehearsal.json --backup shop.dump > runbook.md\n  \
    rollsafe runbook --gate release-42.json --lang ja --start '2026-12-01 22:00' --write runbook.md\n  \
    rollsafe runbook --print-template > runbook.en.md    # to change, and use with --template")]
pub struct RunbookArgs {
    #[command(flatten)]
    gathering: GatherArgs,
    /// What `rollsafe gate --evidence` wrote, as JSON: all is taken from it, and nothing is looked at anew
    #[arg(long, value_name = "FILE", conflicts_with_all = ["backup", "rehearsal", "database_url", "paths"])]
    gate: Option<PathBuf>,
    /// In which language [default: en]
    #[arg(long, value_enum, value_name = "LANG")]
    lang: Option<Language>,
    /// A template of one's own, or a folder with runbook.en.md and runbook.ja.md
    #[arg(long, value_name = "PATH")]
    template: Option<PathBuf>,
    /// Print the template that comes along
    #[arg(long)]
    print_template: bool,
    /// When the release begins, by this machine's clock ('2026-12-01 22:00') or with an offset
    /// ('2026-12-01T22:00+09:00'): the timetable then has times of day, and all times are in that zone
    #[arg(long, value_name = "TIME")]
    start: Option<Start>,
    /// Write it to a new file instead of standard output
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Runs it.
pub fn run(arguments: &RunbookArgs, loaded: &Loaded, around: Surroundings) -> Outcome {
    let config = &loaded.config.runbook;
    let language = arguments.lang.or(config.lang).unwrap_or_default();
    if arguments.print_template {
        return Outcome::ok(language.template());
    }
    let base = loaded.path.as_deref().and_then(Path::parent).map(PathBuf::from).unwrap_or_default();
    let start = arguments.start.map(Start::settle);
    let mut options = Options {
        language,
        // Paths in the configuration are relative to its file.
        template: arguments.template.clone().or_else(|| config.template.as_ref().map(|path| base.join(path))),
        start: start.map(|(at, _)| at),
        zone: Zone::default(),
        judged: arguments.gate.is_some(),
    };
    let (report, notes) = match &arguments.gate {
        Some(path) => match read(path) {
            Ok(report) => (report, Vec::new()),
            Err(message) => return Outcome::failed(message),
        },
        None => match gather(&arguments.gathering, loaded, around) {
            Ok(found) => (gate::judge(&found.gathered), found.notes),
            Err(message) => return Outcome::failed(message),
        },
    };
    options.zone = start.map_or_else(|| Zone::here(report.asked_at), |(_, zone)| zone);
    let text = match runbook::render(&report, &options) {
        Ok(text) => text,
        Err(error) => return Outcome::failed(error),
    };
    let stderr = notes.iter().map(|note| format!("note: {note}\n")).collect();
    let Some(path) = &arguments.write else {
        return Outcome { stdout: text, stderr, code: 0 };
    };
    // A runbook is filled in by hand: an earlier one isn't to be lost.
    let written = std::fs::File::create_new(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    match written {
        Ok(()) => Outcome { stderr, ..Outcome::default() },
        Err(error) => Outcome::failed(format!("can't write {}: {error}", path.display())),
    }
}

fn read(path: &Path) -> Result<GateReport, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let report: GateReport = serde_json::from_slice(&bytes).map_err(|error| {
        format!("{}: {error}; it should be what `rollsafe gate --evidence` wrote", path.display())
    })?;
    if report.schema_version == 0 || report.tool.get("name").map(String::as_str) != Some("rollsafe") {
        return Err(format!("{} is no evidence of `rollsafe gate`", path.display()));
    }
    if report.schema_version > gate::SCHEMA_VERSION {
        return Err(format!(
            "{}: schema_version {} is newer than this rollsafe knows",
            path.display(),
            report.schema_version
        ));
    }
    Ok(report)
}
