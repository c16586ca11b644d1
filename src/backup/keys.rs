//! Sets of key values in bounded memory, to find duplicate keys and foreign keys that point nowhere.
//!
//! Whole numbers are kept as bits, 4096 to a block: dense keys take little more than a bit each. Other
//! keys, and numbers too sparse for that, are kept as 64-bit hashes; where even these don't fit, only
//! those whose hash begins with enough zero bits are kept. The same keys are kept in every set that way,
//! so a sample still finds duplicates and orphans, only not all of them; [`KeySet::share`] says how many.

use std::collections::{HashMap, HashSet};

use twox_hash::XxHash3_128;

const WORDS: usize = 64;
/// What a block of bits takes, with its place in the table.
const BLOCK_BYTES: usize = WORDS * 8 + 48;
/// What a hash takes in its set, empty places counted.
const HASH_BYTES: usize = 20;

/// Keys of one column or of several.
#[derive(Debug)]
pub struct KeySet {
    kept: Kept,
    /// How much memory it may take, in bytes.
    budget: usize,
    /// Keys that came in.
    pub inserted: u64,
    /// Keys that were in already.
    pub duplicates: u64,
}

#[derive(Debug)]
enum Kept {
    Bits {
        places: HashMap<i64, u32>,
        // Boxed, so that growing the list doesn't move the blocks and needs no room for twice of them.
        #[allow(clippy::vec_box)]
        blocks: Vec<Box<[u64; WORDS]>>,
        /// The block of the key before: keys mostly come in order.
        last: Option<(i64, u32)>,
    },
    Hashes {
        set: HashSet<u64>,
        zeros: u32,
    },
}

/// One key value.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// Of a single column of whole numbers.
    Number(i64),
    /// Of anything else.
    Hash(u64),
}

/// Mixes keys made of several columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHash(u64);

