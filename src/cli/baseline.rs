//! `--baseline` and `--write-baseline`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::baseline::{self, Baseline};
use crate::finding::Severity;
use crate::migration::lint::{LintOptions, LintReport};
use crate::migration::rules;
use crate::pages;
use crate::place::Places;
use crate::report::Sources;
use crate::report::terminal::counted;

/// What is known already.
#[derive(Debug, Args)]
#[command(next_help_heading = "Adoption")]
pub struct BaselineArgs {
    /// Tell only what isn't in this baseline
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Heed no baseline
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline"])]
    no_baseline: bool,
    /// Write all that is found to this baseline; where no path is given, of every migration
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

impl BaselineArgs {
    /// Whether a baseline is to be written.
    pub fn writes(&self) -> bool {
        self.write_baseline.is_some()
    }

    /// Writes the baseline if asked, and moves what is known to the suppressed findings. Gives what to tell.
    ///
    /// # Errors
    /// When a baseline can't be read or written.
    pub fn apply(
        &self,
        configured: Option<PathBuf>,
        report: &mut LintReport,
        sources: &mut Sources,
        places: &Places,
        options: &LintOptions,
    ) -> Result<Option<String>, String> {
        let mut told = None;
        if let Some(path) = &self.write_baseline {
            let count = baseline::write(path, report, sources, places).map_err(|error| error.to_string())?;
            let mut note = format!("wrote {} to {}", counted(count, "finding"), path.display());
            let named = configured
                .as_ref()
                .is_some_and(|configured| places.here.join(configured) == places.here.join(path));
            if !named {
                note.push_str(&format!(
                    "; to have it heeded: baseline = \"{}\" under [lint] in rollsafe.toml",
                    path.display()
                ));
            }
            told = Some(note);
        }
        if self.no_baseline {
            return Ok(told);
        }
        let Some(path) = self.write_baseline.clone().or_else(|| self.baseline.clone()).or(configured) else {
            return Ok(told);
        };
        let baseline = Baseline::read(&path).map_err(|error| error.to_string())?;
        let severity = |code: &str, path: &Path| -> Option<Severity> {
            let facts = rules::rule(code).and_then(|rule| pages::facts(rule.page))?;
            options.severities.in_file(path, code, facts.category, facts.severity)
        };
        baseline.apply(report, sources, places, &severity);
        sources.extend([baseline.source()]);
        Ok(told)
    }
}
