//! Pages: the document of each code, carried in the binary, and the facts at its head.
//!
//! A page begins with its code as a heading and a fenced `toml` block of facts. The block is a few lines of
//! `key = "value"`; it is read here by hand because all pages are read at each start, on the pre-commit
//! path. A test compares with a real TOML parser.

use crate::finding::{Category, Severity};

/// The facts at the head of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// One line: what the pattern is and what it does.
    pub summary: &'a str,
    /// What kind of harm.
    pub category: Category,
    /// The default severity; `None` is off.
    pub severity: Option<Severity>,
    /// The version of rollsafe that had it first.
    pub since: &'a str,
}

/// Reads the facts; `None` where a page has none, which a test rules out for pages in the binary.
pub fn facts(page: &str) -> Option<Facts<'_>> {
    let start = page.find("```toml\n")? + "```toml\n".len();
    let rest = page.get(start..)?;
    let block = rest.get(..rest.find("```")?)?;
    let value = |key: &str| {
        block.lines().find_map(|line| {
            let after =
                line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
            after.get(..after.find('"')?)
        })
    };
    Some(Facts {
        summary: value("summary")?,
        category: value("category")?.parse().ok()?,
        severity: match value("severity")? {
            "off" => None,
            word => Some(word.parse().ok()?),
        },
        since: value("since").unwrap_or("0.1.0"),
    })
}

/// A page without its facts, for people to read.
pub fn prose(page: &str) -> String {
    let Some(start) = page.find("```toml\n") else { return page.to_owned() };
    let after = page.get(start + 3..).and_then(|rest| rest.find("```").map(|end| start + 3 + end + 3));
    let Some(after) = after else { return page.to_owned() };
    let rest = page.get(after..).unwrap_or("").trim_start();
    let mut prose = page.get(..start).unwrap_or("").to_owned();
    for line in rest.split_inclusive('\n') {
        // What stands behind `sql` is for the tests.
        if line.trim_start().starts_with("```sql ") {
            prose.push_str(&line[..line.find("```sql").map_or(0, |at| at + "```sql".len())]); // found in the line
            prose.push('\n');
        } else {
            prose.push_str(line);
        }
    }
    prose
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_prose() {
        let page = "# x\n\n```toml\nsummary = \"A b\"\ncategory = \"locking\"\nseverity = \"off\"\n```\n\n## Why\nz\n";
        let facts = facts(page).unwrap();
        assert_eq!((facts.summary, facts.category, facts.severity), ("A b", Category::Locking, None));
        assert_eq!(prose(page), "# x\n\n## Why\nz\n");
    }
}