impl KeyHash {
    /// Takes in the next column's text.
    pub fn add(&mut self, text: &[u8]) {
        let hash = XxHash3_128::oneshot(text) as u64;
        self.0 = (self.0.rotate_left(23) ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The key.
    pub fn key(self) -> Key {
        Key::Hash(mix(self.0))
    }
}

/// Spreads the bits of a number (the finaliser of splitmix64).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl KeySet {
    /// An empty set of numbers, or of hashes, that takes about `budget` bytes at most.
    pub fn new(numbers: bool, budget: usize) -> KeySet {
        let kept = if numbers {
            Kept::Bits { places: HashMap::new(), blocks: vec![], last: None }
        } else {
            Kept::Hashes { set: HashSet::new(), zeros: 0 }
        };
        KeySet { kept, budget, inserted: 0, duplicates: 0 }
    }

    /// Lets go of the keys: the counts stay, and nothing more is to be looked up or put in.
    pub fn forget(&mut self) {
        match &mut self.kept {
            Kept::Bits { places, blocks, last } => {
                (*places, *blocks, *last) = (HashMap::new(), vec![], None);
            }
            Kept::Hashes { set, .. } => *set = HashSet::new(),
        }
    }

    /// Memory that it takes, in bytes, roughly.
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Bits { blocks, .. } => blocks.len() * BLOCK_BYTES,
            Kept::Hashes { set, .. } => set.len() * HASH_BYTES,
        }
    }

    /// Puts a key in; true if it was in already.
    #[inline]
    pub fn insert(&mut self, key: Key) -> bool {
        self.inserted += 1;
        let seen = match (&mut self.kept, key) {
            (Kept::Bits { places, blocks, last }, Key::Number(number)) => {
                let (at, bit) = (number >> 12, (number & 4095) as usize);
                let nth = match last {
                    Some((place, nth)) if *place == at => *nth,
                    _ => {
                        let nth = *places.entry(at).or_insert_with(|| {
                            blocks.push(Box::new([0; WORDS]));
                            (blocks.len() - 1) as u32
                        });
                        *last = Some((at, nth));
                        nth
                    }
                };
                match blocks.get_mut(nth as usize).and_then(|block| block.get_mut(bit / 64)) {
                    Some(word) => {
                        let seen = *word >> (bit % 64) & 1 == 1;
                        *word |= 1 << (bit % 64);
                        seen
                    }
                    None => false,
                }
            }
            (Kept::Hashes { set, zeros }, key) => {
                let hash = hash_of(key);
                hash.leading_zeros() >= *zeros && !set.insert(hash)
            }
            // A set of numbers is only given numbers.
            (Kept::Bits { .. }, Key::Hash(_)) => false,
        };
        if seen {
            self.duplicates += 1;
        }
        self.keep_in_budget();
        seen
    }

    #[inline]
    fn keep_in_budget(&mut self) {
        match &mut self.kept {
            Kept::Bits { blocks, .. } if blocks.len() * BLOCK_BYTES > self.budget => self.switch_to_hashes(),
            Kept::Hashes { set, zeros } if set.len() * HASH_BYTES > self.budget => {
                *zeros += 1;
                let zeros = *zeros;
                set.retain(|hash| hash.leading_zeros() >= zeros);
                set.shrink_to(set.len() * 2);
            }
            _ => {}
        }
    }

    /// From bits to hashes; a sample at once, when there are many.
    fn switch_to_hashes(&mut self) {
        let mut zeros = 0;
        let count: usize = match &self.kept {
            Kept::Bits { blocks, .. } => {
                blocks.iter().flat_map(|block| block.iter()).map(|word| word.count_ones() as usize).sum()
            }
            Kept::Hashes { .. } => return,
        };
        while (count >> zeros) * HASH_BYTES > self.budget / 2 {
            zeros += 1;
        }
        let mut set = HashSet::new();
        self.each_number(&mut |number| {
            let hash = mix(number as u64);
            if hash.leading_zeros() >= zeros {
                set.insert(hash);
            }
        });
        self.kept = Kept::Hashes { set, zeros };
    }

    fn each_number(&self, with: &mut dyn FnMut(i64)) {
        let Kept::Bits { places, blocks, .. } = &self.kept else { return };
        for (place, nth) in places {
            let Some(block) = blocks.get(*nth as usize) else { continue };
            for (nth, word) in block.iter().enumerate() {
                let mut word = *word;
                while word != 0 {
                    with((place << 12) + (nth * 64) as i64 + i64::from(word.trailing_zeros()));
                    word &= word - 1;
                }
            }
        }
    }

    /// Whether all keys are numbers and kept.
    pub fn is_exact_numbers(&self) -> bool {
        matches!(self.kept, Kept::Bits { .. })
    }

    /// Which share of the keys is kept: 1 when all are.
    pub fn share(&self) -> f64 {
        match &self.kept {
            Kept::Bits { .. } => 1.0,
            Kept::Hashes { zeros, .. } => 0.5f64.powi(*zeros as i32),
        }
    }

    /// Takes in the keys of another set: of another block of the same table, or of another partition.
    pub fn merge(&mut self, other: &KeySet) {
        let (inserted, duplicates) = (self.inserted + other.inserted, other.duplicates);
        match &other.kept {
            Kept::Bits { .. } => other.each_number(&mut |number| {
                self.insert(Key::Number(number));
            }),
            Kept::Hashes { set, zeros: theirs } => {
                self.switch_to_hashes();
                if let Kept::Hashes { zeros, set } = &mut self.kept
                    && *zeros < *theirs
                {
                    *zeros = *theirs;
                    let zeros = *zeros;
                    set.retain(|hash| hash.leading_zeros() >= zeros);
                }
                for hash in set {
                    self.insert(Key::Hash(*hash));
                }
            }
        }
        self.inserted = inserted;
        self.duplicates += duplicates;
    }

    /// How many keys of this set aren't in `parent`, one of them as an example where it is known, and the
    /// share of keys that this is about.
    pub fn missing_in(&self, parent: &KeySet) -> Orphans {
        if let (Kept::Bits { places, blocks, .. }, Kept::Bits { places: theirs, blocks: parents, .. }) =
            (&self.kept, &parent.kept)
        {
            let mut orphans = Orphans { count: 0, example: None, share: 1.0 };
            for (place, nth) in places {
                let Some(block) = blocks.get(*nth as usize) else { continue };
                let of_parent = theirs.get(place).and_then(|nth| parents.get(*nth as usize));
                for (at, word) in block.iter().enumerate() {
                    let missing = word & !of_parent.and_then(|parent| parent.get(at)).copied().unwrap_or(0);
                    orphans.count += u64::from(missing.count_ones());
                    if missing != 0 {
                        let number = (place << 12) + (at * 64) as i64 + i64::from(missing.trailing_zeros());
                        orphans.example = Some(orphans.example.map_or(number, |least| least.min(number)));
                    }
                }
            }
            return orphans;
        }
        let zeros_of = |set: &KeySet| match set.kept {
            Kept::Bits { .. } => 0,
            Kept::Hashes { zeros, .. } => zeros,
        };
        let zeros = zeros_of(self).max(zeros_of(parent));
        let share = 0.5f64.powi(zeros as i32);
        let mut count = 0;
        let mut look = |hash: u64, number: Option<i64>| {
            let there = match &parent.kept {
                Kept::Hashes { set, .. } => set.contains(&hash),
                Kept::Bits { places, blocks, .. } => number.is_some_and(|number| {
                    let block = places.get(&(number >> 12)).and_then(|nth| blocks.get(*nth as usize));
                    let bit = (number & 4095) as usize;
                    block
                        .and_then(|block| block.get(bit / 64))
                        .is_some_and(|word| word >> (bit % 64) & 1 == 1)
                }),
            };
            count += u64::from(hash.leading_zeros() >= zeros && !there);
        };
        match &self.kept {
            Kept::Bits { .. } => self.each_number(&mut |number| look(mix(number as u64), Some(number))),
            // Hashes of numbers can't be looked up among bits: the parent would have to be hashed.
            Kept::Hashes { set, .. } => match &parent.kept {
                Kept::Hashes { .. } => set.iter().for_each(|hash| look(*hash, None)),
                Kept::Bits { .. } => {
                    let mut hashed = HashSet::new();
                    parent.each_number(&mut |number| {
                        let hash = mix(number as u64);
                        if hash.leading_zeros() >= zeros {
                            hashed.insert(hash);
                        }
                    });
                    count = set.iter().filter(|hash| !hashed.contains(hash)).count() as u64;
                }
            },
        }
        Orphans { count, example: None, share }
    }
}

