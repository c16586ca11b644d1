//! Rules of a project's own: a condition in CEL over each statement, its effects and the relations it touches.
//!
//! An expression is checked when the configuration is read: its grammar, the names it uses, and a trial on a made-up
//! statement. Its evaluation is bounded: CEL has no loops but those over lists, lists are short, and loops are nested at
//! most twice.

mod check;
mod vocabulary;

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex};

use cel::{Context, Env, Program, Value};

use super::catalog::Catalog;
use super::effects::Effects;
use super::migration::Direction;
use super::rules::{Check, Rule, RunFacts, Said};
use super::session::Session;
use super::statement::Statement;
use crate::finding::{Category, Severity};

pub use check::Problem;
pub use vocabulary::{Type, VARIABLES};

/// Bytes of an expression.
pub const LONGEST: usize = 8192;

/// What a project says of a rule of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The code.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What kind of harm.
    pub category: Category,
    /// What is wrong and why.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
    /// The condition, in CEL.
    pub when: String,
}

/// A rule that can be asked.
#[derive(Clone)]
pub struct CustomRule {
    /// What the project says of it.
    pub definition: Arc<Definition>,
    /// Its code as the registry of rules has codes.
    pub rule: &'static Rule,
    program: Arc<Program>,
}

impl fmt::Debug for CustomRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomRule").field(&self.definition).finish()
    }
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // Fails only where a name is declared twice, and these are declared once.
    let _ = env.add_extension(cel::extensions::strings);
    Arc::new(env)
});

/// A rule of the registry for each code that a project gives; kept for the whole run, as there are a handful.
fn registered(code: &str) -> &'static Rule {
    static KNOWN: Mutex<Vec<&'static Rule>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(rule) = known.iter().find(|rule| rule.code == code) {
        return rule;
    }
    let code: &'static str = Box::leak(code.to_owned().into_boxed_str());
    let rule: &'static Rule = Box::leak(Box::new(Rule { code, page: "", check: Check::Engine }));
    known.push(rule);
    rule
}

/// Reads an expression and checks it.
///
/// # Errors
/// What is wrong with it, and where in it.
pub fn compile(definition: Definition) -> Result<CustomRule, Problem> {
    let program = check::compile(&ENVIRONMENT, &definition.when)?;
    for values in [vocabulary::sample(), vocabulary::empty_sample()] {
        match evaluate(&program, values) {
            Ok(_) => {}
            Err(Trouble::NotBool(got)) => {
                return Err(Problem::whole(format!("must be true or false, and is {got}")));
            }
            Err(Trouble::Certain(message)) => return Err(Problem::whole(message)),
            // May be otherwise on a real statement.
            Err(Trouble::Here(_)) => {}
        }
    }
    let rule = registered(&definition.code);
    Ok(CustomRule { definition: Arc::new(definition), rule, program: Arc::new(program) })
}

/// Why an evaluation gave neither true nor false.
enum Trouble {
    /// Another type of value.
    NotBool(String),
    /// It fails whatever the statement is: a function of that kind for these types doesn't exist.
    Certain(String),
    /// It fails on these values.
    Here(String),
}

fn evaluate(program: &Program, values: Vec<(&'static str, Value)>) -> Result<bool, Trouble> {
    let mut context = Context::with_env(ENVIRONMENT.clone());
    for (name, value) in values {
        context.add_variable_from_value(name, value);
    }
    ask(program, &context)
}

fn ask(program: &Program, context: &Context<'_, '_>) -> Result<bool, Trouble> {
    // The interpreter isn't ours: whatever it stumbles over is told, and the other rules are asked.
    match catch_unwind(AssertUnwindSafe(|| program.execute(context))) {
        Ok(Ok(Value::Bool(answer))) => Ok(answer),
        Ok(Ok(other)) => Err(Trouble::NotBool(other.type_of().to_string())),
        Ok(Err(error)) => {
            use cel::ExecutionError::*;
            let message = error.to_string();
            Err(match error {
                NoSuchOverload(_)
                | UndeclaredReference(_)
                | NotSupportedAsMethod { .. }
                | InvalidArgumentCount { .. }
                | UnsupportedBinaryOperator(..)
                | ValuesNotComparable(..)
                | UnexpectedType { .. }
                | UnsupportedTargetType { .. } => Trouble::Certain(message),
                _ => Trouble::Here(message),
            })
        }
        Err(_) => Err(Trouble::Here("the interpreter of CEL failed".to_owned())),
    }
}

/// What a statement is run in, as far as expressions see it.
pub struct Surrounds<'a> {
    /// The file.
    pub path: &'a str,
    /// Which way its migration goes.
    pub direction: Direction,
    /// How it is run.
    pub run: &'a RunFacts,
    /// The PostgreSQL major version.
    pub postgres_version: u16,
    /// Whether it shares a transaction with others.
    pub in_transaction: Option<bool>,
    /// The text that spans are of.
    pub text: &'a str,
}

/// What is noted of a statement before it has run, for expressions that are asked afterwards.
pub struct Noted(vocabulary::Touched);

impl Noted {
    /// Notes the relations that it touches.
    pub fn before(statement: &Statement, effects: &Effects, catalog: &Catalog, session: &Session) -> Self {
        Noted(vocabulary::Touched::of(statement, effects, catalog, session))
    }

    /// Asks each rule of `rules` about the statement; `after` is the catalog after it.
    pub fn judge(
        &self,
        rules: &[CustomRule],
        statement: &Statement,
        effects: &Effects,
        after: &Catalog,
        surrounds: &Surrounds<'_>,
    ) -> Vec<(&'static str, Said)> {
        let mut context = Context::with_env(ENVIRONMENT.clone());
        let (values, cut) = vocabulary::values(&self.0, statement, effects, after, surrounds);
        for (name, value) in values {
            context.add_variable_from_value(name, value);
        }
        let mut said = Vec::new();
        for rule in rules {
            let (message, help) = match ask(&rule.program, &context) {
                Ok(true) => (rule.definition.message.clone(), rule.definition.help.clone()),
                Ok(false) if cut => (
                    format!(
                        "this statement touches more than {} things, and the rule was asked of the first only",
                        vocabulary::MOST
                    ),
                    None,
                ),
                Ok(false) => continue,
                Err(Trouble::NotBool(got)) => {
                    (format!("this rule can't be judged here: it is {got}, not true or false"), None)
                }
                Err(Trouble::Certain(error) | Trouble::Here(error)) => (
                    format!("this rule can't be judged here: {error}"),
                    Some("mend `when` of the rule in rollsafe.toml".to_owned()),
                ),
            };
            said.push((
                rule.rule.code,
                Said {
                    span: statement.span,
                    migration: None,
                    message,
                    help: help.map(Into::into),
                    fix: None,
                },
            ));
        }
        said
    }
}

/// Whether a word can be the code of a project's own rule.
///
/// # Errors
/// Why not.
pub fn check_code(code: &str, known: &BTreeSet<String>) -> Result<(), String> {
    let plain = code.starts_with(|c: char| c.is_ascii_lowercase())
        && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain {
        return Err(format!("`{code}` can't be a code: use lower-case letters, digits and underscores"));
    }
    if code == "all" || code.parse::<Category>().is_ok() || super::rules::rule(code).is_some() {
        return Err(format!("`{code}` is taken by rollsafe itself"));
    }
    if known.contains(code) {
        return Err(format!("`{code}` is there twice"));
    }
    Ok(())
}
