//! Bytes and times as people say them.

/// `512 bytes`, `38 GB`, `1.4 GB`: in powers of 1000, with two digits where one would be coarse.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, f64); 5] = [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let value = bytes as f64;
    // Half a step earlier, so that 999,999 bytes are 1.0 MB and not 1000 kB.
    match UNITS.iter().find(|(_, unit)| value >= unit * 0.9995) {
        Some((name, unit)) if value / unit < 9.95 => format!("{:.1} {name}", value / unit),
        Some((name, unit)) => format!("{:.0} {name}", value / unit),
        None => format!("{bytes} bytes"),
    }
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
    fn amounts_have_two_digits() {
        let shown: Vec<String> =
            [0, 999, 1000, 9_949, 38_000_000_000, 1_440_000_000, 999_999].map(bytes).to_vec();
        assert_eq!(shown, ["0 bytes", "999 bytes", "1.0 kB", "9.9 kB", "38 GB", "1.4 GB", "1.0 MB"]);
        let shown: Vec<String> = [0.4, 20.4, 380.0, 10_000.0, 200_000.0].map(seconds).to_vec();
        assert_eq!(shown, ["under a second", "20 s", "6 min", "3 h", "2 days"]);
        assert_eq!([0.021, 1.54, 1239.6].map(per_second).to_vec(), ["0.02", "1.5", "1,240"]);
        assert_eq!(grouped(1_200_000), "1,200,000");
    }
}
