//! PL/pgSQL bodies: the SQL that runs inside, and where it stands in the control flow.
//!
//! Not a compiler: a segmenter. It follows blocks, conditions, loops and handlers on a stack of its own,
//! hands every statement inside to the recognisers of SQL, and every expression to that of queries,
//! because an expression may hold a query. See the manual, chapter "PL/pgSQL".

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use compact_str::CompactString;

use super::condition;
use super::cursor::{Cursor, MAX_DEPTH, string_value, unquote};
use super::dynamic::{self, Constants, Text};
use super::lex::{Lexer, Token, TokenKind};
use super::query::select_behind;
use super::split::Piece;
use super::{Script, parse_at, read_body};
use crate::migration::statement::{Body, Inner, Problem, QueryKind, Routine, Statement};
use crate::source::Span;

/// What one routine inside another (a DO in an EXECUTE in a DO) adds to the depth.
const NESTED: u32 = 12;

/// A loop with more rounds than this is no batch.
const LARGEST_BATCH: u64 = 100_000;

/// Reads the body that the string token here holds, in `language`, of a routine with these parameters; `None` for a
/// language that isn't read.
pub fn body_of(c: &Cursor<'_>, language: &str, parameters: &[CompactString]) -> Option<Routine> {
    if !matches!(language, "plpgsql" | "sql") || !c.at_string() {
        return None;
    }
    if c.depth + NESTED > MAX_DEPTH {
        let message = "routines are nested too deep: not read any further".to_owned();
        let problems = vec![Problem { span: c.span(), message, certain: false }];
        return Some(Routine { problems, ..Routine::default() });
    }
    let depth = c.depth + NESTED;
    let text = Text::of_token(c)?;
    let read = |text: &str, range: Range<usize>, place: Option<Span>| {
        if language == "sql" {
            sql(text, range, place, depth, parameters)
        } else {
            plpgsql(text, range, place, depth, parameters)
        }
    };
    Some(match text {
        Text::Verbatim(range) => read(c.text, range, c.place()),
        Text::Made { text, place, .. } => {
            let range = 0..text.len();
            read(&text, range, Some(place))
        }
    })
}

/// Reads a body in PL/pgSQL that stands at `source` in `text`, word for word.
pub(super) fn routine_at(text: &str, source: Span, parameters: &[CompactString]) -> Routine {
    plpgsql(text, source.range(), None, NESTED, parameters)
}

/// The statements of a body in SQL.
fn sql(
    text: &str,
    range: Range<usize>,
    place: Option<Span>,
    depth: u32,
    parameters: &[CompactString],
) -> Routine {
    let mut routine = Routine::default();
    take_in(&mut routine, parse_at(text, range, place, depth), Flow::default());
    let variables = variables_of(parameters);
    // As in `Reader::mind_variables`.
    if place.is_none() && !variables.is_empty() {
        for inner in &mut routine.statements {
            judge_again(text, &mut inner.statement.body, &variables);
        }
    }
    routine
}

fn variables_of(parameters: &[CompactString]) -> HashSet<String> {
    parameters.iter().map(|name| name.as_str().to_lowercase()).collect()
}

/// Judges the conditions of changes again: a key that is compared with a variable bounds the rows as one with a constant
/// does.
fn judge_again(text: &str, body: &mut Body, variables: &HashSet<String>) {
    let Body::Query(query) = body else { return };
    for change in &mut query.changes {
        change.names_variables = names_any(change.span.of(text), variables);
    }
    for filter in query.changes.iter_mut().filter_map(|change| change.filter.as_mut()) {
        let judged = condition::judge_beside(filter.expr.span.of(text), variables);
        filter.bounded |= judged.bounded;
        filter.by = judged.by;
    }
}

/// Whether a text names one of the variables (in lower case) or a parameter by its number.
fn names_any(text: &str, variables: &HashSet<String>) -> bool {
    let mut lexer = Lexer::new(text, 0..text.len());
    let mut behind_dot = false;
    while let Some(token) = lexer.next_token() {
        let written = token.span.of(text);
        let names = match token.kind {
            TokenKind::Parameter => true,
            TokenKind::Word => !behind_dot && variables.contains(&written.to_lowercase()),
            TokenKind::Quoted => {
                !behind_dot && variables.contains(unquote(written, b'"').to_lowercase().as_str())
            }
            _ => false,
        };
        if names {
            return true;
        }
        behind_dot = token.kind == TokenKind::Dot;
    }
    false
}

