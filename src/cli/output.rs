//! Where reports go: standard output, files, and what a CI system takes besides.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::files;
use crate::report::terminal::Style;
use crate::report::{self, FORMATS, Format, Report, Writer, github, markdown};

/// How and where to report.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How to report [default: terminal; in GitHub Actions with annotations and a step summary, in GitLab CI with
    /// gl-code-quality-report.json beside it]
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    format: Option<&'static Format>,
    /// Also write a report to a file, in any of the formats: --output sarif=rollsafe.sarif. May be given several times; `-`
    /// stands for standard output
    #[arg(long, value_name = "FORMAT=FILE", value_parser = to_file)]
    output: Vec<ToFile>,
}

fn formats() -> impl TypedValueParser<Value = &'static Format> {
    PossibleValuesParser::new(FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about)))
        // Only names of the list come through.
        .try_map(|name| report::format(&name).ok_or("no such format"))
}

/// `--output FORMAT=FILE`
#[derive(Clone, Debug)]
struct ToFile {
    format: &'static Format,
    path: PathBuf,
}

impl ToFile {
    fn is_stdout(&self) -> bool {
        self.path.as_os_str() == "-"
    }
}

fn to_file(written: &str) -> Result<ToFile, String> {
    let names = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
    let (name, path) = written.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(|| {
        format!("write FORMAT=FILE, for example sarif=rollsafe.sarif; formats are {}", names())
    })?;
    let format =
        report::format(name).ok_or_else(|| format!("there is no format `{name}`: use {}", names()))?;
    Ok(ToFile { format, path: PathBuf::from(path) })
}

/// Whether `path` can be written to later: long work isn't begun for a report that has no place.
pub(super) fn has_a_place(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            Err(format!("can't write {}: there is no folder {}", path.display(), folder.display()))
        }
        _ if path.is_dir() => Err(format!("can't write {}: it is a folder", path.display())),
        _ => Ok(()),
    }
}

/// The CI system that it runs in, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ci {
    GitHub,
    GitLab,
}

fn ci() -> Option<Ci> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
    if set("GITHUB_ACTIONS") {
        Some(Ci::GitHub)
    } else if set("GITLAB_CI") {
        Some(Ci::GitLab)
    } else {
        None
    }
}

/// What was delivered.
#[derive(Debug, Default)]
pub struct Delivered {
    /// For standard output.
    pub stdout: String,
    /// For standard error: what was written where.
    pub notes: Vec<String>,
    /// What could not be written.
    pub failures: Vec<String>,
}

impl OutputArgs {
    /// Whether all files can be written, as far as can be told before there is a report.
    ///
    /// # Errors
    /// The first that can't, for people to read.
    pub fn check(&self) -> Result<(), String> {
        for (at, one) in self.output.iter().enumerate() {
            if self.output.iter().take(at).any(|other| other.path == one.path) {
                return Err(format!("--output: {} is named twice", one.path.display()));
            }
            if one.is_stdout() {
                if self.format.is_some() {
                    return Err(
                        "--output: standard output has the report of --format: name a file".to_owned()
                    );
                }
                continue;
            }
            files::check_target(&one.path).map_err(|error| format!("--output: {error}"))?;
            if one.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
                return Err(format!("--output: {} would be overwritten, and it is SQL", one.path.display()));
            }
        }
        Ok(())
    }

    /// Writes the reports; `out` is standard output, where what may be large can be written to it piece by piece.
    pub fn deliver(&self, report: &Report<'_>, style: Style, out: Option<&mut dyn Write>) -> Delivered {
        let mut delivered = Delivered::default();
        let ci = ci();
        let format =
            self.format.or_else(|| self.output.iter().find(|one| one.is_stdout()).map(|one| one.format));
        delivered.stdout = match (format, ci) {
            (Some(Format { write: Writer::Pieces(write), .. }), _) if let Some(out) = out => {
                // A reader that went away (`| head`) is no failure.
                let mut out = BufWriter::with_capacity(64 * 1024, out);
                let _ = write(report, &mut out).and_then(|()| out.flush());
                String::new()
            }
            (Some(format), _) => format.text(report, style),
            (None, Some(Ci::GitHub)) => {
                let mut log = github::harmless(&report::terminal::report(report, style)).into_owned();
                if !report.findings.is_empty() {
                    // Folded away: the log above says the same, for people.
                    log.push_str(&format!(
                        "::group::annotations\n{}::endgroup::\n",
                        github::annotations(report)
                    ));
                }
                log
            }
            (None, _) => report::terminal::report(report, style),
        };
        let plain = Style { color: false, width: 100, ..style };
        let mut write = |format: &Format, path: &Path| {
            let written = files::write_whole(path, format.text(report, plain).as_bytes());
            delivered.failures.extend(written.err().map(|error| error.to_string()));
        };
        for one in self.output.iter().filter(|one| !one.is_stdout()) {
            write(one.format, &one.path);
        }
        let annotates = format.map_or(ci == Some(Ci::GitHub), |format| format.name == "github");
        if annotates
            && let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
            && let Err(error) = append(Path::new(&summary), &markdown::report(report, plain))
        {
            delivered.notes.push(format!("no step summary: {error}"));
        }
        let wants = format.is_none() && ci == Some(Ci::GitLab);
        if wants && !self.output.iter().any(|one| one.format.name == "gitlab") {
            let folder = std::env::var_os("CI_PROJECT_DIR").map(PathBuf::from).filter(|path| path.is_dir());
            let path = folder.unwrap_or_default().join("gl-code-quality-report.json");
            if let Some(gitlab) = report::format("gitlab") {
                match files::write_whole(&path, gitlab.text(report, plain).as_bytes()) {
                    Ok(()) => delivered.notes.push(
                        "wrote gl-code-quality-report.json, for `artifacts: reports: codequality`".to_owned(),
                    ),
                    Err(error) => delivered.notes.push(format!("no report for GitLab: {error}")),
                }
            }
        }
        delivered
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}
