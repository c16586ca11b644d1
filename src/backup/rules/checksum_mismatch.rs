//! `checksum_mismatch`: the backup isn't what its manifest says.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "checksum_mismatch", stage: Stage::Data, page: backup_page!("checksum_mismatch"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(manifest) = &evidence.manifest else { return };
    let path = manifest.path.display();
    let mut told = false;
    for (name, wanted) in &manifest.tables {
        let Some(now) = evidence.tables.iter().find(|table| table.name == *name) else { continue };
        let rows = now.rows != wanted.rows;
        let content = matches!((&now.checksum, &wanted.checksum), (Some(now), Some(wanted)) if now != wanted);
        if rows || content || now.bytes != wanted.bytes {
            told = true;
            let what = if rows {
                format!("{name} has {} rows, and {} by the manifest {path}", now.rows, wanted.rows)
            } else {
                format!(
                    "{name} has as many rows as by the manifest {path} ({}), and others: its content changed",
                    now.rows
                )
            };
            sink.push(
                Found::new(what)
                    .on(name)
                    .help("the dump was damaged or replaced after the manifest was written"),
            );
        }
    }
    let objects = &evidence.large_objects;
    if let Some((count, checksum)) = &manifest.large_objects
        && (*count != objects.count
            || matches!((checksum, &objects.checksum), (Some(wanted), Some(now)) if wanted != now))
    {
        told = true;
        sink.push(
            Found::new(format!(
                "the large objects aren't those of the manifest {path}: {} here, {count} there",
                objects.count
            ))
            .help("the dump was damaged or replaced after the manifest was written"),
        );
    }
    if let (Some(wanted), Some(now)) = (&manifest.sha256, &evidence.sha256)
        && wanted != now
    {
        let what = if told {
            ""
        } else {
            "; no row and no large object differs, so the damage is in definitions or in what isn't read"
        };
        sink.push(
            Found::new(format!("the SHA-256 is {now}, and {wanted} by the manifest {path}{what}"))
                .help("the dump was damaged or replaced after the manifest was written"),
        );
    }
}
