//! Names inside the SQL that pg_dump writes: of tables in COPY statements, roles in grants, extensions.

use std::collections::BTreeSet;

/// What a COPY statement of a dump loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CopyTarget<'a> {
    /// The table as it is written: `public.users`.
    pub(super) relation: &'a str,
    /// The column list with its parentheses; empty where there is none.
    pub(super) columns: &'a str,
}

/// Reads `COPY public.users (id, name) FROM stdin;`. None for anything that pg_dump doesn't write.
pub(super) fn copy_target(statement: &str) -> Option<CopyTarget<'_>> {
    let rest = statement.strip_prefix("COPY ")?;
    let relation = rest.get(..relation_end(rest)?)?;
    let behind = rest.get(relation.len()..)?.trim_start();
    let columns = match behind.strip_prefix('(') {
        Some(_) => behind.get(..list_end(behind)?)?,
        None => "",
    };
    let tail = behind.get(columns.len()..)?.trim().trim_end_matches(';').trim_end();
    tail.eq_ignore_ascii_case("FROM stdin").then_some(CopyTarget { relation, columns })
}

/// The table that an INSERT statement fills, as it is written.
pub(super) fn inserted_into(statement: &str) -> Option<&str> {
    let rest = strip_words(statement, &["INSERT", "INTO"])?;
    rest.get(..relation_end(rest)?)
}

/// Schema and name of `public."Order's"`; the schema is empty where there is none.
pub(super) fn split_relation(relation: &str) -> Option<(String, String)> {
    let (first, rest) = identifier(relation)?;
    if rest.is_empty() {
        return Some((String::new(), first));
    }
    let (second, rest) = identifier(rest.strip_prefix('.')?)?;
    rest.is_empty().then_some((first, second))
}

/// Schema and name of what `CREATE …` makes; the schema is empty where the statement names none.
pub(super) fn created_name(statement: &str) -> Option<(String, String)> {
    const BEFORE: &[&str] = &[
        "OR",
        "REPLACE",
        "UNLOGGED",
        "MATERIALIZED",
        "FOREIGN",
        "RECURSIVE",
        "UNIQUE",
        "TRUSTED",
        "PROCEDURAL",
        "EVENT",
        "CONSTRAINT",
        "TEXT",
        "SEARCH",
        "OPERATOR",
        "ACCESS",
        "DATA",
        "DEFAULT",
        "USER",
        "IF",
        "NOT",
        "EXISTS",
    ];
    let mut rest = strip_words(statement, &["CREATE"])?;
    while let Some(behind) = BEFORE.iter().find_map(|word| strip_words(rest, &[word])) {
        rest = behind;
    }
    // The kind itself: TABLE, VIEW, FUNCTION, CLASS …
    let (kind, behind) = identifier(rest)?;
    let name = behind.trim_start();
    let (mut schema, name) = split_relation(name.get(..relation_end(name)?)?)?;
    // An index lives where its table does.
    if kind == "index"
        && let Some((_, on)) = behind.split_once(" ON ")
    {
        let on = strip_words(on, &["ONLY"]).unwrap_or(on);
        schema = split_relation(on.get(..relation_end(on)?)?)?.0;
    }
    Some((schema, name))
}

/// Whether the server's message speaks of the object `schema.name`, which it writes without quotes around the parts.
pub(super) fn speaks_of(message: &str, (schema, name): &(String, String)) -> bool {
    let written = if schema.is_empty() { format!("\"{name}\"") } else { format!("{schema}.{name}") };
    let is_inside = |c: Option<char>| c.is_some_and(|c| is_name_char(c) || c == '.');
    message.match_indices(&written).any(|(at, _)| {
        let before = message.get(..at).and_then(|text| text.chars().next_back());
        let behind = message.get(at + written.len()..).and_then(|text| text.chars().next());
        schema.is_empty() || !(is_inside(before) || is_inside(behind))
    })
}

/// The columns of `(id, "Full name")`.
pub(super) fn column_names(list: &str) -> Option<Vec<String>> {
    let mut rest = list.strip_prefix('(')?.trim_start();
    let mut names = vec![];
    loop {
        let (name, behind) = identifier(rest)?;
        names.push(name);
        let behind = behind.trim_start();
        match behind.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return (behind == ")").then_some(names),
        }
    }
}

