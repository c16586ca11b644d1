//! Risks: each finding as probability (%) × impact (1 to 10) / 10, and who has decided to live with which.

use serde::{Deserialize, Serialize};

use crate::finding::{Category, Finding, Severity};

use super::clock::Day;
use super::limits::{Accept, GateConfig};

/// How probable the harm is, and how bad it would be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// In percent.
    pub probability: u8,
    /// From 1 to 10.
    pub impact: u8,
}

impl Weight {
    /// Probability × impact / 10.
    pub fn score(self) -> f64 {
        f64::from(self.probability) * f64::from(self.impact) / 10.0
    }
}

/// One risk: the findings of one code in one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// The code.
    pub code: String,
    /// Its category.
    pub category: Category,
    /// The weightiest of its findings.
    pub severity: Severity,
    /// The file, where there is one.
    pub path: Option<String>,
    /// How many findings.
    pub count: usize,
    /// What the first of them says.
    pub message: String,
    /// Probability and impact.
    pub weight: Weight,
    /// Probability × impact / 10.
    pub score: f64,
    /// Where the weight is from.
    pub because: String,
    /// The decision to live with it.
    pub accepted: Option<Accept>,
}

impl Risk {
    /// Whether it stands in the way of the release.
    pub fn open(&self, limit: f64) -> bool {
        self.accepted.is_none() && self.score >= limit
    }
}

/// What the risks come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Risks {
    /// Highest score first.
    pub risks: Vec<Risk>,
    /// Decisions past their day: they no longer hold.
    pub expired: Vec<Accept>,
    /// Decisions that no finding needs.
    pub unused: Vec<Accept>,
}

/// How bad harm of a category is.
fn impact(category: Category) -> u8 {
    match category {
        Category::Destructive | Category::Backup | Category::Rehearsal => 9,
        Category::Compatibility => 8,
        Category::Locking | Category::Rollback => 7,
        Category::Transaction | Category::Correctness => 6,
        Category::Convention => 2,
    }
}

/// The weight of a finding that nothing else is said about, and why.
///
/// What was measured (on the backup, in a rehearsal) is near certain; what was predicted from the text happens in
/// fewer than half of the releases, by the weight that its page gives it.
pub fn default_weight(category: Category, severity: Severity) -> (Weight, &'static str) {
    let measured = matches!(category, Category::Backup | Category::Rehearsal);
    let (probability, because) = match (severity, measured) {
        (Severity::Error, true) => (90, "measured"),
        (Severity::Error, false) => (40, "predicted"),
        (Severity::Warning, _) => (20, "a warning"),
        (Severity::Notice, _) => (5, "a notice"),
    };
    (Weight { probability, impact: impact(category) }, because)
}

/// Reads the settings about risks.
///
/// # Errors
/// When one names no code, or gives no sensible weight or day.
pub fn check_settings(
    config: &GateConfig,
    known: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    for (word, weight) in &config.risk {
        known(word).map_err(|error| format!("gate.risk: {error}"))?;
        if weight.probability > 100 || !(1..=10).contains(&weight.impact) {
            return Err(format!("gate.risk.{word}: probability is 0 to 100, impact 1 to 10"));
        }
    }
    for accept in &config.accept {
        known(&accept.code).map_err(|error| format!("gate.accept: {error}"))?;
        for (name, text) in [("reason", &accept.reason), ("by", &accept.by)] {
            if text.trim().is_empty() {
                return Err(format!("gate.accept of {}: `{name}` says nothing", accept.code));
            }
        }
        if let Some(until) = &accept.until {
            until
                .parse::<Day>()
                .map_err(|error| format!("gate.accept of {}: until: {error}", accept.code))?;
        }
        if let Some(path) = &accept.path {
            globset::Glob::new(path)
                .map_err(|error| format!("gate.accept of {}: path: {error}", accept.code))?;
        }
    }
    Ok(())
}

/// Weighs the findings. `today` decides which decisions still hold.
pub fn weigh(findings: &[Finding], config: &GateConfig, today: Day) -> Risks {
    let mut risks: Vec<Risk> = Vec::new();
    let mut used = vec![false; config.accept.len()];
    let matchers: Vec<Option<globset::GlobMatcher>> = config
        .accept
        .iter()
        .map(|accept| {
            let glob = accept.path.as_ref().and_then(|path| globset::Glob::new(path).ok());
            glob.map(|glob| glob.compile_matcher())
        })
        .collect();
    let holds = |accept: &Accept| {
        accept.until.as_ref().is_none_or(|until| until.parse::<Day>().is_ok_and(|until| today <= until))
    };
    for finding in findings {
        let path = finding.path.as_ref().map(|path| path.display().to_string());
        let weighed = weight_of(finding, config);
        let (weight, because) = weighed;
        if let Some(risk) = risks.iter_mut().find(|risk| risk.code == finding.code && risk.path == path) {
            risk.count += 1;
            if weight.score() > risk.score {
                (risk.weight, risk.score, risk.because) = (weight, weight.score(), because);
            }
            if finding.severity > risk.severity {
                (risk.severity, risk.message) = (finding.severity, finding.message.clone());
            }
            continue;
        }
        let mut accepted = None;
        for ((accept, matcher), used) in config.accept.iter().zip(&matchers).zip(&mut used) {
            let named = names(&accept.code, finding);
            let there = accept.path.is_none()
                || matcher
                    .as_ref()
                    .zip(finding.path.as_ref())
                    .is_some_and(|(glob, path)| glob.is_match(path));
            if named && there {
                *used = true;
                if holds(accept) && accepted.is_none() {
                    accepted = Some(accept.clone());
                }
            }
        }
        risks.push(Risk {
            code: finding.code.to_string(),
            category: finding.category,
            severity: finding.severity,
            path,
            count: 1,
            message: finding.message.clone(),
            weight,
            score: weight.score(),
            because,
            accepted,
        });
    }
    risks.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (&a.code, &a.path).cmp(&(&b.code, &b.path)))
    });
    let pick = |wanted: bool| -> Vec<Accept> {
        config
            .accept
            .iter()
            .zip(&used)
            .filter(|(accept, used)| if wanted { !holds(accept) } else { !**used && holds(accept) })
            .map(|(accept, _)| accept.clone())
            .collect()
    };
    Risks { expired: pick(true), unused: pick(false), risks }
}

