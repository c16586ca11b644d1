//! Severities after configuration: how much a code matters, for all files and for some.

use std::path::Path;

use crate::finding::{Category, Severity};
use crate::patterns::Patterns;

/// Severities after configuration: which rules run, and how much each matters.
///
/// What is said of a code counts for more than what is said of its category, and that for more than what is said of all.
/// Of what is equally special, what is said for some paths counts for more, and then what is said later.
#[derive(Clone, Debug, Default)]
pub struct Severities {
    said: Vec<Said>,
    /// Codes and categories that are off whatever else is said.
    ignored: Vec<String>,
}

/// One thing that the configuration says.
#[derive(Clone, Debug)]
struct Said {
    /// A code, a category, or `all`.
    word: String,
    /// For files that the first means and the second doesn't; `None`: for all.
    paths: Option<(Patterns, Patterns)>,
    setting: Setting,
}

#[derive(Clone, Copy, Debug)]
enum Setting {
    Off,
    /// What is off by default, too: at the severity of its page, or as a warning where the page says off.
    On,
    /// A code at this severity; of a category, the codes that are on.
    At(Severity),
}

/// How special a word is to a code; `None`: it isn't about it.
fn rank(word: &str, code: &str, category: Category) -> Option<u8> {
    if word == code {
        Some(2)
    } else if word == category.as_str() {
        Some(1)
    } else {
        (word == "all").then_some(0)
    }
}

impl Severities {
    /// Sets the severity of a code or of a whole category; `None` is off.
    pub fn set(&mut self, code_or_category: &str, severity: Option<Severity>) {
        self.say(code_or_category, None, severity.map_or(Setting::Off, Setting::At));
    }

    /// As [`Severities::set`], for files that `paths` mean and `except` doesn't.
    pub fn set_for(
        &mut self,
        paths: &Patterns,
        except: &Patterns,
        code_or_category: &str,
        severity: Option<Severity>,
    ) {
        let paths = Some((paths.clone(), except.clone()));
        self.say(code_or_category, paths, severity.map_or(Setting::Off, Setting::At));
    }

    /// Switches on what is off by default.
    pub fn select(&mut self, code_or_category: &str) {
        self.say(code_or_category, None, Setting::On);
    }

    /// Switches off, whatever else is said before or later.
    pub fn ignore(&mut self, code_or_category: &str) {
        self.ignored.push(code_or_category.to_owned());
    }

    fn say(&mut self, word: &str, paths: Option<(Patterns, Patterns)>, setting: Setting) {
        self.said.push(Said { word: word.to_owned(), paths, setting });
    }

    /// The severity of a code before anything that depends on the path; `None` is off.
    pub fn of(&self, code: &str, category: Category, default: Option<Severity>) -> Option<Severity> {
        self.resolve(code, category, default, |_| false)
    }

    /// Whether a code can be on for any path at all.
    pub(super) fn anywhere(&self, code: &str, category: Category, default: Option<Severity>) -> bool {
        let by_path = |said: &Said| said.paths.is_some() && rank(&said.word, code, category).is_some();
        self.of(code, category, default).is_some()
            || !self.is_ignored(code, category) && self.said.iter().any(by_path)
    }

    /// The severity of a code in one file.
    pub fn in_file(
        &self,
        path: &Path,
        code: &str,
        category: Category,
        default: Option<Severity>,
    ) -> Option<Severity> {
        self.resolve(code, category, default, |(paths, except)| paths.matches(path) && !except.matches(path))
    }

    fn is_ignored(&self, code: &str, category: Category) -> bool {
        self.ignored.iter().any(|word| rank(word, code, category).is_some())
    }

    fn resolve(
        &self,
        code: &str,
        category: Category,
        default: Option<Severity>,
        here: impl Fn(&(Patterns, Patterns)) -> bool,
    ) -> Option<Severity> {
        if self.is_ignored(code, category) {
            return None;
        }
        let mut said: Vec<((u8, bool), Setting)> = self
            .said
            .iter()
            .filter_map(|said| Some((rank(&said.word, code, category)?, said)))
            .filter(|(_, said)| said.paths.as_ref().is_none_or(&here))
            .map(|(rank, said)| ((rank, said.paths.is_some()), said.setting))
            .collect();
        said.sort_by_key(|(special, _)| *special); // stable: the later one stays the later one
        let mut wanted = default.is_some();
        let mut off = false;
        let mut severity = default.unwrap_or(Severity::Warning);
        for ((rank, _), setting) in said {
            off = matches!(setting, Setting::Off);
            match setting {
                Setting::Off => {}
                Setting::On => wanted = true,
                Setting::At(other) => {
                    severity = other;
                    wanted |= rank == 2;
                }
            }
        }
        (wanted && !off).then_some(severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Places;

    fn of(severities: &Severities, code: &str) -> Option<Severity> {
        let default = (code != "statement_timeout_missing").then_some(Severity::Error);
        severities.in_file(Path::new("a.sql"), code, Category::Locking, default)
    }

    #[test]
    fn a_code_counts_for_more_than_its_category() {
        let mut severities = Severities::default();
        for code in ["cluster_table", "vacuum_full"] {
            severities.set(code, Some(Severity::Notice));
        }
        severities.set("locking", None);
        assert_eq!(of(&severities, "cluster_table"), Some(Severity::Notice));
        assert_eq!(of(&severities, "vacuum_full"), Some(Severity::Notice));
        assert_eq!(of(&severities, "lock_table"), None);
        // For some paths as well; of what is equally special, the path decides.
        let here = Path::new(".");
        let paths = Patterns::new(&["*.sql".to_owned()], here, &Places::of(here)).unwrap();
        let none = Patterns::new(&[], here, &Places::of(here)).unwrap();
        severities.set_for(&paths, &none, "locking", Some(Severity::Warning));
        assert_eq!(of(&severities, "cluster_table"), Some(Severity::Notice));
        assert_eq!(of(&severities, "lock_table"), Some(Severity::Warning));
        severities.set_for(&paths, &none, "cluster_table", None);
        assert_eq!(of(&severities, "cluster_table"), None);
    }

    #[test]
    fn a_severity_for_a_category_switches_nothing_on() {
        let mut severities = Severities::default();
        severities.set("locking", Some(Severity::Warning));
        assert_eq!(of(&severities, "vacuum_full"), Some(Severity::Warning));
        assert_eq!(of(&severities, "statement_timeout_missing"), None);
        severities.select("all");
        assert_eq!(of(&severities, "statement_timeout_missing"), Some(Severity::Warning));
        severities.ignore("locking");
        severities.set("vacuum_full", Some(Severity::Error));
        assert_eq!(of(&severities, "vacuum_full"), None);
    }
}
