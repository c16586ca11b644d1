//! `sequence_restarted`: a sequence or identity column starts again and gives out numbers twice.

use crate::migration::catalog::{QName, Relation};
use crate::migration::parse;
use crate::migration::statement::{ActionKind, Body, Call, Name, SequenceOption, quote_ident};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "sequence_restarted",
    page: migration_page!("sequence_restarted"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::AlterSequence { name, options, .. } => {
            sequence(cx, sink, cx.statement.span, name, options);
        }
        Body::Query(query) => {
            for call in query.calls.iter().filter(|call| call.name.name == "setval") {
                if let Some((name, start)) = set_to(cx, call) {
                    sequence(cx, sink, call.span, &name, &[SequenceOption::Restart(Some(start))]);
                }
            }
        }
        Body::AlterTable(_) => {
            let Some((alter, table, known)) = cx.altered() else { return };
            for action in &alter.actions {
                let ActionKind::AlterIdentity { column, options, .. } = &action.kind else { continue };
                if restart(options).is_none() || !cx.column_in_use(known, column) {
                    continue;
                }
                let shown = format!("{table}.{}", quote_ident(column.as_str()));
                let sequence = identity_sequence(known, &table, column.as_str());
                let column = Some((table.clone(), column.as_str().to_owned()));
                say(sink, action.span, &shown, &sequence, column, options);
            }
        }
        _ => {}
    }
}

fn sequence(cx: &StatementContext<'_>, sink: &mut Sink, span: Span, name: &Name, options: &[SequenceOption]) {
    let sequence = cx.resolve(name);
    if restart(options).is_none() || !cx.may_be_used(&sequence) || !cx.lasts() {
        return;
    }
    let owner = cx.before.relation(&sequence).and_then(|sequence| sequence.owned_by.clone());
    let column = owner.map(|(table, column)| (table, column.to_string()));
    say(sink, span, &sequence.to_string(), &sequence.to_string(), column, options);
}

/// The sequence of `setval('s', 1, false)`, and the number that comes next; `None` where that isn't a constant.
fn set_to(cx: &StatementContext<'_>, call: &Call) -> Option<(Name, i64)> {
    let name = parse::name_of(call.strings.first()?.as_deref()?)?;
    let (_, arguments) = cx.sql(call.span).strip_suffix(')')?.split_once(',')?;
    let (value, called) = arguments.split_once(',').unwrap_or((arguments, "true"));
    let called = !called.trim().eq_ignore_ascii_case("false");
    Some((name, value.trim().parse::<i64>().ok()?.checked_add(i64::from(called))?))
}

/// RESTART, with where it starts if that is written.
fn restart(options: &[SequenceOption]) -> Option<Option<i64>> {
    options.iter().find_map(|option| match option {
        SequenceOption::Restart(start) => Some(*start),
        _ => None,
    })
}

fn say(
    sink: &mut Sink,
    span: Span,
    what: &str,
    sequence: &str,
    column: Option<(QName, String)>,
    options: &[SequenceOption],
) {
    let message = match restart(options).flatten() {
        Some(start) if start > 1 => format!(
            "{what} goes on at {start}: if rows already have numbers from there on, they are given out a second time, \
             and inserts fail on a unique key or share a number"
        ),
        _ => format!(
            "{what} begins again: numbers that rows already have are given out a second time, and inserts fail on a \
             unique key or share a number"
        ),
    };
    let help = match column {
        Some((table, column)) => {
            let column = quote_ident(&column);
            format!(
                "-- set it from the data\n\
                 SELECT setval('{}', (SELECT coalesce(max({column}), 0) + 1 FROM {table}), false);",
                sequence.replace('\'', "''")
            )
        }
        None => "Start above the highest number that was ever given out.".to_owned(),
    };
    sink.say(span, message).help(help);
}

/// PostgreSQL's name for an identity column's sequence: `table_column_seq`.
fn identity_sequence(known: Option<&Relation>, table: &QName, column: &str) -> String {
    let table = known.map_or(table, |relation| &relation.name);
    QName::new(&table.schema, &format!("{}_{column}_seq", table.name)).to_string()
}