/// A place in the control flow.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    conditional: bool,
    in_loop: bool,
    few_rounds: bool,
    dynamic: bool,
    partial: bool,
}

/// Adds the statements of a script to a routine; those that can't be read become its problems.
fn take_in(routine: &mut Routine, script: Script, flow: Flow) {
    for statement in script.statements {
        if !statement.understood() {
            routine.problems.extend(statement.problems.into_iter().take(1));
            continue;
        }
        routine.statements.push(Inner {
            statement,
            conditional: flow.conditional,
            in_loop: flow.in_loop,
            loop_commits: false,
            few_rounds: flow.few_rounds,
            dynamic: flow.dynamic,
            partial: flow.partial,
        });
    }
}

/// What has been opened and not yet closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// BEGIN; behind EXCEPTION when `handlers`.
    Block {
        handlers: bool,
    },
    If,
    Case,
    /// With the index of its first statement.
    Loop {
        first: usize,
        commits: bool,
        few: bool,
    },
}

impl Frame {
    fn is_conditional(self) -> bool {
        matches!(self, Frame::If | Frame::Case | Frame::Block { handlers: true })
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    place: Option<Span>,
    depth: u32,
    frames: Vec<Frame>,
    /// For each frame a number of its own; the arms of an IF or CASE have different ones.
    arms: Vec<u32>,
    last_arm: u32,
    /// The expression that was last assigned to a variable, and the arm where that happened.
    assigned: HashMap<&'a str, (Range<usize>, u32)>,
    /// Variables that can't be assigned anything else.
    constants: Constants,
    /// All variables, in lower case.
    variables: HashSet<String>,
    /// How many of the frames are conditional, how many are loops, and how many of those have few rounds.
    conditions: usize,
    loops: usize,
    few: usize,
    /// A RETURN in a condition was passed: what follows may not run.
    may_have_returned: bool,
    /// A parenthesis doesn't close: from here on every semicolon ends a statement.
    unbalanced: bool,
    routine: Routine,
}

fn plpgsql(
    text: &str,
    range: Range<usize>,
    place: Option<Span>,
    depth: u32,
    parameters: &[CompactString],
) -> Routine {
    let mut lexer = Lexer::new(text, range);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    let mut reader = Reader {
        text,
        tokens: &tokens,
        at: 0,
        place,
        depth,
        frames: Vec::new(),
        arms: Vec::new(),
        last_arm: 0,
        assigned: HashMap::new(),
        constants: Constants::new(),
        variables: variables_of(parameters),
        conditions: 0,
        loops: 0,
        few: 0,
        may_have_returned: false,
        unbalanced: false,
        routine: Routine::default(),
    };
    reader.read();
    reader.routine
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        // `#variable_conflict use_column` and the like, one a line.
        while self.operator(self.at, "#") {
            let line = self.tokens.get(self.at).map_or(0, |token| token.span.end as usize);
            let end = super::lex::line_end(self.text.as_bytes(), line);
            while self.tokens.get(self.at).is_some_and(|token| (token.span.start as usize) < end) {
                self.at += 1;
            }
        }
        while self.at < self.tokens.len() {
            let before = self.at;
            self.step();
            // Whatever happens, something is passed.
            self.at = self.at.max(before + 1);
        }
        if !self.frames.is_empty() {
            self.problem(self.at, "`END`");
        }
    }

    // ---- looking ----

