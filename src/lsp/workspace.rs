//! The migrations around open documents, kept read between keystrokes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Judged;
use crate::finding::Finding;
use crate::migration::desk::{Desk, Judgement};
use crate::migration::lint::{LintOptions, LintReport};
use crate::migration::project::{self, Part, Project, Request};

/// What holds for a file: what `rollsafe lint FILE` would look at, and how it would judge.
pub struct Asked {
    /// What was gathered for.
    pub request: Request,
    /// How to judge.
    pub options: LintOptions,
    /// The migrations, texts given in place of what files hold.
    pub project: Project,
    /// The configuration file, where there is one.
    pub config: Option<PathBuf>,
    /// Takes out what a baseline knows, with the file's text.
    #[allow(clippy::type_complexity)]
    pub settle: Box<dyn Fn(&mut LintReport, &Path, &str)>,
}

/// Finds what holds for a file (`-`: for a text alone), with texts in place of what files hold.
pub type Ask<'a> = dyn Fn(&Path, HashMap<PathBuf, Vec<u8>>, Option<Vec<u8>>) -> Result<Asked, String> + 'a;

/// A folder whose migrations are kept.
struct Folder {
    /// The file that it was gathered for.
    path: PathBuf,
    asked: Asked,
    part: Part,
    desk: Desk,
    /// When the configuration and the folder were changed last.
    stamps: Vec<Option<SystemTime>>,
}

/// All of them.
pub struct Workspace<'a> {
    ask: &'a Ask<'a>,
    folders: Vec<Folder>,
}

impl<'a> Workspace<'a> {
    /// Nothing is read yet.
    pub fn new(ask: &'a Ask<'a>) -> Self {
        Workspace { ask, folders: Vec::new() }
    }

    /// Files on disk may have changed: all is read again when it is needed.
    pub fn forget(&mut self) {
        self.folders.clear();
    }

    /// Judges a file whose text is `text`; `overlays` are the texts of open documents. Also gives the files that come
    /// behind it, where its text is new.
    pub fn judge(
        &mut self,
        path: &Path,
        text: &str,
        overlays: &[(PathBuf, String)],
    ) -> Result<(Judged, Vec<PathBuf>), String> {
        if path.as_os_str().is_empty() || !path.is_file() {
            return Ok((self.alone(text)?, Vec::new()));
        }
        let folder = self.folder(path, overlays)?;
        let Some(kept) = folder.part.migrations.iter().find(|migration| migration.path == path) else {
            // Not a migration by its name: judged alone.
            return Ok((self.alone(text)?, Vec::new()));
        };
        if folder.path == path && !kept.judged {
            return Ok((Judged::Excluded, Vec::new()));
        }
        let behind = if *kept.source == *text { Vec::new() } else { folder.put(path, text) };
        let Some(mut judgement) = folder.desk.judge(path, &folder.asked.options) else {
            return Ok((Judged::NotYet, Vec::new()));
        };
        (folder.asked.settle)(&mut judgement.report, path, text);
        Ok((Judged::Done(Box::new(of_file(judgement, path))), behind))
    }

    /// What another text of the file would give, for fixes that are applied in rounds; nothing is kept of it.
    pub fn findings(&mut self, path: &Path, now: &str, other: &str) -> Vec<Finding> {
        let found = self.judge(path, other, &[]).map(|(judged, _)| judged.findings().to_vec());
        // Back to what the editor holds.
        let _ = self.judge(path, now, &[]);
        found.unwrap_or_default()
    }

    fn folder(&mut self, path: &Path, overlays: &[(PathBuf, String)]) -> Result<&mut Folder, String> {
        self.folders.retain(|folder| folder.stamps == stamps(&folder.asked.config, &folder.part.root));
        let known = self
            .folders
            .iter()
            .position(|folder| folder.part.migrations.iter().any(|migration| migration.path == path));
        let at = match known {
            Some(at) => at,
            None => {
                let texts =
                    overlays.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
                let mut asked = (self.ask)(path, texts, None)?;
                let parts = std::mem::take(&mut asked.project.parts);
                let holds = |part: &Part| part.migrations.iter().any(|migration| migration.path == path);
                let part = parts.into_iter().find(holds).unwrap_or_default();
                let mut desk = Desk::default();
                desk.update(part.migrations.clone());
                let stamps = stamps(&asked.config, &part.root);
                self.folders.push(Folder { path: path.to_owned(), asked, part, desk, stamps });
                self.folders.len() - 1
            }
        };
        self.folders.get_mut(at).ok_or_else(|| "no folder".to_owned())
    }

    /// A text that is no file yet, or no migration.
    fn alone(&mut self, text: &str) -> Result<Judged, String> {
        let mut asked = (self.ask)(Path::new("-"), HashMap::new(), Some(text.as_bytes().to_vec()))?;
        let part = asked.project.parts.pop().unwrap_or_default();
        let mut desk = Desk::default();
        desk.update(part.migrations);
        let path = Path::new("<stdin>");
        Ok(match desk.judge(path, &asked.options) {
            Some(judgement) => Judged::Done(Box::new(of_file(judgement, path))),
            None => Judged::NotYet,
        })
    }
}

impl Folder {
    /// Puts a text in place of the file's; gives the files behind it.
    fn put(&mut self, path: &Path, text: &str) -> Vec<PathBuf> {
        let (migrations, _) =
            project::with_text(&self.part, path, text.as_bytes().to_vec(), &self.asked.request);
        self.part.migrations = migrations;
        self.desk.update(self.part.migrations.clone());
        self.part
            .migrations
            .iter()
            .skip_while(|migration| migration.path != path)
            .filter(|migration| migration.path != path)
            .map(|migration| migration.path.clone())
            .collect()
    }
}

/// What is said of the file itself.
fn of_file(mut judgement: Judgement, path: &Path) -> Judgement {
    judgement.report.findings.retain(|finding| finding.path.as_deref().is_none_or(|of| of == path));
    judgement
}

/// When the configuration and the folder were changed last.
fn stamps(config: &Option<PathBuf>, root: &Path) -> Vec<Option<SystemTime>> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    [config.as_deref(), Some(root)]
        .into_iter()
        .map(|path| std::fs::metadata(path?).and_then(|metadata| metadata.modified()).ok())
        .collect()
}
