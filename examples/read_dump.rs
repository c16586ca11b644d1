//! Reads a dump as deeply as asked and tells what it took: for measuring.
//!
//! `read_dump DUMP structure|values|all THREADS`

use std::sync::Arc;
use std::time::Instant;

use rollsafe::backup::archive::input::Gauge;
use rollsafe::backup::options::{Check, Restore, VerifyArgs};
use rollsafe::backup::verify::verify;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(dump), check, threads) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: read_dump DUMP [structure|values|all] [THREADS]");
        std::process::exit(2);
    };
    let args = VerifyArgs {
        dump: dump.into(),
        min_size: Some(0),
        min_tables: Some(0),
        restore: Restore::Never,
        check: match check.as_deref() {
            Some("structure") => Check::Structure,
            Some("values") => Check::Values,
            _ => Check::All,
        },
        threads: threads.and_then(|threads| threads.parse().ok()),
        ..VerifyArgs::default()
    };
    let started = Instant::now();
    let report = match verify(&args.options(), &Arc::<Gauge>::default()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let wall = started.elapsed().as_secs_f64();
    let rows: u64 = report.evidence.tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = report.evidence.tables.iter().map(|table| table.bytes).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim().to_owned();
    println!("{rows} rows, {bytes} bytes, wall {wall:.3} s, peak {peak}, {} findings", report.findings.len());
}
