//! The lists that hang on a relation: in order, and found by name.
//!
//! A table may have thousands of constraints, indexes, triggers or partitions, and each of them a statement of its own. So
//! a long list keeps where each name is, and what is taken out of it leaves a gap, lest all that is behind it be moved.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use compact_str::CompactString;
use rustc_hash::FxHashMap;

use super::relation::{Born, Column, Constraint, ConstraintDetail, Index, Policy, Trigger};
use super::{Expr, QName};

/// What is found by a name.
pub trait Named {
    /// What it is found by.
    type Name: Eq + Hash + Clone;

    /// Up to this many are looked through, which is faster than to look them up.
    const FEW: usize = 16;

    /// The name.
    fn name(&self) -> &Self::Name;

    /// Calls `note` for each column that it is about, besides its name; for the empty name where it can't tell, or is the
    /// primary key.
    fn columns(&self, _note: &mut dyn FnMut(&str)) {}
}

/// Where in a list what is about a column, in order; what was taken out, or is no more about it, may still be in it.
type About = FxHashMap<CompactString, Vec<u32>>;

/// Where in a list what is.
#[derive(Clone, Debug)]
struct Places<N> {
    /// By name, in order.
    named: FxHashMap<N, Vec<u32>>,
    /// By column that they are about.
    about: About,
}

/// The places of what is about one of these columns, in order.
fn merged<'a>(about: &'a About, columns: &[&str]) -> impl Iterator<Item = u32> + use<'a> {
    let lists = columns.iter().filter_map(|column| about.get(*column)?.split_first());
    let mut open: BinaryHeap<Reverse<(&u32, &[u32])>> = lists.map(Reverse).collect();
    let mut last = None;
    std::iter::from_fn(move || {
        loop {
            let Reverse((&place, behind)) = open.pop()?;
            open.extend(behind.split_first().map(Reverse));
            if last.replace(place) != Some(place) {
                return Some(place);
            }
        }
    })
}

fn note_columns<T: Named>(about: &mut About, one: &T, place: u32) {
    one.columns(&mut |column| {
        let places = match about.get_mut(column) {
            Some(places) => places,
            None => about.entry(column.into()).or_default(),
        };
        // Mostly it is the last one of the list.
        match places.last() {
            Some(last) if *last >= place => {
                if let Err(at) = places.binary_search(&place) {
                    places.insert(at, place);
                }
            }
            _ => places.push(place),
        }
    });
}

impl<N: Eq + Hash + Clone> Places<N> {
    fn add<T: Named<Name = N>>(&mut self, one: &T, place: u32) {
        self.named.entry(one.name().clone()).or_default().push(place);
        note_columns(&mut self.about, one, place);
    }
}

/// A list whose members are found by name. Several may have the same.
#[derive(Clone, Debug)]
pub struct List<T: Named> {
    /// In order; `None` where one was taken out. Once half of them are gaps, these are closed.
    slots: Vec<Option<T>>,
    /// How many there are.
    len: usize,
    /// Where in `slots` what is. Kept once there are more than [`Named::FEW`] slots; most lists are short, and there are many.
    places: Option<Box<Places<T::Name>>>,
}

impl<T: Named> Default for List<T> {
    fn default() -> Self {
        List { slots: Vec::new(), len: 0, places: None }
    }
}

