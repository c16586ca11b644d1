//! Fixes: which of those that findings offer are applied together, and the rounds until nothing is left to mend.
//!
//! Nothing here reads or writes a file: the caller says what a file holds, and gets what it should hold.

pub mod place;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::finding::{Applicability, Edit, Finding, Fix, Turn};

pub use text::{apply, is_editable};

/// More rounds than this are never needed: each fix makes its finding go away, and the deepest known chain is
/// four long (a switch, CONCURRENTLY, what a failed build has left, a timeout).
const MOST_ROUNDS: usize = 20;

/// Codes that a fix must never bring into a file: the file would no longer run, or do something else.
const NEVER_NEW: [&str; 16] = [
    "syntax_error",
    "statement_not_understood",
    "relation_missing",
    "column_missing",
    "already_exists",
    "constraint_missing",
    "still_depended_on",
    "unique_index_missing",
    "replacement_refused",
    "refused_by_schema",
    "concurrently_in_transaction",
    "concurrently_on_partitioned_table",
    "not_allowed_in_transaction",
    "transaction_left_open",
    "nested_transaction",
    "identifier_truncated",
];

/// A fix that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The file.
    pub path: PathBuf,
    /// The line of the finding, in the text as it was when the fix was applied.
    pub line: u32,
    /// The finding's code.
    pub code: String,
    /// What the fix did.
    pub title: String,
    /// Whether it may be applied unseen.
    pub applicability: Applicability,
    /// What has to be known or done besides.
    pub note: Option<String>,
}

/// A file as it was and as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The bytes that fixes began with.
    pub before: Vec<u8>,
    /// The bytes with the fixes applied.
    pub after: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Mended {
    /// The files that change, by path.
    pub files: BTreeMap<PathBuf, Rewritten>,
    /// What was applied, in order.
    pub applied: Vec<Applied>,
    /// Files whose fixes were taken back, since the result would not have linted, with the code that came.
    pub taken_back: Vec<(PathBuf, String)>,
    /// Files that can't be edited, and why.
    pub uneditable: BTreeMap<PathBuf, String>,
}

/// Applies fixes until none is left: `lint` judges with the texts given in place of what files hold, `read` gives a
/// file's bytes, `may_edit` says which files may be changed.
///
/// # Errors
/// Those of `lint` and `read`.
pub fn mend<E>(
    mut lint: impl FnMut(&HashMap<PathBuf, Vec<u8>>) -> Result<Vec<Finding>, E>,
    mut read: impl FnMut(&Path) -> Result<Vec<u8>, E>,
    may_edit: impl Fn(&Path) -> bool,
    with_unsafe: bool,
) -> Result<Mended, E> {
    let mut mended = Mended::default();
    let mut texts: HashMap<PathBuf, Vec<u8>> = HashMap::new();
    let mut closed: BTreeSet<PathBuf> = BTreeSet::new();
    let mut findings = lint(&texts)?;
    for _ in 0..MOST_ROUNDS {
        let chosen = choose(&findings, with_unsafe, |path| may_edit(path) && !closed.contains(path));
        if chosen.is_empty() {
            break;
        }
        let mut before_round: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let mut applied: Vec<Applied> = Vec::new();
        for (path, fixes) in chosen {
            let now = match texts.get(&path) {
                Some(now) => now.clone(),
                None => read(&path)?,
            };
            if let Err(why) = is_editable(&now) {
                closed.insert(path.clone());
                mended.uneditable.insert(path, why);
                continue;
            }
            let edits: Vec<&Fix> = fixes.iter().map(|(_, fix)| *fix).collect();
            let Some(after) = apply(&now, &edits) else {
                // Not the text that was judged: the caller finds out when it looks at the file again.
                closed.insert(path);
                continue;
            };
            mended
                .files
                .entry(path.clone())
                .or_insert_with(|| Rewritten { before: now.clone(), after: Vec::new() })
                .after = after.clone();
            applied.extend(fixes.iter().map(|(finding, fix)| Applied {
                path: path.clone(),
                line: finding.span.map_or(1, |span| span.line),
                code: finding.code.to_string(),
                title: fix.title.clone(),
                applicability: fix.applicability,
                note: fix.note.clone(),
            }));
            before_round.insert(path.clone(), now);
            texts.insert(path, after);
        }
        if before_round.is_empty() {
            continue;
        }
        let mut after = lint(&texts)?;
        let mut back = false;
        for (path, was) in before_round {
            if let Some(code) = newly_broken(&findings, &after, &path) {
                // What a fix breaks is the fix's fault: the file stays as it was before this round.
                match mended.files.get_mut(&path) {
                    Some(file) if file.before == was => {
                        mended.files.remove(&path);
                        texts.remove(&path);
                    }
                    Some(file) => {
                        file.after = was.clone();
                        texts.insert(path.clone(), was);
                    }
                    None => {}
                }
                applied.retain(|one| one.path != path);
                closed.insert(path.clone());
                mended.taken_back.push((path, code));
                back = true;
            }
        }
        if back {
            after = lint(&texts)?;
        }
        mended.applied.append(&mut applied);
        findings = after;
    }
    mended.files.retain(|_, file| file.before != file.after);
    Ok(mended)
}

