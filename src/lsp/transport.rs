//! Messages over pipes: `Content-Length` frames, read so that a broken one is answered and not the end.

use std::io::{self, BufRead, Read, Write};

use lsp_server::Message;

/// Larger messages are passed over: nobody writes such SQL in an editor.
const LARGEST: usize = 256 << 20;

/// What came in.
pub enum Incoming {
    /// A message.
    Message(Message),
    /// A frame that isn't one; what is wrong with it.
    Broken(String),
}

/// The next frame; `None` at the end of the input.
///
/// # Errors
/// When the input can't be read.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let mut length: Option<usize> = None;
    loop {
        let mut line = Vec::new();
        // A header line is short: what runs on without an end isn't one.
        if io::Read::take(&mut *input, 8192).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            match length {
                Some(_) => break,
                // Blank lines between frames.
                None => continue,
            }
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let length = length.unwrap_or(0);
    if length > LARGEST {
        io::copy(&mut io::Read::take(&mut *input, length as u64), &mut io::sink())?;
        return Ok(Some(Incoming::Broken(format!("a message of {length} bytes is too large"))));
    }
    let mut body = Vec::new();
    if io::Read::take(&mut *input, length as u64).read_to_end(&mut body)? < length {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_slice::<Message>(&body) {
        Ok(message) => Incoming::Message(message),
        Err(error) => Incoming::Broken(format!("not a message of the protocol: {error}")),
    }))
}

/// Writes one message.
///
/// # Errors
/// When it can't be written: the client is gone.
pub fn write(output: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut value = serde_json::to_value(message)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("jsonrpc".to_owned(), "2.0".into());
    }
    write_value(output, &value)
}

/// Writes any JSON as one frame.
///
/// # Errors
/// When it can't be written: the client is gone.
pub fn write_value(output: &mut impl Write, value: &serde_json::Value) -> io::Result<()> {
    let body = serde_json::to_vec(value)?;
    write!(output, "Content-Length: {}\r\n\r\n", body.len())?;
    output.write_all(&body)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_frame_is_passed_over() {
        let good = br#"{"jsonrpc":"2.0","method":"exit"}"#;
        let mut bytes = b"Content-Length: 4\r\n\r\n{no}Nonsense\r\nContent-Length: 33\r\n\r\n".to_vec();
        bytes.extend_from_slice(good);
        let mut input = bytes.as_slice();
        assert!(matches!(read(&mut input).unwrap(), Some(Incoming::Broken(_))));
        let Some(Incoming::Message(Message::Notification(exit))) = read(&mut input).unwrap() else {
            panic!("the next frame is read");
        };
        assert_eq!(exit.method, "exit");
        assert!(read(&mut input).unwrap().is_none());
    }
}
