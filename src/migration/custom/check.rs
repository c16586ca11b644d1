//! What can be told of an expression without a statement: its grammar, the names it uses, how deep it loops.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::{Env, Program};

use super::LONGEST;
use super::vocabulary::{Type, VARIABLES};

/// How deep loops may be nested.
const DEEPEST: usize = 2;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub message: String,
    /// Byte of the expression where it begins; `None`: the whole of it.
    pub at: Option<usize>,
}

impl Problem {
    /// About the whole of it.
    pub fn whole(message: String) -> Self {
        Problem { message, at: None }
    }
}

/// The functions of the standard library and of the strings extension; operators are `_+_` and the like.
const FUNCTIONS: [&str; 32] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "dyn",
    "type",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "replace",
    "split",
    "substring",
    "trim",
    "reverse",
    "format",
    "quote",
    "min",
    "max",
    "exists",
    "all",
    "map",
    "filter",
];

/// Reads an expression and looks at its names.
pub fn compile(env: &Env, source: &str) -> Result<Program, Problem> {
    if source.trim().is_empty() {
        return Err(Problem::whole("is empty".to_owned()));
    }
    if source.len() > LONGEST {
        return Err(Problem::whole(format!("is longer than {LONGEST} bytes")));
    }
    // The parser isn't ours: see `ask`.
    let parsed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| env.compile(source)));
    let program = match parsed {
        Ok(Ok(program)) => program,
        Ok(Err(errors)) => {
            let first = errors.errors.first();
            let message = first.map_or_else(|| "can't be read".to_owned(), |error| plain(&error.msg));
            return Err(Problem { message, at: first.and_then(|error| offset(source, error.pos)) });
        }
        Err(_) => return Err(Problem::whole("can't be read".to_owned())),
    };
    let mut names = Names { program: &program, bound: Vec::new(), depth: 0 };
    names.look(program.expression())?;
    Ok(program)
}

/// "Syntax error: extraneous input 'x' expecting {…}" without the list of everything that might have stood there.
fn plain(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    message.split(" expecting ").next().unwrap_or(message).replace("<EOF>", "the end")
}

/// Line and column as CEL counts them (lines from 1, columns from 1 in characters), as a byte.
fn offset(source: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(start..)?;
    let into = usize::try_from(column).ok()?.saturating_sub(1);
    Some(start + rest.char_indices().nth(into).map_or(rest.trim_end().len(), |(at, _)| at))
}

struct Names<'a> {
    program: &'a Program,
    bound: Vec<(String, Type)>,
    depth: usize,
}

impl Names<'_> {
    fn problem(&self, expr: &IdedExpr, message: String) -> Problem {
        let at = self.program.source_info().offset_for(expr.id).map(|(start, _)| start as usize);
        Problem { message, at }
    }

    /// The type of an expression, as far as it is told by names.
    fn look(&mut self, expr: &IdedExpr) -> Result<Type, Problem> {
        match &expr.expr {
            Expr::Unspecified => Ok(Type::Any),
            Expr::Literal(literal) => Ok(match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Int,
                LiteralValue::String(_) => Type::Text,
                _ => Type::Any,
            }),
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => {
                let operand = self.look(&select.operand)?;
                match operand {
                    Type::Object(fields) => match fields.iter().find(|(name, ..)| *name == select.field) {
                        Some((_, of, _)) => Ok(if select.test { Type::Bool } else { *of }),
                        None => {
                            let names = fields.iter().map(|(name, ..)| *name);
                            Err(self.problem(expr, unknown("field", &select.field, names)))
                        }
                    },
                    Type::Any => Ok(Type::Any),
                    other => Err(self.problem(
                        expr,
                        format!("`.{}` is asked of {}, which has no fields", select.field, other.noun()),
                    )),
                }
            }
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.look(target)?;
                }
                let arguments: Result<Vec<Type>, Problem> =
                    call.args.iter().map(|one| self.look(one)).collect();
                let arguments = arguments?;
                let name = call.func_name.as_str();
                let operator = name.contains('_') && !name.chars().any(|c| c.is_ascii_alphabetic())
                    || name.starts_with('@')
                    || matches!(name, "!_" | "-_" | "_[_]" | "_?_:_");
                if !operator && !FUNCTIONS.contains(&name) {
                    return Err(self.problem(expr, unknown("function", name, FUNCTIONS.into_iter())));
                }
                if let ("matches", Some(pattern)) = (name, call.args.last())
                    && let Expr::Literal(LiteralValue::String(pattern)) = &pattern.expr
                    && let Err(error) = regex::Regex::new(pattern.inner())
                {
                    let told = error.to_string();
                    let told = told.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                    return Err(self.problem(expr, format!("the regular expression is none: {told}")));
                }
                Ok(match (name, arguments.first()) {
                    ("_[_]", Some(Type::List(of))) => **of,
                    (
                        "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_" | "!_" | "_&&_" | "_||_" | "@in",
                        _,
                    ) => Type::Bool,
                    _ => Type::Any,
                })
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.look(element)?;
                }
                Ok(Type::Any)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    self.entry(&entry.expr)?;
                }
                Ok(Type::Any)
            }
            Expr::Struct(one) => {
                for entry in &one.entries {
                    self.entry(&entry.expr)?;
                }
                Ok(Type::Any)
            }
            Expr::Comprehension(of) => {
                let range = self.look(&of.iter_range)?;
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(self.problem(expr, format!("loops are nested more than {DEEPEST} deep")));
                }
                let element = match range {
                    Type::List(of) => *of,
                    Type::Any => Type::Any,
                    other => {
                        return Err(self.problem(
                            &of.iter_range,
                            format!("this loops over {}, not over a list", other.noun()),
                        ));
                    }
                };
                self.look(&of.accu_init)?;
                let before = self.bound.len();
                self.bound.push((of.iter_var.clone(), element));
                if let Some(second) = &of.iter_var2 {
                    self.bound.push((second.clone(), Type::Any));
                }
                self.bound.push((of.accu_var.clone(), Type::Any));
                for part in [&of.loop_cond, &of.loop_step, &of.result] {
                    self.look(part)?;
                }
                self.bound.truncate(before);
                self.depth -= 1;
                Ok(Type::Any)
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr) -> Result<(), Problem> {
        match entry {
            EntryExpr::StructField(field) => self.look(&field.value)?,
            EntryExpr::MapEntry(entry) => {
                self.look(&entry.key)?;
                self.look(&entry.value)?
            }
        };
        Ok(())
    }

    fn ident(&self, expr: &IdedExpr, name: &str) -> Result<Type, Problem> {
        if let Some((_, of)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(*of);
        }
        if let Some((_, of, _)) = VARIABLES.iter().find(|(variable, ..)| *variable == name) {
            return Ok(*of);
        }
        // Names of types, for `type(x) == string`.
        if matches!(
            name,
            "int" | "uint" | "double" | "bool" | "string" | "bytes" | "list" | "map" | "null_type" | "type"
        ) {
            return Ok(Type::Any);
        }
        Err(self.problem(expr, unknown("variable", name, VARIABLES.iter().map(|(name, ..)| *name))))
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = known
        .clone()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, near)) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{name}`; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
