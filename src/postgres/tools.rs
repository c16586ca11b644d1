//! Finds PostgreSQL's programs: initdb, postgres, pg_restore, pg_dump, psql.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child::{Run, is_executable};
use super::version::PgVersion;

/// The environment variable that names the directories to look in, separated as in `PATH`. When it
/// is set, nowhere else is looked.
pub const VARIABLE: &str = "ROLLSAFE_PG_BIN";

/// One of PostgreSQL's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// Makes a data directory.
    Initdb,
    /// The server.
    Postgres,
    /// Restores archives.
    PgRestore,
    /// Takes dumps.
    PgDump,
    /// The terminal.
    Psql,
}

impl Tool {
    /// The program's file name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Initdb => "initdb",
            Tool::Postgres => "postgres",
            Tool::PgRestore => "pg_restore",
            Tool::PgDump => "pg_dump",
            Tool::Psql => "psql",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A directory of PostgreSQL programs of one version. A server, or only the client programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    directory: PathBuf,
    version: PgVersion,
}

impl Installation {
    /// The directory with the programs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The version of the programs.
    pub fn version(&self) -> PgVersion {
        self.version
    }

    /// Whether a server can be started from it.
    pub fn has_server(&self) -> bool {
        self.has(&[Tool::Initdb, Tool::Postgres])
    }

    /// Whether all of `tools` are there.
    pub fn has(&self, tools: &[Tool]) -> bool {
        tools.iter().all(|&tool| is_executable(&self.directory.join(tool.name())))
    }

    /// The path of one program.
    ///
    /// # Errors
    /// When this installation doesn't have it.
    pub fn tool(&self, tool: Tool) -> Result<PathBuf, ToolsError> {
        let path = self.directory.join(tool.name());
        if is_executable(&path) {
            Ok(path)
        } else {
            Err(ToolsError::Missing { tool, directory: self.directory.clone() })
        }
    }

    /// The installation in `directory`, told by what its `postgres` (or another program) says of itself.
    fn in_directory(directory: &Path) -> Option<Installation> {
        let program = [Tool::Postgres, Tool::PgRestore, Tool::PgDump, Tool::Psql]
            .into_iter()
            .map(|tool| directory.join(tool.name()))
            .find(|program| is_executable(program))?;
        // Debian's /usr/bin holds a Perl script under all these names; the programs themselves are in
        // /usr/lib/postgresql/*/bin, where we look too.
        let real = program.canonicalize().ok()?;
        if real.file_name()? == "pg_wrapper" {
            return None;
        }
        let ended = Run::new(&program, Duration::from_secs(10)).arg("--version").to_end().ok()?;
        let version = ended.succeeded().then(|| PgVersion::find_in(&ended.stdout.text()))??;
        // Where /usr/bin has only links, the others are beside the real program.
        let name = program.file_name()?;
        let beside = real.parent().filter(|parent| is_executable(&parent.join(name)));
        Some(Installation { directory: beside.unwrap_or(directory).to_owned(), version })
    }
}

/// Which version is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest there is.
    Newest,
    /// This major version and no other.
    Major(u16),
    /// This version's major if there is one; otherwise the next newer one. Within a major the newest
    /// minor, be it older than this version: minors share their formats.
    AtLeast(PgVersion),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Newest => f.write_str("PostgreSQL"),
            Wanted::Major(major) => write!(f, "PostgreSQL {major}"),
            Wanted::AtLeast(version) => write!(f, "PostgreSQL {} or newer", version.major()),
        }
    }
}

/// The program or server asked for isn't there.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// Nothing of PostgreSQL at all, or not these programs.
    #[error("no PostgreSQL server programs found (looked for {} in {})", tool_names(tools), looked_in.join(", "))]
    None {
        /// What was looked for.
        tools: Vec<Tool>,
        /// Where.
        looked_in: Vec<String>,
    },
    /// There is a PostgreSQL, but not the version asked for.
    #[error("{wanted} is needed; found only {}", found.join(", "))]
    Version {
        /// What was asked for.
        wanted: Wanted,
        /// What there is: `15.8 in /usr/lib/postgresql/15/bin`.
        found: Vec<String>,
    },
    /// An installation lacks one program.
    #[error("{} has no {tool}", directory.display())]
    Missing {
        /// The program.
        tool: Tool,
        /// The installation's directory.
        directory: PathBuf,
    },
}

