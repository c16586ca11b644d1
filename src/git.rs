//! What the change at hand is, asked of git: which files it adds and edits against which base.
//!
//! The `git` program is asked, not a library: it is there wherever there is a repository, heeds the user's
//! configuration, and costs a few milliseconds a question.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use thiserror::Error;

/// Why git couldn't tell.
#[derive(Debug, Error)]
pub enum GitError {
    /// No program.
    #[error("git can't be started: {0}")]
    NotFound(io::Error),
    /// Not in a repository.
    #[error("not in a git repository; name the files to lint, or use --all")]
    NoRepository,
    /// The base isn't here.
    #[error("{0}")]
    NoBase(String),
    /// Anything else that git says.
    #[error("git {command}: {message}")]
    Failed {
        /// What was asked.
        command: String,
        /// What it said.
        message: String,
    },
}

/// How a file came to be part of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is new.
    Added,
    /// It was there, and says something else now.
    Edited,
    /// It was there, and is gone.
    Deleted,
}

/// The files of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The repository's root.
    pub root: PathBuf,
    /// What it is compared with.
    pub base: Base,
    /// Paths relative to the root, SQL files only.
    pub files: BTreeMap<PathBuf, Status>,
    /// Of added files that are others under another name: what they were called.
    pub renamed: BTreeMap<PathBuf, PathBuf>,
    /// What is staged of the files, where that was asked for.
    pub staged: BTreeMap<PathBuf, Vec<u8>>,
}

/// What a change is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// A revision, or a place in words.
    what: String,
    /// Where the repository is, where it is the place that HEAD forked off the revision.
    forked_in: Option<PathBuf>,
}

impl Base {
    fn place(words: &str) -> Self {
        Base { what: words.to_owned(), forked_in: None }
    }

    /// As people would say it: "origin/main (1a2b3c4)". Asks git, which takes a while: only for what is shown.
    pub fn told(&self) -> String {
        let fork = self.forked_in.as_deref().and_then(|root| fork(root, &self.what).ok());
        match fork {
            Some(fork) => format!("{} ({})", self.what, fork.get(..10).unwrap_or(&fork)),
            None => self.what.clone(),
        }
    }
}

/// Which change is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Everything since this revision forked off, uncommitted and new files included.
    Since(String),
    /// What is staged for the next commit.
    Staged,
    /// Since the branch forked off its target, as CI variables or the repository tell.
    Branch,
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // Looking on changes nothing: without this, `git diff` may write the index.
    command.env("GIT_OPTIONAL_LOCKS", "0").arg("-C").arg(folder);
    command
}

/// A question that git is at. Several may be asked before the first answer is waited for: most of a question's time is the
/// start of a process.
struct Question {
    process: Child,
    words: String,
}

impl Question {
    fn ask(folder: &Path, arguments: &[&str]) -> Result<Self, GitError> {
        let mut asked = command(folder);
        asked.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Question { process: asked.spawn().map_err(GitError::NotFound)?, words: arguments.join(" ") })
    }

    fn answer(self) -> Result<Vec<u8>, GitError> {
        let output = self.process.wait_with_output().map_err(GitError::NotFound)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if message.contains("not a git repository") {
            return Err(GitError::NoRepository);
        }
        Err(GitError::Failed { command: self.words, message })
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    Question::ask(folder, arguments)?.answer()
}

fn line(folder: &Path, arguments: &[&str]) -> Result<String, GitError> {
    Ok(String::from_utf8_lossy(&git(folder, arguments)?).trim().to_owned())
}

/// The root of the repository around `folder`.
///
/// # Errors
/// When there is none, or git can't be started.
pub fn root(folder: &Path) -> Result<PathBuf, GitError> {
    line(folder, &["rev-parse", "--show-toplevel"]).map(PathBuf::from)
}

/// The URL of `origin`, where there is one.
pub fn remote(folder: &Path) -> Option<String> {
    line(folder, &["remote", "get-url", "origin"]).ok()
}

/// The folder with the repository around `folder`, as far as files tell.
fn around(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.join(".git").exists())
}

