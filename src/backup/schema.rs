//! Reads the definitions that pg_dump writes: columns and their types, keys, enums, domains, sequences.
//!
//! pg_dump's output is regular (`dumpTableSchema`, `dumpConstraint`, `dumpSequence` in `pg_dump.c`), so a
//! small reader of its own is enough. What it doesn't know it leaves out: then less is checked, and
//! nothing is told wrongly.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::tokens::{Token, Tokens};
use super::value::{ValueType, value_type};

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as pg_dump writes it.
    pub kind: String,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// Whether it has a collation of its own, in which equal values may differ.
    pub collated: bool,
}

/// What kind of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Holds rows.
    Plain,
    /// Holds rows that a crash of the server empties.
    Unlogged,
    /// Its partitions hold the rows.
    Partitioned,
    /// Its rows are elsewhere.
    Foreign,
}

/// A table's definition.
#[derive(Clone, Debug)]
pub struct Table {
    /// What kind.
    pub kind: TableKind,
    /// Its own columns; those inherited from parents aren't repeated by pg_dump.
    pub columns: Vec<Column>,
    /// Qualified names of the tables it inherits from, or of the table that it is a partition of.
    pub parents: Vec<String>,
}

/// A primary key, a unique constraint or a unique index.
#[derive(Clone, Debug, PartialEq)]
pub struct UniqueKey {
    /// Its name.
    pub name: String,
    /// The table.
    pub table: String,
    /// The columns.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub primary: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The table that points.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that is pointed at.
    pub target: String,
    /// Its columns.
    pub target_columns: Vec<String>,
    /// Whether a restore checks it: not when it is NOT VALID or NOT ENFORCED.
    pub validated: bool,
}

/// A sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequence {
    /// The table and column that it fills.
    pub fills: Option<(String, String)>,
    /// The value that the dump sets, and whether it has been used.
    pub value: Option<(i64, bool)>,
    /// Whether it counts down.
    pub descending: bool,
    /// Whether it begins anew at its end.
    pub cycles: bool,
}

/// All definitions that were read.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Tables by qualified name (unquoted: `billing.orders`).
    pub tables: BTreeMap<String, Table>,
    /// Unique keys.
    pub unique_keys: Vec<UniqueKey>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Sequences by qualified name.
    pub sequences: BTreeMap<String, Sequence>,
    enums: HashMap<String, Arc<HashSet<Vec<u8>>>>,
    domains: HashMap<String, (String, bool)>,
}

/// The table and the columns that a COPY statement names.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyTarget {
    /// The table's qualified name.
    pub table: String,
    /// The columns in order.
    pub columns: Vec<String>,
}

impl Schema {
    /// Takes in one definition: the SQL of a TOC entry of the kind `kind`.
    pub fn read(&mut self, kind: &str, sql: &str) {
        match kind {
            "TABLE" | "FOREIGN TABLE" => self.table(sql),
            "TABLE ATTACH" => self.attach(sql),
            "TYPE" => self.enumeration(sql),
            "DOMAIN" => self.domain(sql),
            "CONSTRAINT" | "FK CONSTRAINT" => self.constraint(sql),
            "INDEX" => self.index(sql),
            "SEQUENCE" | "SEQUENCE OWNED BY" | "SEQUENCE SET" | "DEFAULT" => self.sequence(sql),
            _ => {}
        }
    }

    /// The columns that rows of `table` can have, inherited ones with them.
    pub fn column(&self, table: &str, name: &str) -> Option<&Column> {
        let mut seen = HashSet::new();
        let mut next = vec![table];
        while let Some(table) = next.pop() {
            if !seen.insert(table) {
                continue;
            }
            let table = self.tables.get(table)?;
            if let Some(column) = table.columns.iter().find(|column| column.name == name) {
                return Some(column);
            }
            next.extend(table.parents.iter().map(String::as_str));
        }
        None
    }

