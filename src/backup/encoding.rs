//! Character encodings as PostgreSQL names and checks them (`src/common/wchar.c`).

use std::borrow::Cow;

/// How an encoding's characters are built, as far as checking and splitting needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Checked by simdutf8.
    Utf8,
    /// One byte a character, or nothing checked at all: any byte but NUL.
    Single,
    /// EUC: bytes from 0x80 come in groups, and no second byte is ASCII.
    Euc {
        /// Length after the lead byte 0x8e.
        after_8e: usize,
        /// Length after the lead byte 0x8f.
        after_8f: usize,
    },
    /// Second bytes may look like ASCII, a backslash among them: only a client encoding.
    Embedding(Embedding),
    /// MULE_INTERNAL and names not known here: not checked.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Embedding {
    Sjis,
    /// BIG5, GBK, UHC, JOHAB: two bytes from a lead byte of 0x80 up.
    Two,
    Gb18030,
}

/// An encoding named in a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The name as the dump has it.
    pub name: String,
    shape: Shape,
}

impl Default for Encoding {
    fn default() -> Self {
        Encoding::named("UTF8")
    }
}

impl Encoding {
    /// The encoding called `name` in `SET client_encoding`.
    pub fn named(name: &str) -> Encoding {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let shape = match plain.as_str() {
            "UTF8" | "UNICODE" => Shape::Utf8,
            "EUCJP" | "EUCJIS2004" => Shape::Euc { after_8e: 2, after_8f: 3 },
            "EUCKR" | "EUCCN" => Shape::Euc { after_8e: 2, after_8f: 3 },
            "EUCTW" => Shape::Euc { after_8e: 4, after_8f: 3 },
            "SJIS" | "SHIFTJIS" | "SHIFTJIS2004" | "MSKANJI" | "WIN932" | "WINDOWS932" => {
                Shape::Embedding(Embedding::Sjis)
            }
            "BIG5" | "WIN950" | "WINDOWS950" | "GBK" | "WIN936" | "WINDOWS936" | "UHC" | "WIN949"
            | "WINDOWS949" | "JOHAB" => Shape::Embedding(Embedding::Two),
            "GB18030" => Shape::Embedding(Embedding::Gb18030),
            "SQLASCII" | "ABC" | "ALT" | "KOI8" | "KOI8R" | "KOI8U" | "TCVN" | "TCVN5712" | "VSCII"
            | "WIN" => Shape::Single,
            _ => {
                let number =
                    |start: &str| plain.strip_prefix(start).and_then(|rest| rest.parse::<u16>().ok());
                let windows = number("WIN").or_else(|| number("WINDOWS"));
                let known = number("LATIN").is_some_and(|number| (1..=10).contains(&number))
                    || number("ISO8859").is_some_and(|number| (1..=16).contains(&number))
                    || windows.is_some_and(|page| matches!(page, 866 | 874 | 1250..=1258));
                if known { Shape::Single } else { Shape::Unknown }
            }
        };
        Encoding { name: name.to_owned(), shape }
    }

    /// Whether text in it is valid wherever it is valid UTF-8, and checked as such.
    pub fn is_utf8(&self) -> bool {
        self.shape == Shape::Utf8
    }

    /// Whether PostgreSQL has an encoding of this name.
    pub fn is_known(&self) -> bool {
        self.shape != Shape::Unknown || self.name.eq_ignore_ascii_case("MULE_INTERNAL")
    }

    /// Whether its bytes are checked at all.
    pub fn is_checked(&self) -> bool {
        !matches!(self.shape, Shape::Single | Shape::Unknown)
    }

    /// Whether a character's later bytes may look like ASCII, so that text can't be split byte by byte.
    pub fn embeds_ascii(&self) -> bool {
        matches!(self.shape, Shape::Embedding(_))
    }

