//! Proofs: every statement form of `fixtures/proofs` is run on real servers, and what is seen is what the files
//! say; and what the files say, for each version from 12 to 18, is what the linter predicts.
//!
//! `ROLLSAFE_PROOFS=record` writes what was measured into the files instead of comparing;
//! `ROLLSAFE_PROOFS_ONLY=columns/set_not_null` runs the cases whose title contains that, `…=drop_column.md` the examples of a page.

mod as_said;
mod cases;
mod examples;
mod observation;
mod prediction;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cases::{Case, CaseFile, KEYS, Outcome};
use rollsafe::postgres::cluster::{Options, ScratchCluster};
use rollsafe::postgres::tools::Installations;

const VERSIONS: std::ops::RangeInclusive<u32> = 12..=18;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/proofs")
}

fn is_chosen(case: &Case) -> bool {
    std::env::var("ROLLSAFE_PROOFS_ONLY").map_or(true, |only| case.title().contains(&only))
}

fn fail(failures: &[String]) {
    assert!(failures.is_empty(), "{} mismatches:\n{}", failures.len(), failures.join("\n"));
}

/// One server for each major version that is installed.
fn start_servers() -> Vec<ScratchCluster> {
    let installations = Installations::find();
    let mut majors: Vec<u16> = installations
        .all()
        .iter()
        .filter(|installation| installation.has_server())
        .map(|installation| installation.version().major())
        .filter(|major| VERSIONS.contains(&u32::from(*major)))
        .collect();
    majors.sort_unstable();
    majors.dedup();
    assert!(!majors.is_empty(), "no PostgreSQL server from 12 to 18 is installed; proofs need one");
    majors
        .into_iter()
        .map(|major| {
            let options = Options::major(major)
                .setting("max_parallel_maintenance_workers", "0")
                .setting("wal_level", "logical")
                .setting("max_prepared_transactions", "10")
                .setting("max_parallel_workers_per_gather", "0");
            ScratchCluster::start(&options).unwrap_or_else(|e| panic!("PostgreSQL {major}: {e}"))
        })
        .collect()
}

/// Outcomes by case title, for one server.
fn observe_all(server: &ScratchCluster, cases: &[&Case]) -> BTreeMap<String, Result<Outcome, String>> {
    observation::prepare(server);
    let mut monitor = observation::connect(server);
    cases
        .iter()
        .filter(|case| case.versions.contain(u32::from(server.version().major())))
        .map(|case| (case.title(), observation::observe(server, &mut monitor, case)))
        .collect()
}

#[test]
fn servers_do_what_is_recorded() {
    let mut files = cases::read_all(&folder());
    let servers = start_servers();
    #[allow(clippy::type_complexity)] // version, and by case what was seen
    let observed: Vec<(u32, BTreeMap<String, Result<Outcome, String>>)> = {
        let cases: Vec<&Case> =
            files.iter().flat_map(|file| &file.cases).filter(|case| is_chosen(case)).collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = servers
                .iter()
                .map(|server| {
                    (u32::from(server.version().major()), scope.spawn(|| observe_all(server, &cases)))
                })
                .collect();
            threads
                .into_iter()
                .map(|(version, thread)| (version, thread.join().expect("observing")))
                .collect()
        })
    };
    let record = std::env::var("ROLLSAFE_PROOFS").is_ok_and(|mode| mode == "record");
    let mut failures = Vec::new();
    for case in files.iter_mut().flat_map(|file| &mut file.cases) {
        let mut measured = BTreeMap::new();
        for (version, outcomes) in &observed {
            match outcomes.get(&case.title()) {
                Some(Ok(outcome)) => {
                    measured.insert(*version, outcome.clone());
                }
                Some(Err(e)) => failures.push(format!("{} on {version}: {e}", case.place())),
                None => {}
            }
        }
        if record {
            cases::record(case, &measured);
            continue;
        }
        for (version, outcome) in &measured {
            for key in KEYS {
                let expected = case.expected(key, *version).unwrap_or("(nothing)");
                let seen = outcome.text(key);
                if expected != seen {
                    failures.push(format!(
                        "{} on {version}: {key}: {expected} recorded, {seen} seen",
                        case.place()
                    ));
                }
            }
        }
    }
    if record {
        files.iter().for_each(cases::write);
    }
    fail(&failures);
}

