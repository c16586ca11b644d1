//! Who runs the server when rollsafe is root: initdb and postgres refuse to run as root.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::child::{Run, find_in_path};

/// The operating system user that a program runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RunAs {
    /// As rollsafe itself.
    #[default]
    Myself,
    /// As another user; only root can.
    User {
        /// Its name, for messages.
        name: String,
        /// Its user id.
        uid: u32,
        /// Its group id.
        gid: u32,
    },
    /// As root in a user namespace where root appears as an ordinary user (Linux). Keeps initdb
    /// content where no other user is to be had; it protects no file of root's.
    Namespace {
        /// The program `unshare`.
        unshare: PathBuf,
        /// The user id that root appears as. It needs an entry in the password file: initdb looks
        /// its name up.
        appears_as: u32,
    },
}

/// Root found nobody to run the server as.
#[derive(Debug, thiserror::Error)]
#[error(
    "postgres refuses to run as root, and no other user could be used: {}",
    if tried.is_empty() { "neither `postgres` nor `nobody` exists".to_owned() } else { tried.join("; ") }
)]
pub struct NobodyToRunAs {
    /// Who was tried, and what went wrong.
    pub tried: Vec<String>,
}

impl RunAs {
    /// Myself, unless I am root: then the first of the user `postgres`, the user `nobody` and a user
    /// namespace that can enter `directory` and run `program`.
    ///
    /// # Errors
    /// When none of them can.
    pub fn choose(program: &Path, directory: &Path) -> Result<RunAs, NobodyToRunAs> {
        if !rustix::process::geteuid().is_root() {
            return Ok(RunAs::Myself);
        }
        let users = password_file();
        let mut candidates: Vec<RunAs> = ["postgres", "nobody"]
            .iter()
            .filter_map(|wanted| users.iter().find(|user| user.name == *wanted))
            .map(|user| RunAs::User { name: user.name.clone(), uid: user.uid, gid: user.gid })
            .collect();
        if let (Some(unshare), Some(user)) =
            (find_in_path("unshare"), users.iter().find(|user| user.uid != 0))
        {
            candidates.push(RunAs::Namespace { unshare, appears_as: user.uid });
        }
        let mut tried = Vec::new();
        for candidate in candidates {
            match candidate.try_out(program, directory) {
                Ok(()) => return Ok(candidate),
                Err(why) => tried.push(format!("{}: {why}", candidate.describe())),
            }
        }
        Err(NobodyToRunAs { tried })
    }

    fn try_out(&self, program: &Path, directory: &Path) -> Result<(), String> {
        let ended = Run::new("/bin/sh", Duration::from_secs(20))
            .args(["-c", r#"cd "$1" && exec "$2" --version"#, "sh"])
            .args([directory, program])
            .run_as(self.clone())
            .to_end()
            .map_err(|error| match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            })?;
        if ended.succeeded() {
            return Ok(());
        }
        Err(ended
            .stderr
            .last_line()
            .unwrap_or_else(|| format!("{} ended with {}", program.display(), ended.status)))
    }

    /// A command that runs `program` as this user.
    pub(super) fn command(&self, program: &Path) -> Command {
        match self {
            RunAs::Myself => Command::new(program),
            RunAs::User { uid, gid, .. } => {
                let mut command = Command::new(program);
                // std drops root's other groups as well when it changes the user.
                command.gid(*gid).uid(*uid);
                command
            }
            RunAs::Namespace { unshare, appears_as } => {
                let mut command = Command::new(unshare);
                command.arg("--user").arg(format!("--map-user={appears_as}")).arg("--").arg(program);
                command
            }
        }
    }

    /// Who has to own the files it writes, where that isn't rollsafe's own user.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        match self {
            RunAs::User { uid, gid, .. } => Some((*uid, *gid)),
            RunAs::Myself | RunAs::Namespace { .. } => None,
        }
    }

    /// For messages: "as user postgres".
    pub fn describe(&self) -> String {
        match self {
            RunAs::Myself => "as the current user".to_owned(),
            RunAs::User { name, .. } => format!("as user {name}"),
            RunAs::Namespace { .. } => "in a user namespace".to_owned(),
        }
    }
}

struct User {
    name: String,
    uid: u32,
    gid: u32,
}

/// The operating system's name for who runs rollsafe, PostgreSQL's default for the role.
pub fn own_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    // Users of a directory service aren't in the file.
    password_file()
        .into_iter()
        .find(|user| user.uid == uid)
        .map(|user| user.name)
        .or_else(|| ["LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok()))
        .unwrap_or_else(|| "postgres".to_owned())
}

fn password_file() -> Vec<User> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(User { name, uid, gid })
        })
        .collect()
}
