//! Migrations that aren't SQL files: where they are seen, and how their SQL is had.

use std::path::Path;

/// A tool whose migrations are written in another language.
struct Elsewhere {
    /// As people write it.
    title: &'static str,
    /// Whether a path (lower case, with `/`) is one of its migrations, as far as names tell.
    path: fn(&str) -> bool,
    /// What its text then holds, in lower case; empty: nothing more is asked.
    text: &'static [&'static str],
    /// What to run.
    how: &'static str,
}

const TOOLS: [Elsewhere; 11] = [
    Elsewhere {
        title: "Liquibase changelogs",
        path: |path| {
            let named =
                path.contains("changelog") || path.contains("changeset") || path.contains("liquibase");
            named && [".xml", ".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end))
        },
        text: &["<databasechangelog", "databasechangelog:", "\"databasechangelog\""],
        how: "liquibase --url=offline:postgresql?outputLiquibaseSql=none --changelog-file=FILE update-sql | rollsafe lint --runner liquibase -",
    },
    Elsewhere {
        title: "Django migrations",
        path: |path| path.contains("/migrations/0") && path.ends_with(".py"),
        text: &["migrations.migration"],
        how: "python manage.py sqlmigrate APP NNNN | rollsafe lint --runner django -",
    },
    Elsewhere {
        title: "Alembic revisions",
        path: |path| path.ends_with(".py") && (path.contains("versions/") || path.contains("alembic")),
        text: &["down_revision"],
        how: "alembic upgrade FROM:TO --sql | rollsafe lint --runner alembic -",
    },
    Elsewhere {
        title: "Rails migrations",
        path: |path| path.contains("db/migrate/") && path.ends_with(".rb"),
        text: &["activerecord::migration"],
        how: "keep the schema as SQL (config.active_record.schema_format = :sql) and lint with --schema db/structure.sql, or give the SQL that the log shows",
    },
    Elsewhere {
        title: "node-pg-migrate migrations",
        path: is_script,
        text: &["node-pg-migrate", "(pgm", "pgm =>"],
        how: "node-pg-migrate up --dry-run prints the SQL",
    },
    Elsewhere {
        title: "Sequelize migrations",
        path: is_script,
        text: &["queryinterface"],
        how: "Sequelize has no dry run; give the SQL that its log shows",
    },
    Elsewhere {
        title: "Knex migrations",
        path: is_script,
        text: &["knex"],
        how: "Knex has no dry run; give the SQL that its debug output shows",
    },
    Elsewhere {
        title: "TypeORM migrations",
        path: |path| path.contains("migration") && (path.ends_with(".js") || path.ends_with(".ts")),
        text: &["implements migrationinterface"],
        how: "TypeORM has no dry run of migrations; give the SQL inside queryRunner.query()",
    },
    Elsewhere {
        title: "JavaScript migrations",
        path: is_script,
        text: &["exports.up", "export const up", "export async function up", "export function up"],
        how: "give the SQL that the tool's log shows",
    },
    Elsewhere {
        title: "SeaORM migrations",
        path: |path| path.ends_with(".rs") && path.contains("migration"),
        text: &["migrationtrait for"],
        how: "SeaORM has no dry run; give the SQL that `-v` logs",
    },
    Elsewhere {
        title: "Ecto migrations",
        path: |path| path.contains("/migrations/") && path.ends_with(".exs"),
        text: &["use ecto.migration"],
        how: "mix ecto.migrate --log-migrations-sql on a scratch database, and lint what it logs",
    },
];

fn is_script(path: &str) -> bool {
    path.contains("migrations/") && (path.ends_with(".js") || path.ends_with(".ts"))
}

/// How many bytes of a file are looked at.
const HEAD: u64 = 2048;

/// What was seen of them, tool by tool.
#[derive(Default)]
pub struct Seen {
    counts: [usize; TOOLS.len()],
    first: [String; TOOLS.len()],
}

impl Seen {
    /// Takes note of a file that isn't SQL.
    pub fn look(&mut self, path: &Path) {
        let shown = path.to_string_lossy().replace('\\', "/");
        let lower = format!("/{}", shown.to_lowercase());
        for (place, tool) in TOOLS.iter().enumerate().filter(|(_, tool)| (tool.path)(&lower)) {
            // The first few of a tool prove it.
            if self.counts[place] < 3 && !holds(path, tool.text) {
                continue;
            }
            if self.counts[place] == 0 {
                self.first[place] = shown.clone();
            }
            self.counts[place] += 1; // both arrays are as long as TOOLS
            return;
        }
    }

    /// What to tell people.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        TOOLS.iter().zip(self.counts.iter().zip(&self.first)).filter(|(_, (count, _))| **count > 0).map(
            |(tool, (count, first))| {
                let (s, are) = if *count == 1 { ("", "is") } else { ("s", "are") };
                format!(
                    "{}: {count} file{s} ({first}{}) {are} no SQL and not read; to have them checked: {}",
                    tool.title,
                    if *count == 1 { "" } else { " …" },
                    tool.how
                )
            },
        )
    }
}

fn holds(path: &Path, texts: &[&str]) -> bool {
    use std::io::Read as _;
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut head = Vec::new();
    if file.take(HEAD).read_to_end(&mut head).is_err() {
        return false;
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    texts.iter().any(|text| head.contains(text))
}