/// A code that must never come and stands in the file more often than before.
fn newly_broken(before: &[Finding], after: &[Finding], path: &Path) -> Option<String> {
    let count = |findings: &[Finding], code: &str| {
        findings.iter().filter(|f| f.code == code && f.path.as_deref() == Some(path)).count()
    };
    NEVER_NEW.iter().find(|code| count(after, code) > count(before, code)).map(|code| (*code).to_owned())
}

/// What is applied in one round, by file: those whose turn it is, in the order of their places, of two that touch each
/// other the first.
pub fn choose(
    findings: &[Finding],
    with_unsafe: bool,
    may_edit: impl Fn(&Path) -> bool,
) -> BTreeMap<PathBuf, Vec<(&Finding, &Fix)>> {
    let mut offered: BTreeMap<PathBuf, Vec<(&Finding, &Fix)>> = BTreeMap::new();
    for finding in findings {
        let (Some(path), Some(fix)) = (finding.path.as_deref(), finding.fix.as_deref()) else { continue };
        let allowed = with_unsafe || fix.applicability == Applicability::Safe;
        if allowed && !fix.edits.is_empty() && may_edit(path) {
            offered.entry(path.to_path_buf()).or_default().push((finding, fix));
        }
    }
    for fixes in offered.values_mut() {
        fixes.sort_by_key(|(finding, fix)| (fix.turn, fix.edits.first().map(|e| e.start), &finding.code));
        let turn = fixes.first().map_or(Turn::Any, |(_, fix)| fix.turn);
        let mut taken: Vec<&Edit> = Vec::new();
        fixes.retain(|(_, fix)| {
            let waits = fix.turn != turn || (turn == Turn::Alone && !taken.is_empty());
            if waits || fix.edits.iter().any(|edit| taken.iter().any(|other| touch(edit, other))) {
                return false;
            }
            taken.extend(&fix.edits);
            true
        });
    }
    offered
}

/// Whether two edits can't be made independently: they overlap, or put text into the same place.
fn touch(a: &Edit, b: &Edit) -> bool {
    (a.start < b.end && b.start < a.end)
        || a.start == b.start
        || a.end == b.end && (a.start == a.end || b.start == b.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Category, Severity};
    use crate::source::Location;

    fn finding(code: &'static str, edits: &[(u32, u32, &str)], applicability: Applicability) -> Finding {
        let edits = edits
            .iter()
            .map(|(start, end, text)| Edit { start: *start, end: *end, text: (*text).to_owned() })
            .collect();
        Finding {
            code: code.into(),
            category: Category::Locking,
            severity: Severity::Error,
            path: Some(Path::new("a.sql").into()),
            span: Some(Location { line: 1, ..Location::default() }),
            object: None,
            message: String::new(),
            help: None,
            fix: Some(Box::new(Fix {
                title: code.to_owned(),
                applicability,
                note: None,
                edits,
                turn: Turn::Any,
            })),
        }
    }

    #[test]
    fn of_two_that_touch_the_first_is_taken_and_the_other_waits_for_its_round() {
        let findings = [
            finding("b", &[(3, 5, "x")], Applicability::Safe),
            finding("a", &[(0, 4, "y")], Applicability::Safe),
            finding("c", &[(7, 7, "z")], Applicability::Unsafe),
        ];
        let chosen = choose(&findings, false, |_| true);
        let codes: Vec<&str> = chosen[Path::new("a.sql")].iter().map(|(f, _)| f.code.as_ref()).collect();
        assert_eq!(codes, ["a"]);
        let chosen = choose(&findings, true, |_| true);
        assert_eq!(chosen[Path::new("a.sql")].len(), 2);
    }

    #[test]
    fn rounds_end_when_nothing_is_offered_and_broken_results_are_taken_back() {
        let text = b"one two".to_vec();
        let mended = mend::<()>(
            |texts| {
                Ok(match texts.get(Path::new("a.sql")).map(|t| t.starts_with(b"ONE")) {
                    None => vec![finding("a", &[(0, 3, "ONE")], Applicability::Safe)],
                    Some(true) if !texts[Path::new("a.sql")].ends_with(b"TWO") => {
                        vec![finding("b", &[(4, 7, "TWO")], Applicability::Safe)]
                    }
                    _ => Vec::new(),
                })
            },
            |_| Ok(text.clone()),
            |_| true,
            false,
        )
        .unwrap();
        assert_eq!(mended.files[Path::new("a.sql")].after, b"ONE TWO");
        assert_eq!(mended.applied.len(), 2);
        let broken = mend::<()>(
            |texts| {
                Ok(match texts.is_empty() {
                    true => vec![finding("a", &[(0, 3, "ONE")], Applicability::Safe)],
                    false => vec![finding("syntax_error", &[], Applicability::Safe)],
                })
            },
            |_| Ok(text.clone()),
            |_| true,
            false,
        )
        .unwrap();
        assert!(broken.files.is_empty() && broken.applied.is_empty());
        assert_eq!(broken.taken_back.len(), 1);
    }

    #[test]
    fn fixes_that_never_stop_are_stopped() {
        let mut rounds = 0;
        let mended = mend::<()>(
            |_| {
                rounds += 1;
                Ok(vec![finding("a", &[(0, 0, "x")], Applicability::Safe)])
            },
            |_| Ok(b"y".to_vec()),
            |_| true,
            false,
        )
        .unwrap();
        assert_eq!(mended.applied.len(), MOST_ROUNDS);
        assert!(rounds <= MOST_ROUNDS + 1);
    }
}
