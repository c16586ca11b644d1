//! `rollsafe lint --fix` and `--diff`: which files may be changed, writing them, and telling what was done.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use crate::finding::Applicability;
use crate::git::{self, GitError, Selection, Status};
use crate::migration::fix::{self, Mended};
use crate::migration::lint::LintReport;
use crate::migration::project::{Project, Request, plain};
use crate::migration::rules::Change;

/// The path that standard input goes by.
const STDIN: &str = "<stdin>";

/// How many reasons for what wasn't fixed are told one by one.
const MOST_REASONS: usize = 20;

/// Options of `lint` about fixes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Fixes")]
pub struct FixArgs {
    /// Mend what can be mended mechanically, and report what is left. Files that the base branch has already are
    /// changed only when they are named. With `-` the text goes to standard output, the report to standard error
    #[arg(long)]
    fix: bool,
    /// Apply those fixes too that change more than how a statement runs, such as taking a file out of its transaction
    #[arg(long)]
    unsafe_fixes: bool,
    /// Write nothing: show what --fix would change as a unified diff; the exit code is 1 if there is any
    #[arg(long)]
    diff: bool,
}

impl FixArgs {
    /// Whether anything is to be mended or shown.
    pub fn wanted(&self) -> bool {
        self.fix || self.diff || self.unsafe_fixes
    }
}

/// What became of the fixes.
pub struct Fixed {
    diff: bool,
    unsafe_fixes: bool,
    mended: Mended,
    /// Judged files that must not be changed, and why.
    closed: BTreeMap<PathBuf, String>,
    /// What went wrong while writing.
    failures: Vec<String>,
    stdin: Option<Vec<u8>>,
}

/// How a request is linted.
pub type Judge<'a> = dyn Fn(&Request) -> Result<(Project, LintReport), String> + 'a;

/// Mends what `request` asks for; writes the files unless only the differences are wanted. Afterwards `request` holds the
/// texts as they are now.
///
/// # Errors
/// When the migrations can't be gathered or read, or the options don't fit together.
pub fn mend(
    arguments: &FixArgs,
    named: &[PathBuf],
    request: &mut Request,
    judge: &Judge<'_>,
) -> Result<Fixed, String> {
    if !arguments.fix && !arguments.diff {
        return Err(
            "--unsafe-fixes says which fixes to apply: add --fix, or --diff to see them first".to_owned()
        );
    }
    if request.stdin.as_ref().is_some_and(|text| std::str::from_utf8(text).is_err()) {
        return Err("standard input is not UTF-8, so it can't be given back with fixes as it was".to_owned());
    }
    let (project, report) = judge(request)?;
    let judged: HashSet<&PathBuf> = project
        .parts
        .iter()
        .flat_map(|part| &part.migrations)
        .filter(|migration| migration.judged)
        .map(|migration| &migration.path)
        .collect();
    let mut closed = closed(&judged, named, request);
    // Those are told of that something could be done about.
    closed.retain(|path, _| {
        report.findings.iter().any(|f| f.fix.is_some() && f.path.as_deref() == Some(path.as_path()))
    });
    let stdin = request.stdin.clone();
    let mended = {
        let request = &*request;
        fix::mend(
            |texts| {
                let mut now = request.clone();
                now.texts.extend(texts.iter().map(|(path, text)| (path.clone(), text.clone())));
                if let Some(text) = texts.get(Path::new(STDIN)) {
                    now.stdin = Some(text.clone());
                }
                judge(&now).map(|(_, report)| report.findings)
            },
            |path| match (&request.stdin, request.texts.get(path)) {
                (Some(stdin), _) if path == Path::new(STDIN) => Ok(stdin.clone()),
                (_, Some(text)) => Ok(text.clone()),
                _ => std::fs::read(path).map_err(|error| format!("can't read {}: {error}", path.display())),
            },
            |path| judged.contains(&path.to_path_buf()) && !closed.contains_key(path),
            arguments.unsafe_fixes,
        )?
    };
    let mut failures = Vec::new();
    if !arguments.diff {
        for (path, file) in mended.files.iter().filter(|(path, _)| *path != Path::new(STDIN)) {
            match write(path, &file.before, &file.after) {
                Ok(()) => {
                    request.texts.insert(path.clone(), file.after.clone());
                }
                Err(message) => failures.push(message),
            }
        }
    }
    let stdin =
        stdin.map(|before| mended.files.get(Path::new(STDIN)).map_or(before, |file| file.after.clone()));
    if stdin.is_some() {
        request.stdin = stdin.clone();
    }
    let (diff, unsafe_fixes) = (arguments.diff, arguments.unsafe_fixes);
    Ok(Fixed { diff, unsafe_fixes, mended, closed, failures, stdin })
}

