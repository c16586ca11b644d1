//! What can be asked of `verify-backup`: the flags, and the options that they and the configuration come to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::evidence::{ExpectedTables, Limits};
use super::rows::Depth;
use super::rules::Severities;

/// Whether to restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Restore {
    /// Where PostgreSQL's programs are found
    #[default]
    Auto,
    /// Always: not being able to is a failure
    Always,
    /// Never
    Never,
}

/// What to do with each row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// Columns, escapes, encoding
    Structure,
    /// And the form of values, and checksums
    Values,
    /// And keys
    #[default]
    All,
}

impl Check {
    fn depth(self) -> Depth {
        Depth {
            checksums: self != Check::Structure,
            values: self != Check::Structure,
            keys: self == Check::All,
        }
    }
}

/// The flags of `rollsafe verify-backup`.
#[derive(Clone, Debug, Default, Args)]
pub struct VerifyArgs {
    /// The dump: a file, the directory of a directory dump, - for standard input, or an object (s3://bucket/shop.dump)
    pub dump: PathBuf,
    /// The dump changed last below the prefix that was named, in an object store
    #[arg(long)]
    pub latest: bool,
    /// The least size, for example 500kB [default: 1MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "Limits")]
    pub min_size: Option<u64>,
    /// The least number of tables with rows [default: 10]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub min_tables: Option<u64>,
    /// The greatest age, for example 24h
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Limits")]
    pub max_age: Option<u64>,
    /// Free space where it would be restored, as a multiple of its size [default: 2]
    #[arg(long, value_name = "FACTOR", help_heading = "Limits")]
    pub free_space_factor: Option<f64>,
    /// A table that must hold rows
    #[arg(long, value_name = "TABLE", help_heading = "Limits")]
    pub not_empty: Vec<String>,
    /// A table whose rows are left out on purpose
    #[arg(long, value_name = "TABLE", help_heading = "Limits")]
    pub without_data: Vec<String>,
    /// A table that must be there
    #[arg(long, value_name = "TABLE", help_heading = "Limits")]
    pub table: Vec<String>,
    /// The major version of the server that it would be restored into
    #[arg(long, value_name = "MAJOR", help_heading = "Limits")]
    pub target_version: Option<u16>,
    /// How long a restore may take, for example 15m [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Limits")]
    pub restore_limit: Option<u64>,
    /// When a restore is stopped [default: 20m]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Limits")]
    pub restore_stop: Option<u64>,
    /// The backup before this one, or its manifest, to compare with
    #[arg(long, value_name = "FILE", help_heading = "Comparison")]
    pub previous: Option<PathBuf>,
    /// The manifest of this very dump: nothing may differ
    #[arg(long, value_name = "FILE", help_heading = "Comparison")]
    pub manifest: Option<PathBuf>,
    /// Write a manifest: rows and checksum of each table, SHA-256 of the whole
    #[arg(long, value_name = "FILE", help_heading = "Comparison")]
    pub write_manifest: Option<PathBuf>,
    /// How closely to look at rows
    #[arg(long, value_enum, default_value_t, value_name = "DEPTH")]
    pub check: Check,
    /// Threads that read [default: one for each processor, 8 at most]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Read streams that need windows of more than 32 MB too (pg_dump --compress=zstd:long): memory grows by as much
    #[arg(long)]
    pub large_windows: bool,
    /// Restore it into a throw-away server and compare what arrives
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Restore")]
    pub restore: Restore,
    /// Restore it into a new database on this server instead, which is dropped again
    #[arg(long, value_name = "URL", help_heading = "Restore")]
    pub restore_url: Option<String>,
    /// Parallel jobs of the restore
    #[arg(long, value_name = "N", help_heading = "Restore")]
    pub jobs: Option<usize>,
}

/// All that is asked, flags and configuration put together.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The dump.
    pub dump: PathBuf,
    /// Whether `dump` is a prefix of an object store below which the latest is meant.
    pub latest: bool,
    /// Limits.
    pub limits: Limits,
    /// Tables that must be there, and who says so.
    pub expected_tables: Vec<ExpectedTables>,
    /// The backup before this one, or its manifest.
    pub previous: Option<PathBuf>,
    /// The manifest of this dump.
    pub manifest: Option<PathBuf>,
    /// Where to write a manifest.
    pub write_manifest: Option<PathBuf>,
    /// Whether to compute the SHA-256 of the whole where no manifest needs it.
    pub hash: bool,
    /// What to do with each row.
    pub depth: Depth,
    /// Threads.
    pub threads: usize,
    /// Whether decoders may hold windows of more than 32 MB.
    pub large_windows: bool,
    /// Whether to restore.
    pub restore: Restore,
    /// How.
    pub restore_options: super::restore::Options,
    /// Severities that the configuration sets.
    pub severities: Severities,
}

