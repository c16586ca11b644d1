//! Rows of COPY text: split, counted, summed up and checked as they stream by.
//!
//! After `CopyAttributeOutText` and `CopyReadAttributesText` of PostgreSQL's `copyto.c` and
//! `copyfromparse.c`, but strict: only what pg_dump's server writes is a row. Memory: one row of up to
//! [`LONG`] bytes; of a longer one the columns up to [`LONG_FIELD`] bytes are held, and the others only counted,
//! summed and checked for escapes and encoding, not for the form of the value.

use std::sync::Arc;

use super::archive::{Place, Problem, ProblemKind};
use super::checksum::{RowHasher, RowSum};
use super::encoding::Encoding;
use super::keys::{Key, KeyHash, KeySet};
use super::lanes::{LANE, marks};
pub use super::row_plan::{Depth, KeyPlan, RowPlan, RowResult};
use super::value::{ValueType, int};

/// Longest row that is held as a whole.
pub const LONG: usize = 1 << 20;
/// Longest column that is held of a longer row.
pub const LONG_FIELD: usize = 64 * 1024;
/// PostgreSQL allows 1600 columns; a power of two, so that an index can be masked.
const FIELDS: usize = 2048;
/// How many problems of each kind are described for one table; all are counted.
const DESCRIBED: u64 = 3;

/// Where the reader is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Rows,
    /// Behind the end marker, with so many line ends still to come.
    Tail(u8),
}

/// A row too long to be held.
struct LongRow {
    hasher: RowHasher,
    length: u64,
    tabs: usize,
    /// Columns, as far as they are held: none for one that is too long.
    fields: Vec<Option<Vec<u8>>>,
    /// Bytes of all of them.
    held: usize,
    escapes: bool,
    /// The piece before ended with a backslash that begins an escape.
    pending: bool,
    /// Bytes of a character that isn't whole yet.
    part: Vec<u8>,
    bad: bool,
}

impl LongRow {
    /// Keeps of the row's next piece what is short enough.
    fn hold(&mut self, piece: &[u8]) {
        // In the encodings that come here a tab is never part of a character or an escape.
        for (nth, part) in piece.split(|&byte| byte == b'\t').enumerate() {
            if nth > 0 {
                // More columns than there can be are a damage that is told anyway.
                if self.fields.len() >= FIELDS {
                    return;
                }
                self.fields.push(Some(vec![]));
            }
            let Some(last) = self.fields.last_mut() else { return };
            if let Some(field) = last {
                if field.len() + part.len() > LONG_FIELD || self.held + part.len() > 2 * LONG {
                    self.held -= field.len();
                    *last = None;
                } else {
                    field.extend_from_slice(part);
                    self.held += part.len();
                }
            }
        }
    }
}

/// Takes rows in.
pub struct RowReader {
    plan: Arc<RowPlan>,
    stage: Stage,
    /// A row that isn't whole yet.
    carry: Vec<u8>,
    long: Option<Box<LongRow>>,
    ends: Box<[u32; FIELDS]>,
    scratch: Vec<u8>,
    key_plans: Vec<KeyPlan>,
    /// Columns with something to check, and what.
    checked: Vec<(usize, ValueType, bool)>,
    result: RowResult,
    described: [u64; 3],
    /// Whether the end marker is part of the data: in archives it is, in plain dumps the text's reader takes it.
    marker: bool,
}

impl RowReader {
    /// A reader of one block. `marker` says whether the rows end with the marker `\.`.
    pub fn new(plan: &Arc<RowPlan>, marker: bool) -> RowReader {
        let mut checked = vec![];
        if plan.depth.values {
            for (at, kind) in plan.types.iter().enumerate() {
                let not_null = plan.not_null.get(at).copied().unwrap_or(false);
                if *kind != ValueType::Any || not_null {
                    checked.push((at, kind.clone(), not_null));
                }
            }
        }
        let keys: Vec<KeySet> = if plan.depth.keys {
            let numbers = |key: &KeyPlan| match key.columns.as_slice() {
                [column] => matches!(plan.types.get(*column), Some(ValueType::Int(..))),
                _ => false,
            };
            plan.keys.iter().map(|key| KeySet::new(numbers(key), key.budget)).collect()
        } else {
            vec![]
        };
        let result = RowResult {
            sum: RowSum::default(),
            problems: vec![],
            problem_rows: 0,
            duplicates: vec![None; keys.len()],
            keys,
            largest: vec![None; plan.largest.len()],
            long_values: 0,
            keys_incomplete: false,
            ended: false,
        };
        RowReader {
            plan: Arc::clone(plan),
            stage: Stage::Rows,
            carry: vec![],
            long: None,
            ends: Box::new([0; FIELDS]),
            scratch: vec![],
            key_plans: plan.keys.clone(),
            checked,
            result,
            described: [0; 3],
            marker,
        }
    }