    /// Length of the character that begins with `lead`; `second` is the byte after it, 0 where there is none.
    pub fn char_len(&self, lead: u8, second: u8) -> usize {
        if lead < 0x80 {
            return 1;
        }
        match self.shape {
            Shape::Utf8 => match lead {
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => 1,
            },
            Shape::Single | Shape::Unknown => 1,
            Shape::Euc { after_8e, after_8f } => match lead {
                0x8e => after_8e,
                0x8f => after_8f,
                _ => 2,
            },
            // Half-width katakana stand alone.
            Shape::Embedding(Embedding::Sjis) => {
                if matches!(lead, 0xa1..=0xdf) {
                    1
                } else {
                    2
                }
            }
            Shape::Embedding(Embedding::Two) => 2,
            Shape::Embedding(Embedding::Gb18030) => {
                if matches!(second, 0x30..=0x39) {
                    4
                } else {
                    2
                }
            }
        }
    }

    /// How many characters `text` has.
    pub fn count_chars(&self, text: &[u8]) -> usize {
        match self.shape {
            Shape::Utf8 => text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count(),
            Shape::Single | Shape::Unknown => text.len(),
            _ => {
                let (mut at, mut count) = (0, 0);
                while let Some(&lead) = text.get(at) {
                    at += self.char_len(lead, text.get(at + 1).copied().unwrap_or(0));
                    count += 1;
                }
                count
            }
        }
    }

    /// Offset of the first byte that is no valid character, in text that ends with a whole character.
    pub fn invalid_at(&self, text: &[u8]) -> Option<usize> {
        match self.shape {
            Shape::Utf8 => {
                if simdutf8::basic::from_utf8(text).is_ok() {
                    return None;
                }
                simdutf8::compat::from_utf8(text).err().map(|error| error.valid_up_to())
            }
            Shape::Single | Shape::Unknown => None,
            _ => {
                if text.is_ascii() {
                    return None;
                }
                let mut at = 0;
                while let Some(&lead) = text.get(at) {
                    let length = self.char_len(lead, text.get(at + 1).copied().unwrap_or(0));
                    let rest = match text.get(at + 1..at + length) {
                        Some(rest) => rest,
                        None => return Some(at),
                    };
                    let fits = match self.shape {
                        Shape::Euc { .. } => rest.iter().all(|&byte| byte >= 0xa1),
                        _ => rest.iter().all(|&byte| byte >= 0x30),
                    };
                    if !fits {
                        return Some(at);
                    }
                    at += length;
                }
                None
            }
        }
    }

    /// `bytes` as [`Encoding::text`] has them, without a copy where none is needed.
    pub fn read<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) if self.shape != Shape::Single || text.is_ascii() => Cow::Borrowed(text),
            _ => Cow::Owned(self.text(bytes.to_vec())),
        }
    }

    /// `bytes` as text: exactly for UTF-8 and ISO 8859-1, with U+FFFD where a byte can't be told in others.
    pub fn text(&self, bytes: Vec<u8>) -> String {
        if self.shape == Shape::Single && !bytes.is_ascii() {
            // Right for LATIN1; for the others still one character for each byte, so names stay distinct.
            return bytes.iter().map(|&byte| char::from(byte)).collect();
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedding_encodings_keep_backslashes_inside_characters() {
        let sjis = Encoding::named("SJIS");
        assert!(sjis.embeds_ascii());
        // U+8868 in Shift JIS has a backslash as its second byte.
        assert_eq!(sjis.count_chars(b"\x95\x5ca"), 2);
        assert_eq!(sjis.invalid_at(b"\x95\x5ca"), None);
        assert_eq!(sjis.invalid_at(b"a\x95"), Some(1));
    }

    #[test]
    fn names_are_recognised_however_they_are_written() {
        assert!(Encoding::named("UTF-8").is_utf8());
        assert!(Encoding::named("EUC_JP").is_checked());
        assert!(!Encoding::named("ISO_8859_5").is_checked());
        assert_eq!(Encoding::named("EUC_JP").invalid_at(b"ab\xa4\xa2\xa4"), Some(4));
        assert_eq!(Encoding::named("UTF8").invalid_at("aé".as_bytes()), None);
        assert_eq!(Encoding::named("UTF8").invalid_at(b"ab\xe9x"), Some(2));
    }
}
