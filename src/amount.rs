//! Bytes and times as people say them.

/// `512 B`, `32.8 kB`, `38 GB`: in units of thousands, with three digits at most.
pub fn bytes(bytes: u64) -> String {
    let mut number = bytes as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        // Half a step earlier, so that 999,999 bytes are 1 MB and not 1000 kB.
        if number < 999.5 {
            let shown = format!("{number:.1}");
            return match shown.strip_suffix(".0") {
                Some(whole) => format!("{whole} {unit}"),
                None if number >= 99.5 => format!("{number:.0} {unit}"),
                None => format!("{shown} {unit}"),
            };
        }
        number /= 1000.0;
    }
    format!("{number:.0} PB")
}

/// `under a second`, `20 s`, `6 min`, `3 h`, `2 days`: estimates aren't more exact.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "under a second".to_owned(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 90.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 36.0 * 3600.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// How often in a second: `0.02`, `1.5`, `1,240`.
pub fn per_second(rate: f64) -> String {
    match rate {
        r if r >= 10.0 => grouped(r.round() as u64),
        r if r >= 1.0 => format!("{r:.1}"),
        r => format!("{r:.2}"),
    }
}

/// 1200000 as "1,200,000".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        let shown: Vec<String> =
            [0, 999, 1000, 32_768, 123_456, 38_000_000_000, 1_440_000_000, 999_999].map(bytes).to_vec();
        assert_eq!(shown, ["0 B", "999 B", "1 kB", "32.8 kB", "123 kB", "38 GB", "1.4 GB", "1 MB"]);
        let shown: Vec<String> = [0.4, 20.4, 380.0, 10_000.0, 200_000.0].map(seconds).to_vec();
        assert_eq!(shown, ["under a second", "20 s", "6 min", "3 h", "2 days"]);
        assert_eq!([0.021, 1.54, 1239.6].map(per_second).to_vec(), ["0.02", "1.5", "1,240"]);
        assert_eq!(grouped(1_200_000), "1,200,000");
    }
}