    /// The type of a column, enums and domains looked up; and whether it refuses NULL.
    pub fn value_type(&self, column: &Column) -> (ValueType, bool) {
        let mut not_null = column.not_null;
        let mut kind = column.kind.clone();
        // A domain over a domain over …: as deep as anybody goes.
        for _ in 0..16 {
            match self.domains.get(&unquoted(&kind)) {
                Some((base, refuses)) => {
                    not_null |= refuses;
                    kind = base.clone();
                }
                None => break,
            }
        }
        let named = |name: &str| {
            if let Some(words) = self.enums.get(&unquoted(name)) {
                return Some(ValueType::Enum(Arc::clone(words)));
            }
            // The elements of an array may be of a domain too.
            let (base, _) = self.domains.get(&unquoted(name))?;
            Some(value_type(base, &|name| {
                self.enums.get(&unquoted(name)).map(|words| ValueType::Enum(Arc::clone(words)))
            }))
        };
        (value_type(&kind, &named), not_null)
    }

    /// The tables whose rows a query of `table` as a partitioned table reaches: itself, or its leaves.
    pub fn leaves(&self, table: &str) -> Vec<String> {
        let mut leaves = vec![];
        let mut seen = HashSet::new();
        let mut next = vec![table.to_owned()];
        while let Some(name) = next.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if self.tables.get(&name).is_some_and(|table| table.kind == TableKind::Partitioned) {
                next.extend(
                    self.tables
                        .iter()
                        .filter(|(_, table)| table.parents.contains(&name))
                        .map(|(name, _)| name.clone()),
                );
            } else {
                leaves.push(name);
            }
        }
        leaves
    }

    /// Whether rows of `table` may be written into `target`: it is the table, or one that this is a part of. Of tables that
    /// aren't defined nobody knows.
    pub fn may_fill(&self, table: &str, target: &str) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![table];
        while let Some(name) = next.pop() {
            if name == target {
                return true;
            }
            let Some(table) = self.tables.get(name) else { return true };
            if seen.insert(name) {
                next.extend(table.parents.iter().map(String::as_str));
            }
        }
        false
    }

    fn table(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if !at.word("CREATE") {
            return;
        }
        let mut kind = TableKind::Plain;
        if at.word("UNLOGGED") {
            kind = TableKind::Unlogged;
        } else if at.word("FOREIGN") {
            kind = TableKind::Foreign;
        }
        if !at.word("TABLE") {
            return;
        }
        let Some(name) = at.qualified() else { return };
        let mut table = Table { kind, columns: vec![], parents: vec![] };
        if at.word("PARTITION") && at.word("OF") {
            table.parents.extend(at.qualified());
        } else if at.symbol('(') {
            while !at.symbol(')') && !at.at_end() {
                table.columns.extend(column(&mut at));
            }
        }
        while let Some(token) = at.next() {
            if token.is_word("INHERITS") && at.symbol('(') {
                while let Some(parent) = at.qualified() {
                    table.parents.push(parent);
                    at.symbol(',');
                }
            } else if token.is_word("PARTITION") && at.word("BY") {
                table.kind = TableKind::Partitioned;
            } else if token.is_symbol(';') {
                break;
            }
        }
        // What follows in the same entry: statements about its columns.
        self.tables.insert(name, table);
    }

    fn attach(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if !(at.word("ALTER") && at.word("TABLE")) {
            return;
        }
        at.word("ONLY");
        let Some(parent) = at.qualified() else { return };
        if !(at.word("ATTACH") && at.word("PARTITION")) {
            return;
        }
        if let Some(table) = at.qualified().and_then(|child| self.tables.get_mut(&child)) {
            table.parents.push(parent);
        }
    }

    fn enumeration(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if !(at.word("CREATE") && at.word("TYPE")) {
            return;
        }
        let Some(name) = at.qualified() else { return };
        if !(at.word("AS") && at.word("ENUM") && at.symbol('(')) {
            return;
        }
        let mut words = HashSet::new();
        while let Some(Token::Text(word)) = at.next() {
            words.insert(word.into_bytes());
            at.symbol(',');
        }
        self.enums.insert(name, Arc::new(words));
    }

    fn domain(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if !(at.word("CREATE") && at.word("DOMAIN")) {
            return;
        }
        let (Some(name), true) = (at.qualified(), at.word("AS")) else { return };
        let kind = type_name(&mut at);
        let mut not_null = false;
        while let Some(token) = at.next() {
            not_null |= token.is_word("NOT") && at.word("NULL");
            if token.is_symbol(';') {
                break;
            }
        }
        self.domains.insert(name, (kind, not_null));
    }

    fn constraint(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if !(at.word("ALTER") && at.word("TABLE")) {
            return;
        }
        at.word("ONLY");
        let Some(table) = at.qualified() else { return };
        if !(at.word("ADD") && at.word("CONSTRAINT")) {
            return;
        }
        let Some(name) = at.name() else { return };
        if at.word("FOREIGN") && at.word("KEY") {
            let Some(columns) = at.columns() else { return };
            if !at.word("REFERENCES") {
                return;
            }
            let (Some(target), Some(target_columns)) = (at.qualified(), at.columns()) else { return };
            let mut validated = true;
            while let Some(token) = at.next() {
                validated &= !(token.is_word("NOT") && (at.word("VALID") || at.word("ENFORCED")));
            }
            self.foreign_keys.push(ForeignKey { name, table, columns, target, target_columns, validated });
            return;
        }
        let primary = at.word("PRIMARY") && at.word("KEY");
        if !primary && !at.word("UNIQUE") {
            return;
        }
        if at.word("NULLS") {
            at.word("NOT");
            at.word("DISTINCT");
        }
        // `USING INDEX`, or `WITHOUT OVERLAPS`, isn't a list of columns alone.
        let Some(columns) = at.columns() else { return };
        self.unique_keys.push(UniqueKey { name, table, columns, primary });
    }

    fn index(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if !(at.word("CREATE") && at.word("UNIQUE") && at.word("INDEX")) {
            return;
        }
        let (Some(name), true) = (at.name(), at.word("ON")) else { return };
        at.word("ONLY");
        let Some(table) = at.qualified() else { return };
        if !(at.word("USING") && at.word("btree")) {
            return;
        }
        let Some(columns) = at.columns() else { return };
        while let Some(token) = at.next() {
            if token.is_word("WHERE") {
                return;
            }
        }
        self.unique_keys.push(UniqueKey { name, table, columns, primary: false });
    }

    fn sequence(&mut self, sql: &str) {
        let mut at = Tokens::of(sql);
        if at.word("SELECT") {
            // SELECT pg_catalog.setval('public.users_id_seq', 60, true);
            at.qualified();
            if !at.symbol('(') {
                return;
            }
            let Some(Token::Text(name)) = at.next() else { return };
            let Some(name) = Tokens::of(&name).qualified() else { return };
            at.symbol(',');
            let negative = at.symbol('-');
            let number = match at.next() {
                Some(Token::Word(number)) => number.parse::<i64>().ok(),
                Some(Token::Text(number)) => number.parse::<i64>().ok(),
                _ => None,
            };
            at.symbol(',');
            let used = at.word("true");
            if let Some(number) = number {
                let value = if negative { number.wrapping_neg() } else { number };
                self.sequences.entry(name).or_default().value = Some((value, used));
            }
            return;
        }
        if at.word("CREATE") {
            at.word("UNLOGGED");
            let (true, Some(name)) = (at.word("SEQUENCE"), at.qualified()) else { return };
            read_options(&mut at, self.sequences.entry(name).or_default());
            return;
        }
        if !at.word("ALTER") {
            return;
        }
        if at.word("SEQUENCE") {
            let Some(name) = at.qualified() else { return };
            if at.word("OWNED") && at.word("BY") {
                let mut parts = at.parts();
                if let Some(column) = parts.pop().filter(|_| !parts.is_empty()) {
                    self.sequences.entry(name).or_default().fills = Some((parts.join("."), column));
                }
            }
            return;
        }
        if !at.word("TABLE") {
            return;
        }
        at.word("ONLY");
        let Some(table) = at.qualified() else { return };
        if !(at.word("ALTER") && at.word("COLUMN")) {
            return;
        }
        let Some(column) = at.name() else { return };
        if at.word("SET") && at.word("DEFAULT") && at.word("nextval") && at.symbol('(') {
            let Some(Token::Text(name)) = at.next() else { return };
            let Some(name) = Tokens::of(&name).qualified() else { return };
            self.sequences.entry(name).or_default().fills.get_or_insert((table, column));
            return;
        }
        // ADD GENERATED … AS IDENTITY ( SEQUENCE NAME …
        while let Some(token) = at.next() {
            if token.is_word("SEQUENCE") && at.word("NAME") {
                let Some(name) = at.qualified() else { return };
                let sequence = self.sequences.entry(name).or_default();
                sequence.fills = Some((table, column));
                read_options(&mut at, sequence);
                return;
            }
        }
    }
}

