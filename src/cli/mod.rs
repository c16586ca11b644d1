//! The command line: what can be asked, and what each command gives back. Nothing is printed here.

mod backup;
mod baseline;
mod explain;
mod fix;
mod gate;
mod init;
pub(crate) mod lint;
mod lsp;
mod output;
pub(crate) mod rehearse;
mod runbook;
mod snapshot;
mod verify_backup;

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{self, Loaded};
use crate::report::terminal::Style;

/// Can this PostgreSQL change go out, and can we get back if it fails?
#[derive(Debug, Parser)]
#[command(name = "rollsafe", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Colours: by default where the output is a terminal and NO_COLOR isn't set
    #[arg(long, global = true, help_heading = "Everywhere", value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    color: When,
    /// Configuration file; by default the nearest rollsafe.toml, from the working directory upward
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Heed no configuration file
    #[arg(long, global = true, help_heading = "Everywhere", conflicts_with = "config")]
    no_config: bool,
}

/// `--color`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where the output is a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lint(lint::LintArgs),
    Snapshot(snapshot::SnapshotArgs),
    Backup(backup::BackupArgs),
    VerifyBackup(Box<verify_backup::VerifyBackupArgs>),
    Rehearse(Box<rehearse::RehearseArgs>),
    Gate(Box<gate::GateArgs>),
    Runbook(Box<runbook::RunbookArgs>),
    Explain(explain::ExplainArgs),
    Rules(explain::RulesArgs),
    Init(init::InitArgs),
    Lsp(lsp::LspArgs),
    Config(ConfigArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Show the configuration in force and where it came from
#[derive(Debug, Args)]
struct ConfigArgs {}

/// Print a completion script for a shell
///
/// For bash: rollsafe completions bash > /etc/bash_completion.d/rollsafe
#[derive(Debug, Args)]
struct CompletionsArgs {
    shell: clap_complete::Shell,
}

/// Print the manual page, in roff
///
/// To read it: rollsafe man | man -l -
#[derive(Debug, Args)]
struct ManArgs {}

/// What a command gives back: what goes to standard output, what to standard error, and the exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The report.
    pub stdout: String,
    /// Notes and failures.
    pub stderr: String,
    /// 0 nothing found, 1 findings, 2 could not check.
    pub code: u8,
}

impl Outcome {
    /// A result with exit code 0.
    pub fn ok(stdout: impl Into<String>) -> Self {
        Outcome { stdout: stdout.into(), ..Outcome::default() }
    }

    /// "could not check": exit code 2.
    pub fn failed(message: impl std::fmt::Display) -> Self {
        Outcome { stderr: format!("error: {message}\n"), code: 2, ..Outcome::default() }
    }
}

/// What the surroundings are like, for the choice of colours and width.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Colours fit (NO_COLOR, TERM and the like heeded).
    pub color: bool,
    /// Columns.
    pub width: usize,
    /// Standard error is a terminal: progress may be drawn there.
    pub progress: bool,
}

/// Reads the command line and runs the command.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>, around: Surroundings) -> Outcome {
    run_at(arguments, around, Console::default())
}

/// Where a command is run, beyond what it is given and what it gives back.
#[derive(Default)]
pub struct Console<'a> {
    /// Shows a person its first argument and tells whether they agree to its second; `None`: nobody sits there.
    pub ask: Option<init::Ask<'a>>,
    /// Standard output, for what may be too large to be held as a whole; `None`: all of it is given back.
    pub out: Option<&'a mut dyn std::io::Write>,
}