/// The identifier that `text` begins with, as the server would keep it, and what follows.
pub(super) fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !is_name_char(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (name.to_ascii_lowercase(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (before, behind) = rest.split_once('"')?;
        name.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, behind)),
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn relation_end(text: &str) -> Option<usize> {
    let (_, mut rest) = identifier(text)?;
    if let Some(behind) = rest.strip_prefix('.') {
        (_, rest) = identifier(behind)?;
    }
    Some(text.len() - rest.len())
}

fn list_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ')' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The roles that a grant, a revoke, a policy or default privileges name. May hold a word too many,
/// never one too few: a role without rights that nobody needs does no harm.
pub(super) fn roles_in(definition: &str, roles: &mut BTreeSet<String>) {
    let mut rest = definition;
    while let Some((word, behind)) = next_word(rest) {
        rest = behind;
        let names_follow = matches!(
            word.to_ascii_uppercase().as_str(),
            "TO" | "FROM" | "BY" | "ROLE" | "USER" | "GROUP" | "AUTHORIZATION"
        );
        if !names_follow {
            continue;
        }
        let mut list = rest.trim_start();
        while let Some((role, behind)) = identifier_or_literal(list) {
            let reserved =
                ["public", "current_user", "session_user", "current_role", "postgres", "role", "user"];
            if !reserved.contains(&role.as_str()) && !role.starts_with("pg_") && !role.is_empty() {
                roles.insert(role);
            }
            match behind.trim_start().strip_prefix(',') {
                Some(more) => list = more.trim_start(),
                None => break,
            }
        }
    }
}

fn identifier_or_literal(text: &str) -> Option<(String, &str)> {
    match text.strip_prefix('\'') {
        Some(literal) => literal.split_once('\'').map(|(name, rest)| (name.to_owned(), rest)),
        None => identifier(text),
    }
}

/// The next unquoted word and what follows; quoted text is stepped over.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| !is_name_char(c) && c != '"' && c != '\'');
        match rest.chars().next()? {
            quote @ ('"' | '\'') => rest = rest.get(1..)?.split_once(quote)?.1,
            _ => {
                let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
                return rest.split_at_checked(end);
            }
        }
    }
}

/// Name and schema of `CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public`.
pub(super) fn extension_in(statement: &str) -> Option<(String, Option<String>)> {
    let rest = strip_words(statement, &["CREATE", "EXTENSION"])?;
    let rest = strip_words(rest, &["IF", "NOT", "EXISTS"]).unwrap_or(rest);
    let (name, rest) = identifier(rest)?;
    let rest = strip_words(rest, &["WITH"]).unwrap_or(rest);
    let schema = strip_words(rest, &["SCHEMA"]).and_then(identifier).map(|(schema, _)| schema);
    Some((name, schema))
}

/// Whether the statement is `CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public` to the last word, as pg_dump
/// writes it: then it is done before, and needn't be tried.
pub(super) fn is_extension_of_pg_dump(statement: &str) -> bool {
    let read = || {
        let rest = strip_words(statement, &["CREATE", "EXTENSION", "IF", "NOT", "EXISTS"])?;
        let (_, rest) = identifier(rest)?;
        let rest = rest.trim_end_matches([';', ' ', '\n']).trim_start();
        if rest.is_empty() {
            return Some(true);
        }
        let (_, rest) = identifier(strip_words(rest, &["WITH", "SCHEMA"])?)?;
        Some(rest.trim().is_empty())
    };
    read().unwrap_or(false)
}

/// What follows `words` at the beginning of `text`, whatever their case and the blanks between them.
pub(super) fn strip_words<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let mut rest = text.trim_start();
    for word in words {
        let (head, tail) = rest.split_at_checked(word.len())?;
        if !head.eq_ignore_ascii_case(word) || tail.starts_with(is_name_char) {
            return None;
        }
        rest = tail.trim_start();
    }
    Some(rest)
}

