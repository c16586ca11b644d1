//! Prints what the parser makes of SQL files, one JSON object a statement: for people who work on the
//! parser, and for `scripts/compare-with-pglast.py`.
//!
//!     cargo run --example parse -- FILE… | FOLDER…

use std::io::Write;
use std::path::{Path, PathBuf};

use rollsafe::migration::parse::parse;
use rollsafe::migration::statement::{
    ActionKind, Body, Constraint, ConstraintKind, Name, ObjectKind, Query, RelationUse, Routine, Statement,
};
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let mut files = Vec::new();
    for argument in std::env::args_os().skip(1) {
        collect(Path::new(&argument), &mut files)?;
    }
    files.sort();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        let script = parse(&text, 0..text.len());
        for statement in &script.statements {
            let mut shown = show(statement);
            shown["path"] = json!(file.display().to_string());
            shown["text"] = json!(statement.span.of(&text));
            serde_json::to_writer(&mut out, &shown)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "sql") {
        files.push(path.to_owned());
    }
    Ok(())
}

fn show(statement: &Statement) -> Value {
    let problems: Vec<Value> = statement
        .problems
        .iter()
        .map(
            |p| json!({"start": p.span.start, "end": p.span.end, "message": p.message, "certain": p.certain}),
        )
        .collect();
    let mut shown = json!({
        "start": statement.span.start,
        "end": statement.span.end,
        "kind": statement.kind_name(),
        "understood": statement.understood(),
        "problems": problems,
    });
    describe(&statement.body, &mut shown);
    shown
}

fn full(name: &Name) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", schema.value, name.name.value),
        None => name.name.value.to_string(),
    }
}

fn used(uses: &[RelationUse]) -> Vec<String> {
    uses.iter().map(|used| full(&used.name)).collect()
}

fn relations_of_query(query: &Query) -> Vec<String> {
    used(&query.uses)
}

fn constraint_targets<'a>(constraints: impl IntoIterator<Item = &'a Constraint>) -> Vec<String> {
    constraints
        .into_iter()
        .filter_map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey(key) => Some(full(&key.target)),
            _ => None,
        })
        .collect()
}