    /// Takes in the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let Stage::Tail(_) = self.stage {
                self.tail(bytes);
                return;
            }
            if self.long.is_some() {
                bytes = self.long_piece(bytes);
                continue;
            }
            if !self.carry.is_empty() {
                let Some(end) = memchr::memchr(b'\n', bytes) else {
                    self.carry(bytes);
                    return;
                };
                let (rest_of_row, rest) = bytes.split_at(end + 1);
                self.carry.extend_from_slice(rest_of_row);
                let row = std::mem::take(&mut self.carry);
                self.rows(&row);
                self.carry = row;
                self.carry.clear();
                bytes = rest;
                continue;
            }
            let Some(last) = memchr::memrchr(b'\n', bytes) else {
                self.carry(bytes);
                return;
            };
            let (whole, rest) = bytes.split_at(last + 1);
            let taken = self.rows(whole);
            if taken < whole.len() {
                // The end marker came.
                bytes = bytes.get(taken..).unwrap_or(&[]);
                continue;
            }
            bytes = rest;
        }
    }

    /// Ends the rows.
    pub fn finish(mut self) -> RowResult {
        match self.stage {
            Stage::Tail(0) => {}
            Stage::Tail(_) => {
                let what =
                    "the data stops behind its end marker, before the blank lines that pg_dump writes there";
                self.problem(ProblemKind::Truncated, what.into(), false);
            }
            Stage::Rows => {
                let in_row = self.long.is_some() || !self.carry.is_empty();
                if in_row || self.marker {
                    let rows = self.result.sum.rows;
                    let where_ = if in_row {
                        format!("in the middle of row {}", rows + 1)
                    } else {
                        format!("after row {rows}")
                    };
                    let what =
                        format!("the data stops {where_}, without the end marker (\\.): rows are missing");
                    self.problem(ProblemKind::Truncated, what, false);
                }
            }
        }
        self.result
    }

    fn carry(&mut self, bytes: &[u8]) {
        if self.carry.len() + bytes.len() <= LONG {
            self.carry.extend_from_slice(bytes);
            return;
        }
        self.long = Some(Box::new(LongRow {
            hasher: RowHasher::default(),
            length: 0,
            tabs: 0,
            fields: vec![Some(vec![])],
            held: 0,
            escapes: false,
            pending: false,
            part: vec![],
            bad: false,
        }));
        let begun = std::mem::take(&mut self.carry);
        self.long_piece(&begun);
        self.carry = begun;
        self.carry.clear();
        self.carry.shrink_to(64 * 1024);
        self.long_piece(bytes);
    }

    /// Bytes behind the end marker: blank lines and nothing else.
    fn tail(&mut self, bytes: &[u8]) {
        let Stage::Tail(left) = self.stage else { return };
        let blank = bytes.iter().take_while(|&&byte| byte == b'\n').count();
        if blank < bytes.len() || blank > usize::from(left) {
            if self.described[2] == 0 {
                let what = "data follows the end marker (\\.); a restore drops it without a word".to_owned();
                self.problem(ProblemKind::BlockDamaged, what, false);
            }
            self.stage = Stage::Tail(0);
        } else {
            self.stage = Stage::Tail(left - blank as u8); // at most left
        }
    }

    /// Takes whole lines; returns how many bytes it took, which is less than all behind an end marker.
    fn rows(&mut self, block: &[u8]) -> usize {
        let first_row = self.result.sum.rows;
        let taken = if self.plan.encoding.embeds_ascii() {
            self.split_by_character(block)
        } else {
            self.split(block)
        };
        let text = block.get(..taken).unwrap_or(block);
        if self.plan.encoding.is_checked() {
            self.check_encoding(text, first_row);
        }
        taken
    }

    fn check_encoding(&mut self, mut text: &[u8], mut row: u64) {
        while let Some(at) = self.plan.encoding.invalid_at(text) {
            row += memchr::memchr_iter(b'\n', text.get(..at).unwrap_or(&[])).count() as u64;
            let what = format!(
                "the row isn't valid {}: byte {:#04x}",
                self.plan.encoding.name,
                text.get(at).copied().unwrap_or(0)
            );
            self.row_problem(ProblemKind::Encoding, row + 1, what);
            let Some(end) = memchr::memchr(b'\n', text.get(at..).unwrap_or(&[])) else { return };
            row += 1;
            text = text.get(at + end + 1..).unwrap_or(&[]);
        }
    }

    fn split(&mut self, block: &[u8]) -> usize {
        let mut row = Row::default();
        let mut lanes = block.chunks_exact(LANE);
        let mut base = 0;
        for lane in &mut lanes {
            // chunks_exact gives slices of that length
            let Ok(lane) = <&[u8; LANE]>::try_from(lane) else { break };
            if let Some(end) = self.lane(block, base, marks(lane), &mut row) {
                return end;
            }
            base += LANE;
        }
        let rest = lanes.remainder();
        let mut last = [b' '; LANE];
        last[..rest.len()].copy_from_slice(rest); // shorter than a lane
        self.lane(block, base, marks(&last), &mut row).unwrap_or(block.len())
    }

    /// Goes through the marked bytes of one lane; the end of the marker's line when that came.
    #[inline(always)]
    fn lane(&mut self, block: &[u8], base: usize, mut mask: u64, row: &mut Row) -> Option<usize> {
        while mask != 0 {
            let at = base + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            match block.get(at) {
                Some(b'\t') => {
                    self.ends[row.tabs & (FIELDS - 1)] = at as u32; // masked; blocks are far below 4 GB
                    row.tabs += 1;
                }
                Some(b'\n') => {
                    if self.row(block, at, row) {
                        return Some(at + 1);
                    }
                    *row = Row { start: at + 1, skip: row.skip, ..Row::default() };
                }
                Some(b'\\') if at >= row.skip => {
                    row.skip = at + 2;
                    row.escapes = true;
                    match block.get(at + 1) {
                        Some(b'\\' | b'n' | b't' | b'N' | b'r' | b'b' | b'f' | b'v') => {}
                        Some(b'.') if at == row.start => {}
                        next => row.bad_escape = Some(next.copied().unwrap_or(b'\n')),
                    }
                }
                Some(byte @ (0 | 0x08 | 0x0b | 0x0c | 0x0d)) => row.bad_byte = Some(*byte),
                _ => {}
            }
        }
        None
    }

    /// As [`RowReader::split`], for encodings in which a byte that looks like a backslash may be part of a
    /// character.
    fn split_by_character(&mut self, block: &[u8]) -> usize {
        let encoding = self.plan.encoding.clone();
        let mut row = Row::default();
        let mut at = 0;
        while let Some(&byte) = block.get(at) {
            let length = encoding.char_len(byte, block.get(at + 1).copied().unwrap_or(0));
            // A line end is never part of a character: what comes before it is cut or damaged.
            let inside = block.get(at + 1..(at + length).min(block.len())).unwrap_or(&[]);
            if length > 1 && !inside.contains(&b'\n') {
                at += length;
                continue;
            }
            if (byte < 0x0e || byte == b'\\')
                && let Some(end) = self.lane(block, at, 1, &mut row)
            {
                return end;
            }
            at += 1;
        }
        block.len()
    }

    /// Takes the row that ends at `end`; true if it is the end marker.
    #[inline]
    fn row(&mut self, block: &[u8], end: usize, row: &Row) -> bool {
        let text = block.get(row.start..end).unwrap_or(&[]);
        if row.escapes && text == b"\\." {
            if self.marker {
                self.stage = Stage::Tail(2);
                self.result.ended = true;
                return true;
            }
            self.row_problem(
                ProblemKind::Row,
                self.result.sum.rows + 1,
                "an end marker (\\.) in the middle of the data".into(),
            );
        }
        if self.plan.depth.checksums {
            self.result.sum.add(text);
        } else {
            self.result.sum.count(text.len() as u64);
        }
        if let (None, None, true) = (row.bad_byte, row.bad_escape, self.columns_fit(row.tabs, text)) {
            if !self.checked.is_empty() {
                self.check_values(block, end, row);
            }
            if !self.result.keys.is_empty() || !self.result.largest.is_empty() {
                self.collect(block, end, row);
            }
        } else {
            self.bad_row(row, text);
        }
        false
    }

    #[inline]
    fn columns_fit(&self, tabs: usize, text: &[u8]) -> bool {
        match self.plan.names.len() {
            0 => text.is_empty(),
            columns => tabs + 1 == columns,
        }
    }

    #[cold]
    fn bad_row(&mut self, row: &Row, text: &[u8]) {
        let what = if let Some(byte) = row.bad_byte {
            format!("it holds the raw byte {byte:#04x}, which COPY always writes as an escape")
        } else if let Some(next) = row.bad_escape {
            format!("it holds the escape \\{}, which COPY never writes", char::from(next).escape_default())
        } else {
            let has = if self.plan.names.is_empty() && text.is_empty() { 0 } else { row.tabs + 1 };
            format!("it has {has} columns, and the COPY statement {}", self.plan.names.len())
        };
        self.row_problem(ProblemKind::Row, self.result.sum.rows, what);
    }

    /// The bytes of column `at` of the row that ends at `end`.
    #[inline]
    fn field<'b>(&self, block: &'b [u8], end: usize, row: &Row, at: usize) -> &'b [u8] {
        let start = match at {
            0 => row.start,
            _ => self.ends[(at - 1) & (FIELDS - 1)] as usize + 1, // masked
        };
        let end = if at >= row.tabs { end } else { self.ends[at & (FIELDS - 1)] as usize }; // masked
        block.get(start..end).unwrap_or(&[])
    }

    fn check_values(&mut self, block: &[u8], end: usize, row: &Row) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for nth in 0..self.checked.len() {
            let Some((at, kind, not_null)) = self.checked.get(nth) else { break };
            let field = self.field(block, end, row, *at);
            if let ValueType::Int(low, high) = kind
                && int(field).is_some_and(|value| (*low..=*high).contains(&value))
            {
                continue;
            }
            let wrong = if field == b"\\N" {
                if *not_null { Err("NULL, in a column that is NOT NULL") } else { Ok(()) }
            } else if row.escapes && memchr::memchr(b'\\', field).is_some() {
                unescape(field, &self.plan.encoding, &mut scratch);
                kind.check(&scratch, &self.plan.encoding)
            } else {
                kind.check(field, &self.plan.encoding)
            };
            if let Err(why) = wrong {
                let name = self.plan.names.get(*at).cloned().unwrap_or_default();
                let what = format!("column {name}: {} is {why}", shown(field));
                self.row_problem(ProblemKind::Row, self.result.sum.rows, what);
                break;
            }
        }
        self.scratch = scratch;
    }

    fn collect(&mut self, block: &[u8], end: usize, row: &Row) {
        // Taken out for the while, so that a row costs no atomic count.
        let key_plans = std::mem::take(&mut self.key_plans);
        for (nth, key) in key_plans.iter().enumerate() {
            let one = match key.columns.as_slice() {
                [column] => Some(self.field(block, end, row, *column)),
                _ => None,
            };
            let key_value = match one {
                Some(b"\\N") => None,
                Some(field) => match self.plan.types.get(key.columns.first().copied().unwrap_or(0)) {
                    Some(ValueType::Int(..)) => int(field).map(Key::Number),
                    _ => {
                        let mut hash = KeyHash::default();
                        hash.add(field);
                        Some(hash.key())
                    }
                },
                None => {
                    let mut hash = KeyHash::default();
                    let mut null = false;
                    for &column in &key.columns {
                        let field = self.field(block, end, row, column);
                        null |= field == b"\\N";
                        hash.add(field);
                    }
                    (!null).then(|| hash.key())
                }
            };
            let (Some(value), Some(set)) = (key_value, self.result.keys.get_mut(nth)) else { continue };
            if set.insert(value) && key.unique && self.result.duplicates.get(nth).is_some_and(Option::is_none)
            {
                let text: Vec<String> =
                    key.columns.iter().map(|&column| shown(self.field(block, end, row, column))).collect();
                let found = (self.result.sum.rows, text.join(", "));
                if let Some(place) = self.result.duplicates.get_mut(nth) {
                    *place = Some(found);
                }
            }
        }
        self.key_plans = key_plans;
        for nth in 0..self.result.largest.len() {
            let column = self.plan.largest.get(nth).copied().unwrap_or(0);
            if let Some(value) = int(self.field(block, end, row, column))
                && let Some(largest) = self.result.largest.get_mut(nth)
            {
                *largest = Some(largest.map_or(value, |largest| largest.max(value)));
            }
        }
    }

    /// Takes in a piece of a row that is too long to be held; returns what follows the row.
    fn long_piece<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(mut long) = self.long.take() else { return bytes };
        let end = memchr::memchr(b'\n', bytes);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        long.hasher.write(piece);
        long.length += piece.len() as u64;
        if !self.plan.encoding.embeds_ascii() {
            for &byte in piece {
                if std::mem::take(&mut long.pending) {
                    long.bad |= !matches!(byte, b'\\' | b'n' | b't' | b'N' | b'r' | b'b' | b'f' | b'v');
                    continue;
                }
                match byte {
                    b'\t' => long.tabs += 1,
                    b'\\' => (long.pending, long.escapes) = (true, true),
                    0 | 0x08 | 0x0b | 0x0c | 0x0d => long.bad = true,
                    _ => {}
                }
            }
            long.hold(piece);
        }
        if self.plan.encoding.is_utf8() {
            self.check_long_encoding(&mut long, piece, end.is_some());
        }
        if end.is_none() {
            self.long = Some(long);
            return rest;
        }
        let (tabs, bad) = (long.tabs, long.bad || long.pending);
        long.hasher.finish(&mut self.result.sum);
        if self.plan.encoding.embeds_ascii() {
            self.result.long_values += 1;
            self.result.keys_incomplete = true;
        } else if !bad && tabs + 1 == self.plan.names.len() {
            self.long_fields(&long.fields, long.escapes);
        }
        let columns = self.plan.names.len();
        let row = self.result.sum.rows;
        if bad {
            self.row_problem(
                ProblemKind::Row,
                row,
                "it holds a byte or an escape that COPY never writes".into(),
            );
        } else if !self.plan.encoding.embeds_ascii() && tabs + 1 != columns {
            let what = format!("it has {} columns, and the COPY statement {columns}", tabs + 1);
            self.row_problem(ProblemKind::Row, row, what);
        }
        rest.get(1..).unwrap_or(&[])
    }

    /// Checks and collects what is held of a long row, as of any other: the rest stands in it as NULL.
    fn long_fields(&mut self, fields: &[Option<Vec<u8>>], escapes: bool) {
        self.result.long_values += fields.iter().filter(|field| field.is_none()).count() as u64;
        let mut block = vec![];
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.ends[(at - 1) & (FIELDS - 1)] = block.len() as u32; // masked; what is held is small
                block.push(b'\t');
            }
            block.extend_from_slice(field.as_deref().unwrap_or(b"\\N"));
        }
        let row = Row { tabs: fields.len().saturating_sub(1), escapes, ..Row::default() };
        let held = |at: &usize| fields.get(*at).is_some_and(Option::is_some);
        if !self.checked.is_empty() {
            let of_held = self.checked.iter().filter(|(at, ..)| held(at)).cloned().collect();
            let all = std::mem::replace(&mut self.checked, of_held);
            self.check_values(&block, block.len(), &row);
            self.checked = all;
        }
        if !self.result.keys.is_empty() || !self.result.largest.is_empty() {
            self.result.keys_incomplete |= !self.key_plans.iter().all(|key| key.columns.iter().all(held));
            self.collect(&block, block.len(), &row);
        }
    }

    fn check_long_encoding(&mut self, long: &mut LongRow, piece: &[u8], last: bool) {
        let joined;
        let text = if long.part.is_empty() {
            piece
        } else {
            long.part.extend_from_slice(piece);
            joined = std::mem::take(&mut long.part);
            &joined
        };
        let Err(error) = simdutf8::compat::from_utf8(text) else { return };
        let rest = text.get(error.valid_up_to()..).unwrap_or(&[]);
        if error.error_len().is_none() && !last {
            long.part = rest.to_vec();
        } else {
            let what = format!("the row isn't valid UTF8: byte {:#04x}", rest.first().copied().unwrap_or(0));
            self.row_problem(ProblemKind::Encoding, self.result.sum.rows + 1, what);
        }
    }

    #[cold]
    fn row_problem(&mut self, kind: ProblemKind, row: u64, what: String) {
        self.result.problem_rows += 1;
        let slot = usize::from(kind == ProblemKind::Encoding);
        self.described[slot] += 1; // slot is 0 or 1
        if self.described[slot] <= DESCRIBED {
            let place = Place { object: Some(self.plan.table.clone()), row: Some(row), ..Place::default() };
            self.result.problems.push(Problem { kind, place, what });
        }
    }

    #[cold]
    fn problem(&mut self, kind: ProblemKind, what: String, with_row: bool) {
        self.described[2] += 1;
        let row = with_row.then_some(self.result.sum.rows);
        let place = Place { object: Some(self.plan.table.clone()), row, ..Place::default() };
        self.result.problems.push(Problem { kind, place, what });
    }
}