/// As [`run`], at a console.
pub fn run_at(
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
    around: Surroundings,
    console: Console<'_>,
) -> Outcome {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, around),
    };
    let style = Style {
        color: match cli.global.color {
            When::Auto => around.color,
            When::Always => true,
            When::Never => false,
        },
        unicode: true,
        width: around.width,
    };
    match cli.command {
        Command::Lint(arguments) => match load(&cli.global) {
            Ok(loaded) => lint::run(&arguments, &loaded, style, console.out),
            Err(error) => Outcome::failed(error),
        },
        Command::Lsp(_) => lsp::run(cli.global.config.as_deref(), cli.global.no_config),
        Command::VerifyBackup(arguments) => match load(&cli.global) {
            Ok(loaded) => verify_backup::run(&arguments, &loaded, style, around),
            Err(error) => Outcome::failed(error),
        },
        Command::Gate(arguments) => match load(&cli.global) {
            Ok(loaded) => gate::run(&arguments, &loaded, style, around),
            Err(error) => Outcome::failed(error),
        },
        Command::Runbook(arguments) => match load(&cli.global) {
            Ok(loaded) => runbook::run(&arguments, &loaded, around),
            Err(error) => Outcome::failed(error),
        },
        Command::Rehearse(arguments) => match load(&cli.global) {
            Ok(loaded) => rehearse::run(&arguments, &loaded, style, around),
            Err(error) => Outcome::failed(error),
        },
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Snapshot(arguments) => snapshot::run(&arguments),
        Command::Explain(arguments) => {
            match load(&cli.global).and_then(|loaded| loaded.config.custom_rules()) {
                Ok(custom) => explain::explain(&arguments, &custom, style),
                Err(error) => Outcome::failed(error),
            }
        }
        Command::Rules(arguments) => {
            match load(&cli.global).and_then(|loaded| loaded.config.custom_rules()) {
                Ok(custom) => explain::rules(&arguments, &custom, style),
                Err(error) => Outcome::failed(error),
            }
        }
        Command::Init(arguments) => init::run(&arguments, console.ask),
        Command::Config(_) => match load(&cli.global) {
            Ok(loaded) => show_config(&loaded),
            Err(error) => Outcome::failed(error),
        },
        Command::Completions(arguments) => {
            let mut script = Vec::new();
            clap_complete::generate(arguments.shell, &mut Cli::command(), "rollsafe", &mut script);
            Outcome::ok(String::from_utf8_lossy(&script))
        }
        Command::Man(_) => manual(),
    }
}

fn usage(error: &clap::Error, around: Surroundings) -> Outcome {
    let text = error.render();
    let text = if around.color { text.ansi().to_string() } else { text.to_string() };
    if error.use_stderr() {
        Outcome { stderr: text, code: 2, ..Outcome::default() }
    } else {
        Outcome::ok(text)
    }
}

fn load(global: &Global) -> Result<Loaded, String> {
    if global.no_config {
        return Ok(Loaded::default());
    }
    let here = std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
    config::load(global.config.as_deref(), &here).map_err(|error| error.to_string())
}

fn show_config(loaded: &Loaded) -> Outcome {
    let from = match &loaded.path {
        Some(path) => format!("# from {}\n", path.display()),
        None => format!("# no {} found: the defaults hold\n", config::FILE),
    };
    match toml::to_string_pretty(&loaded.config) {
        Ok(text) => Outcome::ok(format!("{from}{text}")),
        Err(error) => Outcome::failed(error),
    }
}

/// One page for the command and one section for each subcommand.
fn manual() -> Outcome {
    let mut page = Vec::new();
    let command = Cli::command();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut page).and_then(|()| {
        for subcommand in command.get_subcommands() {
            let name = format!("rollsafe-{}", subcommand.get_name());
            // clap keeps names for the whole run of the program; there are a handful.
            let named = subcommand.clone().name(&*Box::leak(name.into_boxed_str()));
            clap_mangen::Man::new(named).render(&mut page)?;
        }
        Ok(())
    });
    match rendered {
        Ok(()) => Outcome::ok(String::from_utf8_lossy(&page)),
        Err(error) => Outcome::failed(error),
    }
}

/// All of standard input.
fn read_stdin() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| format!("can't read standard input: {error}"))?;
    Ok(bytes)
}