fn hash_of(key: Key) -> u64 {
    match key {
        Key::Number(number) => mix(number as u64),
        Key::Hash(hash) => hash,
    }
}

/// Keys that point nowhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orphans {
    /// How many different ones were found.
    pub count: u64,
    /// The least of them, where they are numbers.
    pub example: Option<i64>,
    /// The share of the keys that was compared.
    pub share: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: impl IntoIterator<Item = i64>, budget: usize) -> KeySet {
        let mut set = KeySet::new(true, budget);
        for number in numbers {
            set.insert(Key::Number(number));
        }
        set
    }

    #[test]
    fn dense_numbers_are_exact() {
        let parents = set(-5000..5000, 1 << 20);
        assert_eq!((parents.duplicates, parents.share()), (0, 1.0));
        let children = set([1, 2, 4999, 5000, -5001, i64::MAX], 1 << 20);
        let orphans = children.missing_in(&parents);
        assert_eq!((orphans.count, orphans.example), (3, Some(-5001)));
        assert_eq!(set([7, 8, 7], 1 << 20).duplicates, 1);
    }

    #[test]
    fn sparse_numbers_are_sampled_and_duplicates_still_found() {
        let sparse = |salt: u64| (0..100_000u64).map(move |i| mix(i ^ salt) as i64);
        let mut keys = set(sparse(0), 64 * 1024);
        assert!(keys.share() < 0.1 && keys.share() > 0.0);
        assert_eq!(keys.duplicates, 0);
        for number in sparse(0) {
            keys.insert(Key::Number(number));
        }
        assert!(keys.duplicates > 1000, "{}", keys.duplicates);
        assert_eq!(set(sparse(0), 1 << 16).missing_in(&keys).count, 0);
        assert!(set(sparse(1 << 40), 1 << 16).missing_in(&keys).count > 100);
    }

    #[test]
    fn merging_finds_what_both_hold() {
        let mut one = set(0..100, 1 << 20);
        one.merge(&set(99..200, 1 << 20));
        assert_eq!((one.duplicates, one.inserted), (1, 201));
    }
}