/// What is known of the row that is being split.
#[derive(Clone, Copy, Default)]
struct Row {
    start: usize,
    tabs: usize,
    /// Up to here bytes belong to an escape.
    skip: usize,
    escapes: bool,
    bad_escape: Option<u8>,
    bad_byte: Option<u8>,
}

/// A column's text without COPY's escapes, into `out`.
pub fn unescape(field: &[u8], encoding: &Encoding, out: &mut Vec<u8>) {
    out.clear();
    let mut at = 0;
    while let Some(&byte) = field.get(at) {
        let length = encoding.char_len(byte, field.get(at + 1).copied().unwrap_or(0));
        if length > 1 {
            out.extend_from_slice(field.get(at..at + length).unwrap_or(&[]));
            at += length;
            continue;
        }
        if byte == b'\\' {
            let next = field.get(at + 1).copied().unwrap_or(b'\\');
            out.push(match next {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                b'v' => 11,
                other => other,
            });
            at += 2;
        } else {
            out.push(byte);
            at += 1;
        }
    }
}

/// A value as it is shown in a message: cut and made printable.
fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field.get(..60).unwrap_or(field));
    let dots = if field.len() > 60 { "…" } else { "" };
    format!("{:?}{dots}", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(types: &[ValueType]) -> RowPlan {
        RowPlan {
            table: "public.t".into(),
            names: (0..types.len()).map(|nth| format!("c{nth}")).collect(),
            types: types.to_vec(),
            not_null: vec![],
            encoding: Encoding::named("UTF8"),
            depth: Depth { checksums: true, values: true, keys: true },
            keys: vec![],
            largest: vec![],
        }
    }

    fn read(plan: RowPlan, bytes: &[u8], piece: usize) -> RowResult {
        let mut reader = RowReader::new(&Arc::new(plan), true);
        bytes.chunks(piece).for_each(|piece| reader.push(piece));
        reader.finish()
    }

    fn problems(types: &[ValueType], bytes: &[u8]) -> Vec<String> {
        let whole = read(plan(types), bytes, bytes.len().max(1));
        for piece in [1, 2, 3, 7, 64] {
            let pieces = read(plan(types), bytes, piece);
            assert_eq!(pieces.problems, whole.problems, "in pieces of {piece}");
            assert_eq!(pieces.sum, whole.sum);
        }
        whole.problems.into_iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect()
    }

    const TWO: [ValueType; 2] = [ValueType::Int(0, 100), ValueType::Any];

    #[test]
    fn whole_rows_have_no_problem() {
        let rows = b"1\ta\\tb\\\\\n2\t\\N\n3\t\xc3\xa9\x01\n\\.\n\n\n";
        assert_eq!(problems(&TWO, rows), Vec::<String>::new());
        let result = read(plan(&TWO), rows, rows.len());
        assert_eq!((result.sum.rows, result.sum.bytes, result.ended), (3, 20, true));
        assert_eq!(problems(&[], b"\n\n\\.\n\n\n"), Vec::<String>::new(), "a table without columns");
        assert_eq!(problems(&TWO, b"\\.\n\n\n"), Vec::<String>::new(), "an empty table");
    }

    #[test]
    fn each_kind_of_damage_is_told() {
        for (rows, wanted) in [
            (&b"1\ta\tb\n\\.\n\n\n"[..], "public.t, row 1: it has 3 columns, and the COPY statement 2"),
            (b"1\ta\nx\tb\n\\.\n\n\n", "public.t, row 2: column c0: \"x\" is no whole number"),
            (b"1\ta\\q\n\\.\n\n\n", "public.t, row 1: it holds the escape \\q, which COPY never writes"),
            (
                b"1\ta\r\n\\.\n\n\n",
                "public.t, row 1: it holds the raw byte 0x0d, which COPY always writes as an escape",
            ),
            (b"1\ta\n2\t\xff\n\\.\n\n\n", "public.t, row 2: the row isn't valid UTF8: byte 0xff"),
            (
                b"1\ta\n",
                "public.t: the data stops after row 1, without the end marker (\\.): rows are missing",
            ),
            (
                b"1\ta\n2\t",
                "public.t: the data stops in the middle of row 2, without the end marker (\\.): rows are missing",
            ),
            (b"", "public.t: the data stops after row 0, without the end marker (\\.): rows are missing"),
            (
                b"1\ta\n\\.\n\n",
                "public.t: the data stops behind its end marker, before the blank lines that pg_dump writes there",
            ),
            (
                b"\\.\n1\ta\n\\.\n\n\n",
                "public.t: data follows the end marker (\\.); a restore drops it without a word",
            ),
        ] {
            assert_eq!(problems(&TWO, rows), [wanted]);
        }
    }

    #[test]
    fn long_rows_are_counted_and_summed_like_short_ones() {
        let mut rows = b"1\t".to_vec();
        rows.extend(std::iter::repeat_n("é\\n".as_bytes(), LONG / 2).flatten());
        let one = rows.clone();
        rows.extend_from_slice(b"\n2\tx\n\\.\n\n\n");
        let result = read(plan(&TWO), &rows, 100_001);
        assert_eq!(result.problems, []);
        assert_eq!((result.sum.rows, result.long_values, result.ended), (2, 1, true));
        let mut wanted = RowSum::default();
        wanted.add(&one);
        wanted.add(b"2\tx");
        assert_eq!(result.sum, wanted);
    }

    #[test]
    fn short_values_of_long_rows_are_checked_and_their_keys_collected() {
        let long = "x".repeat(2 * LONG);
        let mut keyed = plan(&[ValueType::Int(0, 100), ValueType::Any, ValueType::Bool]);
        keyed.keys = vec![KeyPlan { columns: vec![0], unique: true, budget: 1 << 16 }];
        let rows = format!("7\t{long}\tt\n8\tshort\tf\n7\t{long}\tu\n\\.\n\n\n");
        for piece in [70_001, 300_007] {
            let result = read(keyed.clone(), rows.as_bytes(), piece);
            let told: Vec<String> = result.problems.iter().map(|problem| problem.what.clone()).collect();
            assert_eq!(told, ["column c2: \"u\" is no boolean (t or f)"], "in pieces of {piece}");
            assert_eq!(result.duplicates, [Some((3, "\"7\"".to_owned()))]);
            assert_eq!((result.long_values, result.keys_incomplete), (2, false));
        }
    }

    #[test]
    fn characters_that_embed_a_backslash_are_not_split() {
        let mut sjis = plan(&TWO);
        sjis.encoding = Encoding::named("SJIS");
        let result = read(sjis, b"1\t\x95\x5c\x94\x5c\n2\t\\N\n\\.\n\n\n", 5);
        assert_eq!((result.problems, result.sum.rows), (vec![], 2));
    }

    #[test]
    fn duplicates_and_largest_values_are_collected() {
        let mut keyed = plan(&TWO);
        keyed.keys = vec![KeyPlan { columns: vec![0], unique: true, budget: 1 << 16 }];
        keyed.largest = vec![0];
        let result = read(keyed, b"1\ta\n9\tb\n1\tc\n\\.\n\n\n", 100);
        assert_eq!(result.duplicates, [Some((3, "\"1\"".to_owned()))]);
        assert_eq!(result.largest, [Some(9)]);
    }
}
