//! The program under test, in an environment of its own: what a CI system or a user's shell sets must not decide what a
//! test sees.

use std::process::Command;

/// What the program needs of the environment, and what says which servers the tests use.
const KEPT: [&str; 9] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LLVM_PROFILE_FILE",
    "ROLLSAFE_CACHE_DIR",
    "ROLLSAFE_PG_BIN",
    "ROLLSAFE_SCRATCH_DIR",
];

/// A program, rollsafe mostly, that knows nothing of where the test runs.
pub fn alone(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}
