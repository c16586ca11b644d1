//! Words of the gate in Japanese, for the runbook.

use crate::gate::check::Answer;
use crate::gate::release::PendingFrom;
use crate::gate::{GateReport, Verdict};

/// The titles of the gate's checks.
const TITLES: &[(&str, &str)] = &[
    ("pending", "対象マイグレーション"),
    ("understood", "解釈できた文"),
    ("lint", "静的解析のエラー"),
    ("risk", "最大リスク"),
    ("backup_verified", "バックアップの検証"),
    ("backup_restored", "リストアの確認"),
    ("backup_age", "バックアップの経過時間"),
    ("backup_size", "バックアップのサイズ"),
    ("backup_tables", "データのあるテーブル数"),
    ("coverage", "バックアップの網羅性"),
    ("rehearsed", "リハーサルの完了"),
    ("rehearsal_age", "リハーサルの経過時間"),
    ("rehearsal_matches", "リハーサルとの一致"),
    ("migrations_ran", "マイグレーションの完了"),
    ("migration_time", "マイグレーションの所要時間"),
    ("read_stall", "読み取りの最長停止時間"),
    ("write_stall", "書き込みの最長停止時間"),
    ("queries", "クエリの互換性"),
    ("way_back", "切り戻し手段"),
    ("way_back_time", "切り戻しの所要時間"),
    ("back_as_before", "切り戻し後の一致"),
    ("rehearsal_errors", "リハーサルのエラー"),
    ("live_primary", "プライマリ"),
    ("server_version", "サーバーのバージョン"),
    ("tables_there", "対象テーブルの存在"),
    ("long_transactions", "最も古いトランザクション"),
    ("idle_in_transaction", "idle in transaction"),
    ("blockers", "競合するロック"),
    ("lock_waits", "ロック待ち"),
    ("prepared_transactions", "準備済みトランザクション"),
    ("free_connections", "空き接続数"),
    ("replication_lag", "レプリケーション遅延"),
    ("replication_slots", "レプリケーションスロット"),
    ("invalid_indexes", "無効なインデックス"),
    ("disk_free", "ディスクの空き容量"),
    ("wraparound", "周回防止の自動VACUUM"),
];

/// The title of a check; its name where there is none.
pub fn title(id: &str) -> &str {
    TITLES.iter().find(|(known, _)| *known == id).map_or(id, |(_, title)| title)
}

/// The gate's last line.
pub fn verdict(report: &GateReport) -> String {
    let count = |answer: Answer| report.checks.iter().filter(|check| check.answer == answer).count();
    let words = [
        (Answer::Yes, "合格"),
        (Answer::No, "不合格"),
        (Answer::NotChecked, "未確認"),
        (Answer::LeftOut, "対象外"),
    ];
    let counts: Vec<String> = words
        .into_iter()
        .filter(|(answer, _)| *answer == Answer::Yes || count(*answer) > 0)
        .map(|(answer, word)| format!("{word}{}件", count(answer)))
        .collect();
    let word = if report.verdict == Verdict::Go { "GO" } else { "NO-GO" };
    format!("{word}（{}）", counts.join("、"))
}

/// How it is known which migrations are pending.
pub fn pending(from: PendingFrom) -> &'static str {
    match from {
        PendingFrom::LiveLedger => "本番データベースの適用履歴",
        PendingFrom::Rehearsal => "リハーサル時の適用履歴",
        PendingFrom::Change => "Gitの変更差分",
        PendingFrom::Given => "指定されたファイル",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_title() {
        let untold: Vec<&str> =
            crate::gate::check::CHECKS.iter().map(|check| check.id).filter(|id| title(id) == *id).collect();
        // One is a term that nobody translates.
        assert_eq!(untold, Vec::<&str>::new());
        assert_eq!(TITLES.len(), crate::gate::check::CHECKS.len());
    }
}
