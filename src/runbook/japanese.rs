//! Words of the gate, and of what it gathered, in Japanese, for the runbook.

use crate::gate::check::{Answer, Check};
use crate::gate::release::PendingFrom;
use crate::gate::risk::Risk;
use crate::gate::{GateReport, Verdict};
use crate::rehearsal::report::Status;

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
    ("way_back", "ロールバック手段"),
    ("way_back_time", "ロールバックの所要時間"),
    ("back_as_before", "ロールバック後の一致"),
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

/// The kinds of objects.
#[rustfmt::skip]
const KINDS: &[(&str, &str)] = &[
    ("access method", "アクセスメソッド"),
    ("aggregate", "集約関数"),
    ("attribute", "属性"),
    ("cast", "キャスト"),
    ("collation", "照合順序"),
    ("column", "列"),
    ("constraint", "制約"),
    ("conversion", "文字コード変換"),
    ("database", "データベース"),
    ("domain", "ドメイン"),
    ("event trigger", "イベントトリガー"),
    ("extension", "拡張機能"),
    ("foreign data wrapper", "外部データラッパー"),
    ("foreign table", "外部テーブル"),
    ("function", "関数"),
    ("group", "グループ"),
    ("index", "インデックス"),
    ("language", "言語"),
    ("large object", "ラージオブジェクト"),
    ("materialized view", "マテリアライズドビュー"),
    ("operator", "演算子"),
    ("operator class", "演算子クラス"),
    ("operator family", "演算子族"),
    ("parameter", "パラメーター"),
    ("policy", "ポリシー"),
    ("procedure", "プロシージャ"),
    ("publication", "パブリケーション"),
    ("role", "ロール"),
    ("routine", "ルーチン"),
    ("rule", "ルール"),
    ("schema", "スキーマ"),
    ("sequence", "シーケンス"),
    ("server", "外部サーバー"),
    ("statistics", "拡張統計"),
    ("subscription", "サブスクリプション"),
    ("table", "テーブル"),
    ("tablespace", "テーブル空間"),
    ("text search configuration", "全文検索設定"),
    ("text search dictionary", "全文検索辞書"),
    ("text search parser", "全文検索パーサー"),
    ("text search template", "全文検索テンプレート"),
    ("transform", "変換"),
    ("trigger", "トリガー"),
    ("type", "型"),
    ("user", "ユーザー"),
    ("user mapping", "ユーザーマッピング"),
    ("view", "ビュー"),
];

/// What goes, by its kind and name.
pub fn gone(kind: &str, name: &str, surely: bool) -> String {
    match kind {
        "rows" => format!("{name} の行"),
        "values" if surely => format!("{name} の更新前の値"),
        "values" => format!("{name} の元の値（小数部など）"),
        kind => {
            let word =
                KINDS.iter().find(|(known, _)| *known == kind).map_or("オブジェクト", |(_, word)| word);
            format!("{word} {name}")
        }
    }
}

/// The title of a tool, with what it says of its version.
pub fn tool(title: &str) -> String {
    let words = [
        ("version not told", "バージョン不明"),
        ("up to 7.3", "7.3まで"),
        (" and newer", "以降"),
        (" (", "（"),
        (")", "）"),
    ];
    words.iter().fold(title.to_owned(), |title, (word, japanese)| title.replace(word, japanese))
}

/// Numbers with units: `2.2 s` is `2.2秒`.
pub fn duration(text: &str) -> String {
    let units = [(" ms", "ミリ秒"), (" min", "分"), (" s", "秒"), (" h", "時間"), (" d", "日")];
    units.iter().fold(text.to_owned(), |text, (unit, word)| text.replace(unit, word)).replace(' ', "")
}

/// What the verification of a backup came to.
pub fn backup_verdict(word: &str) -> &str {
    match word {
        "verified" => "検証済み",
        "failed" => "検証で不合格",
        "incomplete" => "検証が未完了",
        word => word,
    }
}

/// `6 of 8`
fn share(text: &str) -> Option<String> {
    let (part, whole) = text.split_once(" of ")?;
    whole.parse::<u64>().ok()?;
    Some(format!("{whole}件中{part}件"))
}

/// `down migrations 1.4 s, backup 486 ms`: each way back with what is said of it.
fn ways(text: &str, said: impl Fn(&str) -> String) -> String {
    let of = |way: &str| {
        let name = [("down migrations", "ダウンマイグレーション"), ("backup", "バックアップからのリストア")]
            .into_iter()
            .find_map(|(name, word)| Some((word, way.strip_prefix(name)?.trim())));
        name.map_or_else(|| way.to_owned(), |(word, rest)| format!("{word}：{}", said(rest)))
    };
    text.split(", ").map(of).collect::<Vec<_>>().join("、")
}