fn names(word: &str, finding: &Finding) -> bool {
    let word = word.replace('-', "_");
    word == finding.code || word == finding.category.as_str()
}

fn weight_of(finding: &Finding, config: &GateConfig) -> (Weight, String) {
    let code = finding.code.as_ref();
    let by_code = config.risk.iter().find(|(word, _)| word.replace('-', "_") == code);
    let by_category = || config.risk.iter().find(|(word, _)| *word == finding.category.as_str());
    if let Some((word, weight)) = by_code.or_else(by_category) {
        return (*weight, format!("gate.risk.{word}"));
    }
    let (weight, because) = default_weight(finding.category, finding.severity);
    (weight, because.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &'static str, category: Category, severity: Severity, path: &str) -> Finding {
        Finding {
            code: code.into(),
            category,
            severity,
            path: Some(std::path::Path::new(path).into()),
            span: None,
            object: None,
            message: format!("{code} in {path}"),
            help: None,
            fix: None,
        }
    }

    fn accept(code: &str, path: Option<&str>, until: Option<&str>) -> Accept {
        Accept {
            code: code.into(),
            path: path.map(Into::into),
            reason: "checked by hand".into(),
            by: "Ada".into(),
            until: until.map(Into::into),
        }
    }

    fn today() -> Day {
        "2026-11-23".parse().unwrap()
    }

    #[test]
    fn the_weightiest_comes_first_and_errors_stand_in_the_way() {
        let findings = [
            finding("lock_timeout_missing", Category::Locking, Severity::Warning, "a.sql"),
            finding("drop_table", Category::Destructive, Severity::Error, "a.sql"),
            finding("drop_table", Category::Destructive, Severity::Error, "a.sql"),
        ];
        let risks = weigh(&findings, &GateConfig::default(), today()).risks;
        let shown: Vec<_> = risks.iter().map(|risk| (risk.code.as_str(), risk.score, risk.count)).collect();
        assert_eq!(shown, [("drop_table", 36.0, 2), ("lock_timeout_missing", 14.0, 1)]);
        assert_eq!(risks.iter().map(|risk| risk.open(20.0)).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_decision_holds_for_its_path_and_until_its_day() {
        let findings = [
            finding("drop_table", Category::Destructive, Severity::Error, "db/1.sql"),
            finding("drop_table", Category::Destructive, Severity::Error, "db/2.sql"),
            finding("drop_column", Category::Destructive, Severity::Error, "db/2.sql"),
        ];
        let config = GateConfig {
            accept: vec![
                accept("drop-table", Some("db/1.sql"), None),
                accept("drop_column", None, Some("2026-11-22")),
                accept("rename_table", None, Some("2026-11-23")),
            ],
            ..GateConfig::default()
        };
        let weighed = weigh(&findings, &config, today());
        let open: Vec<_> = weighed
            .risks
            .iter()
            .filter(|risk| risk.open(20.0))
            .map(|risk| (risk.code.as_str(), risk.path.as_deref()))
            .collect();
        assert_eq!(open, [("drop_column", Some("db/2.sql")), ("drop_table", Some("db/2.sql"))]);
        assert_eq!(weighed.expired, [config.accept[1].clone()]);
        assert_eq!(weighed.unused, [config.accept[2].clone()]);
    }

    #[test]
    fn weights_come_from_the_configuration_by_code_then_by_category() {
        let findings = [
            finding("drop_table", Category::Destructive, Severity::Error, "a.sql"),
            finding("drop_column", Category::Destructive, Severity::Error, "a.sql"),
        ];
        let mut config = GateConfig::default();
        config.risk.insert("destructive".into(), Weight { probability: 10, impact: 9 });
        config.risk.insert("drop-table".into(), Weight { probability: 30, impact: 9 });
        let risks = weigh(&findings, &config, today()).risks;
        let shown: Vec<_> = risks.iter().map(|risk| (risk.code.as_str(), risk.score)).collect();
        assert_eq!(shown, [("drop_table", 27.0), ("drop_column", 9.0)]);
    }
}