impl<T: Named> List<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All, in order.
    pub fn iter(&self) -> Iter<'_, T> {
        self.slots.iter().flatten()
    }

    /// A column that members are about has another name: calls `change` for some, among them all that are about it or can't
    /// tell, which changes anything but their names.
    pub fn rename_column(&mut self, from: &str, to: &str, mut change: impl FnMut(&mut T)) {
        let Some(places) = &mut self.places else {
            return self.slots.iter_mut().flatten().for_each(change);
        };
        let about = places.about.remove(from).unwrap_or_default();
        let unsure = places.about.get("").into_iter().flatten();
        for &place in about.iter().chain(unsure.filter(|place| about.binary_search(place).is_err())) {
            self.slots.get_mut(place as usize).into_iter().flatten().for_each(&mut change);
        }
        if !about.is_empty() {
            let now = places.about.entry(to.into()).or_default();
            now.extend(about);
            now.sort_unstable();
            now.dedup();
        }
    }

    /// All, to change anything but their names and what columns they are about.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }

    /// The first of that name.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> Option<&T>
    where
        T::Name: Borrow<Q>,
    {
        match &self.places {
            Some(places) => self.slots.get(*places.named.get(name)?.first()? as usize)?.as_ref(),
            None => self.iter().find(|one| one.name().borrow() == name),
        }
    }

    /// The same, to change anything but its name and what columns it is about.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, name: &Q) -> Option<&mut T>
    where
        T::Name: Borrow<Q>,
    {
        match &self.places {
            Some(places) => self.slots.get_mut(*places.named.get(name)?.first()? as usize)?.as_mut(),
            None => self.iter_mut().find(|one| one.name().borrow() == name),
        }
    }

    /// All of that name, in order.
    pub fn all<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> impl Iterator<Item = &T>
    where
        T::Name: Borrow<Q>,
    {
        let (found, rest) = match &self.places {
            Some(places) => (places.named.get(name).map_or(&[][..], Vec::as_slice), &[][..]),
            None => (&[][..], self.slots.as_slice()),
        };
        let found = found.iter().filter_map(|&place| self.slots.get(place as usize)?.as_ref());
        found.chain(rest.iter().flatten().filter(move |one| one.name().borrow() == name))
    }

    /// Some, in order, among them all that are about a column; the empty name: that can't tell, or are the primary key.
    pub fn about(&self, column: &str) -> impl Iterator<Item = &T> {
        let (found, rest) = match &self.places {
            Some(places) => (places.about.get(column).map_or(&[][..], Vec::as_slice), &[][..]),
            None => (&[][..], self.slots.as_slice()),
        };
        let found = found.iter().filter_map(|&place| self.slots.get(place as usize)?.as_ref());
        found.chain(rest.iter().flatten())
    }

    /// As [`List::about`], for several columns. Those who ask mostly want the first that is of a kind, and thousands may be
    /// about one column: they are looked for one by one.
    pub fn about_any(&self, columns: &[&str]) -> impl Iterator<Item = &T> {
        let (found, rest) = match &self.places {
            Some(places) => (Some(merged(&places.about, columns)), &[][..]),
            None => (None, self.slots.as_slice()),
        };
        let found = found.into_iter().flatten();
        found.filter_map(|place| self.slots.get(place as usize)?.as_ref()).chain(rest.iter().flatten())
    }

    /// Whether one has that name.
    pub fn has<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> bool
    where
        T::Name: Borrow<Q>,
    {
        self.get(name).is_some()
    }

    /// Calls `change` for all of that name; it changes anything but the name, what columns they are about too.
    pub fn change<Q: Eq + Hash + ?Sized>(&mut self, name: &Q, mut change: impl FnMut(&mut T))
    where
        T::Name: Borrow<Q>,
    {
        match &mut self.places {
            Some(places) => {
                let Places { named, about } = &mut **places;
                for &place in named.get(name).into_iter().flatten() {
                    if let Some(Some(one)) = self.slots.get_mut(place as usize) {
                        change(one);
                        note_columns(about, one, place);
                    }
                }
            }
            None => self.iter_mut().filter(|one| one.name().borrow() == name).for_each(change),
        }
    }

    /// Calls `change` for all of that name; it may give them other names.
    pub fn rename<Q: Eq + Hash + ?Sized>(&mut self, name: &Q, mut change: impl FnMut(&mut T))
    where
        T::Name: Borrow<Q>,
    {
        let Some(places) = &mut self.places else {
            return self.iter_mut().filter(|one| one.name().borrow() == name).for_each(change);
        };
        for place in places.named.remove(name).into_iter().flatten() {
            if let Some(Some(one)) = self.slots.get_mut(place as usize) {
                change(one);
                let new = places.named.entry(one.name().clone()).or_default();
                new.insert(new.partition_point(|&other| other < place), place);
            }
        }
    }

    /// Adds one at the end.
    pub fn push(&mut self, one: T) {
        self.len += 1;
        let place = self.slots.len() as u32; // files over 4 GiB are refused
        if let Some(places) = &mut self.places {
            places.add(&one, place);
        }
        self.slots.push(Some(one));
        if self.places.is_none() && self.slots.len() > T::FEW {
            self.index();
        }
    }

    /// Where the end is now, for [`List::since`].
    pub fn end(&self) -> usize {
        self.slots.len()
    }

    /// Those added behind `end`, as long as none is taken out.
    pub fn since(&self, end: usize) -> Iter<'_, T> {
        self.slots.get(end..).unwrap_or_default().iter().flatten()
    }

    /// Takes out all of that name: gives whether there were any.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, name: &Q) -> bool
    where
        T::Name: Borrow<Q>,
    {
        let Some(places) = &mut self.places else {
            let before = self.len;
            self.retain(|one| one.name().borrow() != name);
            return self.len < before;
        };
        let Some(gone) = places.named.remove(name) else { return false };
        for place in gone {
            if self.slots.get_mut(place as usize).is_some_and(|slot| slot.take().is_some()) {
                self.len -= 1;
            }
        }
        self.close_some_gaps();
        true
    }

    /// Takes out those of which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let before = self.len;
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|one| !keep(one)) {
                *slot = None;
                self.len -= 1;
            }
        }
        if self.len < before {
            self.close_gaps();
        }
    }

    /// Takes out those that are about one of these columns, or can't tell where the empty name is among them, and of which
    /// `goes` says yes; gives them, in order. Where not all are looked at, it has to say no of all others.
    pub fn take_about(&mut self, columns: &[&str], mut goes: impl FnMut(&T) -> bool) -> Vec<T> {
        let found: Vec<u32> = match &self.places {
            Some(places) => merged(&places.about, columns).collect(),
            None => (0..self.slots.len() as u32).collect(), // files over 4 GiB are refused
        };
        let mut taken = Vec::new();
        for place in found {
            let Some(slot) = self.slots.get_mut(place as usize) else { continue };
            let Some(one) = slot.take_if(|one| goes(one)) else { continue };
            self.len -= 1;
            if let Some(places) = &mut self.places
                && let Some(named) = places.named.get_mut(one.name())
            {
                named.retain(|&other| other != place);
                if named.is_empty() {
                    places.named.remove(one.name());
                }
            }
            taken.push(one);
        }
        if !taken.is_empty() {
            self.close_some_gaps();
        }
        taken
    }

    /// Closes the gaps where they are many, or where nothing would be found by its place.
    fn close_some_gaps(&mut self) {
        if self.places.is_none() || self.len < self.slots.len() / 2 {
            self.close_gaps();
        }
    }

    fn close_gaps(&mut self) {
        self.slots.retain(Option::is_some);
        self.places = None;
        if self.slots.len() > T::FEW {
            self.index();
        }
    }

    fn index(&mut self) {
        let mut places = Places { named: FxHashMap::default(), about: FxHashMap::default() };
        for (place, one) in (0u32..).zip(&self.slots) {
            if let Some(one) = one {
                places.add(one, place);
            }
        }
        self.places = Some(Box::new(places));
    }
}

