//! Writes what the gate has to say: for a terminal, as JSON and as Markdown. The verdict is in the last line.

use crate::finding::Severity;

use super::check::{Answer, Check, Group};
use super::risk::Risk;
use super::{GateReport, Verdict};
use crate::amount::bytes as size;
use crate::migration::project::runners;

/// The last line, without colours.
pub fn verdict_line(report: &GateReport) -> String {
    let count = |answer: Answer| report.checks.iter().filter(|check| check.answer == answer).count();
    let mut counts = vec![format!("{} yes", count(Answer::Yes))];
    for answer in [Answer::No, Answer::NotChecked, Answer::LeftOut] {
        if count(answer) > 0 {
            counts.push(format!("{} {}", count(answer), answer.as_str()));
        }
    }
    let counts = counts.join(", ");
    match report.verdict {
        Verdict::Go => format!("GO ({counts})"),
        Verdict::NoGo if count(Answer::No) == 0 => {
            format!("NO-GO: --without leaves out every check, so none could have said no ({counts})")
        }
        Verdict::NoGo => format!("NO-GO ({counts})"),
        Verdict::CouldNotCheck => format!("NO-GO: not everything could be checked ({counts})"),
    }
}

/// The report for people. `width` is the number of columns.
pub fn terminal(report: &GateReport, color: bool, width: usize) -> String {
    let paint = |code: &str, text: &str| {
        if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let mut out = format!("{}\n", head(report));
    let columns = |text: &str| text.chars().count();
    let titles = report.checks.iter().map(|check| columns(&check.title)).max().unwrap_or(0);
    let values = report.checks.iter().map(|check| columns(&check.value)).max().unwrap_or(0).clamp(5, 44);
    let limits = report.checks.iter().map(|check| columns(&check.limit)).max().unwrap_or(0).clamp(5, 30);
    for group in Group::ALL {
        let checks: Vec<&Check> = report.checks.iter().filter(|check| check.group == group).collect();
        out.push_str(&format!("\n{}\n", paint("1", group.as_str())));
        // A group of which nothing was looked at is one line, not ten that say the same.
        if let Some(why) = same_reason(&checks) {
            let word = paint("1;33", checks.first().map_or("", |check| check.answer.as_str()));
            out.push_str(&format!("  {word}: {}\n", wrapped(why, 4, width)));
            continue;
        }
        for check in checks {
            let word = format!("{:<11}", check.answer.as_str());
            let word = match check.answer {
                Answer::Yes => paint("32", &word),
                Answer::No => paint("1;31", &word),
                Answer::NotChecked | Answer::LeftOut => paint("1;33", &word),
            };
            out.push_str(&format!(
                "  {word} {:<titles$}  {:<values$}  {:<limits$}",
                check.title,
                plain(&check.value),
                check.limit
            ));
            out.truncate(out.trim_end().len());
            out.push('\n');
            if check.answer == Answer::Yes {
                continue;
            }
            if let Some(reason) = &check.reason {
                out.push_str(&format!("      {}\n", wrapped(&plain(reason), 6, width)));
            }
            let shown = 8;
            for detail in check.details.iter().take(shown) {
                out.push_str(&format!("      · {}\n", wrapped(&plain(detail), 8, width)));
            }
            if check.details.len() > shown {
                out.push_str(&format!("      · … and {} more\n", check.details.len() - shown));
            }
        }
    }
    if !report.left_out.is_empty() {
        let names: Vec<&str> = report.left_out.iter().map(|left| left.name.as_str()).collect();
        out.push_str(&format!("\nleft out as asked: {}\n", names.join(", ")));
    }
    let code = if report.verdict == Verdict::Go { "1;32" } else { "1;31" };
    out.push_str(&format!("\n{}\n", paint(code, &verdict_line(report))));
    out
}

/// The one reason of checks that were all left unlooked at.
fn same_reason<'a>(checks: &[&'a Check]) -> Option<&'a str> {
    let first = checks.first()?;
    let reason = first.reason.as_deref()?;
    let same = checks.iter().all(|check| {
        check.value == "–" && check.answer == first.answer && check.reason.as_deref() == Some(reason)
    });
    same.then_some(reason)
}

