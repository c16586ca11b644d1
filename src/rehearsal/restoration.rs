//! The backup: restored to rehearse on, and once more as the way back.

use std::sync::Arc;
use std::time::Duration;

use super::RehearsalError;
use super::place::{Place, Server};
use super::rehearse::{Rehearsing, State};
use super::report::{self, PhaseName, Rehearsal, RestoreAgain, Status};
use super::request::Request;
use super::sums::{self, LeftOut};
use crate::backup::archive::Archive;
use crate::backup::archive::input::Gauge;
use crate::backup::restore::keep::{self, Kept};
use crate::backup::restore::{ErrorClass, Options as RestoreOptions, RestoreError, Restored};

/// How many complaints of a restore are kept.
const MOST_ERRORS: usize = 100;

pub(super) fn open(
    path: &std::path::Path,
    request: &Request,
    report: &mut Rehearsal,
) -> Result<Archive, RehearsalError> {
    let shown = path.display().to_string();
    let archive = Archive::open(path, &Arc::new(Gauge::default()))
        .map_err(|error| RehearsalError::Backup { path: shown.clone(), message: error.to_string() })?;
    let text = |bytes: &Option<Vec<u8>>| bytes.clone().map(|bytes| archive.toc.encoding.text(bytes));
    let header = archive.header.as_ref();
    report.source.backup = Some(report::Backup {
        path: shown,
        format: archive.format.as_str().to_owned(),
        bytes: archive.size,
        sha256: crate::backup::manifest::sha256(path).ok(),
        created_at: header.and_then(|header| header.created).map(|time| time.to_string()),
        database: header.and_then(|header| text(&header.database)),
        server_version: header.and_then(|header| text(&header.server_version)),
        ..report::Backup::default()
    });
    if request.copy.is_some() {
        report.notes.push(
            "the migrations were rehearsed on the copy; the backup was only restored as the way back"
                .to_owned(),
        );
    }
    Ok(archive)
}

fn restore_options(request: &Request) -> RestoreOptions {
    let settings = [
        // As in production: what is written is written to the WAL as well.
        ("wal_level", "replica"),
        ("max_connections", "80"),
    ];
    RestoreOptions {
        scratch_directory: request.scratch_directory.clone(),
        hard_limit: Duration::from_secs_f64(request.limits.hard_stop.clamp(0.001, 1e9)),
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..RestoreOptions::default()
    }
}

pub(super) fn restore(
    archive: &Archive,
    request: &Request,
    report: &mut Rehearsal,
) -> Result<Kept, RehearsalError> {
    let mut options = restore_options(request);
    // The first restore is how one gets here, not what is judged.
    options.hard_limit = options.hard_limit.max(Duration::from_secs(4 * 3600));
    let (restored, kept) = keep::restore(archive, &options)?;
    if restored.stopped {
        return Err(RehearsalError::Backup {
            path: archive.path.display().to_string(),
            message: format!("the restore was stopped after {:.0} s", restored.seconds),
        });
    }
    for left_out in &restored.not_restored {
        report.notes.push(format!("not restored: {} ({})", left_out.what, left_out.why));
    }
    report.notes.extend(restored.notes.iter().cloned());
    if let Some(backup) = &mut report.source.backup {
        backup.restore_seconds = restored.seconds;
        backup.restore_errors = complaints(&restored);
        if !backup.restore_errors.is_empty() {
            report.not_checked.push(format!(
                "{}: the restore complained {} times, so what was rehearsed on isn't all of the data: rollsafe verify-backup {}",
                backup.path, restored.errors_total, backup.path
            ));
        }
    }
    Ok(kept)
}

/// What tells against the dump.
fn complaints(restored: &Restored) -> Vec<String> {
    let against = |error: &&RestoreError| error.class == ErrorClass::Backup;
    let shown = |error: &RestoreError| match &error.object {
        Some(object) => format!("{object}: {}", error.message),
        None => error.message.clone(),
    };
    restored.errors.iter().filter(against).take(MOST_ERRORS).map(shown).collect()
}

