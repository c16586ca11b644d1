//! What pages claim about PostgreSQL, on real servers: each example runs (or is refused, where it says `fails`),
//! and the locks that a page's facts name are the locks that its first bad example takes.
//!
//! One page: `PAGE=drop_column cargo test --test page_servers`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use postgres::{Client, NoTls};
use rollsafe::migration::lock_mode::LockMode;
use rollsafe::migration::parse::parse;
use rollsafe::migration::statement::Body;
use rollsafe::postgres::cluster::{Options, SUPERUSER, ScratchCluster};
use rollsafe::postgres::tools::Installations;

/// A fenced SQL block.
struct Block {
    line: usize,
    words: Vec<String>,
    sql: String,
}

impl Block {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    fn runs_on(&self, major: u16) -> bool {
        let wanted = self.words.iter().find_map(|word| word.strip_prefix("pg=")?.parse::<u16>().ok());
        // What one version refuses a newer one may allow.
        if let (Some(wanted), true) = (wanted, self.has("fails")) {
            return major == wanted;
        }
        // A page may ask for an old version to show what is different there; the syntax is in newer ones too.
        wanted.is_none_or(|wanted| wanted <= 15 || major >= wanted)
    }
}

struct Page {
    code: String,
    /// `locks = "ACCESS EXCLUSIVE on orders, …"`: relation to mode.
    locks: Option<BTreeMap<String, LockMode>>,
    blocks: Vec<Block>,
}

fn pages() -> Vec<Page> {
    let only = std::env::var("PAGE").ok();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/migration");
    let mut pages: Vec<Page> = std::fs::read_dir(folder)
        .expect("rules/migration is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let code = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("readable");
            let facts = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
            let facts: toml::Table = facts.expect("facts").parse().expect("facts are TOML");
            let locks = facts.get("locks").map(|locks| claimed(locks.as_str().expect("a text"), &code));
            Page { blocks: blocks(&text), code, locks }
        })
        .filter(|page| only.as_ref().is_none_or(|only| *only == page.code))
        .collect();
    pages.sort_by(|a, b| a.code.cmp(&b.code));
    assert!(!pages.is_empty(), "there are no pages");
    pages
}

