//! The `rollsafe` binary: arguments in, report and exit code out. Only this file prints.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use rollsafe::cli::{self, Surroundings};

/// The linter makes and drops many small things; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let terminal = std::io::stdout().is_terminal();
    let around = Surroundings {
        terminal,
        color: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        width: if terminal { columns() } else { 100 },
        progress: std::io::stderr().is_terminal(),
    };
    let outcome = cli::run(std::env::args_os(), around);
    // A reader that went away (`| head`) is no failure.
    let _ = std::io::stderr().lock().write_all(outcome.stderr.as_bytes());
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(outcome.stdout.as_bytes()).and_then(|()| stdout.flush());
    ExitCode::from(outcome.code)
}

/// The terminal's width, within what reads well.
fn columns() -> usize {
    let told =
        rustix::termios::tcgetwinsize(std::io::stdout()).map(|size| usize::from(size.ws_col)).unwrap_or(0);
    if told == 0 { 100 } else { told.clamp(40, 120) }
}