fn read_options(at: &mut Tokens<'_>, sequence: &mut Sequence) {
    let mut no = false;
    while let Some(token) = at.next() {
        if token.is_word("INCREMENT") {
            at.word("BY");
            sequence.descending = at.symbol('-');
        } else if token.is_word("CYCLE") {
            sequence.cycles = !no;
        } else if token.is_symbol(';') {
            return;
        }
        no = token.is_word("NO");
    }
}

/// One item of a table's list: a column, or none when it is a constraint.
fn column(at: &mut Tokens<'_>) -> Option<Column> {
    let constraint = at.peek().is_some_and(|token| {
        ["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE", "LIKE"]
            .iter()
            .any(|word| token.is_word(word))
    });
    let mut column = None;
    if !constraint && let Some(name) = at.name() {
        column = Some(Column { name, kind: type_name(at), not_null: false, collated: false });
    }
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        if depth == 0 && token.is_symbol(')') {
            break;
        }
        let is = |word| token.is_word(word);
        let (not, collate, comma) = (is("NOT"), is("COLLATE"), token.is_symbol(','));
        match token {
            Token::Symbol('(' | '[') => depth += 1,
            Token::Symbol(')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at.next();
        if depth == 0 && comma {
            break;
        }
        if let Some(column) = &mut column {
            column.not_null |= depth == 0 && not && at.word("NULL");
            column.collated |= depth == 0 && collate;
        }
    }
    column
}

/// The type that begins here, as written.
fn type_name(at: &mut Tokens<'_>) -> String {
    const ENDS: [&str; 12] = [
        "COLLATE",
        "DEFAULT",
        "NOT",
        "NULL",
        "GENERATED",
        "CONSTRAINT",
        "STORAGE",
        "COMPRESSION",
        "OPTIONS",
        "CHECK",
        "PRIMARY",
        "UNIQUE",
    ];
    let start = at.offset();
    let mut end = start;
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        match token {
            Token::Symbol('(' | '[') => depth += 1,
            Token::Symbol(')') if depth == 0 => break,
            Token::Symbol(',' | ';') if depth == 0 => break,
            Token::Symbol(')' | ']') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && ENDS.iter().any(|end| word.eq_ignore_ascii_case(end)) => break,
            _ => {}
        }
        at.next();
        end = at.end_of_last();
    }
    at.slice(start, end).to_owned()
}

