//! Severities after configuration: how much a code matters, for all files and for some.

use std::path::Path;

use crate::finding::{Category, Severity};
use crate::patterns::Patterns;

/// Severities after configuration: which rules run, and how much each matters.
#[derive(Clone, Debug, Default)]
pub struct Severities {
    changed: Vec<(String, Option<Severity>)>,
    by_path: Vec<PathSeverity>,
}

#[derive(Clone, Debug)]
struct PathSeverity {
    paths: Patterns,
    except: Patterns,
    code: String,
    severity: Option<Severity>,
}

impl Severities {
    /// Sets the severity of a code or of a whole category; `None` is off. What is set later wins.
    pub fn set(&mut self, code_or_category: &str, severity: Option<Severity>) {
        self.changed.push((code_or_category.to_owned(), severity));
    }

    /// As [`Severities::set`], for files that `paths` mean and `except` doesn't.
    pub fn set_for(
        &mut self,
        paths: &Patterns,
        except: &Patterns,
        code_or_category: &str,
        severity: Option<Severity>,
    ) {
        self.by_path.push(PathSeverity {
            paths: paths.clone(),
            except: except.clone(),
            code: code_or_category.to_owned(),
            severity,
        });
    }

    /// The severity of a code before anything that depends on the path; `None` is off.
    pub fn of(&self, code: &str, category: Category, default: Option<Severity>) -> Option<Severity> {
        let names = |word: &str| word == code || word == category.as_str() || word == "all";
        self.changed.iter().rev().find(|(word, _)| names(word)).map_or(default, |(_, severity)| *severity)
    }

    /// Whether a code can be on for any path at all.
    pub(super) fn anywhere(&self, code: &str, category: Category, default: Option<Severity>) -> bool {
        self.of(code, category, default).is_some()
            || self
                .by_path
                .iter()
                .any(|by| by.code == code || by.code == category.as_str() || by.code == "all")
    }

    /// The severity of a code in one file.
    pub fn in_file(
        &self,
        path: &Path,
        code: &str,
        category: Category,
        default: Option<Severity>,
    ) -> Option<Severity> {
        let by_path = self.by_path.iter().rev().find(|by| {
            (by.code == code || by.code == category.as_str() || by.code == "all")
                && by.paths.matches(path)
                && !by.except.matches(path)
        });
        match by_path {
            Some(by) => by.severity,
            None => self.of(code, category, default),
        }
    }
}
