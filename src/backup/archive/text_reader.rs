//! Splits the text of a dump into what it consists of: comments, statements, meta-commands, rows. It is read forward once
//! as psql would, but without doing any of it.
//!
//! psql's own rules decide where a statement ends (`psqlscan.l`): quotes, dollar quotes, comments,
//! `BEGIN ATOMIC` bodies. A backslash outside of these is a meta-command wherever it stands.

/// Longest comment line or meta-command that is kept whole.
const LINE: usize = 4096;

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its semicolon, and all of it is there.
    Whole,
    /// With its semicolon, but it is longer than what is kept of it.
    Shortened,
    /// The text ends before it does.
    Missing,
}

/// What is known of a statement beside its text.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// How it ends.
    pub end: End,
    /// Its bytes, those that aren't kept included.
    pub bytes: u64,
    /// Groups in parentheses behind `VALUES`: the rows of an INSERT statement.
    pub groups: u64,
}

/// Receives what a plain dump holds, in order.
pub trait TextSink {
    /// A line of comment, without the dashes and the blanks around it.
    fn comment(&mut self, _line: &str) {}
    /// The same as it is stored, for who knows its encoding.
    fn comment_bytes(&mut self, line: &[u8]) {
        self.comment(String::from_utf8_lossy(line).trim());
    }
    /// A statement, without the semicolon; only its beginning when it is longer than asked for.
    fn statement(&mut self, _sql: &[u8], _measure: Measure) {}
    /// A psql meta-command: `\connect shop`.
    fn meta_command(&mut self, _line: &str) {}
    /// `COPY … FROM stdin` as it is stored, for who knows its encoding; [`TextSink::copy_begin`] follows.
    fn copy_statement(&mut self, _statement: &[u8]) {}
    /// `COPY … FROM stdin`: its rows follow.
    fn copy_begin(&mut self, _statement: &str) {}
    /// Rows, in pieces of no particular size, without the end marker.
    fn copy_data(&mut self, _bytes: &[u8]) {}
    /// The rows end, with or without the end marker `\.`.
    fn copy_end(&mut self, _marker: bool) {}
}

/// Splits the text of a dump into what it consists of.
pub struct TextReader {
    state: State,
    /// The statement so far, up to `longest` bytes.
    statement: Vec<u8>,
    /// Bytes of the statement so far.
    bytes: u64,
    /// Whether a VALUES outside of all parentheses has come, and how many groups behind it.
    values: bool,
    groups: u64,
    longest: usize,
    /// The comment line, meta-command or dollar tag so far.
    line: Vec<u8>,
    /// The byte before, where that matters; blank at the start of a statement.
    before: u8,
    /// The word so far, in lower case, to find `BEGIN ATOMIC`.
    word: Vec<u8>,
    words: usize,
    /// First words of the statement: CREATE [OR REPLACE] FUNCTION or PROCEDURE.
    creates_routine: bool,
    begins: usize,
    parentheses: usize,
    backslashes_escape: bool,
    /// Bytes of COPY data that may be the beginning of an end marker.
    hold: Vec<u8>,
    at_line_start: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Normal,
    LineComment,
    BlockComment {
        depth: u32,
    },
    Quote {
        escapes: bool,
        escaped: bool,
    },
    Identifier,
    DollarTag,
    Dollar {
        matched: usize,
    },
    Meta,
    /// Behind `FROM stdin;`, up to the line's end.
    CopyLine,
    Copy,
}

impl TextReader {
    /// A reader at the start of a text; statements are kept up to `longest` bytes.
    pub fn new(longest: usize) -> TextReader {
        TextReader {
            state: State::Normal,
            statement: vec![],
            bytes: 0,
            values: false,
            groups: 0,
            longest,
            line: vec![],
            before: b' ',
            word: vec![],
            words: 0,
            creates_routine: false,
            begins: 0,
            parentheses: 0,
            backslashes_escape: false,
            hold: vec![],
            at_line_start: true,
        }
    }

