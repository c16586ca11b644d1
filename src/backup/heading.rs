//! The comment lines in which plain dumps name what comes next: what a table of contents is to an archive.

/// What a comment line before an object says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Heading {
    /// The name as a table of contents has it (`users users_pkey` for a constraint), its line breaks made blanks.
    pub(super) name: String,
    /// `TABLE`, `CONSTRAINT`, `SEQUENCE SET` …
    pub(super) kind: String,
    pub(super) schema: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) tablespace: Option<String>,
}

/// Reads `Name: users; Type: TABLE; Schema: public; Owner: shop`, as `_printTocEntry` writes it.
pub(super) fn heading(line: &str) -> Option<Heading> {
    let rest = ["Name: ", "Data for Name: ", "Statistics for Name: "]
        .iter()
        .find_map(|start| line.strip_prefix(start))?;
    let (rest, owner) = rest.rsplit_once("; Owner:")?;
    let (rest, schema) = rest.rsplit_once("; Schema: ")?;
    let (name, kind) = rest.rsplit_once("; Type: ")?;
    // Before version 10 the tablespace stands there even where it is none, and the line may end with it.
    let (owner, tablespace) = owner.split_once("; Tablespace:").unwrap_or((owner, ""));
    let (owner, tablespace) = (owner.trim_start(), tablespace.trim_start());
    let not_dash = |text: &str| (text != "-" && !text.is_empty()).then(|| text.to_owned());
    Some(Heading {
        name: name.to_owned(),
        kind: kind.to_owned(),
        schema: not_dash(schema),
        owner: not_dash(owner),
        tablespace: not_dash(tablespace),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings() {
        let found =
            heading("Name: a; Type: b; Type: TABLE; Schema: public; Owner: shop; Tablespace: fast").unwrap();
        assert_eq!((found.name.as_str(), found.kind.as_str()), ("a; Type: b", "TABLE"));
        assert_eq!((found.owner.as_deref(), found.tablespace.as_deref()), (Some("shop"), Some("fast")));
        assert_eq!(heading("Name: plpgsql; Type: EXTENSION; Schema: -; Owner: -").unwrap().schema, None);
        let old = heading("Name: users; Type: TABLE; Schema: public; Owner: shop; Tablespace:").unwrap();
        assert_eq!((old.owner.as_deref(), old.tablespace), (Some("shop"), None));
        assert_eq!(heading("Name: plpgsql; Type: EXTENSION; Schema: -; Owner:").unwrap().owner, None);
        assert_eq!(heading("PostgreSQL database dump"), None);
    }
}
