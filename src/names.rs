//! Names that people type: which known one is meant by one that isn't known.

/// A code, category or the like as it is kept: dashes and capitals are accepted wherever somebody types one.
pub fn code(word: &str) -> String {
    word.trim().replace('-', "_").to_lowercase()
}

/// The known name most like `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(known, word), known))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = ["drop_table", "drop_column", "rename_column"];
        assert_eq!(nearest("drop_colum", known), Some("drop_column"));
        assert_eq!(nearest("vacuum", known), None);
    }
}