    /// Takes in the next bytes.
    pub fn push(&mut self, mut input: &[u8], sink: &mut dyn TextSink) {
        while !input.is_empty() {
            let taken = match self.state {
                State::Normal => self.normal(input, sink),
                State::LineComment | State::Meta => self.line(input, sink),
                State::CopyLine => match memchr::memchr(b'\n', input) {
                    Some(at) => {
                        self.state = State::Copy;
                        self.at_line_start = true;
                        at + 1
                    }
                    None => input.len(),
                },
                State::Copy => self.copy(input, sink),
                State::BlockComment { depth } => self.block_comment(input, depth),
                State::Quote { escapes, escaped } => self.quote(input, escapes, escaped),
                State::Identifier => {
                    let end = memchr::memchr(b'"', input).map_or(input.len(), |at| at + 1);
                    self.keep(input, end);
                    if input.get(end - 1) == Some(&b'"') {
                        self.back_to_normal(b'"');
                    }
                    end
                }
                State::DollarTag => self.dollar_tag(input),
                State::Dollar { matched } => self.dollar(input, matched),
            };
            // Each state takes at least one byte; never more than there are.
            input = input.get(taken.max(1)..).unwrap_or(&[]);
        }
    }

    /// Ends the text.
    pub fn finish(&mut self, sink: &mut dyn TextSink) {
        match self.state {
            State::LineComment | State::Meta => {
                self.line(b"\n", sink);
            }
            State::Copy | State::CopyLine => {
                // A marker without a newline behind it is one still.
                let marker = self.hold == b"\\." || self.hold == b"\\.\r";
                if !marker && !self.hold.is_empty() {
                    let hold = std::mem::take(&mut self.hold);
                    sink.copy_data(&hold);
                }
                sink.copy_end(marker);
            }
            _ => {}
        }
        if self.statement.iter().any(|byte| !byte.is_ascii_whitespace()) {
            // It has no semicolon: cut.
            sink.statement(&self.statement, self.measure(End::Missing));
        }
    }

    fn keep(&mut self, input: &[u8], n: usize) {
        let room = self.longest.saturating_sub(self.statement.len());
        self.bytes += n as u64;
        self.statement.extend_from_slice(input.get(..n.min(room)).unwrap_or(&[]));
    }

    fn measure(&self, end: End) -> Measure {
        Measure { end, bytes: self.bytes, groups: self.groups }
    }

    fn back_to_normal(&mut self, before: u8) {
        self.state = State::Normal;
        self.before = before;
        self.word.clear();
    }

    fn normal(&mut self, input: &[u8], sink: &mut dyn TextSink) -> usize {
        for (at, &byte) in input.iter().enumerate() {
            let before = std::mem::replace(&mut self.before, byte);
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 {
                if self.word.len() < 16 {
                    self.word.push(byte.to_ascii_lowercase());
                }
                continue;
            }
            let after_e = self.word == b"e";
            let after_word = !self.word.is_empty();
            if after_word {
                self.end_word();
            }
            let state = match byte {
                b'\'' => State::Quote { escapes: after_e || self.backslashes_escape, escaped: false },
                b'"' => State::Identifier,
                b'-' if before == b'-' => {
                    self.keep(input, at);
                    self.drop_last(b'-');
                    self.line.clear();
                    self.state = State::LineComment;
                    return at + 1;
                }
                b'*' if before == b'/' => State::BlockComment { depth: 1 },
                b'$' if !after_word && before != b'$' => {
                    self.line.clear();
                    State::DollarTag
                }
                b'(' => {
                    self.groups += u64::from(self.parentheses == 0 && self.values);
                    self.parentheses += 1;
                    continue;
                }
                b')' => {
                    self.parentheses = self.parentheses.saturating_sub(1);
                    continue;
                }
                b'\\' => {
                    self.keep(input, at);
                    self.line.clear();
                    self.line.push(b'\\');
                    self.state = State::Meta;
                    return at + 1;
                }
                b';' if self.begins == 0 && self.parentheses == 0 => {
                    self.keep(input, at);
                    self.end_statement(sink);
                    return at + 1;
                }
                _ => continue,
            };
            self.keep(input, at + 1);
            self.state = state;
            return at + 1;
        }
        self.keep(input, input.len());
        input.len()
    }

    fn end_word(&mut self) {
        self.words = self.words.saturating_add(1);
        self.values |= self.parentheses == 0 && self.word == b"values";
        match (self.words, self.word.as_slice()) {
            (1, word) => self.creates_routine = word == b"create",
            (2, b"or") | (3, b"replace") | (2 | 4, b"function" | b"procedure") => {}
            (2, _) => self.creates_routine = false,
            (_, b"begin") if self.creates_routine => self.begins += 1,
            (_, b"case") if self.begins > 0 => self.begins += 1,
            (_, b"end") if self.begins > 0 => self.begins -= 1,
            _ => {}
        }
        self.word.clear();
    }