fn tool_names(tools: &[Tool]) -> String {
    tools.iter().map(|tool| tool.name()).collect::<Vec<_>>().join(", ")
}

impl ToolsError {
    /// What to do about it on the system at hand, as commands to paste.
    pub fn hint(&self) -> String {
        let major = match self {
            ToolsError::Version { wanted: Wanted::Major(major), .. } => Some(*major),
            ToolsError::Version { wanted: Wanted::AtLeast(version), .. } => Some(version.major()),
            _ => None,
        };
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = if cfg!(target_os = "macos") { "macos" } else { &release };
        how_to_install(system, major)
    }
}

/// How to get a server of `major` on a system with this `/etc/os-release` (or `macos`).
fn how_to_install(release: &str, major: Option<u16>) -> String {
    let field = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or("")
            .trim_matches('"')
            .to_owned()
    };
    let system = format!(" {} {} ", field("ID"), field("ID_LIKE"));
    let is = |name: &str| system.contains(&format!(" {name} "));
    let number = major.map(|major| major.to_string()).unwrap_or_default();
    let command = if release == "macos" {
        format!("brew install postgresql@{}", major.unwrap_or(super::version::Major::NEWEST.number()))
    } else if is("debian") || is("ubuntu") {
        match major {
            None => "apt-get install postgresql".to_owned(),
            Some(major) => format!(
                "apt-get install postgresql-{major}\n(if it isn't in your release: apt-get install \
                 postgresql-common && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh)"
            ),
        }
    } else if is("alpine") {
        format!("apk add postgresql{number}")
    } else if is("fedora") || is("rhel") || is("centos") {
        match major {
            None => "dnf install postgresql-server".to_owned(),
            Some(major) => format!(
                "dnf install postgresql{major}-server   (from https://www.postgresql.org/download/linux/redhat/)"
            ),
        }
    } else if is("arch") {
        "pacman -S postgresql".to_owned()
    } else if is("suse") || is("opensuse") {
        format!("zypper install postgresql{number}-server")
    } else {
        "see https://www.postgresql.org/download/".to_owned()
    };
    format!(
        "install a PostgreSQL server:\n  {command}\nor say where one is:\n  export {VARIABLE}=/path/to/postgresql/bin"
    )
}

/// The PostgreSQL installations of this machine.
#[derive(Clone, Debug, Default)]
pub struct Installations {
    found: Vec<Installation>,
    looked_in: Vec<String>,
}

impl Installations {
    /// Looks in the directories of `ROLLSAFE_PG_BIN`, or when it isn't set in `PATH` and in the places
    /// where packages put PostgreSQL.
    pub fn find() -> Installations {
        match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            Some(value) => {
                let directories: Vec<PathBuf> = std::env::split_paths(&value).collect();
                let looked_in =
                    directories.iter().map(|it| format!("{} ({VARIABLE})", it.display())).collect();
                Installations::in_directories(&directories, looked_in)
            }
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
                let mut looked_in = vec!["PATH".to_owned()];
                for pattern in USUAL_PLACES {
                    directories.extend(expand(pattern));
                    looked_in.push((*pattern).to_owned());
                }
                Installations::in_directories(&directories, looked_in)
            }
        }
    }

    fn in_directories(directories: &[PathBuf], looked_in: Vec<String>) -> Installations {
        let mut found: Vec<Installation> = Vec::new();
        for directory in directories {
            if let Some(installation) = Installation::in_directory(directory)
                && !found.iter().any(|known| known.directory == installation.directory)
            {
                found.push(installation);
            }
        }
        Installations { found, looked_in }
    }

    /// All of them, in the order they were found.
    pub fn all(&self) -> &[Installation] {
        &self.found
    }

    /// The installation that fits `wanted` best and has all of `tools`.
    ///
    /// # Errors
    /// When there is none; the error's [`ToolsError::hint`] says how to get one.
    pub fn select(&self, wanted: Wanted, tools: &[Tool]) -> Result<&Installation, ToolsError> {
        let usable: Vec<&Installation> = self.found.iter().filter(|it| it.has(tools)).collect();
        if usable.is_empty() {
            return Err(ToolsError::None { tools: tools.to_vec(), looked_in: self.looked_in.clone() });
        }
        // `rev`: of equal ones max_by_key takes the last, and the first found is to win.
        let candidates = usable.iter().rev().copied();
        let best = match wanted {
            Wanted::Newest => candidates.max_by_key(|it| it.version),
            Wanted::Major(major) => {
                candidates.filter(|it| it.version.major() == major).max_by_key(|it| it.version)
            }
            Wanted::AtLeast(version) => {
                let lowest = candidates
                    .clone()
                    .map(|it| it.version)
                    .filter(|it| it.is_same_major(version) || *it > version)
                    .min();
                candidates
                    .filter(|it| lowest.is_some_and(|lowest| it.version.is_same_major(lowest)))
                    .max_by_key(|it| it.version)
            }
        };
        best.ok_or_else(|| ToolsError::Version {
            wanted,
            found: usable.iter().map(|it| format!("{} in {}", it.version, it.directory.display())).collect(),
        })
    }
}

