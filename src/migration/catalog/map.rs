//! The map that the catalog is made of: cheap to copy, since copies share what neither has changed.
//!
//! A catalog is copied at every BEGIN that may be rolled back and around every way back, and then changed in
//! a place or two: the map is cut into parts, and only the part that is written to is copied.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

/// How many parts; a power of two.
const PARTS: usize = 32;

type Part<K, V> = Option<Arc<HashTable<Held<K, V>>>>;

/// What a part holds; with the hash, which tells the part as well: a key is hashed once for both, and never again.
#[derive(Clone, Debug)]
struct Held<K, V> {
    hash: u64,
    key: K,
    value: V,
}

/// A hash map whose copies share what they have in common.
#[derive(Clone, Debug)]
pub(super) struct SharedMap<K, V> {
    parts: [Part<K, V>; PARTS],
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        SharedMap { parts: [const { None }; PARTS] }
    }
}

fn hash_of<Q: Hash + ?Sized>(key: &Q) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Which part a key is in: by bits that the tables inside use least.
fn part_of(hash: u64) -> usize {
    (hash >> 32) as usize & (PARTS - 1)
}

impl<K: Eq + Hash + Clone, V: Clone> SharedMap<K, V> {
    fn part(&self, hash: u64) -> Option<&HashTable<Held<K, V>>> {
        self.parts[part_of(hash)].as_deref() // masked to the number of parts
    }

    fn part_mut(&mut self, hash: u64) -> &mut HashTable<Held<K, V>> {
        Arc::make_mut(self.parts[part_of(hash)].get_or_insert_default()) // masked to the number of parts
    }

    fn find<Q: Hash + Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.part(hash)?.find(hash, |held| held.key.borrow() == key).map(|held| &held.value)
    }

    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(hash_of(key), key)
    }

    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// To change in place; nothing is copied where there is nothing.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = hash_of(key);
        self.find(hash, key)?;
        self.part_mut(hash).find_mut(hash, |held| held.key.borrow() == key).map(|held| &mut held.value)
    }

    fn entry(&mut self, hash: u64, key: &K) -> Entry<'_, Held<K, V>> {
        self.part_mut(hash).entry(hash, |held| held.key == *key, |held| held.hash)
    }

    /// The value of a key, made by `make` where there is none; the key is copied then only.
    pub fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        let hash = hash_of(key);
        let held = self.entry(hash, key).or_insert_with(|| Held { hash, key: key.clone(), value: make() });
        &mut held.into_mut().value
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_of(&key);
        match self.entry(hash, &key) {
            Entry::Occupied(mut held) => Some(std::mem::replace(&mut held.get_mut().value, value)),
            Entry::Vacant(place) => {
                place.insert(Held { hash, key, value });
                None
            }
        }
    }

    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = hash_of(key);
        self.find(hash, key)?;
        let held = self.part_mut(hash).find_entry(hash, |held| held.key.borrow() == key).ok()?;
        Some(held.remove().0.value)
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flatten().flat_map(|part| part.iter()).map(|held| (&held.key, &held.value))
    }

    /// Entries, in no order, among which are all that `other` doesn't have just so; the parts that both share are passed
    /// over.
    pub fn unshared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a K, &'a V)> {
        let shared = |(one, other): &(&Part<K, V>, &Part<K, V>)| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let pairs = self.parts.iter().zip(&other.parts).filter(move |pair| !shared(pair));
        let held = pairs.filter_map(|(one, _)| one.as_ref()).flat_map(|part| part.iter());
        held.map(|held| (&held.key, &held.value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All values, to change: copies whatever is shared.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.parts
            .iter_mut()
            .flatten()
            .flat_map(|part| Arc::make_mut(part).iter_mut())
            .map(|held| &mut held.value)
    }
}

impl<K: Eq + Hash + Clone, V: Clone + Default> SharedMap<K, V> {
    /// The value of a key, an empty one where there is none.
    pub fn get_or_default(&mut self, key: &K) -> &mut V {
        self.get_or_insert_with(key, V::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_the_other_changes() {
        let mut one: SharedMap<String, u32> = SharedMap::default();
        for number in 0..1000 {
            one.insert(number.to_string(), number);
        }
        let copy = one.clone();
        assert_eq!(one.remove("7"), Some(7));
        *one.get_mut("8").unwrap() += 1;
        *one.get_or_default(&"new".to_owned()) += 1;
        let odd = (1..1000).step_by(2).map(|number| number.to_string());
        odd.chain(["8".to_owned(), "new".to_owned()]).for_each(|key| _ = one.remove(&key));
        assert_eq!((copy.get("7"), copy.get("8"), copy.get("new")), (Some(&7), Some(&8), None));
        assert_eq!((copy.iter().count(), copy.values().sum::<u32>()), (1000, 999 * 500));
        assert!(one.keys().all(|key| copy.contains_key(key)) && !one.contains_key("9"));
        assert_eq!(one.remove("nothing"), None);
        let before = one.clone();
        one.remove("500");
        let unshared: Vec<&String> = before.unshared(&one).map(|(key, _)| key).collect();
        assert!(unshared.iter().any(|key| *key == "500") && unshared.len() < 100, "one part of many");
        assert_eq!(one.unshared(&one.clone()).count(), 0);
        one.values_mut().for_each(|value| *value = 0);
        assert_eq!(copy.get("500"), Some(&500));
    }
}