/// The members of a [`List`], in order.
pub type Iter<'a, T> = std::iter::Flatten<std::slice::Iter<'a, Option<T>>>;

impl<'a, T: Named> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Named> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Option<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.slots.into_iter().flatten()
    }
}

impl<T: Named> Extend<T> for List<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        more.into_iter().for_each(|one| self.push(one));
    }
}

impl<T: Named> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut list = List::default();
        list.extend(all);
        list
    }
}

impl Named for Constraint {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.name
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        match &self.detail {
            ConstraintDetail::Check { expr, .. } => {
                expr.columns.iter().for_each(|column| note(&column.value))
            }
            ConstraintDetail::NotNull { column } => note(column),
            ConstraintDetail::PrimaryKey { columns, .. } => {
                columns.iter().for_each(|column| note(column));
                note("");
            }
            ConstraintDetail::Unique { columns, .. } | ConstraintDetail::ForeignKey { columns, .. } => {
                columns.iter().for_each(|column| note(column));
                if columns.is_empty() {
                    note("");
                }
            }
            ConstraintDetail::Exclude { .. } => note(""),
        }
    }
}

impl Named for Index {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.name
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        for key in &self.keys {
            key.column.iter().chain(&key.columns).for_each(|column| note(column));
        }
        self.include.iter().for_each(|column| note(column));
        if self.predicate.is_some() {
            note("");
        }
    }
}