    fn drop_last(&mut self, byte: u8) {
        if self.statement.last() == Some(&byte) {
            self.statement.pop();
            self.bytes -= 1; // `keep` counted it
        }
    }

    fn end_statement(&mut self, sink: &mut dyn TextSink) {
        let mut statement = std::mem::take(&mut self.statement);
        let sql = statement.trim_ascii();
        let whole = self.bytes <= self.longest as u64;
        let measure = self.measure(if whole { End::Whole } else { End::Shortened });
        if whole && is_copy_from_stdin(sql) {
            sink.copy_statement(sql);
            sink.copy_begin(&String::from_utf8_lossy(sql));
            self.state = State::CopyLine;
        } else {
            if sql.len() < 100 && sql.starts_with(b"SET standard_conforming_strings") {
                self.backslashes_escape = sql.ends_with(b"off");
            }
            sink.statement(sql, measure);
        }
        statement.clear();
        self.statement = statement;
        self.word.clear();
        (self.words, self.begins, self.parentheses, self.creates_routine) = (0, 0, 0, false);
        (self.bytes, self.values, self.groups) = (0, false, 0);
        self.before = b' ';
    }

    fn line(&mut self, input: &[u8], sink: &mut dyn TextSink) -> usize {
        let end = memchr::memchr(b'\n', input).unwrap_or(input.len());
        let room = LINE.saturating_sub(self.line.len()).min(end);
        self.line.extend_from_slice(input.get(..room).unwrap_or(&[]));
        if end == input.len() {
            return end;
        }
        let line = std::mem::take(&mut self.line);
        if self.state == State::Meta {
            sink.meta_command(String::from_utf8_lossy(&line).trim());
        } else {
            sink.comment_bytes(line.trim_ascii());
        }
        self.back_to_normal(b'\n');
        end + 1
    }

    fn block_comment(&mut self, input: &[u8], mut depth: u32) -> usize {
        for (at, &byte) in input.iter().enumerate() {
            match (std::mem::replace(&mut self.before, byte), byte) {
                (b'*', b'/') => {
                    depth -= 1; // at least 1 while in a comment
                    self.before = b' ';
                    if depth == 0 {
                        self.keep(input, at + 1);
                        self.back_to_normal(b' ');
                        return at + 1;
                    }
                }
                (b'/', b'*') => {
                    depth = depth.saturating_add(1);
                    self.before = b' ';
                }
                _ => {}
            }
        }
        self.state = State::BlockComment { depth };
        self.keep(input, input.len());
        input.len()
    }

    fn quote(&mut self, input: &[u8], escapes: bool, mut escaped: bool) -> usize {
        let mut at = 0;
        while at < input.len() {
            if escaped {
                escaped = false;
                at += 1;
                continue;
            }
            let rest = input.get(at..).unwrap_or(&[]);
            let next =
                if escapes { memchr::memchr2(b'\'', b'\\', rest) } else { memchr::memchr(b'\'', rest) };
            let Some(next) = next else { break };
            at += next + 1;
            if rest.get(next) == Some(&b'\'') {
                // A doubled quote opens the next string at once, which comes to the same.
                self.keep(input, at);
                self.back_to_normal(b'\'');
                if escapes && !self.backslashes_escape && input.get(at) == Some(&b'\'') {
                    // In E'it''s' the second half is still an escape string.
                    self.keep(b"'", 1);
                    self.state = State::Quote { escapes, escaped: false };
                    return at + 1;
                }
                return at;
            }
            escaped = true;
        }
        self.keep(input, input.len());
        self.state = State::Quote { escapes, escaped };
        input.len()
    }

    fn dollar_tag(&mut self, input: &[u8]) -> usize {
        let Some(&byte) = input.first() else { return 1 };
        match byte {
            b'$' => {
                self.line.insert(0, b'$');
                self.line.push(b'$');
                self.state = State::Dollar { matched: 0 };
            }
            b'0'..=b'9' if self.line.is_empty() => self.back_to_normal(byte),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. if self.line.len() < 64 => {
                self.line.push(byte)
            }
            _ => {
                // No tag after all: what it looked like is read as usual.
                self.back_to_normal(b'$');
                return self.normal_one(input);
            }
        }
        self.keep(input, 1);
        1
    }