/// `1.1 s, orders` and `40 s (1.1 s measured), orders`
fn stall(text: &str) -> String {
    if let Some(shortest) = text.strip_prefix("none seen longer than ") {
        return format!("{}を超える停止なし", duration(shortest));
    }
    match text.split_once(", ") {
        Some((time, table)) => format!("{}、{table}", carried_over(time)),
        None => carried_over(text),
    }
}

/// `40 s (1.1 s measured)`
fn carried_over(text: &str) -> String {
    match text.split_once(" (").and_then(|(there, here)| Some((there, here.strip_suffix(" measured)")?))) {
        Some((there, here)) => format!("{}（実測：{}）", duration(there), duration(here)),
        None => duration(text),
    }
}

fn count(number: &str) -> String {
    format!("{number}件")
}

/// How something came to its end.
fn status(word: &str) -> String {
    match word {
        "done" => "完了",
        "failed" => "失敗",
        "stopped at the limit" => "制限時間で中断",
        "not run" => "未実行",
        word => word,
    }
    .to_owned()
}

/// What a check found. What is no word of the gate (names, versions, sizes) stays as it is.
pub fn value(check: &Check, report: &GateReport) -> String {
    let value = check.value.as_str();
    let first = |text: &str| text.split([',', ':', ' ']).next().unwrap_or("").to_owned();
    match (value, check.id.as_ref()) {
        ("–", _) => return value.to_owned(),
        ("none", _) => return "なし".to_owned(),
        ("nothing is pending", _) => return "対象なし".to_owned(),
        _ => {}
    }
    match check.id.as_ref() {
        "pending" => format!("{}件（{}）", first(value), pending(report.release.pending.from)),
        "lint" => {
            let number = |word: &str| {
                let piece = value.split(", ").find_map(|piece| piece.strip_suffix(word))?;
                Some(piece.trim_start_matches("and ").to_owned())
            };
            let more = [("受容済み", number(" accepted")), ("抑止", number(" suppressed"))];
            let more: Vec<String> =
                more.into_iter().filter_map(|(word, n)| Some(format!("{word}{}件", n?))).collect();
            let more = if more.is_empty() { String::new() } else { format!("（{}）", more.join("、")) };
            format!("{}件{more}", first(value))
        }
        "risk" => {
            value.split_once(": ").map_or(value.to_owned(), |(score, code)| format!("{score}（{code}）"))
        }
        "backup_verified" => {
            let words = [
                ("file", "ファイル"),
                ("contents", "内容"),
                ("data", "データ"),
                ("passed", "合格"),
                ("failed", "不合格"),
                ("skipped", "未確認"),
            ];
            let word = |text: &str| {
                words
                    .iter()
                    .find(|(known, _)| *known == text)
                    .map_or(text.to_owned(), |(_, word)| (*word).to_owned())
            };
            let stage = |text: &str| match text.split_once(' ') {
                Some((stage, came_to)) => format!("{}：{}", word(stage), word(came_to)),
                None => text.to_owned(),
            };
            value.split(", ").map(stage).collect::<Vec<_>>().join("、")
        }
        "backup_restored" => match (value.strip_prefix("equal, in "), value.strip_prefix("failed, after ")) {
            (Some(time), _) => format!("一致（所要時間：{}）", duration(time)),
            (_, Some(time)) => format!("失敗（{}経過時点）", duration(time)),
            _ => value.to_owned(),
        },
        "backup_tables" | "lock_waits" | "prepared_transactions" | "rehearsal_errors" => count(value),
        "coverage" => value
            .strip_suffix(" tables")
            .and_then(share)
            .unwrap_or_else(|| "失われるデータや書き換えなし".to_owned()),
        "rehearsed" => {
            value.strip_suffix(" left out").map_or("すべて実施".to_owned(), |n| format!("未実施{n}件"))
        }
        "rehearsal_age" => value
            .strip_prefix("in the future: ")
            .map_or_else(|| duration(value), |at| format!("実施日時が未来です（{at}）")),
        "rehearsal_matches" if value == "by checksum" => "チェックサムが一致".to_owned(),
        "rehearsal_matches" => format!("相違{}件", first(value)),
        "understood" | "migrations_ran" | "queries" => share(value).unwrap_or_else(|| value.to_owned()),
        "migration_time" => carried_over(value),
        "read_stall" | "write_stall" => stall(value),
        "way_back" => ways(value, status),
        "way_back_time" => ways(value, duration),
        "back_as_before" => as_before(report).unwrap_or_else(|| value.to_owned()),
        "live_primary" => match value {
            "a replica" => "レプリカ",
            "a primary" => "プライマリ",
            _ => "プライマリ（デフォルトで読み取り専用）",
        }
        .to_owned(),
        "tables_there" => value.strip_suffix(" there").and_then(share).unwrap_or_else(|| value.to_owned()),
        "backup_age" | "long_transactions" | "idle_in_transaction" => duration(value),
        "blockers" => match value.split_once(", and ") {
            Some((old, brief)) => format!("{old}件（ほかに短時間のもの{}件）", first(brief)),
            None => count(value),
        },
        "free_connections" => value
            .split_once(" of ")
            .map_or(value.to_owned(), |(free, all)| format!("{free}（最大接続数：{all}）")),
        "replication_lag" if value.starts_with("no replica") => "接続中のレプリカなし".to_owned(),
        "replication_slots" => match value.split_once(", at most ") {
            Some((slots, kept)) => {
                format!("{slots}件（保持中のWAL：最大{}）", kept.strip_suffix(" kept").unwrap_or(kept))
            }
            None => value.to_owned(),
        },
        "invalid_indexes" => match value.split_once(", and ") {
            Some((here, more)) => format!("{here}件（ほかのテーブルに{}件）", first(more)),
            None => count(value),
        },
        "disk_free" if value.starts_with("nothing") => "書き換えなし".to_owned(),
        "wraparound" => match value.split_once(", due on ") {
            Some((running, due)) => format!("実行中{running}件、実行予定{due}件"),
            None => format!("実行中{value}件"),
        },
        _ => value.to_owned(),
    }
}

