//! The names that PostgreSQL chooses for constraints and indexes without one.
//!
//! Source: `ChooseRelationName`, `makeObjectName`, `ChooseIndexColumnNames` in PostgreSQL's sources
//! (`src/backend/commands/indexcmds.c`), the same from 12 to 18.

use compact_str::CompactString;

/// `NAMEDATALEN - 1`: identifiers are cut to this many bytes.
pub const MAX_IDENTIFIER: usize = 63;

/// `name` as the server keeps it: cut to 63 bytes, at a character boundary.
pub fn cut(name: &str) -> &str {
    cut_to(name, MAX_IDENTIFIER)
}

/// The first `most` bytes of a name, or fewer, to a character boundary.
pub fn cut_to(name: &str, most: usize) -> &str {
    let mut end = name.len().min(most);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end] // a character boundary
}

/// The name of what is to take the place of `name`: `name_new`, cut in front of the label.
pub fn with_new(name: &str) -> String {
    const LABEL: &str = "_new";
    format!("{}{LABEL}", cut_to(name, MAX_IDENTIFIER - LABEL.len()))
}

/// How many numbers are tried one after the other before the steps grow.
const NEAR: usize = 32;

/// `table_columns_label`, the longer of the first two parts cut until it fits; a number is added while `taken`. PostgreSQL
/// tries all of them in order. Here it is so up to [`NEAR`]; from there on the numbers are taken to have no holes, lest
/// thousands of constraints without names take minutes.
pub fn choose(table: &str, columns: &str, label: &str, taken: impl Fn(&str) -> bool) -> CompactString {
    let name = |pass: usize| {
        let label = if pass == 0 { label.to_owned() } else { format!("{label}{pass}") };
        object_name(table, columns, &label)
    };
    let is_free = |pass: &usize| !taken(&name(*pass));
    if let Some(pass) = (0..NEAR).find(is_free) {
        return name(pass).into();
    }
    let (mut below, mut step) = (NEAR - 1, 1);
    while !is_free(&(below + step)) {
        below += step;
        step *= 2;
    }
    let mut free = below + step;
    while free - below > 1 {
        let middle = below + (free - below) / 2;
        if is_free(&middle) { free = middle } else { below = middle }
    }
    name(free).into()
}

fn object_name(first: &str, second: &str, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(!second.is_empty());
    let available = MAX_IDENTIFIER.saturating_sub(overhead);
    let (mut a, mut b) = (first.len(), second.len());
    while a + b > available {
        if a > b { a -= 1 } else { b -= 1 }
    }
    let part = |text: &str, mut end: usize| {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned() // a character boundary
    };
    let mut name = part(first, a);
    if !second.is_empty() {
        name.push('_');
        name.push_str(&part(second, b));
    }
    name.push('_');
    name.push_str(label);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_as_the_server_cuts_them() {
        assert_eq!(choose("users", "email", "key", |_| false), "users_email_key");
        assert_eq!(choose("users", "", "pkey", |_| false), "users_pkey");
        assert_eq!(choose("users", "email", "idx", |n| n == "users_email_idx"), "users_email_idx1");
        for many in [1, 31, 32, 33, 34, 1000, 1001] {
            let taken = |name: &str| {
                let number = name.strip_prefix("users_email_idx").expect("the name");
                number.is_empty() || number.parse::<usize>().expect("a number") < many
            };
            assert_eq!(choose("users", "email", "idx", taken), format!("users_email_idx{many}"));
        }
        let long = choose(&"t".repeat(60), &"c".repeat(60), "idx", |_| false);
        assert_eq!(long.len(), MAX_IDENTIFIER);
        assert!(long.ends_with("_idx"));
    }
}