/// A name as pg_dump writes it, quoted where it must be, without the quotes.
fn unquoted(name: &str) -> String {
    if name.contains('"') { Tokens::of(name).qualified().unwrap_or_default() } else { name.to_owned() }
}

/// The qualified name, unquoted, of a table as SQL writes it: `public."Order's"`.
pub(super) fn table_named(relation: &str) -> Option<String> {
    Tokens::of(relation).qualified()
}

/// Table and columns of `COPY schema.table (a, "b c") FROM stdin;`.
pub fn copy_target(statement: &str) -> Option<CopyTarget> {
    let mut at = Tokens::of(statement);
    if !at.word("COPY") {
        return None;
    }
    let table = at.qualified()?;
    // A table without columns has no list.
    let columns = at.columns().unwrap_or_default();
    at.word("FROM").then_some(CopyTarget { table, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_as_pg_dump_writes_them() {
        let mut schema = Schema::default();
        schema.read("TYPE", "CREATE TYPE public.mood AS ENUM (\n    'sad',\n    'it''s fine'\n);\n");
        schema.read(
            "DOMAIN",
            "CREATE DOMAIN public.positive AS integer\n\tCONSTRAINT positive_check CHECK ((VALUE > 0));\n",
        );
        schema.read(
            "TABLE",
            "CREATE TABLE public.\"Mixed \"\"x\"\"\" (\n    id bigint DEFAULT nextval('a,b)'::regclass) NOT NULL,\n    price numeric(10,2),\n    \
             at timestamp(0) without time zone,\n    note text COLLATE \"C\" DEFAULT 'x, NOT NULL'::text,\n    m public.mood,\n    p public.positive[],\n    \
             CONSTRAINT c CHECK ((price > (0)::numeric))\n)\nPARTITION BY RANGE (id);\n",
        );
        let table = &schema.tables["public.Mixed \"x\""];
        assert_eq!(table.kind, TableKind::Partitioned);
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|c| (c.name.as_str(), c.kind.as_str(), c.not_null, c.collated))
            .collect();
        assert_eq!(
            columns,
            [
                ("id", "bigint", true, false),
                ("price", "numeric(10,2)", false, false),
                ("at", "timestamp(0) without time zone", false, false),
                ("note", "text", false, true),
                ("m", "public.mood", false, false),
                ("p", "public.positive[]", false, false),
            ]
        );
        let kind = |name| schema.value_type(schema.column("public.Mixed \"x\"", name).unwrap()).0;
        assert!(matches!(kind("m"), ValueType::Enum(words) if words.contains(&b"it's fine"[..])));
        assert!(matches!(kind("p"), ValueType::Array(of) if matches!(*of, ValueType::Int(..))));
    }

    #[test]
    fn inherited_columns_are_found_in_the_parent() {
        let mut schema = Schema::default();
        schema.read("TABLE", "CREATE TABLE public.parent (\n    id integer NOT NULL\n);");
        schema.read("TABLE", "CREATE TABLE public.child (\n    extra inet\n)\nINHERITS (public.parent);");
        assert_eq!(schema.column("public.child", "id").map(|c| c.kind.as_str()), Some("integer"));
        assert_eq!(schema.column("public.child", "none"), None);
    }

    #[test]
    fn keys_and_sequences() {
        let mut schema = Schema::default();
        schema.read(
            "CONSTRAINT",
            "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a, \"b c\");\n",
        );
        schema.read(
            "CONSTRAINT",
            "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_p PRIMARY KEY (a, during WITHOUT OVERLAPS);\n",
        );
        schema.read("INDEX", "CREATE UNIQUE INDEX i ON public.t USING btree (a) WHERE (b > 0);\n");
        schema.read("INDEX", "CREATE UNIQUE INDEX j ON public.t USING btree (lower(a));\n");
        schema.read("INDEX", "CREATE UNIQUE INDEX k ON public.t USING btree (a);\n");
        let keys: Vec<_> = schema.unique_keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(keys, ["t_pkey", "k"]);
        schema.read(
            "FK CONSTRAINT",
            "ALTER TABLE ONLY public.c\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.t(id) ON DELETE CASCADE NOT VALID;\n",
        );
        assert!(!schema.foreign_keys[0].validated);
        schema.read("SEQUENCE", "CREATE SEQUENCE public.s\n    AS integer\n    START WITH 1\n    INCREMENT BY -1\n    NO CYCLE;\n");
        schema.read("SEQUENCE OWNED BY", "ALTER SEQUENCE public.s OWNED BY public.t.id;\n");
        schema.read("SEQUENCE SET", "SELECT pg_catalog.setval('public.s', 25, true);\n");
        let wanted = Sequence {
            fills: Some(("public.t".into(), "id".into())),
            value: Some((25, true)),
            descending: true,
            cycles: false,
        };
        assert_eq!(schema.sequences["public.s"], wanted);
        schema.read(
            "SEQUENCE",
            "ALTER TABLE public.u ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (\n    SEQUENCE NAME public.u_id_seq\n    INCREMENT BY 1\n);\n",
        );
        assert_eq!(schema.sequences["public.u_id_seq"].fills, Some(("public.u".into(), "id".into())));
    }

    #[test]
    fn copy_statements() {
        let target = copy_target(
            "COPY public.\"Mixed \"\"Case\"\" table\" (\"Ünï col\", \"tab\tname\", \"select\") FROM stdin;\n",
        )
        .unwrap();
        assert_eq!(target.table, "public.Mixed \"Case\" table");
        assert_eq!(target.columns, ["Ünï col", "tab\tname", "select"]);
        assert_eq!(copy_target("COPY public.no_columns  FROM stdin;").unwrap().columns, Vec::<String>::new());
        assert_eq!(copy_target("SELECT 1"), None);
    }
}