/// What was as before after which way back.
fn as_before(report: &GateReport) -> Option<String> {
    let rehearsal = report.rehearsal.as_ref()?;
    let said = |objects: usize, tables: usize| match (objects, tables) {
        (0, 0) => "一致".to_owned(),
        (0, tables) => format!("テーブル{tables}件の行が相違"),
        (objects, 0) => format!("オブジェクト{objects}件が相違"),
        (objects, tables) => format!("オブジェクト{objects}件とテーブル{tables}件の行が相違"),
    };
    let mut ways = Vec::new();
    if rehearsal.rollback.downs.as_ref().is_some_and(|downs| downs.status == Status::Done) {
        let comparison = &rehearsal.comparison;
        ways.push(format!(
            "ダウンマイグレーション：{}",
            said(comparison.rolled_back.len(), comparison.data.len())
        ));
    }
    if let Some(restore) = rehearsal.rollback.restore.as_ref().filter(|one| one.status == Status::Done) {
        ways.push(format!(
            "バックアップからのリストア：{}",
            said(restore.schema_differences.len(), restore.tables_differing.len())
        ));
    }
    (!ways.is_empty()).then(|| ways.join("、"))
}

/// What was left unlooked at in a rehearsal. What holds names and figures of its own stays as it is.
pub fn not_rehearsed(text: &str) -> String {
    match text {
        "the way back by down migrations, as asked" => {
            "ダウンマイグレーションによる切り戻し（指定により省略）".to_owned()
        }
        text if text.starts_with("the way back by down migrations: which ones the command ran isn't known") => {
            "ダウンマイグレーションによる切り戻し（コマンドが実行したマイグレーションが不明。--rollback-command で指定できます）"
                .to_owned()
        }
        text if text.starts_with("restoring the backup a second time: it is a dump of a whole cluster") => {
            "バックアップの再リストア（クラスター全体のダンプのため）".to_owned()
        }
        text => match text.split_once(": a command of psql;") {
            Some((command, _)) => format!("{command}（psqlのメタコマンド。--migrate-command を使用してください）"),
            None => text.to_owned(),
        },
    }
}

/// How figures are carried over to production.
pub const ASSUMPTION: &str = "テーブル全体の書き換え、読み取り、インデックス作成の所要時間とそれによる停止時間は、本番環境のテーブルサイズに比例するものとします。\
     その他の文の所要時間はリハーサルと同じとし、リストアの所要時間はデータベースのサイズに比例するものとします。\
     ハードウェア、キャッシュの効き方、ほかの負荷がないことも同じ条件とします";