/// The options of `CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C'` that
/// say how text is stored and compared, as names and values.
pub(super) fn database_options(statement: &str) -> Vec<(&'static str, String)> {
    const KNOWN: [&str; 8] = [
        "ENCODING",
        "LOCALE_PROVIDER",
        "LOCALE",
        "LC_COLLATE",
        "LC_CTYPE",
        "ICU_LOCALE",
        "ICU_RULES",
        "BUILTIN_LOCALE",
    ];
    let mut options = vec![];
    let mut rest = statement;
    while let Some((word, behind)) = next_word(rest) {
        rest = behind;
        let Some(name) = KNOWN.into_iter().find(|known| word.eq_ignore_ascii_case(known)) else { continue };
        let Some(value) = behind.trim_start().strip_prefix('=').map(str::trim_start) else { continue };
        if let Some((value, _)) = identifier_or_literal(value) {
            options.push((name, value));
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_told_from_damaged_ones() {
        assert!(is_extension_of_pg_dump(
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA \"my schema\""
        ));
        assert!(is_extension_of_pg_dump("CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;\n"));
        for damaged in ["WHTH SCHEMA public", "WITH SCHEMB public", "WITH SCHEMA public x"] {
            assert!(
                !is_extension_of_pg_dump(&format!("CREATE EXTENSION IF NOT EXISTS pg_trgm {damaged}")),
                "{damaged}"
            );
        }
    }

    #[test]
    fn created_objects_are_named_in_full() {
        let name = |text| created_name(text).map(|(schema, name)| format!("{schema}|{name}"));
        for (text, expected) in [
            ("CREATE FUNCTION public.ord() RETURNS int LEAKPROOF", "public|ord"),
            ("CREATE OR REPLACE VIEW public.\"Open orders\" AS", "public|Open orders"),
            ("CREATE MATERIALIZED VIEW s.m AS", "s|m"),
            ("CREATE UNIQUE INDEX \"on x\" ON ONLY public.t USING btree (lp(id))", "public|on x"),
            ("CREATE OPERATOR CLASS s.c FOR TYPE x", "s|c"),
            ("CREATE SERVER far FOREIGN DATA WRAPPER w", "|far"),
        ] {
            assert_eq!(name(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(name("ALTER TABLE ONLY public.t ADD CONSTRAINT c CHECK (lp(id))"), None);
        let of = |schema: &str, name: &str| (schema.to_owned(), name.to_owned());
        let message = "ERROR: relation \"public.open_orders\" does not exist";
        assert!(speaks_of(message, &of("public", "open_orders")));
        for other in
            [of("public", "ord"), of("public", "open"), of("ublic", "open_orders"), of("", "open_orders")]
        {
            assert!(!speaks_of(message, &other), "{other:?}");
        }
        assert!(speaks_of("ERROR: function public.lp(integer) does not exist", &of("public", "lp")));
        assert!(speaks_of("ERROR: server \"far\" does not exist", &of("", "far")));
    }

    #[test]
    fn copy_statements_are_taken_apart() {
        let target = |text| copy_target(text).map(|it| (it.relation, it.columns));
        assert_eq!(
            target("COPY public.users (id, name) FROM stdin;\n"),
            Some(("public.users", "(id, name)"))
        );
        assert_eq!(
            target("COPY \"Sh\"\"op\".\"a.b(\" (\"x)\", y) FROM stdin;"),
            Some(("\"Sh\"\"op\".\"a.b(\"", "(\"x)\", y)"))
        );
        assert_eq!(target("COPY public.nothing  FROM stdin;"), Some(("public.nothing", "")));
        assert_eq!(target("COPY public.users (id) FROM PROGRAM 'rm';"), None);
        assert_eq!(target("COPY (SELECT 1) TO stdout;"), None);
        assert_eq!(inserted_into("INSERT INTO s.\"a b\" VALUES (1)"), Some("s.\"a b\""));
        assert_eq!(inserted_into("INSERT (1)"), None);
        assert_eq!(split_relation("public.\"a.b\""), Some(("public".into(), "a.b".into())));
        assert_eq!(column_names("(id, \"Full, \"\"name\")"), Some(vec!["id".into(), "Full, \"name".into()]));
    }

    #[test]
    fn roles_are_found_wherever_they_are_named() {
        let roles = |text: &str| {
            let mut roles = BTreeSet::new();
            roles_in(text, &mut roles);
            roles.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(
            roles(
                "REVOKE ALL ON TABLE public.t FROM shop;\nGRANT SELECT ON TABLE public.t TO \"Read er\" WITH GRANT OPTION;"
            ),
            ["Read er", "shop"]
        );
        assert_eq!(
            roles("ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA public GRANT SELECT ON TABLES TO b;"),
            ["a", "b"]
        );
        assert_eq!(roles("CREATE POLICY p ON public.t TO x, y USING ((note <> ' TO z'::text));"), ["x", "y"]);
        assert_eq!(roles("GRANT ALL ON SCHEMA public TO PUBLIC;"), Vec::<String>::new());
        assert_eq!(roles("GRANT SELECT ON TABLE t TO pg_monitor;"), Vec::<String>::new());
    }

    #[test]
    fn extensions_and_database_options_are_read() {
        assert_eq!(
            extension_in("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA ext;"),
            Some(("uuid-ossp".into(), Some("ext".into())))
        );
        assert_eq!(extension_in("CREATE EXTENSION hstore"), Some(("hstore".into(), None)));
        assert_eq!(extension_in("CREATE TABLE t ()"), None);
        assert_eq!(
            database_options(
                "CREATE DATABASE \"ENCODING = x\" WITH TEMPLATE = template0 ENCODING = 'LATIN1' LOCALE_PROVIDER = libc LOCALE = 'de_DE';"
            ),
            [("ENCODING", "LATIN1".into()), ("LOCALE_PROVIDER", "libc".into()), ("LOCALE", "de_DE".into())]
        );
    }
}