/// The judged files that must be left as they are, and why: what may have run somewhere is not changed behind
/// anybody's back.
fn closed(judged: &HashSet<&PathBuf>, named: &[PathBuf], request: &Request) -> BTreeMap<PathBuf, String> {
    let files: HashSet<PathBuf> =
        named.iter().filter(|path| path.is_file()).map(|path| plain(path)).collect();
    let mut rest: Vec<&PathBuf> = judged
        .iter()
        .copied()
        .filter(|path| !files.contains(*path) && path.as_path() != Path::new(STDIN))
        .collect();
    rest.sort();
    let applied = |base: &str| {
        format!("it is in {base} already and may have run; name the file to have it fixed all the same")
    };
    let why = |path: &PathBuf, known: &Known| match known {
        Known::Added(added, _) if added.contains(path) => None,
        Known::Added(_, base) => Some(applied(base)),
        Known::Nothing(None) => None,
        Known::Nothing(Some(why)) => Some(why.clone()),
    };
    let known = match &request.changed {
        _ if rest.is_empty() => return BTreeMap::new(),
        Some(changed) => {
            let added = changed.iter().filter(|(_, change)| **change == Change::Added);
            Known::Added(added.map(|(path, _)| plain(path)).collect(), "the base".to_owned())
        }
        None => ask_git(named.is_empty()),
    };
    rest.into_iter().filter_map(|path| Some((path.clone(), why(path, &known)?))).collect()
}

/// What is known of the files that haven't run anywhere yet.
enum Known {
    /// These are new since that base.
    Added(HashSet<PathBuf>, String),
    /// Nothing: files are changed (`None`), or not, for that reason.
    Nothing(Option<String>),
}

fn ask_git(everything: bool) -> Known {
    let here = match std::env::current_dir() {
        Ok(here) => here,
        Err(error) => return Known::Nothing(Some(format!("there is no working directory: {error}"))),
    };
    match git::changes(&here, &Selection::Branch) {
        Ok(found) => {
            let prefix = here.strip_prefix(&found.root).map(PathBuf::from).unwrap_or_default();
            let added = found
                .files
                .iter()
                .filter(|(_, status)| **status == Status::Added)
                .map(|(path, _)| {
                    path.strip_prefix(&prefix).map(PathBuf::from).unwrap_or_else(|_| found.root.join(path))
                })
                .collect();
            Known::Added(added, found.base.told())
        }
        Err(GitError::NoRepository) if !everything => Known::Nothing(None),
        Err(GitError::NoRepository) => Known::Nothing(Some(
            "without a git repository nothing tells whether it has run; name the files or folders to fix"
                .to_owned(),
        )),
        Err(error) => {
            Known::Nothing(Some(format!("nothing tells whether it has run ({error}); name the file")))
        }
    }
}

