//! The `rollsafe` binary: arguments in, report and exit code out. Only this file prints, or lends standard output.

use std::io::{IsTerminal, Write};

use rollsafe::cli::{self, Console, Surroundings};

/// The linter makes and drops many small things; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the crate has no name for: in mimalloc.h (2 and 3) it stands before this one.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = libmimalloc_sys::mi_option_use_numa_nodes - 1;

/// After how many milliseconds the allocator gives memory back that is no longer used. With its own second a whole run is over
/// before that: ten thousand migrations then take 102 MB instead of 89, and no less time.
const GIVE_BACK_AFTER: std::ffi::c_long = 10;

fn main() {
    // SAFETY: it stores a number in mimalloc's table of options, which has this one, and may be called at any time. What
    // MIMALLOC_PURGE_DELAY says in the environment goes before it.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, GIVE_BACK_AFTER) };
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_option_without_a_name_is_still_the_purge_delay() {
        // SAFETY: it reads a number from mimalloc's table of options.
        let milliseconds = unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        // Of the options around it none has this number to begin with.
        assert_eq!(milliseconds, 1000);
    }
}