/// The root as files tell it, where git is sure to say the same; `None` where it takes git to tell.
fn evident_root(folder: &Path) -> Option<PathBuf> {
    const VARIABLES: [&str; 4] =
        ["GIT_DIR", "GIT_WORK_TREE", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"];
    if VARIABLES.iter().any(|name| std::env::var_os(name).is_some()) {
        return None;
    }
    let folder = std::fs::canonicalize(folder).ok()?;
    let root = around(&folder)?;
    // Of linked worktrees and submodules it is a file.
    let inside = root.join(".git");
    let is_whole =
        inside.join("HEAD").is_file() && ["objects", "refs"].iter().all(|name| inside.join(name).is_dir());
    let config = std::fs::read_to_string(inside.join("config")).ok()?.to_ascii_lowercase();
    let is_usual =
        |line: &str| !line.contains("worktree") && (!line.contains("bare") || line.trim() == "bare = false");
    (is_whole && config.lines().all(is_usual)).then(|| root.to_owned())
}

/// The SQL files that the change adds, edits and deletes.
///
/// What doesn't depend on each other is asked at the same time.
///
/// # Errors
/// When there is no repository, or the base of the comparison isn't in it (a shallow clone, say).
pub fn changes(folder: &Path, selection: &Selection) -> Result<Changes, GitError> {
    // From the top, whatever folder is asked from.
    if *selection == Selection::Staged {
        let from_top = ["-c", "diff.relative=false", "diff", "--cached", "--name-status", "-z", "-M"];
        let listed = Question::ask(folder, &[&from_top[..], &["--", ":(top)*.sql"]].concat())?;
        let objects = Objects::of(folder);
        let root = evident_root(folder).map_or_else(|| root(folder), Ok)?;
        let mut changes = Changes { root, base: Base::place("the last commit"), ..Changes::default() };
        read_status(&listed.answer()?, &mut changes);
        let mut objects = objects?;
        for (path, _) in changes.files.iter().filter(|(_, status)| **status != Status::Deleted) {
            changes.staged.insert(path.clone(), objects.staged(path)?);
        }
        return Ok(changes);
    }
    // What the answers will most likely lead to is asked together with them, not after them; it takes longest.
    let mut ahead = Comparison::guessed(folder, selection);
    let target = match selection {
        Selection::Since(_) => None,
        _ => Some(Target::ask(folder)?),
    };
    let new =
        ["ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", ":(top,glob)**/*.sql"];
    let untracked = Question::ask(folder, &new)?;
    let root = evident_root(folder).map_or_else(|| root(folder), Ok)?;
    let mut changes = Changes::default();
    let base = match (selection, target) {
        (Selection::Since(revision), _) => against(&root, revision, &mut ahead, &mut changes)?,
        (_, target) => {
            let target = target.map(Target::answer).transpose()?.flatten();
            branch(&root, target, &mut ahead, &mut changes)?
        }
    };
    for path in untracked.answer()?.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        changes.files.insert(path, Status::Added);
    }
    Ok(Changes { root, base, ..changes })
}

/// What the branch changes that is to be merged into `target`.
fn branch(
    root: &Path,
    target: Option<String>,
    ahead: &mut Option<Comparison>,
    changes: &mut Changes,
) -> Result<Base, GitError> {
    let Some(target) = target else {
        // Before the first commit everything is new.
        if line(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).is_err() {
            return everything(root, changes);
        }
        // With a remote there is a branch that this one comes from: that it isn't known doesn't mean that nothing changed.
        let remote = line(root, &["for-each-ref", "--count=1", "--format=%(refname)", "refs/remotes"])?;
        if is_shallow(root) || !remote.is_empty() {
            return Err(no_target(root));
        }
        // A repository with one branch and no remote: what isn't committed yet.
        return against(root, "HEAD", ahead, changes);
    };
    let commit = |revision: &str| {
        line(root, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]).ok()
    };
    // GitHub checks out the merge of the pull request into its base: the base is the first parent, and may be here
    // when the branch isn't.
    if in_ci() && commit(&target).is_none() && commit("HEAD^2").is_some() && commit("HEAD^1").is_some() {
        return against(root, "HEAD^1", ahead, changes);
    }
    let base = against(root, &target, ahead, changes)?;
    // A build of the target branch itself: what the last push, or the last commit, brought.
    if changes.files.is_empty() && in_ci() && commit(&target) == commit("HEAD") {
        let pushed = std::env::var("CI_COMMIT_BEFORE_SHA").ok().filter(|before| commit(before).is_some());
        let before = pushed.unwrap_or_else(|| "HEAD^1".to_owned());
        // The first commit of all; the last one of a shallow clone has no parent here either.
        if commit(&before).is_none() && !is_shallow(root) {
            return everything(root, changes);
        }
        return against(root, &before, ahead, changes);
    }
    Ok(base)
}

