//! PostgreSQL's keywords that can't be used as plain identifiers (`kwlist.h`, version 18).

/// `RESERVED_KEYWORD`: usable only as a label after AS.
static RESERVED: [&str; 78] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "system_user",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// `TYPE_FUNC_NAME_KEYWORD`: usable as the name of a type or function, not of a column or table.
static TYPE_OR_FUNCTION: [&str; 23] = [
    "authorization",
    "binary",
    "collation",
    "concurrently",
    "cross",
    "current_schema",
    "freeze",
    "full",
    "ilike",
    "inner",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "natural",
    "notnull",
    "outer",
    "overlaps",
    "right",
    "similar",
    "tablesample",
    "verbose",
];

/// `COL_NAME_KEYWORD`: usable as the name of a column or table, not of a function or type.
static COLUMN_NAME: [&str; 63] = [
    "between",
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "coalesce",
    "dec",
    "decimal",
    "exists",
    "extract",
    "float",
    "greatest",
    "grouping",
    "inout",
    "int",
    "integer",
    "interval",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "least",
    "merge_action",
    "national",
    "nchar",
    "none",
    "normalize",
    "nullif",
    "numeric",
    "out",
    "overlay",
    "position",
    "precision",
    "real",
    "row",
    "setof",
    "smallint",
    "substring",
    "time",
    "timestamp",
    "treat",
    "trim",
    "values",
    "varchar",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// The keywords that may begin an expression which is not a plain column or call.
static SPECIAL: [&str; 74] = [
    "array",
    "bigint",
    "bit",
    "boolean",
    "case",
    "cast",
    "char",
    "character",
    "coalesce",
    "collation",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "double",
    "exists",
    "extract",
    "false",
    "float",
    "greatest",
    "grouping",
    "int",
    "integer",
    "interval",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_value",
    "least",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "nchar",
    "normalize",
    "null",
    "nullif",
    "numeric",
    "overlay",
    "position",
    "real",
    "row",
    "session_user",
    "smallint",
    "substring",
    "system_user",
    "time",
    "timestamp",
    "treat",
    "trim",
    "true",
    "unique",
    "user",
    "varchar",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
];

/// `AS_LABEL`: usable as an output column's name only with AS before it.
static NEEDS_AS: [&str; 39] = [
    "array",
    "as",
    "char",
    "character",
    "create",
    "day",
    "except",
    "fetch",
    "filter",
    "for",
    "from",
    "grant",
    "group",
    "having",
    "hour",
    "intersect",
    "into",
    "isnull",
    "limit",
    "minute",
    "month",
    "notnull",
    "offset",
    "on",
    "order",
    "over",
    "overlaps",
    "precision",
    "returning",
    "second",
    "to",
    "union",
    "varying",
    "where",
    "window",
    "with",
    "within",
    "without",
    "year",
];

/// Which of the lists hold a word, one bit each.
const IN_RESERVED: u8 = 1;
const IN_TYPE_OR_FUNCTION: u8 = 2;
const IN_COLUMN_NAME: u8 = 4;
const IN_SPECIAL: u8 = 8;
const IN_NEEDS_AS: u8 = 16;

/// The longest keyword has 17 bytes.
const LONGEST: usize = 17;

#[derive(Clone, Copy)]
struct Keyword {
    word: &'static str,
    lists: u8,
}

/// All keywords by their hash: words are looked up for every name of every statement, and most are none.
/// A slot that is taken sends its keyword to the next.
static KEYWORDS: [Keyword; 1024] = {
    let mut table = [Keyword { word: "", lists: 0 }; 1024];
    table = enter(table, &RESERVED, IN_RESERVED);
    table = enter(table, &TYPE_OR_FUNCTION, IN_TYPE_OR_FUNCTION);
    table = enter(table, &COLUMN_NAME, IN_COLUMN_NAME);
    table = enter(table, &SPECIAL, IN_SPECIAL);
    enter(table, &NEEDS_AS, IN_NEEDS_AS)
};

const fn enter(mut table: [Keyword; 1024], list: &[&'static str], lists: u8) -> [Keyword; 1024] {
    let mut at = 0;
    while at < list.len() {
        let word = list[at];
        let mut slot = hash(word.as_bytes());
        while !table[slot].word.is_empty() && !same(table[slot].word.as_bytes(), word.as_bytes()) {
            slot = (slot + 1) % table.len();
        }
        table[slot].word = word;
        table[slot].lists |= lists;
        at += 1;
    }
    table
}

/// By length and four of its letters, whose case doesn't matter.
const fn hash(word: &[u8]) -> usize {
    let length = word.len();
    if length == 0 {
        return 0;
    }
    let first = (word[0] | 0x20) as usize;
    let second = (word[length / 3] | 0x20) as usize;
    let third = (word[length * 2 / 3] | 0x20) as usize;
    let last = (word[length - 1] | 0x20) as usize;
    (first * 31 + second * 131 + third * 17 + last * 7 + length * 61) % 1024
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The lists that hold `word` in any case.
fn lists(word: &str) -> u8 {
    if word.len() > LONGEST || word.len() < 2 {
        return 0;
    }
    let mut slot = hash(word.as_bytes());
    // There are more slots than keywords, so an empty one comes.
    loop {
        let keyword = &KEYWORDS[slot]; // in bounds: always a remainder of the table's length
        if keyword.word.is_empty() {
            return 0;
        }
        if keyword.word.eq_ignore_ascii_case(word) {
            return keyword.lists;
        }
        slot = (slot + 1) % KEYWORDS.len();
    }
}

/// Whether `word` (any case) is fully reserved.
pub fn is_reserved(word: &str) -> bool {
    lists(word) & IN_RESERVED != 0
}

/// Whether `word` can stand for a column, table or other object without quotes (`ColId`).
pub fn is_column_identifier(word: &str) -> bool {
    lists(word) & (IN_RESERVED | IN_TYPE_OR_FUNCTION) == 0
}

/// Whether `word` can stand for a type or function without quotes (`type_function_name`).
pub fn is_type_or_function(word: &str) -> bool {
    lists(word) & (IN_RESERVED | IN_COLUMN_NAME) == 0
}

/// Whether an expression that begins with `word` needs a closer look than a column or function does.
pub fn is_special(word: &str) -> bool {
    lists(word) & IN_SPECIAL != 0
}

/// Whether `word` can name an output column without AS before it (`BareColLabel`).
pub fn is_bare_label(word: &str) -> bool {
    lists(word) & IN_NEEDS_AS == 0
}

/// Whether `quote_ident` puts quotes around this (lower-case) name because it is a keyword.
pub fn must_be_quoted(word: &str) -> bool {
    lists(word) & (IN_RESERVED | IN_TYPE_OR_FUNCTION | IN_COLUMN_NAME) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for list in [&RESERVED[..], &TYPE_OR_FUNCTION[..], &COLUMN_NAME[..], &SPECIAL[..], &NEEDS_AS[..]] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
            assert!(list.iter().all(|word| word.len() <= 17));
        }
    }

    #[test]
    fn classes() {
        assert!(is_reserved("SELECT"));
        assert!(!is_column_identifier("join"));
        assert!(is_column_identifier("values"));
        assert!(is_type_or_function("left"));
        assert!(must_be_quoted("between") && !must_be_quoted("users"));
    }
}
