//! The name that somebody may have meant.

use std::borrow::Cow;

/// Of names that are at most `most` slips away from `wanted` the nearest, and of those the first by its key. A slip is a
/// letter too many, too few, another, or two that changed places.
pub fn nearest<'a, K: Ord>(
    wanted: &str,
    known: impl Iterator<Item = (Cow<'a, str>, K)>,
    most: usize,
) -> Option<K> {
    let letters = letters_of(wanted);
    let mut best: Option<(usize, K)> = None;
    for (name, key) in known {
        // To count slips takes long, and a migration may name thousands of columns that a wide table lacks.
        let within = best.as_ref().map_or(most, |(slips, _)| *slips);
        let own = letters_of(&name);
        if (letters & !own).count_ones().max((own & !letters).count_ones()) as usize > within {
            continue;
        }
        let found = (strsim::damerau_levenshtein(&name, wanted), key);
        if found.0 <= most && best.as_ref().is_none_or(|best| found < *best) {
            best = Some(found);
        }
    }
    best.map(|(_, key)| key)
}

/// A name in small letters, which mostly it is.
pub fn lower(name: &str) -> Cow<'_, str> {
    let is_small = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_small { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}

/// Which letters stand in a name, in as many bits; all beyond ASCII are taken for one. Each slip brings at most one that
/// wasn't there, and takes away at most one.
fn letters_of(name: &str) -> u64 {
    name.bytes().fold(0, |letters, byte| letters | 1 << if byte.is_ascii() { byte % 63 } else { 63 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_the_one_with_the_fewest_slips() {
        let of = |wanted: &str, known: &[&'static str]| {
            nearest(wanted, known.iter().map(|name| (Cow::Borrowed(*name), *name)), 3)
        };
        assert_eq!(of("emial", &["id", "email", "e_mail"]), Some("email"));
        assert_eq!(of("emial", &["id", "name"]), None);
        assert_eq!(of("name", &["names", "named", "nam"]), Some("nam"), "the first by its key");
        assert_eq!(of("größe", &["grösse", "große"]), Some("große"));
        assert_eq!(of("", &["abcd", "abc"]), Some("abc"));
        // Whatever is passed over is no nearer than what is found.
        let names: Vec<String> = (0..300).map(|number| format!("c{}", number * 7919 % 1000)).collect();
        for wanted in ["c1", "c123", "1c23", "d999", "c12345", "xyz"] {
            let all = || names.iter().map(|name| (strsim::damerau_levenshtein(name, wanted), name));
            let expected = all().filter(|(slips, _)| *slips <= 3).min().map(|(_, name)| name);
            assert_eq!(
                nearest(wanted, names.iter().map(|name| (name.into(), name)), 3),
                expected,
                "{wanted}"
            );
        }
    }
}
