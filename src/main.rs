//! The `rollsafe` binary: arguments in, report and exit code out. Only this file prints, or lends standard output.

use std::io::{IsTerminal, Write};

use rollsafe::cli::{self, Console, Surroundings};

/// The linter makes and drops many small things; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let terminal = std::io::stdout().is_terminal();
    let around = Surroundings {
        terminal,
        color: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        width: if terminal { columns() } else { 100 },
        progress: std::io::stderr().is_terminal(),
    };
    let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let ask: &dyn Fn(&str, &str) -> bool = &ask;
    let mut stdout = std::io::stdout().lock();
    // On a terminal the notes come before the report.
    let out = (!terminal).then_some(&mut stdout as &mut dyn Write);
    let outcome = cli::run_at(std::env::args_os(), around, Console { ask: person.then_some(ask), out });
    rollsafe::postgres::give_way_to_signals();
    // A reader that went away (`| head`) is no failure.
    let _ = std::io::stderr().lock().write_all(outcome.stderr.as_bytes());
    let _ = stdout.write_all(outcome.stdout.as_bytes()).and_then(|()| stdout.flush());
    // All is written and all that has to be cleared away is. At the usual way out the allocator gives the memory back to the
    // system piece by piece, which takes as long as linting a hundred migrations.
    signal_hook::low_level::exit(i32::from(outcome.code))
}

/// Shows `text`, and waits for a yes or no to `question`; anything but yes is no.
fn ask(text: &str, question: &str) -> bool {
    let mut stderr = std::io::stderr().lock();
    let shown = write!(stderr, "{text}\n{question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = shown.and_then(|()| std::io::stdin().read_line(&mut answer));
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// The terminal's width, within what reads well.
fn columns() -> usize {
    let told =
        rustix::termios::tcgetwinsize(std::io::stdout()).map(|size| usize::from(size.ws_col)).unwrap_or(0);
    if told == 0 { 100 } else { told.clamp(40, 120) }
}