/// Writes a file as a whole or not at all, its mode kept, unless somebody else changed it meanwhile.
fn write(path: &Path, before: &[u8], after: &[u8]) -> Result<(), String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("can't write {shown}: {error}; it is as it was");
    // A link stays one: what it leads to is written.
    let target = path.canonicalize().map_err(failed)?;
    if std::fs::read(&target).map_err(failed)? != before {
        return Err(format!(
            "{shown} was changed by somebody else meanwhile, and is left as it is; run --fix again"
        ));
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let mode = std::fs::metadata(&target).map_err(failed)?.permissions();
    if mode.readonly() {
        return Err(format!("can't write {shown}: it is read-only; it is as it was"));
    }
    let mut file = tempfile::Builder::new().prefix(".rollsafe-").tempfile_in(folder).map_err(failed)?;
    file.write_all(after).map_err(failed)?;
    file.as_file().set_permissions(mode).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

impl Fixed {
    /// With `--diff`: the differences, and what stays.
    pub fn differences(&self) -> Option<Outcome> {
        if !self.diff {
            return None;
        }
        let mut stdout = String::new();
        for (path, file) in &self.mended.files {
            let (before, after) =
                (String::from_utf8_lossy(&file.before), String::from_utf8_lossy(&file.after));
            let shown = path.to_string_lossy().replace('\\', "/");
            let differences = similar::TextDiff::from_lines(before.as_ref(), after.as_ref());
            let (old, new) = (format!("a/{shown}"), format!("b/{shown}"));
            stdout.push_str(&differences.unified_diff().context_radius(3).header(&old, &new).to_string());
        }
        let code = u8::from(!self.mended.files.is_empty());
        let stderr = format!("{}{}", self.done("would fix"), self.held_back());
        Some(Outcome { stdout, stderr, code })
    }

    /// The outcome of the lint that follows, with what was fixed, and what wasn't and why.
    pub fn told(self, outcome: Outcome, report: &LintReport) -> Outcome {
        let mut stderr = format!("{}{}{}", outcome.stderr, self.done("fixed"), self.held_back());
        let mut left: Vec<&_> = report.unfixed.iter().collect();
        left.dedup();
        for one in left.iter().take(MOST_REASONS) {
            let place = format!("{}:{}:{}", one.path.display(), one.location.line, one.location.column);
            stderr.push_str(&format!("not fixed: {place}: {}: {}\n", one.code, one.why));
        }
        if left.len() > MOST_REASONS {
            stderr.push_str(&format!("not fixed: {} more\n", left.len() - MOST_REASONS));
        }
        let hidden = report
            .findings
            .iter()
            .filter(|finding| {
                finding.fix.as_ref().is_some_and(|fix| fix.applicability == Applicability::Unsafe)
                    && finding.path.as_deref().is_some_and(|path| !self.closed.contains_key(path))
            })
            .count();
        if hidden > 0 && !self.unsafe_fixes {
            let fixes =
                if hidden == 1 { "1 more fix is".to_owned() } else { format!("{hidden} more fixes are") };
            stderr.push_str(&format!(
                "note: {fixes} there with --unsafe-fixes; --diff --unsafe-fixes shows what they would change\n"
            ));
        }
        for failure in &self.failures {
            stderr.push_str(&format!("error: {failure}\n"));
        }
        let code = if self.failures.is_empty() { outcome.code } else { 2 };
        match self.stdin {
            // The text is the output, so that it can be piped on; the report goes where people see it.
            Some(text) => Outcome {
                stdout: String::from_utf8_lossy(&text).into_owned(),
                stderr: format!("{}{stderr}", outcome.stdout),
                code,
            },
            None => Outcome { stdout: outcome.stdout, stderr, code },
        }
    }

    fn done(&self, verb: &str) -> String {
        let mut told = String::new();
        for one in &self.mended.applied {
            let marked = if one.applicability == Applicability::Unsafe { " (unsafe)" } else { "" };
            told.push_str(&format!(
                "{verb}: {}:{}: {}: {}{marked}\n",
                one.path.display(),
                one.line,
                one.code,
                one.title
            ));
            if let Some(note) = &one.note {
                told.push_str(&format!("  note: {note}\n"));
            }
        }
        if self.mended.applied.is_empty() {
            told.push_str("nothing to fix mechanically\n");
        }
        told
    }

    fn held_back(&self) -> String {
        let mut told = String::new();
        let mut by_reason: HashMap<&str, Vec<&PathBuf>> = HashMap::new();
        for (path, why) in self.closed.iter().chain(&self.mended.uneditable) {
            by_reason.entry(why).or_default().push(path);
        }
        let mut by_reason: Vec<_> = by_reason.into_iter().collect();
        by_reason.sort();
        for (why, paths) in by_reason {
            match paths.as_slice() {
                [path] => told.push_str(&format!("left alone: {}: {why}\n", path.display())),
                [first, ..] => told.push_str(&format!(
                    "left alone: {} and {} more: {why}\n",
                    first.display(),
                    paths.len() - 1
                )),
                [] => {}
            }
        }
        for (path, code) in &self.mended.taken_back {
            told.push_str(&format!(
                "left alone: {}: the fixes were taken back, since `{code}` would have come with them; please report it to rollsafe with the file\n",
                path.display()
            ));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_meanwhile_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1_a.sql");
        std::fs::write(&path, "now").unwrap();
        let error = write(&path, b"then", b"fixed").unwrap_err();
        assert!(error.contains("changed by somebody else"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"now");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn modes_and_links_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("1_a.sql"), folder.path().join("2_link.sql"));
        std::fs::write(&path, "then").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"then", b"fixed").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"fixed");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
