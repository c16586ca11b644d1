//! What the gate holds its figures against: the defaults of a release plan, `[gate]` of rollsafe.toml, and flags.

use std::collections::BTreeMap;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::backup::options::{parse_size, parse_time};

use super::risk::Weight;

/// `[gate]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GateConfig {
    /// The backup may be no older: "24h".
    pub max_backup_age: Option<String>,
    /// The rehearsal may be no older: "3d".
    pub max_rehearsal_age: Option<String>,
    /// A risk of this score or more must be dealt with first: 20.
    pub risk_limit: Option<f64>,
    /// No transaction of the live server may have been open for longer: "10m".
    pub max_transaction_age: Option<String>,
    /// No session may have been idle in its transaction for longer: "1m".
    pub max_idle_in_transaction: Option<String>,
    /// No session may have held a lock that the migrations have to wait for, for longer: "30s".
    pub max_blocker_age: Option<String>,
    /// So many connections must be free: 10.
    pub min_free_connections: Option<u32>,
    /// No replica may be further behind: "64MB".
    pub max_replication_lag: Option<String>,
    /// No replication slot may hold back more WAL: "1GB".
    pub max_retained_wal: Option<String>,
    /// Free disk as a multiple of what the migrations write anew: 2.
    pub disk_factor: Option<f64>,
    /// Probability and impact of a code or of a category.
    pub risk: BTreeMap<String, Weight>,
    /// Findings that somebody has decided to live with.
    pub accept: Vec<Accept>,
}

/// `[[gate.accept]]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Accept {
    /// The code, or a category.
    pub code: String,
    /// Only in files that match this glob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it may stay.
    pub reason: String,
    /// Who decided.
    pub by: String,
    /// The last day on which it holds: "2026-12-01".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The limits in force. Times are seconds, sizes bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The backup may be no older.
    pub max_backup_age: u64,
    /// The rehearsal may be no older.
    pub max_rehearsal_age: u64,
    /// A risk of this score or more must be dealt with first.
    pub risk_limit: f64,
    /// No transaction may have been open for longer.
    pub max_transaction_age: u64,
    /// No session may have been idle in its transaction for longer.
    pub max_idle_in_transaction: u64,
    /// No session may have held a lock in the way for longer.
    pub max_blocker_age: u64,
    /// So many connections must be free.
    pub min_free_connections: u32,
    /// No replica may be further behind.
    pub max_replication_lag: u64,
    /// No replication slot may hold back more WAL.
    pub max_retained_wal: u64,
    /// Free disk as a multiple of what the migrations write anew.
    pub disk_factor: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_backup_age: 24 * 3600,
            max_rehearsal_age: 3 * 24 * 3600,
            risk_limit: 20.0,
            max_transaction_age: 10 * 60,
            max_idle_in_transaction: 60,
            max_blocker_age: 30,
            min_free_connections: 10,
            max_replication_lag: 64_000_000,
            max_retained_wal: 1_000_000_000,
            disk_factor: 2.0,
        }
    }
}

/// The flags of the limits; each wins over `[gate]`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// The backup may be no older [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    max_backup_age: Option<u64>,
    /// The rehearsal may be no older [default: 3d]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    max_rehearsal_age: Option<u64>,
    /// A risk of this score (probability in percent × impact / 10) or more must be dealt with first [default: 20]
    #[arg(long, value_name = "SCORE")]
    risk_limit: Option<f64>,
    /// No transaction of the live server may have been open for longer [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    max_transaction_age: Option<u64>,
    /// No session may have been idle in its transaction for longer [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    max_idle_in_transaction: Option<u64>,
    /// No session may have held a lock that the migrations have to wait for, for longer [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    max_blocker_age: Option<u64>,
    /// So many connections must be free [default: 10]
    #[arg(long, value_name = "N")]
    min_free_connections: Option<u32>,
    /// No replica may be further behind [default: 64MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_replication_lag: Option<u64>,
    /// No replication slot may hold back more WAL [default: 1GB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_retained_wal: Option<u64>,
    /// Free disk as a multiple of what the migrations write anew [default: 2]
    #[arg(long, value_name = "FACTOR")]
    disk_factor: Option<f64>,
}

