//! A map whose entries are found by their schema as well.
//!
//! A schema is dropped or renamed with all that is in it, and there may be thousands of schemas with a table each: neither
//! is a reason to look through the whole catalog every time.

use std::ops::Deref;

use compact_str::CompactString;

use super::QName;
use super::map::SharedMap;

/// The names of more than this aren't kept apart: a schema that has held so many is worth a look at all that there is.
const FEW: usize = 256;

/// What a schema holds.
#[derive(Clone, Debug)]
enum Members {
    /// The names.
    Few(Vec<CompactString>),
    /// How many.
    Many(usize),
}

impl Default for Members {
    fn default() -> Self {
        Members::Few(Vec::new())
    }
}

/// A map by names with their schemas. Read as a plain map.
#[derive(Clone, Debug)]
pub(super) struct BySchema<V> {
    all: SharedMap<QName, V>,
    schemas: SharedMap<CompactString, Members>,
}

impl<V> Default for BySchema<V> {
    fn default() -> Self {
        BySchema { all: SharedMap::default(), schemas: SharedMap::default() }
    }
}

impl<V> Deref for BySchema<V> {
    type Target = SharedMap<QName, V>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl<V: Clone> BySchema<V> {
    /// The names in a schema, in no order.
    pub fn in_schema(&self, schema: &str) -> Vec<QName> {
        match self.schemas.get(schema) {
            None => Vec::new(),
            Some(Members::Few(names)) => {
                names.iter().map(|name| QName { schema: schema.into(), name: name.clone() }).collect()
            }
            Some(Members::Many(_)) => self.all.keys().filter(|name| name.schema == schema).cloned().collect(),
        }
    }

    pub fn get_mut(&mut self, name: &QName) -> Option<&mut V> {
        self.all.get_mut(name)
    }

    /// The value of a name, made by `make` where there is none.
    pub fn get_or_insert_with(&mut self, name: &QName, make: impl FnOnce() -> V) -> &mut V {
        let mut is_new = false;
        let value = self.all.get_or_insert_with(name, || {
            is_new = true;
            make()
        });
        if is_new {
            note(&mut self.schemas, name);
        }
        value
    }

    pub fn insert(&mut self, name: QName, value: V) -> Option<V> {
        if !self.all.contains_key(&name) {
            note(&mut self.schemas, &name);
        }
        self.all.insert(name, value)
    }

    pub fn remove(&mut self, name: &QName) -> Option<V> {
        let gone = self.all.remove(name)?;
        let is_last = match self.schemas.get_mut(&name.schema) {
            Some(Members::Few(names)) => {
                // Mostly it is one of the last.
                if let Some(at) = names.iter().rposition(|known| *known == name.name) {
                    names.swap_remove(at);
                }
                names.is_empty()
            }
            Some(Members::Many(count)) => {
                *count -= 1;
                *count == 0
            }
            None => false,
        };
        if is_last {
            self.schemas.remove(&name.schema);
        }
        Some(gone)
    }

    /// All values, to change: copies whatever is shared.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.all.values_mut()
    }
}

fn note(schemas: &mut SharedMap<CompactString, Members>, name: &QName) {
    match schemas.get_or_default(&name.schema) {
        Members::Few(names) if names.len() < FEW => names.push(name.name.clone()),
        members @ Members::Few(_) => *members = Members::Many(FEW + 1),
        Members::Many(count) => *count += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_schema_is_found_however_much_it_is() {
        let mut map: BySchema<usize> = BySchema::default();
        let named = |number: usize| {
            QName::new(if number.is_multiple_of(3) { "a" } else { "b" }, &format!("n{number}"))
        };
        let numbers = |map: &BySchema<usize>, schema: &str| {
            let mut names = map.in_schema(schema);
            names.sort();
            names.iter().map(|name| *map.get(name).expect("what is listed is there")).collect::<Vec<_>>()
        };
        let expected = |from: usize, to: usize, schema: &str| {
            let mut names: Vec<(QName, usize)> = (from..to).map(|number| (named(number), number)).collect();
            names.retain(|(name, _)| name.schema == schema);
            names.sort();
            names.into_iter().map(|(_, number)| number).collect::<Vec<_>>()
        };
        let most = 2 * FEW;
        for number in 0..most {
            map.insert(named(number), 0);
            *map.get_or_insert_with(&named(number), || 1) = number;
            if number % 50 == 0 {
                assert_eq!(numbers(&map, "a"), expected(0, number + 1, "a"));
                assert_eq!(numbers(&map, "b"), expected(0, number + 1, "b"));
            }
        }
        for number in 0..most {
            assert_eq!(map.remove(&named(number)), Some(number));
            assert_eq!(map.remove(&named(number)), None);
            if number % 50 == 0 || number > most - 5 {
                assert_eq!(numbers(&map, "a"), expected(number + 1, most, "a"));
                assert_eq!(numbers(&map, "b"), expected(number + 1, most, "b"));
            }
        }
        assert!(map.in_schema("c").is_empty());
        map.insert(named(0), 7);
        assert_eq!(numbers(&map, "a"), [7]);
    }
}