impl Named for Trigger {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.name
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        self.columns.iter().for_each(|column| note(column));
    }
}

impl Named for Policy {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.name
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        self.columns.iter().for_each(|column| note(column));
    }
}

/// About the columns that it is generated from.
impl Named for Column {
    type Name = CompactString;
    // Most tables have more than a few columns, and are looked into seldom.
    const FEW: usize = 64;
    fn name(&self) -> &CompactString {
        &self.name
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        self.generated.iter().flat_map(|from| &from.columns).for_each(|column| note(column));
    }
}

/// A label of an enum type.
impl Named for (CompactString, Born) {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.0
    }
}

/// A CHECK of a domain.
impl Named for (CompactString, Expr, bool) {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.0
    }
}

impl Named for CompactString {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        self
    }
}

impl Named for QName {
    type Name = QName;
    fn name(&self) -> &QName {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &List<CompactString>) -> Vec<&str> {
        list.iter().map(CompactString::as_str).collect()
    }

    /// A list and a plain vector that is told the same.
    #[test]
    fn a_long_list_does_what_a_short_one_does() {
        const FEW: usize = <CompactString as Named>::FEW;
        for many in [3, FEW, FEW + 1, 200] {
            let mut list: List<CompactString> = List::default();
            let mut plain: Vec<CompactString> = Vec::new();
            for number in 0..many {
                // Each third name is there twice.
                for _ in 0..1 + usize::from(number % 3 == 0) {
                    list.push(format!("n{number}").into());
                    plain.push(format!("n{number}").into());
                }
            }
            assert_eq!(names(&list), plain);
            let end = list.end();
            list.push("last".into());
            plain.push("last".into());
            assert_eq!(list.since(end).collect::<Vec<_>>(), ["last"]);
            for number in (0..many).step_by(2) {
                let name = format!("n{number}");
                assert!(list.remove(name.as_str()), "{name}");
                assert!(!list.remove(name.as_str()) && !list.has(name.as_str()), "{name}");
                plain.retain(|one| *one != name);
                assert_eq!(
                    (names(&list), list.len()),
                    (plain.iter().map(|one| one.as_str()).collect(), plain.len())
                );
            }
            list.rename("n1", |one| *one = "last".into());
            plain.iter_mut().filter(|one| *one == "n1").for_each(|one| *one = "last".into());
            assert_eq!(names(&list), plain);
            list.remove("last");
            plain.retain(|one| one != "last");
            list.retain(|one| !one.ends_with('5'));
            plain.retain(|one| !one.ends_with('5'));
            assert_eq!(names(&list), plain);
            assert!(plain.iter().all(|one| list.get(one.as_str()) == Some(one)));
            assert!(
                plain.iter().all(|one| list.all(one.as_str()).eq(plain.iter().filter(|other| *other == one)))
            );
        }
    }
}