    /// Nothing is taken: the byte is read again in the state it belongs to.
    fn normal_one(&mut self, input: &[u8]) -> usize {
        let mut nothing = Nothing;
        // A byte that ends a statement or begins a comment can't follow a dollar sign in what pg_dump
        // writes; reading it without a sink loses at most that statement's event.
        let one = input.get(..1).unwrap_or(&[]);
        self.normal(one, &mut nothing)
    }

    fn dollar(&mut self, input: &[u8], mut matched: usize) -> usize {
        // `line` is the whole tag with its dollars.
        let mut at = 0;
        while at < input.len() {
            if matched == 0 {
                match memchr::memchr(b'$', input.get(at..).unwrap_or(&[])) {
                    Some(next) => {
                        at += next + 1;
                        matched = 1;
                    }
                    None => break,
                }
                continue;
            }
            let byte = input.get(at).copied();
            if byte == self.line.get(matched).copied() {
                matched += 1;
                at += 1;
                if matched == self.line.len() {
                    self.keep(input, at);
                    self.back_to_normal(b'$');
                    self.before = b' ';
                    return at;
                }
            } else if byte == Some(b'$') {
                matched = 1;
                at += 1;
            } else {
                matched = 0;
                at += 1;
            }
        }
        self.state = State::Dollar { matched };
        self.keep(input, input.len());
        input.len()
    }

    fn copy(&mut self, input: &[u8], sink: &mut dyn TextSink) -> usize {
        if !self.hold.is_empty() {
            // The marker may be split between two pieces: look at its bytes one by one.
            let Some(&byte) = input.first() else { return 1 };
            match (self.hold.as_slice(), byte) {
                (b"\\", b'.') | (b"\\.", b'\r') => self.hold.push(byte),
                (b"\\." | b"\\.\r", b'\n') => {
                    self.hold.clear();
                    self.end_copy(sink);
                }
                _ => {
                    let hold = std::mem::take(&mut self.hold);
                    sink.copy_data(&hold);
                    self.at_line_start = false;
                    return self.copy_rows(input, sink);
                }
            }
            return 1;
        }
        self.copy_rows(input, sink)
    }

    fn copy_rows(&mut self, input: &[u8], sink: &mut dyn TextSink) -> usize {
        let start = if self.at_line_start && input.first() == Some(&b'\\') {
            Some(0)
        } else {
            let mut from = 0;
            loop {
                let found = memchr::memmem::find(input.get(from..).unwrap_or(&[]), b"\n\\");
                match found {
                    // Most rows that begin with a backslash hold a NULL: only `\.` is of interest.
                    Some(at) if !matches!(input.get(from + at + 2), None | Some(b'.')) => from += at + 2,
                    Some(at) => break Some(from + at + 1),
                    None => break None,
                }
            }
        };
        match start {
            Some(0) => {
                self.hold.push(b'\\');
                1
            }
            Some(at) => {
                sink.copy_data(input.get(..at).unwrap_or(&[]));
                self.at_line_start = true;
                at
            }
            None => {
                sink.copy_data(input);
                self.at_line_start = input.last() == Some(&b'\n');
                input.len()
            }
        }
    }

    fn end_copy(&mut self, sink: &mut dyn TextSink) {
        sink.copy_end(true);
        self.back_to_normal(b'\n');
    }
}

/// Drops what it is told.
struct Nothing;

impl TextSink for Nothing {}

