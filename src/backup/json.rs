//! Whether a text is JSON, as PostgreSQL's `json` type has it (RFC 8259), without building anything.

/// What is open.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Object,
    Array,
}

/// Whether `text` is one JSON value and nothing else. Depth costs a byte for each level.
pub fn is_json(text: &[u8]) -> bool {
    let mut open = vec![];
    let mut rest = skip_blanks(text);
    'value: loop {
        rest = match rest {
            [b'{', tail @ ..] => {
                let tail = skip_blanks(tail);
                match tail {
                    [b'}', tail @ ..] => tail,
                    _ => {
                        let Some(tail) = key(tail) else { return false };
                        open.push(Open::Object);
                        rest = tail;
                        continue 'value;
                    }
                }
            }
            [b'[', tail @ ..] => {
                let tail = skip_blanks(tail);
                match tail {
                    [b']', tail @ ..] => tail,
                    _ => {
                        open.push(Open::Array);
                        rest = tail;
                        continue 'value;
                    }
                }
            }
            [b'"', tail @ ..] => match string(tail) {
                Some(tail) => tail,
                None => return false,
            },
            [b't', b'r', b'u', b'e', tail @ ..] | [b'n', b'u', b'l', b'l', tail @ ..] => tail,
            [b'f', b'a', b'l', b's', b'e', tail @ ..] => tail,
            _ => match number(rest) {
                Some(tail) => tail,
                None => return false,
            },
        };
        // Behind a value: close what is open, or go on to the next.
        loop {
            rest = skip_blanks(rest);
            match (open.last(), rest) {
                (None, rest) => return rest.is_empty(),
                (Some(Open::Object), [b'}', tail @ ..]) | (Some(Open::Array), [b']', tail @ ..]) => {
                    open.pop();
                    rest = tail;
                }
                (Some(Open::Array), [b',', tail @ ..]) => {
                    rest = skip_blanks(tail);
                    continue 'value;
                }
                (Some(Open::Object), [b',', tail @ ..]) => {
                    let Some(tail) = key(skip_blanks(tail)) else { return false };
                    rest = tail;
                    continue 'value;
                }
                _ => return false,
            }
        }
    }
}

fn skip_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', tail @ ..] = text {
        text = tail;
    }
    text
}

/// A string, a colon, and the blanks around it.
fn key(text: &[u8]) -> Option<&[u8]> {
    let tail = skip_blanks(string(text.strip_prefix(b"\"")?)?);
    Some(skip_blanks(tail.strip_prefix(b":")?))
}

/// Behind the opening quote; returns what follows the closing one.
fn string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let at = text.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)?;
        text = match text.get(at..)? {
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', tail @ ..] => tail,
            [b'\\', b'u', a, b, c, d, tail @ ..]
                if [a, b, c, d].iter().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                tail
            }
            _ => return None,
        };
    }
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    let mut rest = text.get(whole..)?;
    if let [b'.', tail @ ..] = rest {
        let count = digits(tail);
        rest = if count == 0 { return None } else { tail.get(count..)? };
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let tail = match tail {
            [b'+' | b'-', tail @ ..] => tail,
            _ => tail,
        };
        let count = digits(tail);
        rest = if count == 0 { return None } else { tail.get(count..)? };
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn agrees_with_serde_json() {
        for text in [
            "1",
            "-0.5e+3",
            "01",
            "1.",
            "\"a\\u00e9\\n\"",
            "\"\\x\"",
            "[]",
            "[1,]",
            "{}",
            "{\"a\":1,}",
            "{\"a\" : [ {} , null ] }",
            "nul",
            "truefalse",
            "[1 2]",
            "",
            " ",
            "{\"a\"}",
            "{1:2}",
            "[[[[]]]]",
            "[[[[]]]",
            "\"\u{1}\"",
            "1 1",
            "-",
            "[true,false]",
        ] {
            assert_eq!(
                is_json(text.as_bytes()),
                serde_json::from_str::<serde_json::Value>(text).is_ok(),
                "{text:?}"
            );
        }
        assert!(!is_json("[".repeat(100_000).as_bytes()), "depth needs no stack");
    }
}