/// All that git knows, where there is nothing to compare with.
fn everything(root: &Path, changes: &mut Changes) -> Result<Base, GitError> {
    let listed = git(root, &["ls-files", "--cached", "-z", "--", "*.sql"])?;
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        changes.files.insert(path, Status::Added);
    }
    Ok(Base::place("the beginning"))
}

fn is_shallow(root: &Path) -> bool {
    line(root, &["rev-parse", "--is-shallow-repository"]).is_ok_and(|answer| answer == "true")
}

/// Whether this is a build of a CI system; all of those known set it.
fn in_ci() -> bool {
    ["CI", "TF_BUILD", "BUILD_ID"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "false"))
}

/// The place where HEAD forked off a revision.
fn fork(root: &Path, revision: &str) -> Result<String, GitError> {
    line(root, &["merge-base", revision, "HEAD"])
}

/// The working tree compared with the place where HEAD forked off a revision.
struct Comparison {
    root: PathBuf,
    revision: String,
    listed: Question,
}

impl Comparison {
    fn of(root: &Path, revision: &str) -> Result<Self, GitError> {
        let question = ["diff", "--merge-base", "--name-status", "-z", "-M", revision, "--", "*.sql"];
        let listed = Question::ask(root, &question)?;
        Ok(Comparison { root: root.to_owned(), revision: revision.to_owned(), listed })
    }

    /// The one that will be wanted, as far as files tell without a question to git. What git says decides whether it is.
    fn guessed(folder: &Path, selection: &Selection) -> Option<Self> {
        let root = around(folder)?;
        let revision = match selection {
            Selection::Since(revision) => revision.clone(),
            Selection::Staged => return None,
            Selection::Branch => {
                let head = std::fs::read_to_string(root.join(".git/refs/remotes/origin/HEAD")).ok();
                let default = head.as_deref().and_then(|it| it.trim().strip_prefix("ref: refs/remotes/"));
                match (named_target(), default) {
                    (Some(branch), _) => format!("origin/{branch}"),
                    (None, Some(default)) => default.to_owned(),
                    (None, None) => "main".to_owned(),
                }
            }
        };
        Comparison::of(root, &revision).ok()
    }
}

/// Adds what differs between the working tree and the place where HEAD forked off `revision`; `ahead` is a comparison that
/// was made already, and may be another.
fn against(
    root: &Path,
    revision: &str,
    ahead: &mut Option<Comparison>,
    changes: &mut Changes,
) -> Result<Base, GitError> {
    let made = ahead.take_if(|made| made.root == root && made.revision == revision);
    let made = made.map_or_else(|| Comparison::of(root, revision), Ok)?;
    let listed = match made.listed.answer() {
        Ok(listed) => listed,
        Err(_) => {
            let Ok(fork) = fork(root, revision) else {
                let known =
                    line(root, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]);
                let why = match known {
                    Ok(_) => "has no common ancestor with HEAD here",
                    Err(_) => "isn't in this clone",
                };
                return Err(no_base(root, revision, why));
            };
            // Before 2.30 git didn't know --merge-base.
            git(root, &["diff", "--name-status", "-z", "-M", &fork, "--", "*.sql"])?
        }
    };
    read_status(&listed, changes);
    Ok(Base { what: revision.to_owned(), forked_in: Some(root.to_owned()) })
}

fn no_base(root: &Path, revision: &str, why: &str) -> GitError {
    GitError::NoBase(format!("the base revision {revision} {why}; {}", how_to_fetch(root)))
}

