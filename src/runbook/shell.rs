//! Text for a POSIX shell: what is pasted means exactly what was meant.

/// `text` as one word of a shell command, on one line.
pub fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=+@%,".contains(&byte);
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain) {
        return text.to_owned();
    }
    // A path that begins with a dash would be taken for an option by whatever reads it.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    // Line breaks and the like would end the line that is pasted: bash, zsh and ksh read $'…'.
    let mut out = String::from("$'");
    for char in text.chars() {
        match char {
            '\'' => out.push_str(r"\'"),
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '\t' => out.push_str(r"\t"),
            char if (char as u32) < 0x80 && char.is_control() => {
                out.push_str(&format!(r"\x{:02x}", char as u32))
            }
            // C1 controls and the like, by their UTF-8 bytes.
            char if char.is_control() => {
                let mut bytes = [0; 4];
                for byte in char.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!(r"\x{byte:02x}"));
                }
            }
            char => out.push(char),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_one_word() {
        for (text, quoted) in [
            ("db/1_users.sql", "db/1_users.sql"),
            ("my file.sql", "'my file.sql'"),
            ("it's $(rm -rf ~) `x`.sql", r"'it'\''s $(rm -rf ~) `x`.sql'"),
            ("-rf", "'./-rf'"),
            ("", "''"),
            ("a\nb'c", r"$'a\nb\'c'"),
            ("順番.sql", "'順番.sql'"),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }
}