    fn cursor(&self, range: Range<usize>) -> Cursor<'a> {
        let mut cursor = Cursor::placed(self.text, self.tokens.get(range).unwrap_or(&[]), self.place);
        cursor.depth = self.depth;
        cursor
    }

    fn word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.kind == TokenKind::Word
                && token.span.len() == word.len()
                && token.span.of(self.text).eq_ignore_ascii_case(word)
        })
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn operator(&self, at: usize, operator: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Operator && token.span.of(self.text) == operator)
    }

    fn problem(&mut self, at: usize, what: &str) {
        let cursor = self.cursor(0..self.tokens.len()).at_index(at);
        self.routine.problems.push(cursor.expected(what));
    }

    /// The first of `words` outside parentheses and CASE expressions, from `from` on and before the next
    /// semicolon; else where that stands.
    fn find(&mut self, from: usize, words: &[&str]) -> Result<usize, usize> {
        let (mut parens, mut cases) = (0usize, 0usize);
        let mut first_semicolon = None;
        for (at, token) in self.tokens.iter().enumerate().skip(from) {
            match token.kind {
                TokenKind::LeftParen | TokenKind::LeftBracket => parens += 1,
                TokenKind::RightParen | TokenKind::RightBracket => parens = parens.saturating_sub(1),
                TokenKind::Semicolon if parens == 0 || self.unbalanced => return Err(at),
                TokenKind::Semicolon => {
                    first_semicolon.get_or_insert(at);
                }
                TokenKind::Word if parens == 0 => {
                    if cases == 0 && words.iter().any(|word| self.word(at, word)) {
                        return Ok(at);
                    }
                    if self.word(at, "case") {
                        cases += 1;
                    } else if self.word(at, "end") {
                        cases = cases.saturating_sub(1);
                    }
                }
                _ => {}
            }
        }
        if parens > 0 {
            self.unbalanced = true;
        }
        Err(first_semicolon.unwrap_or(self.tokens.len()))
    }

    /// Where the statement that holds `from` ends: its semicolon.
    fn end(&mut self, from: usize) -> usize {
        match self.find(from, &[]) {
            Ok(at) | Err(at) => at,
        }
    }

    fn flow(&self) -> Flow {
        Flow {
            conditional: self.conditions > 0 || self.may_have_returned,
            in_loop: self.loops > 0,
            few_rounds: self.loops > 0 && self.few == self.loops,
            dynamic: false,
            partial: false,
        }
    }

    // ---- frames ----

    fn push(&mut self, frame: Frame) {
        self.conditions += usize::from(frame.is_conditional());
        self.loops += usize::from(matches!(frame, Frame::Loop { .. }));
        self.few += usize::from(matches!(frame, Frame::Loop { few: true, .. }));
        self.frames.push(frame);
        self.last_arm += 1;
        self.arms.push(self.last_arm);
    }

    /// ELSE, ELSIF, WHEN: what was assigned in the arm before doesn't hold here.
    fn next_arm(&mut self) {
        self.last_arm += 1;
        if let Some(arm) = self.arms.last_mut() {
            *arm = self.last_arm;
        }
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop()?;
        self.arms.pop();
        self.conditions -= usize::from(frame.is_conditional());
        if let Frame::Loop { first, commits, few } = frame {
            self.loops -= 1;
            self.few -= usize::from(few);
            if commits {
                for inner in self.routine.statements.iter_mut().skip(first) {
                    inner.loop_commits = true;
                }
            }
        }
        Some(frame)
    }

    // ---- statements ----

    fn step(&mut self) {
        if self.operator(self.at, "<<") {
            // <<label>>
            self.at += 3;
            return;
        }
        match self.kind(self.at) {
            Some(TokenKind::Semicolon) => {
                self.at += 1;
                return;
            }
            Some(TokenKind::Word) => {}
            Some(
                TokenKind::Quoted | TokenKind::UnicodeQuoted | TokenKind::Parameter | TokenKind::Placeholder,
            ) => {
                return self.assignment_or_sql();
            }
            Some(TokenKind::LeftParen) => return self.sql(),
            _ => {
                self.problem(self.at, "a statement");
                self.at = self.end(self.at) + 1;
                return;
            }
        }
        let word = self.tokens.get(self.at).map_or("", |token| token.span.of(self.text));
        match word.to_ascii_lowercase().as_str() {
            _ if self.is_assignment() => self.assignment_or_sql(),
            "declare" => self.declarations(),
            "begin" => {
                self.push(Frame::Block { handlers: false });
                self.at += 1;
            }
            "exception" if matches!(self.frames.last(), Some(Frame::Block { handlers: false })) => {
                self.pop();
                self.push(Frame::Block { handlers: true });
                self.at += 1;
            }
            "when" => self.when(),
            "if" => {
                self.condition("then");
                self.push(Frame::If);
            }
            "elsif" | "elseif" => {
                self.next_arm();
                self.condition("then");
            }
            "else" => {
                self.next_arm();
                self.at += 1;
            }
            "case" => {
                match self.find(self.at + 1, &["when"]) {
                    Ok(when) => {
                        self.expression(self.at + 1..when);
                        self.at = when;
                    }
                    Err(end) => {
                        self.problem(end, "`WHEN`");
                        self.at = end;
                    }
                }
                self.push(Frame::Case);
            }
            "loop" => self.open_loop(self.at + 1, false),
            "while" => {
                self.condition("loop");
                let at = self.at;
                self.open_loop(at, false);
            }
            "for" | "foreach" => self.for_loop(),
            "end" => self.close(),
            "exit" | "continue" => {
                if let Ok(when) = self.find(self.at, &["when"]) {
                    let end = self.end(when);
                    self.expression(when + 1..end);
                }
                self.pass();
            }
            "return" => self.returns(),
            "perform" => {
                let end = self.end(self.at);
                self.expression(self.at + 1..end);
                self.at = end + 1;
            }
            "execute" => {
                let end = self.end(self.at);
                self.execute(self.at + 1..end);
                self.at = end + 1;
            }
            "open" => self.open_cursor(),
            "assert" => {
                let end = self.end(self.at);
                self.expression(self.at + 1..end);
                self.at = end + 1;
            }
            // What they name are variables and messages.
            "raise" | "get" | "null" | "fetch" | "move" | "close" => self.pass(),
            "commit" => {
                for frame in &mut self.frames {
                    if let Frame::Loop { commits, .. } = frame {
                        *commits = true;
                    }
                }
                self.sql();
            }
            _ => self.sql(),
        }
    }

    /// Passes a statement without looking into it.
    fn pass(&mut self) {
        self.at = self.end(self.at) + 1;
    }

    /// `IF … THEN`, `WHILE … LOOP`: reads the condition and passes the closing word.
    fn condition(&mut self, closing: &'static str) {
        match self.find(self.at + 1, &[closing]) {
            Ok(at) => {
                self.expression(self.at + 1..at);
                self.at = at + 1;
            }
            Err(end) => {
                self.problem(end, &format!("`{}`", closing.to_uppercase()));
                self.at = end + 1;
            }
        }
    }

    fn open_loop(&mut self, behind: usize, few: bool) {
        self.push(Frame::Loop { first: self.routine.statements.len(), commits: false, few });
        self.at = behind;
    }

    /// WHEN of a CASE, or of the handlers of a block.
    fn when(&mut self) {
        match self.frames.last() {
            Some(Frame::Case) => {
                self.next_arm();
                self.condition("then");
            }
            // The names of conditions.
            Some(Frame::Block { handlers: true }) => match self.find(self.at + 1, &["then"]) {
                Ok(at) => self.at = at + 1,
                Err(end) => {
                    self.problem(end, "`THEN`");
                    self.at = end + 1;
                }
            },
            _ => {
                self.problem(self.at, "a statement");
                self.pass();
            }
        }
    }

    /// END [IF | LOOP | CASE] [label] ;
    fn close(&mut self) {
        let closing = self.at;
        let end = self.end(self.at + 1);
        let fits = match self.frames.last() {
            Some(Frame::If) => self.word(self.at + 1, "if"),
            Some(Frame::Case) => self.word(self.at + 1, "case"),
            Some(Frame::Loop { .. }) => self.word(self.at + 1, "loop"),
            Some(Frame::Block { .. }) => end <= self.at + 2,
            None => false,
        };
        if !fits {
            self.problem(closing, "another `END`");
        }
        self.pop();
        self.at = end + 1;
    }

    fn declarations(&mut self) {
        self.at += 1;
        while self.at < self.tokens.len() && !self.word(self.at, "begin") {
            if self.word(self.at, "declare") || self.kind(self.at) == Some(TokenKind::Semicolon) {
                self.at += 1;
                continue;
            }
            let end = self.end(self.at);
            let range = self.at..end;
            self.variable(self.at);
            let cursor = range.clone().take(4).find(|at| self.word(*at, "cursor"));
            if let Some(cursor) = cursor {
                if let Ok(query) = self.find(cursor, &["for", "is"])
                    && query < end
                {
                    self.statement(query + 1..end);
                }
            } else {
                let value = range.clone().find(|at| {
                    self.word(*at, "default")
                        || self.operator(*at, "=")
                        || self.kind(*at) == Some(TokenKind::ColonEquals)
                });
                if let Some(value) = value {
                    if let Some(variable) = self.tokens.get(self.at) {
                        let arm = self.arms.last().copied().unwrap_or(0);
                        self.assigned.insert(variable.span.of(self.text), (value + 1..end, arm));
                    }
                    if self.word(self.at + 1, "constant") && value + 2 == end {
                        self.constant(self.at, value + 1);
                    }
                    self.expression(value + 1..end);
                }
            }
            self.at = end + 1;
        }
    }

    /// Remembers the name of a variable.
    fn variable(&mut self, at: usize) {
        if let Some(name) = self.tokens.get(at) {
            self.variables.insert(name.span.of(self.text).trim_matches('"').to_lowercase());
        }
    }

    /// Remembers the value of a variable that is declared CONSTANT.
    fn constant(&mut self, variable: usize, value: usize) {
        let (Some(variable), Some(value)) = (self.tokens.get(variable), self.tokens.get(value)) else {
            return;
        };
        if let (TokenKind::Word, Some(text)) =
            (variable.kind, string_value(value.span.of(self.text), value.kind))
        {
            self.constants.insert(variable.span.of(self.text).to_ascii_lowercase(), text);
        }
    }

    fn for_loop(&mut self) {
        let Ok(opening) = self.find(self.at + 1, &["loop"]) else {
            self.problem(self.at, "`LOOP`");
            return self.pass();
        };
        let mut few = false;
        if let Some(source) = (self.at + 1..opening).find(|at| self.word(*at, "in")) {
            self.variable(self.at + 1);
            let mut range = source + 1..opening;
            if self.word(range.start, "execute") {
                range.start += 1;
                self.execute(range);
            } else if self.word(self.at, "foreach") {
                if self.word(range.start, "array") {
                    range.start += 1;
                }
                few = self.is_written(range.clone());
                self.expression(range);
            } else if let Some(dots) = range.clone().find(|at| self.kind(*at) == Some(TokenKind::DotDot)) {
                if self.word(range.start, "reverse") {
                    range.start += 1;
                }
                few = self.is_short(range.start..dots, dots + 1..opening);
                let by = (dots..opening).find(|at| self.word(*at, "by")).unwrap_or(opening);
                self.expression(range.start..dots);
                self.expression(dots + 1..by);
                self.expression(by + 1..opening);
            } else if super::query::at_query(&self.cursor(range.clone())) {
                self.statement(range);
                few = self.routine.statements.last().is_some_and(|inner| match &inner.statement.body {
                    Body::Query(query) => query.has_limit || query.kind == QueryKind::Values,
                    _ => false,
                });
            }
            // Else a cursor, whose query stands in its declaration.
        }
        self.open_loop(opening + 1, few);
    }

    /// Whether the values of an array are written out: `ARRAY[1, 2]`, `'{1,2}'::int[]`.
    fn is_written(&self, range: Range<usize>) -> bool {
        let first = range.start;
        let begins = self.word(first, "array") && self.kind(first + 1) == Some(TokenKind::LeftBracket)
            || self
                .tokens
                .get(first)
                .is_some_and(|token| string_value(token.span.of(self.text), token.kind).is_some());
        begins && !range.clone().any(|at| self.word(at, "select") || self.operator(at, "||"))
    }

    /// Whether a loop over numbers has few rounds: `1..10`.
    fn is_short(&self, low: Range<usize>, high: Range<usize>) -> bool {
        let number = |range: Range<usize>| -> Option<i64> {
            let token = self.tokens.get(range.start).filter(|_| range.len() == 1)?;
            token.span.of(self.text).parse().ok()
        };
        match (number(low), number(high)) {
            (Some(low), Some(high)) => low.abs_diff(high) <= LARGEST_BATCH,
            _ => false,
        }
    }

    fn returns(&mut self) {
        let end = self.end(self.at);
        let mut start = self.at + 1;
        self.at = end + 1;
        if self.word(start, "query") {
            start += 1;
            if self.word(start, "execute") {
                self.execute(start + 1..end);
            } else {
                self.statement(start..end);
            }
            return;
        }
        if self.word(start, "next") {
            return self.expression(start + 1..end);
        }
        self.expression(start..end);
        self.may_have_returned |= self.conditions > 0 || self.loops > 0;
    }

    /// OPEN cursor [FOR query | FOR EXECUTE text | (arguments)].
    fn open_cursor(&mut self) {
        let end = self.end(self.at);
        if let Ok(source) = self.find(self.at, &["for"])
            && source < end
        {
            if self.word(source + 1, "execute") {
                self.execute(source + 2..end);
            } else {
                self.statement(source + 1..end);
            }
        }
        self.at = end + 1;
    }

    /// Where the value of an assignment that begins here stands: behind `:=` or `=`.
    fn assigned(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match self.kind(at)? {
                TokenKind::ColonEquals => return Some(at + 1),
                TokenKind::Operator if self.operator(at, "=") => return Some(at + 1),
                TokenKind::Dot => at += 2,
                TokenKind::LeftBracket => {
                    let mut depth = 0usize;
                    loop {
                        match self.kind(at)? {
                            TokenKind::LeftBracket => depth += 1,
                            TokenKind::RightBracket => depth -= 1,
                            TokenKind::Semicolon => return None,
                            _ => {}
                        }
                        at += 1;
                        if depth == 0 {
                            break;
                        }
                    }
                }
                _ => return None,
            }
        }
    }

    fn is_assignment(&self) -> bool {
        self.assigned().is_some()
    }

    fn assignment_or_sql(&mut self) {
        let Some(value) = self.assigned() else { return self.sql() };
        let end = self.end(value);
        if let (Some(target), true) = (self.tokens.get(self.at), value == self.at + 2) {
            let arm = self.arms.last().copied().unwrap_or(0);
            self.assigned.insert(target.span.of(self.text), (value..end, arm));
        }
        self.expression(value..end);
        self.at = end + 1;
    }

    /// What the variable here was last assigned, where that surely still holds.
    fn value_of(&self, range: &Range<usize>) -> Option<Range<usize>> {
        if range.len() != 1 {
            return None;
        }
        let variable = self.tokens.get(range.start)?.span.of(self.text);
        let (value, arm) = self.assigned.get(variable)?;
        (*arm == 0 || self.arms.contains(arm)).then(|| value.clone())
    }

    /// A statement of SQL, up to its semicolon.
    fn sql(&mut self) {
        let end = self.end(self.at);
        self.statement(self.at..end);
        self.at = end + 1;
    }

    // ---- what is found ----

    /// Reads tokens as a statement of SQL, `INTO target` left out.
    fn statement(&mut self, range: Range<usize>) {
        let mut tokens = self.tokens.get(range.clone()).unwrap_or(&[]).to_vec();
        if let Some(into) = self.target_of_into(range.clone()) {
            if into.len() < 2 {
                return self.problem(into.end, "a variable");
            }
            tokens.drain(into.start - range.start..into.end - range.start);
        }
        let piece = Piece::default();
        let mut cursor = Cursor::placed(self.text, &tokens, self.place);
        cursor.depth = self.depth;
        let read = read_body(&mut cursor, &piece).and_then(|body| cursor.expect_end().map(|()| body));
        self.found(read, range);
    }

    fn found(&mut self, read: Result<Body, Problem>, range: Range<usize>) {
        let flow = self.flow();
        match read {
            Ok(mut body) => {
                self.mind_variables(&mut body);
                let span = self.cursor(0..self.tokens.len()).at_index(range.end).span_since(range.start);
                self.routine.statements.push(Inner {
                    statement: Statement { span, body, problems: Vec::new() },
                    conditional: flow.conditional,
                    in_loop: flow.in_loop,
                    loop_commits: false,
                    few_rounds: flow.few_rounds,
                    dynamic: false,
                    partial: false,
                });
            }
            Err(problem) => self.routine.problems.push(problem),
        }
    }

    fn mind_variables(&self, body: &mut Body) {
        // Spans in a text that was put together don't tell where in it.
        if self.place.is_none() {
            judge_again(self.text, body, &self.variables);
        }
    }

    /// Reads tokens as an expression. It counts where it reads relations or calls functions.
    fn expression(&mut self, range: Range<usize>) {
        if range.start >= range.end {
            return;
        }
        // The usual cases hold neither a query nor a call.
        let plain = range.clone().all(|at| self.kind(at) != Some(TokenKind::LeftParen))
            && !range.clone().any(|at| self.word(at, "from"));
        if plain {
            return;
        }
        let mut cursor = self.cursor(range.clone());
        let read = select_behind(&mut cursor).and_then(|query| cursor.expect_end().map(|()| query));
        match read {
            Ok(query) if query.uses.is_empty() && query.calls.is_empty() => {}
            Ok(query) => self.found(Ok(Body::Query(Box::new(query))), range),
            Err(problem) => self.routine.problems.push(problem),
        }
    }

    /// The tokens of `INTO [STRICT] target, …` in a query: PL/pgSQL's own, not SQL's.
    fn target_of_into(&self, range: Range<usize>) -> Option<Range<usize>> {
        const QUERIES: [&str; 9] =
            ["select", "with", "insert", "update", "delete", "merge", "values", "table", "execute"];
        if !QUERIES.iter().any(|word| self.word(range.start, word)) {
            return None;
        }
        let mut parens = 0usize;
        for at in range.clone() {
            match self.kind(at) {
                Some(TokenKind::LeftParen) => parens += 1,
                Some(TokenKind::RightParen) => parens = parens.saturating_sub(1),
                Some(TokenKind::Word)
                    if parens == 0
                        && self.word(at, "into")
                        && !(at > 0 && (self.word(at - 1, "insert") || self.word(at - 1, "merge"))) =>
                {
                    // A target that is missing ends with the statement.
                    return Some(at..self.target_end(at + 1).min(range.end));
                }
                _ => {}
            }
        }
        None
    }

    /// One past the variables that begin at `at`.
    fn target_end(&self, mut at: usize) -> usize {
        at += usize::from(self.word(at, "strict"));
        loop {
            at += 1;
            while self.kind(at) == Some(TokenKind::Dot) {
                at += 2;
            }
            while self.kind(at) == Some(TokenKind::LeftBracket) {
                while at < self.tokens.len() && self.kind(at) != Some(TokenKind::RightBracket) {
                    at += 1;
                }
                at += 1;
            }
            if self.kind(at) != Some(TokenKind::Comma) {
                return at.min(self.tokens.len());
            }
            at += 1;
        }
    }

    /// EXECUTE, behind that word: the text, then INTO and USING in any order.
    fn execute(&mut self, range: Range<usize>) {
        let text_end = match self.find(range.start, &["into", "using"]) {
            Ok(at) | Err(at) => at.min(range.end),
        };
        // Values passed with USING may hold queries.
        if let Some(using) = (text_end..range.end).find(|at| self.word(*at, "using")) {
            let end = (using..range.end).find(|at| self.word(*at, "into")).unwrap_or(range.end);
            self.expression(using + 1..end);
        }
        let source = self.value_of(&(range.start..text_end)).unwrap_or(range.start..text_end);
        let mut cursor = self.cursor(source);
        let whole = self.cursor(0..self.tokens.len()).at_index(text_end).span_since(range.start);
        let text = dynamic::constant_text(&mut cursor, &self.constants);
        let mut flow = self.flow();
        flow.dynamic = true;
        if self.depth + NESTED > MAX_DEPTH {
            self.routine.dynamic.push(whole);
            return;
        }
        let depth = self.depth + NESTED;
        match text {
            Some(Text::Verbatim(range)) => {
                let script = parse_at(self.text, range, self.place, depth);
                take_in(&mut self.routine, script, flow);
            }
            Some(Text::Made { text, place, partial, open }) => {
                let script = parse_at(&text, 0..text.len(), Some(place), depth);
                if partial && (open || script.statements.iter().any(|statement| !statement.understood())) {
                    // What isn't constant decides what it says.
                    self.routine.dynamic.push(whole);
                    return;
                }
                flow.partial = partial;
                take_in(&mut self.routine, script, flow);
            }
            None => {
                self.routine.dynamic.push(whole);
                self.expression(range.start..text_end);
            }
        }
    }
}