impl VerifyOptions {
    /// The default options for `dump`.
    pub fn new(dump: impl Into<PathBuf>) -> VerifyOptions {
        VerifyArgs { dump: dump.into(), ..VerifyArgs::default() }.options()
    }
}

impl VerifyArgs {
    /// The options that the flags alone come to. A setting of the configuration is put in where the flag is
    /// missing, before this is called.
    pub fn options(&self) -> VerifyOptions {
        let default = Limits::default();
        let mut restore_options =
            super::restore::Options { url: self.restore_url.clone(), ..Default::default() };
        let stop = self.restore_stop.unwrap_or(default.restore_stop_seconds);
        restore_options.hard_limit = std::time::Duration::from_secs(stop);
        if let Some(jobs) = self.jobs {
            restore_options.jobs = jobs.max(1);
        }
        let mut expected_tables = vec![];
        if !self.table.is_empty() {
            expected_tables
                .push(ExpectedTables { by: "the flags (--table)".to_owned(), tables: in_full(&self.table) });
        }
        VerifyOptions {
            dump: self.dump.clone(),
            latest: self.latest,
            limits: Limits {
                min_size: self.min_size.unwrap_or(default.min_size),
                min_tables: self.min_tables.unwrap_or(default.min_tables),
                max_age: self.max_age,
                free_space_factor: self.free_space_factor.unwrap_or(default.free_space_factor),
                shrink: default.shrink,
                not_empty: in_full(&self.not_empty),
                without_data: in_full(&self.without_data),
                target_version: self.target_version,
                restore_seconds: self.restore_limit.unwrap_or(default.restore_seconds),
                restore_stop_seconds: stop,
            },
            expected_tables,
            previous: self.previous.clone(),
            manifest: self.manifest.clone(),
            write_manifest: self.write_manifest.clone(),
            hash: false,
            depth: self.check.depth(),
            threads: self
                .threads
                .unwrap_or_else(|| {
                    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8)
                })
                .clamp(1, 64),
            large_windows: self.large_windows,
            restore: if self.restore_url.is_some() && self.restore == Restore::Auto {
                Restore::Always
            } else {
                self.restore
            },
            restore_options,
            severities: Severities::new(),
        }
    }
}

/// Tables named as regclass writes them, with the schema of each and without quotes, as reports have them.
pub fn in_full(names: &[String]) -> Vec<String> {
    let full = |name: &String| {
        let plain = match name.contains('"') {
            true => super::schema::table_named(name).unwrap_or_else(|| name.clone()),
            false => name.clone(),
        };
        let has_schema = if name.starts_with('"') { name.contains("\".") } else { name.contains('.') };
        if has_schema { plain } else { format!("public.{plain}") }
    };
    names.iter().map(full).collect()
}

/// `1MB`, `500 kB`, `2GiB`, `1000`: bytes, thousands unless written with an i.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("`{text}` is no size: write 500kB, 1MB or 2GiB")),
    };
    match number.parse::<f64>() {
        Ok(number) if (number * factor) < 1e18 => Ok((number * factor) as u64),
        _ => Err(format!("`{text}` is no size: write 500kB, 1MB or 2GiB")),
    }
}

/// `90s`, `15m`, `24h`, `7d`: seconds.
pub fn parse_time(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("`{text}` is no time: write 90s, 15m, 24h or 7d")),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.ok_or_else(|| format!("`{text}` is no time: write 90s, 15m, 24h or 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_without_a_schema_are_those_of_public() {
        let names = [
            "users",
            "billing.orders",
            "\"Order's\"",
            "public.\"Order's\"",
            "\"My s\".t",
            "\"a.b\"",
            "shop.public.users",
        ];
        let full = [
            "public.users",
            "billing.orders",
            "public.Order's",
            "public.Order's",
            "My s.t",
            "public.a.b",
            "shop.public.users",
        ];
        assert_eq!(in_full(&names.map(str::to_owned)), full);
    }

    #[test]
    fn sizes_and_times() {
        assert_eq!(parse_size("1MB"), Ok(1_000_000));
        assert_eq!(parse_size("1.5 GiB"), Ok(1_610_612_736));
        assert!(parse_size("big").is_err() && parse_size("").is_err());
        assert_eq!(parse_time("24h"), Ok(86_400));
        assert!(parse_time("24").is_err() && parse_time("h").is_err());
    }
}