/// Whether a statement is `COPY … FROM stdin`, behind which rows follow.
fn is_copy_from_stdin(sql: &[u8]) -> bool {
    let starts = sql.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"COPY "));
    let ends = |end: &[u8]| sql.len() > end.len() && sql[sql.len() - end.len()..].eq_ignore_ascii_case(end); // longer
    starts && (ends(b" FROM stdin") || memchr::memmem::find(sql, b" FROM stdin WITH").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl TextSink for Log {
        fn comment(&mut self, line: &str) {
            self.0.push(format!("-- {line}"));
        }
        fn statement(&mut self, sql: &[u8], measure: Measure) {
            let end = match measure.end {
                End::Whole => ";",
                End::Shortened => "; …",
                End::Missing => "…",
            };
            self.0.push(format!("{}{end}", String::from_utf8_lossy(sql)));
        }
        fn meta_command(&mut self, line: &str) {
            self.0.push(line.to_owned());
        }
        fn copy_begin(&mut self, statement: &str) {
            self.0.push(format!("{statement}:"));
        }
        fn copy_data(&mut self, bytes: &[u8]) {
            let text = String::from_utf8_lossy(bytes).into_owned();
            match self.0.last_mut() {
                Some(last) if last.starts_with("| ") => last.push_str(&text),
                _ => self.0.push(format!("| {text}")),
            }
        }
        fn copy_end(&mut self, marker: bool) {
            self.0.push(format!("end {marker}"));
        }
    }

    fn read(text: &str, piece: usize) -> Vec<String> {
        let mut log = Log::default();
        let mut reader = TextReader::new(1 << 20);
        text.as_bytes().chunks(piece).for_each(|bytes| reader.push(bytes, &mut log));
        reader.finish(&mut log);
        log.0
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let text = "--\n-- Name: a; Type: TABLE\n--\n\nSELECT 'it''s;', E'\\';x', \"a;b\", $1, $$;$$, $x$ $y$; $x$; /* ; /* ; */ */\n\
            CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;\n\
            CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);\n\
            \\restrict abc\nCOPY public.t (a) FROM stdin;\n1\n\\N\n\\\\.\n\\.\n\n\nSELECT 1;\nCOPY t FROM stdin;\n\\.\nSELECT 2";
        let whole = read(text, text.len());
        assert_eq!(
            whole,
            [
                "-- ",
                "-- Name: a; Type: TABLE",
                "-- ",
                "SELECT 'it''s;', E'\\';x', \"a;b\", $1, $$;$$, $x$ $y$; $x$;",
                "/* ; /* ; */ */\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;",
                "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);",
                "\\restrict abc",
                "COPY public.t (a) FROM stdin:",
                "| 1\n\\N\n\\\\.\n",
                "end true",
                "SELECT 1;",
                "COPY t FROM stdin:",
                "end true",
                "SELECT 2…",
            ]
        );
        for piece in 1..text.len() {
            assert_eq!(read(text, piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn meta_commands_are_found_inside_statements() {
        assert_eq!(read("SELECT 1 \\! touch x\n;", 100), ["\\! touch x", "SELECT 1;"]);
    }

    #[test]
    fn statements_that_are_not_kept_whole_are_measured() {
        struct Measures(Vec<(End, u64, u64)>);
        impl TextSink for Measures {
            fn statement(&mut self, sql: &[u8], measure: Measure) {
                assert!(sql.len() <= 20);
                self.0.push((measure.end, measure.bytes, measure.groups));
            }
        }
        // What is kept of the second ends with blanks; the third has blanks before it.
        let text = "INSERT INTO t VALUES (1, '(');INSERT INTO tt (a)                  VALUES\n\t(1),\n\t(f(2)), (DEFAULT);\n\n\nSELECT 'values (1)';INSERT INTO t";
        for piece in [1, 2, 7, 1000] {
            let mut found = Measures(vec![]);
            let mut reader = TextReader::new(20);
            text.as_bytes().chunks(piece).for_each(|bytes| reader.push(bytes, &mut found));
            reader.finish(&mut found);
            let wanted = [
                (End::Shortened, 29, 1),
                (End::Shortened, 67, 3),
                (End::Shortened, 22, 0),
                (End::Missing, 13, 0),
            ];
            assert_eq!(found.0, wanted, "in pieces of {piece}");
        }
    }

    #[test]
    fn rows_of_insert_statements_are_counted() {
        struct Groups(Vec<u64>);
        impl TextSink for Groups {
            fn statement(&mut self, _sql: &[u8], measure: Measure) {
                self.0.push(measure.groups);
            }
        }
        let text = "INSERT INTO public.t VALUES (1, 'a)(');INSERT INTO public.t (a, b) VALUES\n\t(1, E'\\'('),\n\t(2, ('x'));\
            INSERT INTO public.\"VALUES (\" OVERRIDING SYSTEM VALUE VALUES (1);INSERT INTO public.none DEFAULT VALUES;\
            INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING;";
        let mut found = Groups(vec![]);
        TextReader::new(1 << 20).push(text.as_bytes(), &mut found);
        assert_eq!(found.0, [1, 2, 1, 0, 1]);
    }

    #[test]
    fn a_cut_copy_has_no_marker() {
        assert_eq!(read("COPY t FROM stdin;\n1\n2", 7), ["COPY t FROM stdin:", "| 1\n2", "end false"]);
        assert_eq!(read("COPY t FROM stdin;\n1\n\\.", 7), ["COPY t FROM stdin:", "| 1\n", "end true"]);
    }
}
