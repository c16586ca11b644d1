//! Sends one statement as it stands.

use std::io::Write;

use postgres::{Client, SimpleQueryMessage};

use crate::migration::project::runner::needs_no_transaction;
use crate::migration::statement::{Body, Copy, QueryKind, Statement};

/// Whether a transaction of its own around it changes nothing: what may commit inside, or must not be in a
/// transaction, is sent as it is.
pub(super) fn may_be_wrapped(statement: &Statement) -> bool {
    statement.understood()
        && !needs_no_transaction(statement)
        && !matches!(
            statement.body,
            Body::Do(_)
                | Body::Call(_)
                | Body::Set(_)
                | Body::SetConstraints { .. }
                | Body::Cluster { table: None, .. }
                | Body::Prepare { .. }
                | Body::Execute { .. }
                | Body::Discard { .. }
                | Body::Explain { .. }
                | Body::Other(_)
                | Body::Lock(_)
                | Body::AlterDatabase { .. }
        )
}

/// Sends it; gives how many rows it changed, where the server says.
pub(super) fn send(
    client: &mut Client,
    statement: &Statement,
    sql: &str,
    text: &str,
) -> Result<Option<u64>, postgres::Error> {
    match &statement.body {
        Body::Copy(copy) if copy.from && copy.data.is_some() => copy_in(client, copy, sql, text).map(Some),
        Body::Query(query)
            if matches!(
                query.kind,
                QueryKind::Insert | QueryKind::Update | QueryKind::Delete | QueryKind::Merge
            ) =>
        {
            let answers = client.simple_query(sql)?;
            Ok(answers.iter().rev().find_map(|answer| match answer {
                SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
                _ => None,
            }))
        }
        _ => client.batch_execute(sql).map(|()| None),
    }
}

/// COPY … FROM STDIN with the rows behind it.
fn copy_in(client: &mut Client, copy: &Copy, sql: &str, text: &str) -> Result<u64, postgres::Error> {
    let data = copy.data.map_or("", |span| span.of(text));
    let command = sql.split_once(';').map_or(sql, |(command, _)| command);
    let mut writer = client.copy_in(command)?;
    let rows = data.strip_suffix("\\.\n").or_else(|| data.strip_suffix("\\.")).unwrap_or(data);
    // Writing goes into a buffer; what the server says against it comes with `finish`.
    let _ = writer.write_all(rows.as_bytes());
    writer.finish()
}
