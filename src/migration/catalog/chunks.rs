//! Places in order, most of which copies share.
//!
//! A catalog is copied at every BEGIN that may be rolled back, every savepoint and around every way back, and then a
//! table in it is changed in a place or two. A wide table isn't copied for that: only the chunk that is written to is.

use std::sync::Arc;

/// How many are shared together.
const CHUNK: usize = 32;

/// Places, each with one or with the gap that it left.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T> {
    /// All but the last few; each holds [`CHUNK`].
    full: Vec<Arc<[Option<T>]>>,
    /// Fewer than [`CHUNK`].
    last: Vec<Option<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Chunks { full: Vec::new(), last: Vec::new() }
    }
}

impl<T> Chunks<T> {
    /// How many places there are, gaps included.
    pub fn len(&self) -> usize {
        self.full.len() * CHUNK + self.last.len()
    }

    /// What is at a place.
    pub fn get(&self, place: usize) -> Option<&T> {
        match self.full.get(place / CHUNK) {
            Some(chunk) => chunk.get(place % CHUNK)?.as_ref(),
            None => self.last.get(place.checked_sub(self.full.len() * CHUNK)?)?.as_ref(),
        }
    }

    /// All from a place on, in order, gaps left out.
    pub fn from(&self, place: usize) -> Iter<'_, T> {
        let mut full = self.full.get(place / CHUNK..).unwrap_or_default().iter();
        match full.next() {
            Some(chunk) => {
                let now = chunk.get(place % CHUNK..).unwrap_or_default();
                Iter { now: now.iter(), full, last: &self.last }
            }
            None => {
                let now = self.last.get(place - self.full.len() * CHUNK..); // it is behind those
                Iter { now: now.unwrap_or_default().iter(), full: [].iter(), last: &[] }
            }
        }
    }

    /// All, in order, gaps left out.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { now: [].iter(), full: self.full.iter(), last: &self.last }
    }

    /// Adds one behind all others.
    pub fn push(&mut self, one: T) {
        self.last.push(Some(one));
        if self.last.len() == CHUNK {
            self.full.push(std::mem::take(&mut self.last).into());
        }
    }
}

impl<T: Clone> Chunks<T> {
    fn slot(&mut self, place: usize) -> Option<&mut Option<T>> {
        let full = self.full.len();
        match self.full.get_mut(place / CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).get_mut(place % CHUNK),
            None => self.last.get_mut(place.checked_sub(full * CHUNK)?),
        }
    }

    /// What is at a place, to be changed.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        // Where nothing is, nothing is copied.
        self.get(place)?;
        self.slot(place)?.as_mut()
    }

    /// Takes out what is at a place.
    pub fn take(&mut self, place: usize) -> Option<T> {
        self.get(place)?;
        self.slot(place)?.take()
    }

    /// All, to be changed: copies whatever is shared.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let full = self.full.iter_mut().flat_map(|chunk| Arc::make_mut(chunk).iter_mut());
        full.chain(&mut self.last).flatten()
    }

    /// All, in order.
    pub fn into_iter(self) -> impl Iterator<Item = T> {
        let full = self.full.into_iter().flat_map(|mut chunk| match Arc::get_mut(&mut chunk) {
            Some(own) => own.iter_mut().map(Option::take).collect::<Vec<_>>(),
            None => chunk.to_vec(),
        });
        full.chain(self.last).flatten()
    }
}

/// What is in [`Chunks`], in order.
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    now: std::slice::Iter<'a, Option<T>>,
    full: std::slice::Iter<'a, Arc<[Option<T>]>>,
    last: &'a [Option<T>],
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            for slot in self.now.by_ref() {
                if slot.is_some() {
                    return slot.as_ref();
                }
            }
            self.now = match self.full.next() {
                Some(chunk) => chunk.iter(),
                None if self.last.is_empty() => return None,
                None => std::mem::take(&mut self.last).iter(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_all_but_what_is_written_to() {
        for many in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 7] {
            let mut chunks = Chunks::default();
            (0..many).for_each(|number| chunks.push(number));
            let copy = chunks.clone();
            for number in (0..many).step_by(3) {
                assert_eq!(chunks.take(number), Some(number));
                assert_eq!((chunks.take(number), chunks.get_mut(number)), (None, None));
            }
            assert_eq!((chunks.len(), copy.len()), (many, many));
            let left: Vec<usize> = (0..many).filter(|number| number % 3 != 0).collect();
            assert_eq!(chunks.iter().copied().collect::<Vec<_>>(), left);
            assert!(copy.iter().copied().eq(0..many) && copy.get(many).is_none());
            for from in [0, 1, CHUNK - 1, CHUNK, CHUNK + 5, 5 * CHUNK, many, many + 1] {
                assert!(copy.from(from).copied().eq(from..many), "{from} of {many}");
            }
            chunks.iter_mut().for_each(|number| *number += 1);
            assert_eq!(
                chunks.iter().copied().collect::<Vec<_>>(),
                left.iter().map(|it| it + 1).collect::<Vec<_>>()
            );
            assert!(
                chunks.into_iter().eq(left.iter().map(|it| it + 1)) && copy.clone().into_iter().eq(0..many)
            );
        }
        let mut one = Chunks::default();
        (0..10 * CHUNK).for_each(|number| one.push(number));
        let other = one.clone();
        *one.get_mut(3 * CHUNK).expect("it is there") += 1;
        let shared = one.full.iter().zip(&other.full).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, 9);
    }
}
