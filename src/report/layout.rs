//! How JSON for people and programs is laid out: a line for what somebody looks for, no line for each number.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Values nested deeper than this stand on the line of what they belong to: a statement is a line, and so is a place.
const SPREAD: usize = 4;

/// Writes `value` as JSON with a newline at its end.
///
/// # Errors
/// Those of `out`: strings for keys and finite numbers can always be written.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    // It comes in pieces of a few bytes: to gather them here is quicker than to call whoever takes them for each.
    let mut gathered = BufWriter::with_capacity(1 << 16, out);
    value.serialize(&mut Serializer::with_formatter(&mut gathered, Layout::default()))?;
    gathered.write_all(b"\n")?;
    gathered.flush()
}

#[derive(Default)]
struct Layout {
    depth: usize,
    has_value: bool,
}

impl Layout {
    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.has_value && self.depth <= SPREAD {
            self.indent(writer, self.depth - 1)?;
        }
        self.depth -= 1;
        self.has_value = true;
        writer.write_all(bracket)
    }

    fn separate<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        match (self.depth <= SPREAD, first) {
            (true, true) => self.indent(writer, self.depth),
            (true, false) => {
                writer.write_all(b",")?;
                self.indent(writer, self.depth)
            }
            (false, true) => Ok(()),
            (false, false) => writer.write_all(b", "),
        }
    }

    fn indent<W: ?Sized + Write>(&self, writer: &mut W, depth: usize) -> io::Result<()> {
        const LINE: &[u8] = b"\n        ";
        writer.write_all(&LINE[..1 + 2 * depth]) // SPREAD is half of its blanks
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separate(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn what_is_deep_stands_on_one_line() {
        let value = json!({"a": [], "b": [{"c": [{"d": [1, {"e": "\u{1}\""}], "f": {}}, 2]}, {}]});
        let mut text = Vec::new();
        super::write(&value, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "{",
            "  \"a\": [],",
            "  \"b\": [",
            "    {",
            "      \"c\": [",
            "        {\"d\": [1, {\"e\": \"\\u0001\\\"\"}], \"f\": {}},",
            "        2",
            "      ]",
            "    },",
            "    {}",
            "  ]",
            "}",
        ];
        assert_eq!(lines, expected);
    }
}
