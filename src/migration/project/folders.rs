//! Files by the migrations folder that they belong to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::Roots;

/// The files of a folder in the order of their names, none of them twice, each with whether it is judged.
pub type Files = Vec<(PathBuf, bool)>;

/// Files while they are found. Those of one folder mostly come one after the other: the folder is looked up once for all.
#[derive(Default)]
pub struct Folders {
    found: BTreeMap<PathBuf, Files>,
    open: Option<(PathBuf, Files)>,
    roots: Roots,
}

impl Folders {
    /// Takes in a file; gives its folder where that is another than the last one's.
    pub fn add(&mut self, file: PathBuf, judged: bool) -> Option<&Path> {
        let root = self.roots.of(&file);
        if let Some((open, files)) = &mut self.open
            && open.as_os_str() == root.as_os_str()
        {
            files.push((file, judged));
            return None;
        }
        let (root, mut files) =
            self.found.remove_entry(root).unwrap_or_else(|| (root.to_owned(), Files::new()));
        files.push((file, judged));
        self.found.extend(self.open.replace((root, files)));
        self.open.as_ref().map(|(root, _)| root.as_path())
    }

    /// All of them.
    pub fn sorted(mut self) -> BTreeMap<PathBuf, Files> {
        self.found.extend(self.open);
        self.found.values_mut().for_each(sort);
        self.found
    }
}

/// Puts files in order; of one that is there twice the judged one stays.
pub fn sort(files: &mut Files) {
    files.sort_unstable_by(|(a, judged), (b, other)| {
        a.as_os_str().cmp(b.as_os_str()).then_with(|| other.cmp(judged))
    });
    files.dedup_by(|(b, _), (a, _)| a.as_os_str() == b.as_os_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_find_their_folder_in_whatever_order_they_come() {
        let mut folders = Folders::default();
        for (file, judged) in
            [("b/2_x.sql", true), ("a/1_x.sql", true), ("b/1_x.sql", false), ("b/2_x.sql", false)]
        {
            folders.add(PathBuf::from(file), judged);
        }
        let found: Vec<(PathBuf, Files)> = folders.sorted().into_iter().collect();
        let path = |text: &str| PathBuf::from(text);
        assert_eq!(
            found,
            [
                (path("a"), vec![(path("a/1_x.sql"), true)]),
                (path("b"), vec![(path("b/1_x.sql"), false), (path("b/2_x.sql"), true)]),
            ]
        );
    }
}
