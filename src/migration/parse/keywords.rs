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

fn holds(list: &[&str], word: &str) -> bool {
    // The longest keyword has 17 bytes; words are looked up a lot, and most are no keywords.
    if word.len() > 17 || word.len() < 2 {
        return false;
    }
    let mut buffer = [0u8; 17];
    let folded = &mut buffer[..word.len()];
    folded.copy_from_slice(word.as_bytes());
    folded.make_ascii_lowercase();
    list.binary_search_by(|keyword| keyword.as_bytes().cmp(folded)).is_ok()
}

/// Whether `word` (any case) is fully reserved.
pub fn is_reserved(word: &str) -> bool {
    holds(&RESERVED, word)
}

/// Whether `word` can stand for a column, table or other object without quotes (`ColId`).
pub fn is_column_identifier(word: &str) -> bool {
    !holds(&RESERVED, word) && !holds(&TYPE_OR_FUNCTION, word)
}

/// Whether `word` can stand for a type or function without quotes (`type_function_name`).
pub fn is_type_or_function(word: &str) -> bool {
    !holds(&RESERVED, word) && !holds(&COLUMN_NAME, word)
}

/// Whether an expression that begins with `word` needs a closer look than a column or function does.
pub fn is_special(word: &str) -> bool {
    holds(&SPECIAL, word)
}

/// Whether `word` can name an output column without AS before it (`BareColLabel`).
pub fn is_bare_label(word: &str) -> bool {
    !holds(&NEEDS_AS, word)
}

/// Whether `quote_ident` puts quotes around this (lower-case) name because it is a keyword.
pub fn must_be_quoted(word: &str) -> bool {
    holds(&RESERVED, word) || holds(&TYPE_OR_FUNCTION, word) || holds(&COLUMN_NAME, word)
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