fn describe(body: &Body, shown: &mut Value) {
    match body {
        Body::Query(query) => {
            shown["relations"] = json!(relations_of_query(query));
            shown["changes"] = json!(
                query
                    .changes
                    .iter()
                    .map(|change| json!({
                        "target": full(&change.target),
                        "access": format!("{:?}", change.access),
                        "columns": change.columns.iter().map(|c| c.value.to_string()).collect::<Vec<_>>(),
                        "rows": change.rows,
                        "filter": change.filter.as_ref().map(|f| json!({"always_true": f.always_true, "bounded": f.bounded})),
                    }))
                    .collect::<Vec<_>>()
            );
        }
        Body::CreateTable(create) => {
            let mut relations = vec![full(&create.name)];
            relations.extend(create.like.iter().map(|like| full(&like.source)));
            relations.extend(create.inherits.iter().map(full));
            relations.extend(create.partition_of.iter().map(|partition| full(&partition.parent)));
            relations.extend(constraint_targets(&create.constraints));
            relations
                .extend(create.columns.iter().flat_map(|column| constraint_targets(&column.constraints)));
            shown["relations"] = json!(relations);
            shown["if_exists"] = json!(create.if_not_exists);
        }
        Body::CreateTableAs(create) => {
            let mut relations = vec![full(&create.name)];
            relations.extend(relations_of_query(&create.query));
            shown["relations"] = json!(relations);
            shown["if_exists"] = json!(create.if_not_exists);
        }
        Body::CreateView(create) => {
            let mut relations = vec![full(&create.name)];
            relations.extend(relations_of_query(&create.query));
            shown["relations"] = json!(relations);
        }
        Body::AlterTable(alter) => {
            let mut relations = vec![full(&alter.name)];
            let mut actions = Vec::new();
            let mut cascade = 0;
            let mut not_valid = 0;
            for action in &alter.actions {
                let debug = format!("{:?}", action.kind);
                let end = debug.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(debug.len());
                actions.push(debug[..end].to_owned());
                match &action.kind {
                    ActionKind::AddColumn { column, .. } => {
                        relations.extend(constraint_targets(&column.constraints));
                    }
                    ActionKind::AddConstraint(constraint) => {
                        relations.extend(constraint_targets([&**constraint]));
                        not_valid += u32::from(constraint.not_valid);
                    }
                    ActionKind::DropColumn { cascade: c, .. }
                    | ActionKind::DropConstraint { cascade: c, .. } => {
                        cascade += u32::from(*c);
                    }
                    ActionKind::Inherit { parent } | ActionKind::NoInherit { parent } => {
                        relations.push(full(parent));
                    }
                    ActionKind::AttachPartition { partition, .. }
                    | ActionKind::DetachPartition { partition, .. } => {
                        relations.push(full(partition));
                    }
                    _ => {}
                }
            }
            shown["relations"] = json!(relations);
            shown["actions"] = json!(actions);
            shown["cascade"] = json!(cascade);
            shown["not_valid"] = json!(not_valid);
            shown["if_exists"] = json!(alter.if_exists);
        }
        Body::CreateIndex(create) => {
            shown["relations"] = json!([full(&create.table)]);
            shown["concurrently"] = json!(create.concurrently);
            shown["if_exists"] = json!(create.if_not_exists);
        }
        Body::Drop(drop) => {
            if matches!(
                drop.kind,
                ObjectKind::Table
                    | ObjectKind::Index
                    | ObjectKind::View
                    | ObjectKind::MaterializedView
                    | ObjectKind::Sequence
                    | ObjectKind::ForeignTable
            ) {
                shown["relations"] =
                    json!(drop.names.iter().map(|name| full(&name.name)).collect::<Vec<_>>());
            }
            shown["concurrently"] = json!(drop.concurrently);
            shown["if_exists"] = json!(drop.if_exists);
            shown["cascade"] = json!(u32::from(drop.cascade));
        }
        Body::Truncate(truncate) => {
            shown["relations"] =
                json!(truncate.tables.iter().map(|(name, _)| full(name)).collect::<Vec<_>>());
            shown["cascade"] = json!(u32::from(truncate.cascade));
        }
        Body::Lock(lock) => {
            shown["relations"] = json!(lock.tables.iter().map(|(name, _)| full(name)).collect::<Vec<_>>());
        }
        Body::CreateTrigger(create) => {
            let mut relations = vec![full(&create.table)];
            relations.extend(create.from.iter().map(full));
            shown["relations"] = json!(relations);
        }
        Body::Reindex(reindex) => shown["concurrently"] = json!(reindex.concurrently),
        Body::RefreshMaterializedView { name, concurrently, .. } => {
            shown["relations"] = json!([full(name)]);
            shown["concurrently"] = json!(concurrently);
        }
        Body::Do(block) => {
            if let Some(routine) = &block.routine {
                describe_routine(routine, shown);
            }
        }
        Body::CreateRoutine(create) => {
            if let Some(routine) = &create.body {
                describe_routine(routine, shown);
            }
        }
        _ => {}
    }
}

fn describe_routine(routine: &Routine, shown: &mut Value) {
    shown["inner"] = routine
        .statements
        .iter()
        .map(|inner| {
            let mut one = show(&inner.statement);
            one["conditional"] = json!(inner.conditional);
            one["in_loop"] = json!(inner.in_loop);
            one["loop_commits"] = json!(inner.loop_commits);
            one["dynamic"] = json!(inner.dynamic);
            one["partial"] = json!(inner.partial);
            one
        })
        .collect();
    shown["dynamic"] = json!(routine.dynamic.iter().map(|s| [s.start, s.end]).collect::<Vec<_>>());
    shown["routine_problems"] = json!(
        routine
            .problems
            .iter()
            .map(|p| json!({"start": p.span.start, "end": p.span.end, "message": p.message}))
            .collect::<Vec<_>>()
    );
}