fn head(report: &GateReport) -> String {
    let release = report.asked.release.as_ref().map_or(String::new(), |name| format!(" of {}", plain(name)));
    let count = report.release.migrations.len();
    let plural = if count == 1 { "migration" } else { "migrations" };
    let runner = report
        .release
        .runner
        .as_deref()
        .map_or(String::new(), |runner| format!(" by {}", runners::shown(runner)));
    format!(
        "gate{release}, {}: {count} pending {plural}{runner}, PostgreSQL {}",
        report.asked_at, report.postgres_version
    )
}

/// Text from outside as it may stand on a terminal: no control characters.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// Breaks lines at blanks, those after the first indented by `by`.
fn wrapped(text: &str, by: usize, width: usize) -> String {
    let mut out = String::new();
    let mut column = by;
    for (at, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > width {
            out.push_str(&format!("\n{}", " ".repeat(by)));
            column = by;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// The report by contract, `schema_version` 1.
pub fn json(report: &GateReport) -> String {
    // Strings for keys; a number that is none becomes null: writing it can't fail.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// The report as Markdown: for a ticket, a wiki, and an auditor a year later.
pub fn markdown(report: &GateReport) -> String {
    let mut out = format!("# {}\n\n", verdict_line(report));
    let asked = &report.asked;
    let version = report.tool.get("version").map_or("", String::as_str);
    let mut facts = vec![("asked at", report.asked_at.to_string())];
    facts.extend(asked.release.as_ref().map(|name| ("release", name.clone())));
    if !asked.by.is_empty() {
        let host = if asked.host.is_empty() { String::new() } else { format!(" on {}", asked.host) };
        facts.push(("asked by", format!("{}{host}", asked.by)));
    }
    facts.extend(asked.revision.as_ref().map(|revision| ("revision", revision.clone())));
    facts.push(("rollsafe", version.to_owned()));
    facts.push(("migrations judged for", format!("PostgreSQL {}", report.postgres_version)));
    if let Some(rehearsal) = &report.rehearsal {
        facts.push(("rehearsed on", format!("PostgreSQL {}", rehearsal.server.version)));
    }
    if let Some(live) = &report.live {
        let version = crate::postgres::version::PgVersion::from_number(live.version);
        facts.push(("live server", format!("{}, PostgreSQL {version}", live.url)));
    }
    facts.push((
        "pending migrations",
        format!("{}: {}", report.release.migrations.len(), report.release.pending.said),
    ));
    for (name, value) in facts {
        out.push_str(&format!("- {name}: {}\n", cell(&value)));
    }
    out.push_str("\n## Checks\n\n| | check | value | limit | answer |\n| --- | --- | --- | --- | --- |\n");
    for check in &report.checks {
        let answer = match check.answer {
            Answer::Yes => "yes".to_owned(),
            other => format!("**{}**", other.as_str()),
        };
        out.push_str(&format!(
            "| {} | {} | {} | {} | {answer} |\n",
            check.group.as_str(),
            cell(&check.title),
            cell(&check.value),
            cell(&check.limit)
        ));
    }
    let told: Vec<&Check> =
        report.checks.iter().filter(|check| !check.details.is_empty() || check.reason.is_some()).collect();
    if !told.is_empty() {
        out.push_str("\n## What stands behind the answers\n");
        let mut last_reason: Option<&str> = None;
        for check in told {
            if check.details.is_empty() && check.reason.as_deref() == last_reason {
                continue;
            }
            last_reason = check.reason.as_deref();
            out.push_str(&format!("\n**{}**: {}", cell(&check.title), check.answer.as_str()));
            out.push_str(
                &check.reason.as_ref().map_or("\n".to_owned(), |reason| format!(". {}\n", cell(reason))),
            );
            if !check.details.is_empty() {
                out.push('\n');
            }
            for detail in &check.details {
                out.push_str(&format!("- {}\n", cell(detail)));
            }
        }
    }
    risks(report, &mut out);
    if !report.left_out.is_empty() {
        out.push_str("\n## Left out by name\n\n");
        for left in &report.left_out {
            let reason = if left.reason.is_empty() { "no reason was given" } else { &left.reason };
            out.push_str(&format!("- `{}`: {}\n", left.name, cell(reason)));
        }
    }
    out.push_str("\n## Inputs\n\n| what | path | bytes | SHA-256 |\n| --- | --- | ---: | --- |\n");
    for input in &report.inputs {
        out.push_str(&format!(
            "| {} | {} | {} | `{}` |\n",
            input.kind,
            cell(&input.path),
            input.bytes,
            input.sha256
        ));
    }
    if let Some(backup) = &report.backup {
        let taken = backup
            .created_at
            .as_ref()
            .map_or(String::new(), |at| format!(", begun {at} by its machine's clock"));
        out.push_str(&format!(
            "\n## Backup\n\n{} ({}, {}{taken}): {}.\n",
            cell(&backup.path),
            backup.format,
            size(backup.bytes),
            backup.verdict
        ));
        if !backup.tables.is_empty() {
            out.push_str("\n| table | rows |\n| --- | ---: |\n");
            for (table, rows) in &backup.tables {
                out.push_str(&format!("| {} | {rows} |\n", cell(table)));
            }
        }
    }
    out.push_str(&format!("\n**{}**\n", verdict_line(report)));
    out
}

fn risks(report: &GateReport, out: &mut String) {
    let risks = &report.risks;
    if risks.risks.is_empty() && risks.expired.is_empty() && risks.unused.is_empty() {
        return;
    }
    out.push_str("\n## Risks\n\nScore = probability in percent × impact (1 to 10) ÷ 10.\n\n");
    out.push_str(
        "| score | code | where | severity | weight | decision |\n| ---: | --- | --- | --- | --- | --- |\n",
    );
    for risk in &risks.risks {
        out.push_str(&format!(
            "| {:.1} | `{}` | {} | {} | {} % × {} ({}) | {} |\n",
            risk.score,
            risk.code,
            cell(risk.path.as_deref().unwrap_or("–")),
            severity(risk),
            risk.weight.probability,
            risk.weight.impact,
            cell(&risk.because),
            decision(risk, report.limits.risk_limit)
        ));
    }
    for (decisions, what) in [
        (&risks.expired, "Decisions that no longer hold"),
        (&risks.unused, "Decisions that no finding needs"),
    ] {
        if !decisions.is_empty() {
            out.push_str(&format!("\n{what}:\n\n"));
        }
        for accept in decisions {
            let until = accept.until.as_ref().map_or(String::new(), |until| format!(", until {until}"));
            out.push_str(&format!(
                "- `{}` by {}{until}: {}\n",
                cell(&accept.code),
                cell(&accept.by),
                cell(&accept.reason)
            ));
        }
    }
}

fn severity(risk: &Risk) -> String {
    let word = match risk.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    if risk.count > 1 { format!("{word} ×{}", risk.count) } else { word.to_owned() }
}

fn decision(risk: &Risk, limit: f64) -> String {
    match &risk.accepted {
        Some(accept) => {
            let until = accept.until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
            format!("accepted by {}{until}: {}", cell(&accept.by), cell(&accept.reason))
        }
        None if risk.open(limit) => "**to be dealt with first**".to_owned(),
        None => "below the limit".to_owned(),
    }
}

/// Text that can't break out of a table cell or a line of Markdown.
pub fn cell(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '|' | '<' | '>' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => {
                out.push('\\');
                out.push(char);
            }
            char if char.is_control() => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}
