//! One self-contained page to look at: what the rehearsal measured and what the gate says. No script, nothing loaded
//! from elsewhere; every text is escaped by the template engine.

mod facts;
mod timeline;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use crate::gate::GateReport;
use crate::rehearsal::report::Rehearsal;

/// The page of a rehearsal, of a gate's judgement, or of both.
pub fn page(rehearsal: Option<&Rehearsal>, gate: Option<&GateReport>) -> String {
    let mut engine = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        engine.set_syntax(syntax);
    }
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    // The name's ending has everything escaped for HTML. Template and facts are of this crate and tested: neither
    // adding nor rendering can fail; if it did after all, the page says so.
    let rendered = engine
        .add_template("page.html", include_str!("page.html"))
        .and_then(|()| engine.add_template("style.css", include_str!("style.css")))
        .and_then(|()| engine.get_template("page.html"))
        .and_then(|template| template.render(Serde(facts::facts(rehearsal, gate))));
    rendered.unwrap_or_else(|error| {
        format!("<!doctype html><title>rollsafe</title><pre>{}</pre>", text(&error.to_string()))
    })
}

fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::check::{Answer, Check};
    use crate::rehearsal::report::{
        Downs, LockRun, MigrationRun, Predicted, PredictedLock, Probes, StatementRun, Status, TableRun,
        Written,
    };

    const HOSTILE: &str = "\"><script>alert('x')</script>&amp;\u{202e}`${7*7}`{{7*7}}";

    fn hostile() -> Rehearsal {
        let lock =
            LockRun { relation: HOSTILE.into(), mode: HOSTILE.into(), released: 1.0, ..LockRun::default() };
        let statement = StatementRun {
            text: HOSTILE.into(),
            kind: HOSTILE.into(),
            seconds: 1.0,
            status: Status::Done,
            locks: vec![lock],
            rewrites: vec![HOSTILE.into()],
            ..StatementRun::default()
        };
        let migration = MigrationRun {
            path: HOSTILE.into(),
            start: Some(0.0),
            seconds: 1.0,
            statements: vec![statement],
            ..MigrationRun::default()
        };
        Rehearsal {
            migrations: vec![migration],
            tables: vec![TableRun { name: HOSTILE.into(), ..TableRun::default() }],
            notes: vec![HOSTILE.into()],
            not_checked: vec![HOSTILE.into()],
            ..Rehearsal::default()
        }
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut check = Check::new("lint", HOSTILE, HOSTILE, Answer::No).because(HOSTILE);
        check.details.push(HOSTILE.into());
        let gate = GateReport { checks: vec![check], ..GateReport::default() };
        let page = page(Some(&hostile()), Some(&gate));
        assert!(page.contains("&lt;script&gt;"), "names are shown");
        assert!(!page.contains("<script"), "and are no markup");
        assert!(!page.contains("\">&lt;script&gt;"), "nor end an attribute");
        assert!(!page.contains(HOSTILE), "nowhere");
        assert!(page.contains("{{7*7}}"), "nor are they templates");
    }

    #[test]
    fn what_could_not_be_seen_is_no_difference_and_each_loss_stands_where_it_is() {
        let lock = |relation: &str| PredictedLock { relation: relation.into(), mode: "SHARE".into() };
        let run = |seconds: f64, status: Status, measured: &[&str]| StatementRun {
            seconds,
            status,
            predicted: Some(Predicted { locks: vec![lock("a"), lock("b")], ..Predicted::default() }),
            locks: measured
                .iter()
                .map(|name| LockRun { relation: (*name).into(), mode: "SHARE".into(), ..LockRun::default() })
                .collect(),
            ..StatementRun::default()
        };
        let of = |statement: StatementRun| {
            let migration = MigrationRun { statements: vec![statement], ..MigrationRun::default() };
            let probes = Probes { lock_sample_seconds: 0.005, ..Probes::default() };
            page(Some(&Rehearsal { migrations: vec![migration], probes, ..Rehearsal::default() }), None)
        };
        let brief = of(run(0.003, Status::Done, &["a"]));
        assert!(brief.contains("too short to be seen") && !brief.contains('≠'), "{brief}");
        let failed = of(run(5.0, Status::Failed, &[]));
        assert!(failed.contains("it did not get that far") && !failed.contains('≠'), "{failed}");
        assert!(of(run(5.0, Status::Done, &["a"])).contains('≠'), "it would have been seen");
        assert!(of(run(0.003, Status::Done, &["a", "b", "c"])).contains('≠'), "more than was predicted");

        let written = Written {
            table: "t".into(),
            rows: 3,
            rows_kept: Some(3),
            columns_lost: vec!["New Col".into()],
            ..Written::default()
        };
        let mut rehearsal = Rehearsal::default();
        rehearsal.rollback.downs = Some(Downs { status: Status::Done, ..Downs::default() });
        rehearsal.comparison.written = vec![written];
        let lost = page(Some(&rehearsal), None);
        assert!(lost.contains("<td class=\"num\">3</td><td>New Col <b>✗</b></td>"), "{lost}");
    }

    #[test]
    fn a_page_of_nothing_is_a_page() {
        for page in [page(None, None), page(Some(&Rehearsal::default()), Some(&GateReport::default()))] {
            assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
            assert!(!page.contains("http://") && !page.contains("https://"), "nothing is loaded");
        }
    }
}