fn no_target(root: &Path) -> GitError {
    GitError::NoBase(format!(
        "nothing here tells which branch this one is to be merged into, and so what has changed; {}",
        how_to_fetch(root)
    ))
}

/// What to do where the base isn't here. A clone of one branch fetches no other unless it is told to.
fn how_to_fetch(root: &Path) -> String {
    const ALL: &str = "git fetch origin '+refs/heads/*:refs/remotes/origin/*'";
    if is_shallow(root) {
        let all = ALL.replacen("fetch", "fetch --unshallow", 1);
        format!(
            "this clone is shallow: fetch the history ({all}; in GitHub Actions `fetch-depth: 0`, in GitLab CI `GIT_DEPTH: 0`), \
             name a revision with --since, or use --all"
        )
    } else {
        format!(
            "fetch it ({ALL} && git remote set-head origin --auto), name a revision with --since, or use --all"
        )
    }
}

/// Variables of CI systems that name the branch a change is to be merged into.
const TARGETS: [&str; 9] = [
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "CHANGE_TARGET",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "DRONE_TARGET_BRANCH",
    "GITEA_BASE_REF",
    "TRAVIS_BRANCH",
];

/// Variables of CI systems that name the repository's default branch, whatever is built.
const DEFAULTS: [&str; 2] = ["CI_DEFAULT_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH"];

/// The repository's default branch, as GitHub's description of the event tells it: no variable does.
fn default_of_event() -> Option<String> {
    let event = std::fs::read_to_string(std::env::var_os("GITHUB_EVENT_PATH")?).ok()?;
    let event: serde_json::Value = serde_json::from_str(&event).ok()?;
    Some(event.get("repository")?.get("default_branch")?.as_str()?.to_owned())
}

/// The branch that the change is to be merged into, where variables of CI systems tell it.
fn named_target() -> Option<String> {
    // Travis and Drone name the built branch itself where no pull request is built.
    let of_pull_request = |name: &str| match name {
        "TRAVIS_BRANCH" => std::env::var("TRAVIS_PULL_REQUEST").is_ok_and(|number| number != "false"),
        "DRONE_TARGET_BRANCH" => std::env::var("DRONE_PULL_REQUEST").is_ok_and(|number| !number.is_empty()),
        _ => true,
    };
    let named = TARGETS
        .iter()
        .filter(|name| of_pull_request(name))
        .chain(&DEFAULTS)
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .or_else(default_of_event);
    named.map(|branch| branch.trim_start_matches("refs/heads/").to_owned())
}

/// The branch that the change is to be merged into: asked for.
struct Target {
    /// The one that variables of a CI system name.
    named: Option<String>,
    known: Question,
}

