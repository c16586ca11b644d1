//! `rollsafe lsp`.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use super::lint::{Scope, asked_of, baseline_of, gathered};
use crate::config::{self, Loaded};
use crate::lsp::{Asked, serve};
use crate::migration::lint::LintReport;
use crate::migration::rules;
use crate::pages;
use crate::place::Places;

/// Serve editors: diagnostics as one types, hovers, fixes (the Language Server Protocol, over standard input and output)
///
/// Each open file is judged as `rollsafe lint FILE` would: with the same configuration, and all that comes before it in
/// order as history, unsaved texts included. Logs go to standard error.
#[derive(Debug, Args)]
#[command(after_help = "In Neovim:\n  \
    vim.lsp.config('rollsafe', { cmd = { 'rollsafe', 'lsp' }, filetypes = { 'sql' }, root_markers = { 'rollsafe.toml', '.git' } })\n  \
    vim.lsp.enable('rollsafe')")]
pub struct LspArgs {
    /// Standard input and output; what some editors add by themselves
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves until the client leaves.
pub fn run(config: Option<&Path>, no_config: bool) -> Outcome {
    let config = config.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let ask = |path: &Path, texts: HashMap<PathBuf, Vec<u8>>, stdin: Option<Vec<u8>>| {
        let from = path.parent().filter(|_| stdin.is_none()).unwrap_or(Path::new(""));
        let from = std::path::absolute(from).or_else(|_| std::env::current_dir()).unwrap_or_default();
        let loaded = match no_config {
            true => Loaded::default(),
            false => config::load(config.as_deref(), &from).map_err(|error| error.to_string())?,
        };
        let scope = Scope { paths: vec![path.to_owned()], ..Scope::default() };
        let (mut request, options, _) = asked_of(&scope, &loaded, stdin)?;
        request.texts = texts;
        let project = gathered(&request, &scope, &loaded, Vec::new())?;
        let baseline = baseline_of(&loaded)?;
        let severities = options.severities.clone();
        let settle = move |report: &mut LintReport, path: &Path, text: &str| {
            let (Some(baseline), Ok(here)) = (&baseline, std::env::current_dir()) else { return };
            let severity = |code: &str, path: &Path| {
                let facts = rules::rule(code).and_then(|rule| pages::facts(rule.page))?;
                severities.in_file(path, code, facts.category, facts.severity)
            };
            let sources = [(path.to_owned(), text.into())].into_iter().collect();
            baseline.apply(report, &sources, &Places::of(&here), &severity);
        };
        Ok(Asked { request, options, project, config: loaded.path, settle: Box::new(settle) })
    };
    match serve(BufReader::new(std::io::stdin()), std::io::stdout().lock(), &ask) {
        Ok(code) => Outcome { code, ..Outcome::default() },
        // The client went away.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Outcome { code: 1, ..Outcome::default() }
        }
        Err(error) => Outcome::failed(format!("can't write to the client: {error}")),
    }
}