/// Where distributions, Homebrew, Postgres.app and the source put the programs. A `*` stands for one
/// directory name's part.
const USUAL_PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// The directories that `pattern` stands for, in order of name.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let Some((before, after)) = part.split_once('*') else {
            paths.iter_mut().for_each(|path| path.push(part));
            continue;
        };
        paths = paths
            .iter()
            .filter_map(|path| std::fs::read_dir(path).ok())
            .flat_map(|entries| entries.flatten())
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            })
            .map(|entry| entry.path())
            .collect();
        paths.sort();
    }
    paths.retain(|path| path.is_dir());
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installations(versions: &[&str]) -> (tempfile::TempDir, Installations) {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let mut directories = Vec::new();
        for version in versions {
            let directory = root.path().join(version);
            std::fs::create_dir(&directory).unwrap();
            for tool in ["initdb", "postgres"] {
                let file = directory.join(tool);
                std::fs::write(&file, format!("#!/bin/sh\necho '{tool} (PostgreSQL) {version}'\n")).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            directories.push(directory);
        }
        (root, Installations::in_directories(&directories, vec!["a test".to_owned()]))
    }

    #[test]
    fn the_fitting_version_is_selected() {
        let (_root, found) = installations(&["15.8", "17.2", "17.10", "18.1"]);
        assert_eq!(found.all().len(), 4);
        let select = |wanted| found.select(wanted, &[Tool::Initdb]).unwrap().version().to_string();
        let at_least = |version: &str| Wanted::AtLeast(version.parse().unwrap());
        assert_eq!(select(Wanted::Newest), "18.1");
        assert_eq!(select(Wanted::Major(17)), "17.10");
        assert_eq!(select(at_least("15.12")), "15.8");
        assert_eq!(select(at_least("16.1")), "17.10");
        assert_eq!(select(at_least("9.6.1")), "15.8");
        let error = found.select(at_least("19"), &[Tool::Initdb]).unwrap_err();
        assert!(error.to_string().starts_with("PostgreSQL 19 or newer is needed; found only 15.8 in "));
    }

    #[test]
    fn a_missing_program_is_named_with_the_places_looked_in() {
        let (_root, found) = installations(&["15.8"]);
        let error = found.select(Wanted::Newest, &[Tool::PgRestore]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no PostgreSQL server programs found (looked for pg_restore in a test)"
        );
    }

    #[test]
    fn the_way_to_install_follows_the_system() {
        let hint = |release: &str, major| how_to_install(release, major);
        assert!(hint("ID=debian\n", None).contains("apt-get install postgresql\n"));
        assert!(
            hint("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some(17))
                .contains("apt-get install postgresql-17")
        );
        assert!(hint("ID=\"alpine\"\n", Some(16)).contains("apk add postgresql16"));
        assert!(hint("macos", Some(17)).contains("brew install postgresql@17"));
        assert!(hint("", None).contains("https://www.postgresql.org/download/"));
    }
}