pub(super) fn role_of(kept: &Kept, request: &Request) -> String {
    if request.superuser { crate::postgres::cluster::SUPERUSER.to_owned() } else { kept.role().to_owned() }
}

pub(super) fn database_of(kept: &Kept, request: &Request) -> Result<String, RehearsalError> {
    let databases = kept.databases();
    match (&request.database, databases.as_slice()) {
        (_, [only]) => Ok(only.clone()),
        (Some(wanted), _) if databases.contains(wanted) => Ok(wanted.clone()),
        (wanted, _) => {
            let names: Vec<&str> =
                databases.iter().map(String::as_str).filter(|name| *name != "postgres").collect();
            if let (None, [only]) = (wanted, names.as_slice()) {
                return Ok((*only).to_owned());
            }
            Err(RehearsalError::Copy(format!(
                "the backup holds several databases: name one with --database ({})",
                names.join(", ")
            )))
        }
    }
}

impl Rehearsing<'_> {
    /// The way back by the backup, apart from the one by down migrations, and what it left.
    pub(super) fn restore_again(
        &mut self,
        archive: &Archive,
        kept: Option<&Kept>,
        before: &State,
        skip: &[&str],
    ) -> Result<Option<State>, RehearsalError> {
        let options = restore_options(self.request);
        let first = self.report.source.backup.as_ref().map(|backup| backup.restore_seconds);
        if self.request.restore_once {
            if let (Some(seconds), Some(backup), true) = (first, &self.report.source.backup, kept.is_some()) {
                self.report.rollback.restore = Some(RestoreAgain {
                    status: Status::Done,
                    seconds,
                    errors: backup.restore_errors.clone(),
                    ..RestoreAgain::default()
                });
                self.report.notes.push("the backup was restored once only, as asked".to_owned());
            }
            return Ok(None);
        }
        const DATABASE: &str = "rollsafe_restored_again";
        let restored = self.phase(PhaseName::RestoreAgain, |_| match kept {
            Some(kept) => Ok(kept.again(archive, DATABASE, &options)?.map(|restored| (restored, None))),
            None => {
                let (restored, kept) = keep::restore(archive, &options)?;
                Ok(Some((restored, Some(kept))))
            }
        })?;
        let Some((restored, own)) = restored else {
            self.report.not_checked.push(
                "restoring the backup a second time: it is a dump of a whole cluster, which names its databases itself"
                    .to_owned(),
            );
            return Ok(None);
        };
        let errors = complaints(&restored);
        let mut again = RestoreAgain {
            status: if restored.stopped {
                Status::Stopped
            } else if errors.is_empty() {
                Status::Done
            } else {
                Status::Failed
            },
            seconds: restored.seconds,
            jobs: restored.jobs as u32,
            errors,
            ..RestoreAgain::default()
        };
        let place = match (&own, kept) {
            (Some(own), _) => Some((own, database_of(own, self.request)?)),
            (None, Some(kept)) => Some((kept, DATABASE.to_owned())),
            (None, None) => None,
        };
        let mut state = None;
        if let (Some((kept, database)), false) = (place, restored.stopped) {
            let place = Place {
                server: Server::Scratch {
                    cluster: kept.cluster().clone(),
                    database,
                    role: kept.role().to_owned(),
                },
                zero: self.place.zero,
                search_path: None,
            };
            let now = self.phase(PhaseName::RecordRestored, |this| this.record(&LeftOut::new(), &place))?;
            again.schema_differences = before.schema.differences(&now.schema);
            again.tables_differing = sums::differences(&before.sums, &now.sums)
                .into_iter()
                .chain(sums::sequences_back(&before.sequences, &now.sequences))
                .map(|one| one.table)
                .filter(|table| !skip.contains(&table.as_str()))
                .collect();
            if own.is_some() {
                // The copy and the backup needn't be of one moment.
                self.report.notes.push(
                    "the copy was given apart from the backup, so that their rows differ is no fault of the backup's"
                        .to_owned(),
                );
            }
            state = Some(now);
        }
        self.report.rollback.restore = Some(again);
        Ok(state)
    }
}