fn claimed(locks: &str, code: &str) -> BTreeMap<String, LockMode> {
    locks
        .split(", ")
        .map(|lock| {
            let (mode, relation) = lock.split_once(" on ").unwrap_or_else(|| panic!("{code}: {lock}"));
            let mode = LockMode::from_name(mode).unwrap_or_else(|| panic!("{code}: no lock mode {mode}"));
            (relation.to_owned(), mode)
        })
        .collect()
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```sql ") else { continue };
        let mut sql = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            sql.push_str(line);
            sql.push('\n');
        }
        found.push(Block {
            line: number + 1,
            words: info.split_whitespace().map(str::to_owned).collect(),
            sql,
        });
    }
    found
}

/// One server for each version that is installed. Examples may name the roles.
fn servers() -> Vec<ScratchCluster> {
    let installations = Installations::find();
    let mut majors: Vec<u16> = installations
        .all()
        .iter()
        .filter(|installation| installation.has_server())
        .map(|installation| installation.version().major())
        .filter(|major| *major >= 15)
        .collect();
    majors.sort_unstable();
    majors.dedup();
    assert!(!majors.is_empty(), "no PostgreSQL server from 15 on is installed: the pages' claims need one");
    majors
        .into_iter()
        .map(|major| {
            let options = Options::major(major)
                .setting("wal_level", "logical")
                .setting("max_prepared_transactions", "10");
            let server =
                ScratchCluster::start(&options).unwrap_or_else(|e| panic!("PostgreSQL {major}: {e}"));
            let mut client = server.connect(SUPERUSER, "postgres").expect("connecting");
            client.batch_execute(ROLES).expect("roles");
            client
                .batch_execute(&format!("CREATE DATABASE {DATABASE} TEMPLATE template0"))
                .expect("a database");
            server
        })
        .collect()
}

const DATABASE: &str = "examples";

const CLEAN: &str = "DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('DROP EVENT TRIGGER %I', r.evtname); END LOOP;
  FOR r IN SELECT pubname FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', r.pubname); END LOOP;
  FOR r IN SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' LOOP EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', r.extname); END LOOP;
  FOR r IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', r.nspname); END LOOP;
  FOR r IN SELECT fdwname FROM pg_foreign_data_wrapper LOOP EXECUTE format('DROP FOREIGN DATA WRAPPER %I CASCADE', r.fdwname); END LOOP;
  EXECUTE 'CREATE SCHEMA public'; EXECUTE 'GRANT ALL ON SCHEMA public TO PUBLIC';
END $$";

const ROLES: &str =
    "CREATE ROLE app; CREATE ROLE app_user; CREATE ROLE reader; CREATE ROLE reporting; CREATE ROLE owner;";

/// Runs `check` for each page on each server, the servers side by side, and gathers what it says.
fn on_each_server(check: fn(&ScratchCluster, &Page, &mut String) -> usize) {
    let (servers, pages) = (servers(), pages());
    let (examined, wrong): (Vec<usize>, Vec<String>) = std::thread::scope(|scope| {
        let threads: Vec<_> = servers
            .iter()
            .map(|server| {
                let pages = &pages;
                scope.spawn(move || {
                    let mut wrong = String::new();
                    let examined: usize = pages.iter().map(|page| check(server, page, &mut wrong)).sum();
                    (examined, wrong)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).unzip()
    });
    assert!(
        std::env::var_os("PAGE").is_some() || examined.iter().all(|&count| count > 0),
        "nothing was examined"
    );
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "of {examined:?} examined:\n{wrong}");
}

#[test]
fn examples_run_on_real_servers() {
    on_each_server(|server, page, wrong| {
        let major = server.version().major();
        let mut setup = None;
        let mut examined = 0;
        for block in &page.blocks {
            if block.has("setup") {
                setup = Some(block);
            }
            if !(block.has("good") || block.has("bad")) || !block.runs_on(major) {
                continue;
            }
            examined += 1;
            clean(server);
            // A way back is judged by what it undoes; what it refuses to do it may say with an error.
            let parts =
                block.sql.split("-- next file\n").filter_map(|part| part.split("-- the way back\n").next());
            let refused = setup
                // What a live database has stands in place of what the migrations made.
                .filter(|_| !block.has("live"))
                .and_then(|setup| {
                    run(server, &setup.sql, false).err().map(|e| format!("the setup fails: {e}"))
                })
                .or_else(|| {
                    parts.into_iter().find_map(|part| match block.has("onequery") {
                        true => connect(server).batch_execute(part).err().map(|e| e.to_string()),
                        // Where it isn't known whether a transaction is open, one of the two must do.
                        false if block.has("unknown") => {
                            run(server, part, false).or_else(|_| run(server, part, true)).err()
                        }
                        false => run(server, part, block.has("tx")).err(),
                    })
                });
            let place = format!("{}.md:{} ({}) on {major}", page.code, block.line, block.words.join(" "));
            match (refused, block.has("fails")) {
                (Some(error), false) => writeln!(wrong, "{place}: {}", error.trim()).expect("a string"),
                (None, true) => writeln!(wrong, "{place}: is not refused").expect("a string"),
                _ => {}
            }
        }
        examined
    });
}

#[test]
fn locks_are_as_claimed() {
    on_each_server(|server, page, wrong| {
        let major = server.version().major();
        let Some(claimed) = &page.locks else { return 0 };
        let Some(at) = page.blocks.iter().position(|block| block.has("bad")) else { return 0 };
        let bad = &page.blocks[at]; // `position` found it
        let setup = page.blocks.iter().take(at).rfind(|block| block.has("setup"));
        // What refuses a transaction can't be looked at from inside one.
        if !bad.runs_on(major) || bad.has("fails") || bad.sql.contains("VACUUM") {
            return 0;
        }
        clean(server);
        if let Some(setup) = setup {
            run(server, &setup.sql, false).unwrap_or_else(|e| panic!("{}: {e}", page.code));
        }
        let seen = observed(&mut connect(server), &bad.sql, bad.has("tx"));
        if seen != *claimed {
            writeln!(wrong, "{} on {major}: claims {claimed:?}, takes {seen:?}", page.code)
                .expect("a string");
        }
        1
    });
}

fn connect(server: &ScratchCluster) -> Client {
    server
        .config(SUPERUSER, DATABASE)
        .options("-c client_min_messages=error -c allow_in_place_tablespaces=on -c statement_timeout=60s")
        .connect(NoTls)
        .expect("connecting")
}

/// Takes away what the example before has made.
fn clean(server: &ScratchCluster) {
    connect(server).batch_execute(CLEAN).expect("cleaning up");
}

/// Runs a text statement by statement, as a migration tool does; the error if one is refused.
fn run(server: &ScratchCluster, sql: &str, in_transaction: bool) -> Result<(), String> {
    let mut client = connect(server);
    let said = |e: postgres::Error| e.as_db_error().map_or_else(|| e.to_string(), |e| e.message().to_owned());
    if in_transaction {
        client.batch_execute("BEGIN").map_err(said)?;
    }
    for statement in &parse(sql, 0..sql.len()).statements {
        match &statement.body {
            // psql's business, not the server's.
            Body::MetaCommand { .. } => {}
            Body::Copy(copy) if copy.data.is_some() => {
                let mut writer = client.copy_in(statement.span.of(sql)).map_err(said)?;
                writer
                    .write_all(copy.data.map_or("", |data| data.of(sql)).as_bytes())
                    .map_err(|e| e.to_string())?;
                writer.finish().map_err(said)?;
            }
            _ => client.batch_execute(statement.span.of(sql)).map_err(said)?,
        }
    }
    if in_transaction {
        client.batch_execute("COMMIT").map_err(said)?;
    }
    Ok(())
}

/// The strongest lock on each relation that was there before, over all statements.
fn observed(client: &mut Client, sql: &str, together: bool) -> BTreeMap<String, LockMode> {
    const LOCKS: &str = "SELECT c.oid::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
        WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r','p','m','v','f') AND c.oid = ANY($1) \
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let before: Vec<u32> = client
        .query("SELECT oid FROM pg_class WHERE oid >= 16384", &[])
        .expect("pg_class")
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut strongest: BTreeMap<String, LockMode> = BTreeMap::new();
    let mut open = false;
    for statement in &parse(sql, 0..sql.len()).statements {
        let text = statement.span.of(sql);
        let control = ["BEGIN", "COMMIT", "ROLLBACK"].iter().any(|word| text.starts_with(word));
        if !open && !control {
            client.batch_execute("BEGIN").expect("begin");
            open = true;
        }
        client.batch_execute(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        if control {
            open = text.starts_with("BEGIN");
        }
        for row in client.query(LOCKS, &[&before]).expect("pg_locks") {
            let mode: String = row.get(1);
            let mode = LockMode::from_name(&mode).expect("a lock mode");
            let known = strongest.entry(row.get(0)).or_insert(mode);
            *known = (*known).max(mode);
        }
        if open && !together && !control && !sql.starts_with("BEGIN") {
            client.batch_execute("COMMIT").expect("commit");
            open = false;
        }
    }
    strongest
}