/// A risk, with what it is about. What rules of one's own say is in the words of whoever wrote them.
pub fn risk(risk: &Risk, report: &GateReport) -> String {
    let Some((_, sentence)) = CODES.iter().find(|(code, _)| *code == risk.code) else {
        return risk.message.clone();
    };
    let mut about: Vec<String> = Vec::new();
    let findings = report.findings.iter().filter(|finding| {
        finding.code == risk.code && finding.path.as_ref().map(|path| path.display().to_string()) == risk.path
    });
    for object in findings.filter_map(|finding| finding.object.as_ref()) {
        if !about.contains(object) {
            about.push(object.clone());
        }
    }
    // What the server said is what there is to look for.
    if let Some(rehearsal) = &report.rehearsal {
        let of_path = |path: &str| risk.path.as_deref() == Some(path);
        match risk.code.as_str() {
            "migration_failed" => about.extend(
                rehearsal
                    .migrations
                    .iter()
                    .filter(|run| of_path(&run.path))
                    .flat_map(|run| &run.statements)
                    .filter_map(|statement| Some(statement.error.as_ref()?.message.clone())),
            ),
            "query_broken" => {
                for one in rehearsal.queries.iter().flat_map(|queries| &queries.failed) {
                    let error = one.after.as_ref().filter(|_| about.contains(&one.place));
                    about.extend(error.map(|error| error.message.clone()));
                }
            }
            _ => {}
        }
    }
    if about.is_empty() { (*sentence).to_owned() } else { format!("{sentence}（{}）", about.join("、")) }
}

