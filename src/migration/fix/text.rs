//! Edits applied to a file's bytes: encoding, byte order mark and line ends stay as they are.

use crate::finding::{Edit, Fix};

/// Whether places found in the text are places in these bytes.
///
/// # Errors
/// Why not, as a clause.
pub fn is_editable(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err("the file is UTF-16; save it as UTF-8 first".to_owned());
    }
    Ok(())
}

/// The bytes with the edits of all `fixes` made, which don't touch each other. New lines get the line end that the file
/// has. `None`: an edit doesn't fit the bytes.
pub fn apply(bytes: &[u8], fixes: &[&Fix]) -> Option<Vec<u8>> {
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|fix| &fix.edits).collect();
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let crlf = has_crlf(bytes);
    let mut out = Vec::with_capacity(bytes.len() + 256);
    let mut at = 0;
    for edit in edits {
        let (start, end) = (edit.start as usize, edit.end as usize);
        if start < at || end < start {
            return None;
        }
        out.extend_from_slice(bytes.get(at..start)?);
        if crlf {
            // Text taken from the file has its line ends already.
            out.extend_from_slice(edit.text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
        } else {
            out.extend_from_slice(edit.text.as_bytes());
        }
        at = end;
    }
    out.extend_from_slice(bytes.get(at..)?);
    Some(out)
}

/// Whether most lines end in CR LF.
fn has_crlf(bytes: &[u8]) -> bool {
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    let crlf = memchr::memmem::find_iter(bytes, b"\r\n").count();
    crlf * 2 > lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Applicability, Turn};

    fn fix(edits: &[(u32, u32, &str)]) -> Fix {
        Fix {
            title: String::new(),
            applicability: Applicability::Safe,
            note: None,
            edits: edits
                .iter()
                .map(|(start, end, text)| Edit { start: *start, end: *end, text: (*text).into() })
                .collect(),
            turn: Turn::Any,
        }
    }

    #[test]
    fn line_ends_marks_and_odd_bytes_stay() {
        let bytes = b"\xEF\xBB\xBFa \xE9 b;\r\nc;\r\n";
        let out = apply(bytes, &[&fix(&[(10, 10, "X;\n")]), &fix(&[(3, 4, "A")])]).unwrap();
        assert_eq!(out, b"\xEF\xBB\xBFA \xE9 b;\rX;\r\n\nc;\r\n".to_vec());
        let out = apply(bytes, &[&fix(&[(11, 11, "X;\n")])]).unwrap();
        assert_eq!(out, b"\xEF\xBB\xBFa \xE9 b;\r\nX;\r\nc;\r\n".to_vec());
        assert_eq!(apply(b"abc", &[&fix(&[(2, 9, "")])]), None, "an edit past the end");
    }
}