impl Target {
    fn ask(folder: &Path) -> Result<Self, GitError> {
        let named = named_target();
        let mut wanted = vec!["refs/remotes/origin/HEAD".to_owned()];
        for branch in named.as_deref().into_iter().chain(["main", "master"]) {
            wanted.extend([format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")]);
        }
        let mut question = vec!["for-each-ref", "--format=%(refname) %(symref)"];
        question.extend(wanted.iter().map(String::as_str));
        Ok(Target { named, known: Question::ask(folder, &question)? })
    }

    /// `None` where nothing tells.
    fn answer(self) -> Result<Option<String>, GitError> {
        let Target { named, known } = self;
        let answer = String::from_utf8_lossy(&known.answer()?).into_owned();
        let known: Vec<(&str, &str)> = answer.lines().filter_map(|line| line.split_once(' ')).collect();
        let exists = |name: &str| known.iter().any(|(known, _)| *known == name);
        if let Some(branch) = named {
            let remote = format!("origin/{branch}");
            let is_remote = exists(&format!("refs/remotes/{remote}"));
            // Where neither is here, the error that follows names what CI asked for.
            let is_local = exists(&format!("refs/heads/{branch}"));
            return Ok(Some(if is_remote || !is_local { remote } else { branch }));
        }
        // A HEAD of the remote that points to a branch which is gone doesn't count.
        let default = known
            .iter()
            .find(|(known, _)| *known == "refs/remotes/origin/HEAD")
            .and_then(|(_, to)| to.strip_prefix("refs/remotes/"));
        let usual = ["origin/main", "origin/master", "main", "master"];
        Ok(default
            .or_else(|| {
                usual.into_iter().find(|branch| {
                    exists(&match branch.starts_with("origin/") {
                        true => format!("refs/remotes/{branch}"),
                        false => format!("refs/heads/{branch}"),
                    })
                })
            })
            .map(str::to_owned))
    }
}

/// `A\0path\0M\0path\0R087\0old\0new\0`.
fn read_status(listed: &[u8], changes: &mut Changes) {
    let path_of = |bytes: &[u8]| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
    let mut parts = listed.split(|byte| *byte == 0);
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        let status = match status.first() {
            Some(b'A' | b'?') => Status::Added,
            Some(b'D') => Status::Deleted,
            Some(letter @ (b'R' | b'C')) => {
                let Some(new) = parts.next() else { return };
                if *letter == b'R' {
                    changes.renamed.insert(path_of(new), path_of(path));
                }
                changes.files.insert(path_of(new), Status::Added);
                continue;
            }
            Some(_) => Status::Edited,
            None => continue,
        };
        changes.files.insert(path_of(path), status);
    }
}

/// The revision that is checked out, in full, with `+` behind it where something differs from it.
///
/// # Errors
/// When there is no repository or no commit, or git can't be started.
pub fn revision(folder: &Path) -> Result<String, GitError> {
    let revision = line(folder, &["rev-parse", "HEAD"])?;
    let changed = !line(folder, &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Ok(if changed { format!("{revision}+") } else { revision })
}

/// `git cat-file --batch`: objects on demand, all from one process.
struct Objects {
    process: Child,
    names: Option<ChildStdin>,
    found: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Objects {
    fn of(folder: &Path) -> Result<Self, GitError> {
        let mut asked = command(folder);
        asked.args(["cat-file", "--batch"]);
        asked.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = asked.spawn().map_err(GitError::NotFound)?;
        let (names, found) = (process.stdin.take(), process.stdout.take());
        let found = found.ok_or_else(|| GitError::NotFound(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Objects { process, names, found: BufReader::new(found), folder: folder.to_owned() })
    }

    /// What is staged of a file, by its path from the root.
    fn staged(&mut self, path: &Path) -> Result<Vec<u8>, GitError> {
        let name = format!(":{}", path.to_string_lossy());
        let read = if name.contains('\n') { None } else { self.read(&name).ok().flatten() };
        // Whatever is the matter, git says it in words.
        read.map_or_else(|| git(&self.folder, &["show", &name]), Ok)
    }

    /// `None` where there is no such object.
    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let names = self.names.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(names, "{name}")?;
        names.flush()?;
        let mut head = String::new();
        self.found.read_line(&mut head)?;
        // `OBJECT blob SIZE`; else `NAME missing`, and names have blanks.
        let words: Vec<&str> = head.trim_end().split(' ').collect();
        let size = match words[..] {
            [_, "blob", size] => size.parse::<u64>().ok(),
            _ => None,
        };
        let Some(size) = size else { return Ok(None) };
        let mut text = Vec::new();
        (&mut self.found).take(size + 1).read_to_end(&mut text)?;
        // A line's end closes it.
        Ok((text.pop() == Some(b'\n') && text.len() as u64 == size).then_some(text))
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.names = None;
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read() {
        let mut changes = Changes::default();
        read_status(
            b"A\0db/1.sql\0M\0db/2 x.sql\0D\0db/3.sql\0R087\0db/4.sql\0db/5.sql\0M\0db/6.sql\0",
            &mut changes,
        );
        let files = &changes.files;
        assert_eq!(files[Path::new("db/1.sql")], Status::Added);
        assert_eq!(files[Path::new("db/2 x.sql")], Status::Edited);
        assert_eq!(files[Path::new("db/3.sql")], Status::Deleted);
        assert_eq!(files[Path::new("db/5.sql")], Status::Added);
        assert_eq!(changes.renamed[Path::new("db/5.sql")], Path::new("db/4.sql"));
        assert_eq!(files[Path::new("db/6.sql")], Status::Edited);
        assert!(!files.contains_key(Path::new("db/4.sql")));
    }
}