#[test]
fn predictions_are_what_is_recorded() {
    let files: Vec<CaseFile> = cases::read_all(&folder());
    let mut failures = Vec::new();
    for case in files.iter().flat_map(|file| &file.cases).filter(|case| is_chosen(case)) {
        let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for version in VERSIONS.filter(|version| case.versions.contain(*version)) {
            let predicted = match prediction::predict(case, version) {
                Ok(predicted) => predicted,
                Err(e) => {
                    wrong.entry(e).or_default().push(version.to_string());
                    continue;
                }
            };
            for key in KEYS {
                let Some(expected) = case.expected(key, version) else { continue };
                let predicted = predicted.text(key);
                let fits = if case.data_decides {
                    cases::contains(&predicted, expected)
                } else {
                    predicted == expected
                };
                if !fits {
                    let what = format!("{key}: {expected} recorded, {predicted} predicted");
                    wrong.entry(what).or_default().push(version.to_string());
                }
            }
        }
        let mut wrong: Vec<String> = wrong
            .into_iter()
            .map(|(what, versions)| format!("{} on {}: {what}", case.place(), versions.join(" ")))
            .collect();
        match &case.not_predicted {
            Some(reason) if wrong.is_empty() => {
                failures.push(format!("{}: is predicted after all, though marked: {reason}", case.place()));
            }
            Some(_) => {}
            None => failures.append(&mut wrong),
        }
    }
    fail(&failures);
}

#[test]
fn examples_of_pages_do_what_is_predicted_and_said() {
    let examples = examples::read_all();
    assert!(examples.iter().any(|example| example.locks.is_some()), "no page claims a lock");
    let servers = start_servers();
    let only = std::env::var("ROLLSAFE_PROOFS_ONLY").unwrap_or_default();
    #[allow(clippy::type_complexity)] // version, and by example what was seen and what was said of it
    let results: Vec<(u16, Vec<(String, Result<examples::Ran, String>, Vec<String>)>)> =
        std::thread::scope(|scope| {
            let threads: Vec<_> = servers
                .iter()
                .map(|server| {
                    let version = server.version().major();
                    let chosen: Vec<&examples::Example> =
                        examples.iter().filter(|e| e.is_for(version) && e.place().contains(&only)).collect();
                    scope.spawn(move || {
                        observation::prepare(server);
                        as_said::prepare(server);
                        let mut monitor = observation::connect(server);
                        let run = |example: &&examples::Example| {
                            let mut ran = example.run(server, &mut monitor);
                            // Where it went well statement by statement, and there is no more to it, once is enough.
                            let done = matches!(&ran, Ok(ran) if ran.stopped.is_none() && ran.skipped == 0);
                            let mut otherwise = Vec::new();
                            if !(done && example.is_plain()) {
                                otherwise.extend(example.run_as_said(server));
                            }
                            otherwise.extend(example.check_claim(server));
                            // That it fails is what it says.
                            if let (Ok(ran), true) = (&mut ran, example.has("fails")) {
                                ran.stopped = None;
                            }
                            (example.place(), ran, otherwise)
                        };
                        (version, chosen.iter().map(run).collect())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("observing")).collect()
        });
    let mut failures = Vec::new();
    for (version, results) in results {
        let (mut compared, mut stopped) = (0, Vec::new());
        for (place, result, otherwise) in results {
            failures.extend(otherwise);
            match result {
                Ok(ran) => {
                    compared += ran.compared;
                    stopped.extend(ran.stopped.map(|why| format!("{place}: {why}")));
                    failures.extend(ran.mismatches);
                }
                Err(e) => failures.push(format!("{place} on {version}: {e}")),
            }
        }
        // Some examples need what is not there; but not most.
        assert!(
            stopped.len() * 5 < compared,
            "{version}: {compared} statements compared, {} examples stopped:\n{}",
            stopped.len(),
            stopped.join("\n")
        );
    }
    fail(&failures);
}