impl LimitArgs {
    /// What flags, configuration and defaults come to.
    ///
    /// # Errors
    /// When a setting of the configuration is no time, size or sensible number; names it.
    pub fn limits(&self, config: &GateConfig) -> Result<Limits, String> {
        let default = Limits::default();
        let time =
            |flag: Option<u64>, setting: &Option<String>, name: &str, default: u64| match (flag, setting) {
                (Some(flag), _) => Ok(flag),
                (None, Some(text)) => parse_time(text).map_err(|error| format!("gate.{name}: {error}")),
                (None, None) => Ok(default),
            };
        let size =
            |flag: Option<u64>, setting: &Option<String>, name: &str, default: u64| match (flag, setting) {
                (Some(flag), _) => Ok(flag),
                (None, Some(text)) => parse_size(text).map_err(|error| format!("gate.{name}: {error}")),
                (None, None) => Ok(default),
            };
        let number = |flag: Option<f64>, setting: Option<f64>, name: &str, default: f64| {
            let number = flag.or(setting).unwrap_or(default);
            // A NaN would be neither above nor below anything: no check could fail.
            if number.is_finite() && number >= 0.0 {
                Ok(number)
            } else {
                Err(format!("gate.{name}: {number} is no limit: write a number from 0 up"))
            }
        };
        Ok(Limits {
            max_backup_age: time(
                self.max_backup_age,
                &config.max_backup_age,
                "max-backup-age",
                default.max_backup_age,
            )?,
            max_rehearsal_age: time(
                self.max_rehearsal_age,
                &config.max_rehearsal_age,
                "max-rehearsal-age",
                default.max_rehearsal_age,
            )?,
            risk_limit: number(self.risk_limit, config.risk_limit, "risk-limit", default.risk_limit)?,
            max_transaction_age: time(
                self.max_transaction_age,
                &config.max_transaction_age,
                "max-transaction-age",
                default.max_transaction_age,
            )?,
            max_idle_in_transaction: time(
                self.max_idle_in_transaction,
                &config.max_idle_in_transaction,
                "max-idle-in-transaction",
                default.max_idle_in_transaction,
            )?,
            max_blocker_age: time(
                self.max_blocker_age,
                &config.max_blocker_age,
                "max-blocker-age",
                default.max_blocker_age,
            )?,
            min_free_connections: self
                .min_free_connections
                .or(config.min_free_connections)
                .unwrap_or(default.min_free_connections),
            max_replication_lag: size(
                self.max_replication_lag,
                &config.max_replication_lag,
                "max-replication-lag",
                default.max_replication_lag,
            )?,
            max_retained_wal: size(
                self.max_retained_wal,
                &config.max_retained_wal,
                "max-retained-wal",
                default.max_retained_wal,
            )?,
            disk_factor: number(self.disk_factor, config.disk_factor, "disk-factor", default.disk_factor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_settings_and_settings_over_defaults() {
        let config = GateConfig {
            max_backup_age: Some("2h".into()),
            max_retained_wal: Some("3GB".into()),
            ..GateConfig::default()
        };
        let flags = LimitArgs { max_backup_age: Some(60), ..LimitArgs::default() };
        let limits = flags.limits(&config).unwrap();
        assert_eq!((limits.max_backup_age, limits.max_retained_wal), (60, 3_000_000_000));
        assert_eq!(limits.max_blocker_age, 30);
    }

    #[test]
    fn a_limit_that_is_none_is_refused() {
        let config = GateConfig { max_blocker_age: Some("soon".into()), ..GateConfig::default() };
        let error = LimitArgs::default().limits(&config).unwrap_err();
        assert!(error.contains("gate.max-blocker-age"), "{error}");
        let config = GateConfig { risk_limit: Some(f64::NAN), ..GateConfig::default() };
        assert!(LimitArgs::default().limits(&config).unwrap_err().contains("gate.risk-limit"));
    }
}