/// The codes, each with what it means for the release.
#[rustfmt::skip]
const CODES: &[(&str, &str)] = &[
    ("archive_not_recognised", "PostgreSQLのダンプではないファイルです"),
    ("archive_truncated", "バックアップがデータの途中で切れています"),
    ("backup_empty", "バックアップの中身がありません"),
    ("backup_missing", "指定された場所にバックアップがありません"),
    ("backup_shrank", "前回のバックアップより大幅に小さくなっています"),
    ("backup_too_old", "バックアップが古すぎます"),
    ("backup_too_small", "このデータベースのバックアップとしては小さすぎます"),
    ("checksum_mismatch", "バックアップがマニフェストの内容と一致しません"),
    ("constraint_not_restored", "リストア後に、存在しない制約または無効な制約があります"),
    ("data_block_damaged", "展開できないデータブロックがあります"),
    ("data_block_missing", "データがバックアップに含まれていないテーブルがあります"),
    ("data_not_included", "行がバックアップに含まれていないテーブルがあります"),
    ("disk_space_short", "バックアップのリストアに必要な空き容量が不足しています"),
    ("dump_incomplete", "ダンプの終わりを示す行がありません"),
    ("duplicate_key", "主キーまたは一意キーの値が重複しています"),
    ("encoding_invalid", "ダンプの文字エンコーディングとして不正な文字列があります"),
    ("extension_unavailable", "ダンプに必要な拡張機能がリストア先のサーバーにありません"),
    ("header_damaged", "アーカイブのヘッダーが壊れています"),
    ("index_not_restored", "リストア後に、存在しないインデックスまたは無効なインデックスがあります"),
    ("large_objects_missing", "バックアップに含まれるはずのラージオブジェクトがありません"),
    ("orphaned_reference", "外部キーの参照先の行がバックアップにありません"),
    ("restore_failed", "バックアップのリストアでエラーが発生します"),
    ("restore_too_slow", "リストアに、ロールバック計画で許容する時間より長くかかります"),
    ("restored_rows_differ", "リストアしたテーブルの内容がダンプと一致しません"),
    ("role_missing", "ダンプに記載されたロールがリストア先にありません"),
    ("row_malformed", "テーブルに格納できない不正な行があります"),
    ("rows_fewer_than_before", "前回のバックアップより行数が減っているテーブルがあります"),
    ("sequence_behind_data", "シーケンスの値が、それを使う列の最大値より小さくなっています"),
    ("server_newer_than_target", "ダンプの取得元がリストア先より新しいPostgreSQLです"),
    ("table_empty", "行があるはずのテーブルが空です"),
    ("table_missing", "バックアップに必要なテーブルがありません"),
    ("tables_too_few", "データのあるテーブルの数が不足しています"),
    ("toc_damaged", "アーカイブの目次が壊れています"),
    ("untrusted_content", "ダンプのリストア時に、通常のSQL以外のものが実行されます"),
    ("add_check_validates", "NOT VALID なしの ADD CHECK により、全行を検査する間、読み取りと書き込みが止まります"),
    ("add_column_json", "json型の列を追加すると、テーブルの行に対する SELECT DISTINCT や UNION が失敗します"),
    ("add_column_rewrites", "行ごとに異なるデフォルト値を持つ ADD COLUMN により、テーブル全体が書き換えられます"),
    ("add_exclusion_builds_index", "ADD EXCLUDE のインデックス作成と全行の比較が終わるまで、読み取りと書き込みが止まります"),
    ("add_foreign_key_validates", "NOT VALID なしの ADD FOREIGN KEY により、全行を検査する間、両方のテーブルへの書き込みが止まります"),
    ("add_not_null_without_default", "デフォルト値のない NOT NULL 列を追加すると、旧バージョンの INSERT が失敗します"),
    ("add_primary_key_builds_index", "ADD PRIMARY KEY のインデックス作成が終わるまで、読み取りと書き込みが止まります"),
    ("add_unique_builds_index", "ADD UNIQUE のインデックス作成が終わるまで、読み取りと書き込みが止まります"),
    ("already_exists", "すでに存在するものを作成または追加しようとしています"),
    ("applied_migration_edited", "既存のマイグレーションの内容が変更されています"),
    ("attach_partition_scans", "ATTACH PARTITION が、ACCESS EXCLUSIVE ロックを保持したまま全行を読み取ります"),
    ("bulk_delete", "件数を限定しない DELETE により、1つのトランザクションで大量の行が削除されます"),
    ("bulk_insert_select", "INSERT … SELECT により、1つのトランザクションでテーブルの全行がコピーされます"),
    ("bulk_update", "件数を限定しない UPDATE により、1つのトランザクションで大量の行が更新されます"),
    ("catalog_modified_directly", "システムカタログを直接書き換えています"),
    ("char_column", "char(n) 型の列は空白で埋められます"),
    ("cluster_table", "CLUSTER がテーブル全体を書き換える間、読み取りと書き込みが止まります"),
    ("column_missing", "テーブルに存在しない列を使用しています"),
    ("column_type_changed", "列の型が変わり、稼働中のアプリケーションに影響します"),
    ("column_type_narrowed", "列の新しい型には、格納できない値があります（以前の型より範囲や精度が狭い）"),
    ("column_type_rebuilds_indexes", "列の型の変更により、インデックスの再作成または制約の再検査が行われます"),
    ("column_type_rewrites", "列の型の変更によりテーブル全体が書き換えられ、その間、読み取りと書き込みが止まります"),
    ("commit_ends_runner_transaction", "COMMIT または ROLLBACK により、マイグレーションツールのトランザクションが終了します"),
    ("composite_type_changed", "複合型の属性が変わり、その値を扱うコードが動作しなくなります"),
    ("concurrently_in_transaction", "トランザクション内では実行できない CONCURRENTLY が使われています"),
    (
        "concurrently_waits_for_tool",
        "CONCURRENTLY が、マイグレーションツール自身の開いたままのトランザクションを待ち、終わりません",
    ),
    ("concurrently_on_partitioned_table", "パーティションテーブルでは使用できない CONCURRENTLY が使われています"),
    ("constraint_deferrability_changed", "ALTER CONSTRAINT により、外部キーの検査のタイミングが変わります"),
    ("constraint_missing", "テーブルまたはドメインに存在しない制約を使用しています"),
    ("constraint_not_named", "名前を指定していない制約があります"),
    ("create_index_blocks_writes", "CONCURRENTLY なしの CREATE INDEX により、作成が終わるまで書き込みが止まります"),
    ("create_index_on_partitioned_table", "パーティションテーブルへの CREATE INDEX により、すべてのパーティションへの書き込みが止まります"),
    ("create_partition_locks_parent", "CREATE TABLE … PARTITION OF が、親テーブルに ACCESS EXCLUSIVE ロックを取得します"),
    ("create_rule", "CREATE RULE により、稼働中のアプリケーションのSQLが書き換えられます"),
    ("create_table_as_copies", "CREATE TABLE AS は行だけをコピーし、制約、インデックス、デフォルト値は引き継ぎません"),
    ("create_table_foreign_key_locks", "新しいテーブルの外部キーが、lock_timeout なしで参照先のテーブルをロックします"),
    ("create_trigger_locks", "CREATE TRIGGER により、lock_timeout なしでテーブルへの書き込みが止まります"),
    ("data_and_schema_together", "1つのトランザクションで、行を変更した後にスキーマを変更しています"),
    ("default_changed", "稼働中のコードが前提としているデフォルト値が変わります"),
    ("delete_all_rows", "行を限定しない DELETE により、全行が削除されます"),
    ("detach_partition_blocks", "CONCURRENTLY なしの DETACH PARTITION により、パーティションテーブル全体の読み取りと書き込みが止まります"),
    ("disable_trigger", "DISABLE TRIGGER により、全利用者に対してトリガーの処理が無効になります"),
    ("domain_constraint_scans", "ドメインの新しい制約により、それを使うすべてのテーブルを読み取る間、書き込みが止まります"),
    ("down_does_not_undo", "アップ後にダウンを実行しても、スキーマが元に戻りません"),
    ("down_empty", "ダウンマイグレーションが何も行いません"),
    ("down_loses_data", "ダウンマイグレーションにより、リリース後に書き込まれたデータが失われます"),
    ("down_missing", "ほかのマイグレーションにはあるダウンマイグレーションが、このマイグレーションにはありません"),
    ("drop_cascade", "CASCADE により、依存するオブジェクトも削除されます"),
    ("drop_column", "列とそのデータが削除されます"),
    ("drop_constraint", "制約の削除により、データの整合性が保証されなくなります"),
    ("drop_database", "データベース全体が削除されます"),
    ("drop_default_breaks_writers", "デフォルト値の削除により、列を省略した INSERT の結果が変わります"),
    ("drop_extension", "拡張機能の関数、型、テーブルが削除されます"),
    ("drop_function", "関数の削除または改名により、それを呼び出すクエリが失敗します"),
    ("drop_index_blocks", "CONCURRENTLY なしの DROP INDEX が、テーブルに ACCESS EXCLUSIVE ロックを取得します"),
    ("drop_index_in_use", "一意性の保証または外部キーに必要な、唯一のインデックスが削除されます"),
    ("drop_materialized_view", "クエリが参照するマテリアライズドビューが削除されます"),
    ("drop_not_null", "DROP NOT NULL により、NULLを想定していないコードにNULLが渡ります"),
    ("drop_owned", "DROP OWNED により、ロールが所有するものがすべて削除されます"),
    ("drop_partition", "パーティションの削除により、その行が失われます"),
    ("drop_schema", "DROP SCHEMA … CASCADE により、スキーマとその中のすべてのテーブルが削除されます"),
    ("drop_sequence", "シーケンスの削除により、発番済みの番号がわからなくなります"),
    ("drop_table", "テーブルとそのすべての行が削除されます"),
    ("drop_trigger", "トリガーの削除により、書き込み時の処理が行われなくなります"),
    ("drop_type_in_use", "使用中の型の削除により、その型の列も削除されます"),
    ("drop_view", "ビューの削除により、それを参照するクエリが失敗します"),
    ("duplicate_column_assignment", "1つの文の中で同じ列が2回指定されています"),
    ("dynamic_sql_not_checked", "実行時に組み立てられるSQLは検査できません"),
    ("enum_value_position", "BEFORE または AFTER のない ADD VALUE では、新しい値が末尾に追加されます"),
    ("enum_value_used_in_same_transaction", "追加したenumの値を、同じトランザクションで使用しています"),
    ("expand_and_contract_together", "列の追加と、置き換え前の列の削除が同じリリースに含まれています"),
    ("explain_analyze_runs", "EXPLAIN ANALYZE により、行を変更する文が実際に実行されます"),
    ("extension_updated", "ALTER EXTENSION … UPDATE により、稼働中のアプリケーションが使う関数や型が変わります"),
    ("float_column", "浮動小数点型の列は、小数を正確に保持できません"),
    ("foreign_key_cascades", "行を自動的に削除または更新する外部キーです"),
    ("foreign_key_type_mismatch", "外部キーの列と参照先の列の型が異なります"),
    ("foreign_key_without_index", "外部キーの列から始まるインデックスがありません"),
    ("grant_to_public", "すべてのロール（PUBLIC）に権限が付与されます"),
    ("identifier_truncated", "63バイトを超える名前が、PostgreSQLによって切り詰められます"),
    ("identity_always_breaks_writers", "GENERATED ALWAYS AS IDENTITY により、値を指定した INSERT が失敗します"),
    ("if_not_exists_hides_drift", "IF NOT EXISTS により、定義の異なる既存のオブジェクトが見過ごされます"),
    ("index_column_repeated", "同じ列を2回含むインデックスです"),
    ("index_redundant", "既存のインデックスで足りる、重複したインデックスです"),
    ("inheritance_changed", "INHERIT または NO INHERIT により、親テーブルのクエリ結果が変わります"),
    ("int_primary_key", "integer型の主キーは、2,147,483,647で上限に達します"),
    ("invalid_index_hidden", "CREATE INDEX CONCURRENTLY IF NOT EXISTS により、無効なインデックスが見過ごされます"),
    ("irreversible_change", "このマイグレーションで失われるものは、バックアップからしか戻せません"),
    ("json_column", "jsonb型ではなく、json型の列が使われています"),
    ("lock_held_during_slow_work", "先に取得した強いロックを保持したまま、時間のかかる処理が行われます"),
    ("lock_order_inconsistent", "2つのトランザクションが、同じテーブルを逆の順序でロックします"),
    ("lock_table", "LOCK TABLE により、トランザクションが終わるまで処理が止まります"),
    ("lock_timeout_missing", "lock_timeout を設定せずに、使用中のテーブルに強いロックを取得します"),
    ("locks_span_files", "すべてのファイルが1つのトランザクションで実行され、ロックが最後まで保持されます"),
    ("many_tables_locked", "1つのトランザクションで、使用中の3つ以上のテーブルに強いロックを取得します"),
    ("meta_command_not_supported", "psql以外では実行できないメタコマンドが使われています"),
    ("migration_out_of_order", "新しいマイグレーションの順序が、既存のものより前になっています"),
    ("missing_if_exists", "IF EXISTS のない DROP は、対象がすでにない場合に失敗します"),
    ("mixed_case_identifier", "常に二重引用符が必要な名前です"),
    ("mixed_transaction_file", "トランザクション内で実行できる文とできない文が、1つのファイルに混在しています"),
    ("money_column", "money型の列が使われています"),
    ("nested_transaction", "すでに開始されているトランザクションの中で BEGIN が実行されます"),
    ("not_allowed_in_transaction", "トランザクション内では実行できない文です"),
    ("not_rerunnable", "途中で失敗すると、再実行できない状態になります"),
    ("not_valid_never_validated", "NOT VALID で追加した制約が、検証されないまま残ります"),
    ("owner_changed", "所有者の変更により、以前の所有者の権限が失われます"),
    ("policy_changed", "行セキュリティポリシーの変更により、参照できる行がすぐに変わります"),
    ("publication_changed", "パブリケーションの変更により、レプリケーションが止まるか、書き込みが失敗します"),
    ("refresh_materialized_view_blocks", "CONCURRENTLY なしの REFRESH MATERIALIZED VIEW により、ビューの読み取りが止まります"),
    ("refused_by_schema", "現在のスキーマの状態のため、PostgreSQLがこの変更を拒否します"),
    ("reindex_blocks", "CONCURRENTLY なしの REINDEX により、書き込みなどの処理が止まります"),
    ("relation_missing", "どのマイグレーションでも作成されていないテーブルなどを使用しています"),
    ("rename_column", "列名の変更により、以前の列名を使うクエリが失敗します"),
    ("rename_enum_value", "enumの値の改名により、以前の値を使うコードが失敗します"),
    ("rename_schema", "スキーマまたはデータベースの改名により、以前の名前を使うクエリや接続が失敗します"),
    ("rename_table", "改名により、以前のテーブル名などを使うクエリが失敗します"),
    ("rename_type", "型の改名により、以前の型名を使うキャストやドライバーが失敗します"),
    ("replace_function", "稼働中のアプリケーションが呼び出す関数の内容が変わります"),
    ("replace_view", "稼働中のアプリケーションが参照するビューの内容が変わります"),
    ("replacement_refused", "CREATE OR REPLACE では許されない変更のため失敗します"),
    ("replica_identity_changed", "REPLICA IDENTITY の変更により、書き込みが失敗するか、WALが増加します"),
    ("revoke_privilege", "稼働中のアプリケーションが使う権限が取り消される可能性があります"),
    ("rewrites_repeated", "1回で済むテーブルの書き換えが、2回行われます"),
    ("role_changed", "アプリケーションが接続に使うロールが変更、改名、または削除されます"),
    ("row_security_enabled", "行セキュリティにより、稼働中のアプリケーションから行が見えなくなります"),
    ("schema_drift", "データベースの実際のスキーマが、適用済みのマイグレーションと一致しません"),
    ("schema_not_named", "スキーマ名を省略した名前が使われています"),
    ("security_definer_without_search_path", "search_path を固定していない SECURITY DEFINER 関数です"),
    ("sequence_restarted", "シーケンスの再開により、同じ番号が2回発番されます"),
    ("serial_column", "identity列ではなく、serialが使われています"),
    ("set_local_without_transaction", "トランザクションの外では、SET LOCAL は効果がありません"),
    ("set_not_null_breaks_writers", "SET NOT NULL により、列をNULLのままにする INSERT や UPDATE が失敗します"),
    ("set_not_null_scans", "SET NOT NULL がテーブル全体を読み取る間、読み取りと書き込みが止まります"),
    ("set_schema", "スキーマの移動により、以前の場所を参照するクエリが失敗します"),
    ("set_unlogged", "SET UNLOGGED により、クラッシュ後にテーブルが空になります"),
    ("statement_not_understood", "rollsafeが解釈できない文または句があります"),
    ("statement_timeout_missing", "statement_timeout を設定せずに、使用中のテーブルに強いロックを取得します"),
    ("still_depended_on", "ほかのオブジェクトが依存しているため、削除または変更が拒否されます"),
    ("suppression_unused", "使われていない抑止コメントがあります"),
    ("suppression_without_reason", "理由のない抑止コメントがあります"),
    ("switch_ignored", "マイグレーションツールのトランザクションを無効にするコメントが、機能していません"),
    ("syntax_error", "PostgreSQLで構文エラーになります"),
    ("system_setting_changed", "サーバー、データベース、またはロールの設定が、全利用者に対して変わります"),
    ("table_storage_rewrites", "SET LOGGED などがテーブル全体を書き換える間、読み取りと書き込みが止まります"),
    ("table_without_primary_key", "主キーのないテーブルです"),
    ("time_with_time_zone", "time with time zone 型の列が使われています"),
    ("timestamp_without_time_zone", "タイムゾーンのない timestamp 型の列が使われています"),
    ("transaction_left_open", "ファイル内で開始したトランザクションが終了していません"),
    ("transaction_unknown", "トランザクション内で実行されるかどうかが不明で、正常に動作するか判断できません"),
    ("truncate_table", "TRUNCATE により、テーブルの全行が削除されます"),
    ("unique_added", "新しい一意インデックスにより、重複する値の書き込みが失敗します。既存の重複があれば作成も失敗します"),
    ("unique_index_missing", "必要な一意インデックスがないため失敗します"),
    ("unlogged_table", "UNLOGGED テーブルは、クラッシュ後とスタンバイでは空になります"),
    ("vacuum_full", "VACUUM FULL がテーブル全体を書き換える間、読み取りと書き込みが止まります"),
    ("validate_in_same_transaction", "制約を追加したトランザクションで VALIDATE を実行するため、強いロックを保持したまま全行を読み取ります"),
    ("varchar_limit", "列の型に文字数の上限が指定されています"),
    ("version_duplicated", "同じバージョンのマイグレーションが2つあります"),
    ("wide_index", "4列以上からなる、一意でないインデックスです"),
    ("data_not_restored", "ロールバック後に、元のデータの一部が戻りません"),
    ("migration_failed", "実際のデータに対してマイグレーションが失敗します"),
    ("over_time_limit", "リリースの所要時間が上限を超えています"),
    ("prediction_missed", "静的解析の予測を上回る影響があった文があります"),
    ("query_broken", "アプリケーションのクエリを PREPARE できなくなります"),
    ("rollback_failed", "ロールバックが最後まで完了しません"),
    ("schema_not_restored", "ロールバック後のスキーマが、元のスキーマと一致しません"),
    ("stall_too_long", "テーブルの読み取りまたは書き込みの停止時間が上限を超えています"),
    ("written_rows_lost", "ロールバックにより、マイグレーション後に書き込まれたデータが失われます"),
];

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

    #[test]
    fn every_code_has_a_sentence() {
        let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut pages = std::collections::BTreeSet::new();
        for folder in ["backup", "migration", "rehearsal"] {
            for page in std::fs::read_dir(rules.join(folder)).unwrap() {
                pages.insert(page.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
        let told: std::collections::BTreeSet<String> =
            CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert_eq!(told, pages);
        assert_eq!(CODES.len(), told.len(), "none twice");
        let japanese = |text: &str| text.chars().any(|char| ('\u{3040}'..'\u{30ff}').contains(&char));
        assert!(CODES.iter().all(|(_, text)| japanese(text)), "in Japanese");
    }

    #[test]
    fn values_are_japanese() {
        let said = |id: &'static str, text: &str| {
            value(&Check::new(id, text, "", Answer::No), &GateReport::default())
        };
        for (id, english, expected) in [
            ("lint", "10", "10件"),
            ("lint", "0, and 3 accepted, 2 suppressed", "0件（受容済み3件、抑止2件）"),
            ("understood", "6 of 8", "8件中6件"),
            ("risk", "81: drop_table", "81（drop_table）"),
            ("backup_verified", "file passed, data failed", "ファイル：合格、データ：不合格"),
            ("coverage", "1 of 2 tables", "2件中1件"),
            ("rehearsed", "2 left out", "未実施2件"),
            ("migration_time", "50 min (1.1 s measured)", "50分（実測：1.1秒）"),
            ("read_stall", "1.1 s, orders", "1.1秒、orders"),
            ("write_stall", "40 s (1.1 s measured), orders", "40秒（実測：1.1秒）、orders"),
            (
                "way_back",
                "down migrations failed, backup done",
                "ダウンマイグレーション：失敗、バックアップからのリストア：完了",
            ),
            ("way_back_time", "backup 1 h 2 min", "バックアップからのリストア：1時間2分"),
            ("tables_there", "3 of 4 there", "4件中3件"),
            ("blockers", "1, and 2 brief", "1件（ほかに短時間のもの2件）"),
            ("free_connections", "3 of 100", "3（最大接続数：100）"),
            ("long_transactions", "3 d 4 h", "3日4時間"),
            ("replication_slots", "2, at most 3 GB kept", "2件（保持中のWAL：最大3 GB）"),
            ("disk_free", "8.5 GB", "8.5 GB"),
        ] {
            assert_eq!(said(id, english), expected);
        }
    }
}
