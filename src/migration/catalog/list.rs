//! The lists that hang on a relation: in order, and found by name.
//!
//! A table may have thousands of constraints, indexes, triggers or partitions, and each of them a statement of its own. So
//! a long list keeps where each name is, and what is taken out of it leaves a gap, lest all that is behind it be moved.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::hash::{BuildHasher, Hash};

use compact_str::CompactString;
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::chunks::{Chunks, Iter};
use super::relation::{Born, Column, Constraint, ConstraintDetail, Index, Policy, RewriteRule, Trigger};
use super::{Expr, QName};

/// What is found by a name.
pub trait Named: Clone {
    /// What it is found by.
    type Name: Eq + Hash;

    /// Up to this many are looked through, which is faster than to look them up.
    const FEW: usize = 16;

    /// The name.
    fn name(&self) -> &Self::Name;

    /// Calls `note` for each column that it is about, besides its name; for the empty name where it can't tell, or is the
    /// primary key.
    fn columns(&self, _note: &mut dyn FnMut(&str)) {}
}

/// Where in a list what is about a column, in order; what is no more about it may still be in it. What comes first mostly
/// goes first.
type About = FxHashMap<CompactString, VecDeque<u32>>;

/// Where one is, with a part of the hash of its name: names aren't kept twice.
#[derive(Clone, Copy, Debug)]
struct Spot {
    hash: u32,
    place: u32,
}

/// Where in a list what is.
#[derive(Clone, Debug, Default)]
struct Places {
    /// By name, in no order.
    named: HashTable<Spot>,
    /// By column that they are about.
    about: About,
}

fn hash_of<Q: Hash + ?Sized>(name: &Q) -> u32 {
    (FxBuildHasher.hash_one(name) >> 32) as u32
}

/// The hash as the table takes it: it looks at the highest and the lowest bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// The places of what is about one of these columns, in order.
fn merged<'a>(about: &'a About, columns: &[&str]) -> impl Iterator<Item = u32> + use<'a> {
    let mut lists: Vec<_> =
        columns.iter().filter_map(|column| about.get(*column)).map(VecDeque::iter).collect();
    let firsts = lists.iter_mut().enumerate().filter_map(|(list, places)| Some((*places.next()?, list)));
    let mut open: BinaryHeap<Reverse<(u32, usize)>> = firsts.map(Reverse).collect();
    let mut last = None;
    std::iter::from_fn(move || {
        loop {
            let Reverse((place, list)) = open.pop()?;
            let next = lists.get_mut(list).and_then(Iterator::next);
            open.extend(next.map(|&next| Reverse((next, list))));
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
        match places.back() {
            Some(last) if *last >= place => {
                if let Err(at) = places.binary_search(&place) {
                    places.insert(at, place);
                }
            }
            _ => places.push_back(place),
        }
    });
}

impl Places {
    fn add<T: Named>(&mut self, one: &T, place: u32) {
        self.add_name(one, place);
        note_columns(&mut self.about, one, place);
    }

    fn add_name<T: Named>(&mut self, one: &T, place: u32) {
        let hash = hash_of(one.name());
        self.named.insert_unique(spread(hash), Spot { hash, place }, |spot| spread(spot.hash));
    }

    fn remove<T: Named>(&mut self, one: &T, place: u32) {
        self.remove_name(one, place);
        one.columns(&mut |column| {
            let Some(places) = self.about.get_mut(column) else { return };
            if let Ok(at) = places.binary_search(&place) {
                places.remove(at);
            }
            if places.is_empty() {
                self.about.remove(column);
            }
        });
    }

    fn remove_name<T: Named>(&mut self, one: &T, place: u32) {
        if let Ok(spot) = self.named.find_entry(spread(hash_of(one.name())), |spot| spot.place == place) {
            spot.remove();
        }
    }

    /// Where those of a name are, in no order.
    fn of<'a, T: Named, Q: Eq + Hash + ?Sized>(
        &'a self,
        slots: &'a Chunks<T>,
        name: &'a Q,
    ) -> impl Iterator<Item = u32> + 'a
    where
        T::Name: Borrow<Q>,
    {
        let hash = hash_of(name);
        let is_it = move |spot: &&Spot| {
            spot.hash == hash && slots.get(spot.place as usize).is_some_and(|one| one.name().borrow() == name)
        };
        self.named.iter_hash(spread(hash)).filter(is_it).map(|spot| spot.place)
    }

    /// The same, in order.
    fn sorted<T: Named, Q: Eq + Hash + ?Sized>(&self, slots: &Chunks<T>, name: &Q) -> Vec<u32>
    where
        T::Name: Borrow<Q>,
    {
        let mut places: Vec<u32> = self.of(slots, name).collect();
        places.sort_unstable();
        places
    }
}

/// A list whose members are found by name. Several may have the same.
#[derive(Clone, Debug)]
pub struct List<T: Named> {
    /// In order; `None` where one was taken out. Once half of them are gaps, these are closed.
    slots: Chunks<T>,
    /// How many there are.
    len: usize,
    /// Where in `slots` what is. Kept once there are more than [`Named::FEW`] slots; most lists are short, and there are many.
    places: Option<Box<Places>>,
}

impl<T: Named> Default for List<T> {
    fn default() -> Self {
        List { slots: Chunks::default(), len: 0, places: None }
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
        self.slots.iter()
    }

    /// A column that members are about has another name: calls `change` for some, among them all that are about it or can't
    /// tell, which changes anything but their names.
    pub fn rename_column(&mut self, from: &str, to: &str, mut change: impl FnMut(&mut T)) {
        let Some(places) = &mut self.places else {
            return self.slots.iter_mut().for_each(change);
        };
        let about = places.about.remove(from).unwrap_or_default();
        let unsure = places.about.get("").into_iter().flatten();
        for &place in about.iter().chain(unsure.filter(|place| about.binary_search(place).is_err())) {
            self.slots.get_mut(place as usize).into_iter().for_each(&mut change);
        }
        if !about.is_empty() {
            let now = places.about.entry(to.into()).or_default();
            if now.is_empty() {
                *now = about;
            } else {
                let both: BTreeSet<u32> = now.iter().chain(&about).copied().collect();
                *now = both.into_iter().collect();
            }
        }
    }

    /// All, to change anything but their names and what columns they are about.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut()
    }

    /// The first of that name.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> Option<&T>
    where
        T::Name: Borrow<Q>,
    {
        match &self.places {
            Some(places) => self.slots.get(places.of(&self.slots, name).min()? as usize),
            None => self.iter().find(|one| one.name().borrow() == name),
        }
    }

    /// The same, to change anything but its name and what columns it is about.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, name: &Q) -> Option<&mut T>
    where
        T::Name: Borrow<Q>,
    {
        match &self.places {
            Some(places) => {
                let place = places.of(&self.slots, name).min()?;
                self.slots.get_mut(place as usize)
            }
            None => self.iter_mut().find(|one| one.name().borrow() == name),
        }
    }

    /// All of that name, in order.
    pub fn all<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> impl Iterator<Item = &T>
    where
        T::Name: Borrow<Q>,
    {
        let (found, rest) = match &self.places {
            Some(places) => (places.sorted(&self.slots, name), None),
            None => (Vec::new(), Some(self.iter())),
        };
        let found = found.into_iter().filter_map(|place| self.slots.get(place as usize));
        found.chain(rest.into_iter().flatten().filter(move |one| one.name().borrow() == name))
    }

    /// Some, in order, among them all that are about a column; the empty name: that can't tell, or are the primary key.
    pub fn about(&self, column: &str) -> impl Iterator<Item = &T> {
        let (found, rest) = match &self.places {
            Some(places) => (places.about.get(column), None),
            None => (None, Some(self.iter())),
        };
        let found = found.into_iter().flatten().filter_map(|&place| self.slots.get(place as usize));
        found.chain(rest.into_iter().flatten())
    }

    /// As [`List::about`], for several columns. Those who ask mostly want the first that is of a kind, and thousands may be
    /// about one column: they are looked for one by one.
    pub fn about_any(&self, columns: &[&str]) -> impl Iterator<Item = &T> {
        let (found, rest) = match &self.places {
            Some(places) => (Some(merged(&places.about, columns)), None),
            None => (None, Some(self.iter())),
        };
        let found = found.into_iter().flatten();
        found.filter_map(|place| self.slots.get(place as usize)).chain(rest.into_iter().flatten())
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
                for place in places.sorted(&self.slots, name) {
                    if let Some(one) = self.slots.get_mut(place as usize) {
                        change(one);
                        note_columns(&mut places.about, one, place);
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
        for place in places.sorted(&self.slots, name) {
            if let Some(one) = self.slots.get_mut(place as usize) {
                places.remove_name(one, place);
                change(one);
                places.add_name(one, place);
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
        self.slots.push(one);
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
        self.slots.from(end)
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
        let gone = places.sorted(&self.slots, name);
        for &place in &gone {
            if let Some(one) = self.slots.take(place as usize) {
                places.remove(&one, place);
                self.len -= 1;
            }
        }
        if !gone.is_empty() {
            self.close_some_gaps();
        }
        !gone.is_empty()
    }

    /// Takes out those of which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        // Where none goes nothing is copied.
        let goes = |place: &usize| self.slots.get(*place).is_some_and(|one| !keep(one));
        let gone: Vec<usize> = (0..self.slots.len()).filter(goes).collect();
        for &place in &gone {
            self.len -= usize::from(self.slots.take(place).is_some());
        }
        if !gone.is_empty() {
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
            if !self.slots.get(place as usize).is_some_and(&mut goes) {
                continue;
            }
            let Some(one) = self.slots.take(place as usize) else { continue };
            self.len -= 1;
            if let Some(places) = &mut self.places {
                places.remove(&one, place);
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
        let mut slots = Chunks::default();
        std::mem::take(&mut self.slots).into_iter().for_each(|one| slots.push(one));
        self.slots = slots;
        self.places = None;
        if self.slots.len() > T::FEW {
            self.index();
        }
    }

    fn index(&mut self) {
        let mut places = Places::default();
        // files over 4 GiB are refused
        for place in 0..self.slots.len() as u32 {
            if let Some(one) = self.slots.get(place as usize) {
                places.add(one, place);
            }
        }
        self.places = Some(Box::new(places));
    }
}

impl<'a, T: Named> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Named> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.slots.into_iter().collect::<Vec<T>>().into_iter()
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

impl Named for RewriteRule {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.name
    }
}

impl Named for Policy {
    type Name = CompactString;
    fn name(&self) -> &CompactString {
        &self.name
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        self.named_columns().for_each(|column| note(column));
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

    /// A thing with a name and columns.
    #[derive(Clone, Debug, PartialEq)]
    struct About(CompactString, Vec<CompactString>);

    impl Named for About {
        type Name = CompactString;
        const FEW: usize = 8;
        fn name(&self) -> &CompactString {
            &self.0
        }
        fn columns(&self, note: &mut dyn FnMut(&str)) {
            self.1.iter().for_each(|column| note(column));
        }
    }

    #[test]
    fn what_is_about_a_column_is_found_and_little_else() {
        let column = |number: usize| CompactString::from(format!("c{number}"));
        let mut list: List<About> = List::default();
        for number in 0..1000 {
            list.push(About(
                format!("n{number}").into(),
                vec![column(number % 100), column(100 + number % 7)],
            ));
        }
        let about = |list: &List<About>, columns: &[&str]| -> Vec<About> {
            let found: Vec<About> = list.about_any(columns).cloned().collect();
            let is_about = |one: &&About| one.1.iter().any(|column| columns.contains(&column.as_str()));
            let meant: Vec<About> = list.iter().filter(is_about).cloned().collect();
            assert!(found.len() < meant.len() + 20, "no more are looked at than a column has");
            assert_eq!(found.into_iter().filter(|one| is_about(&one)).collect::<Vec<_>>(), meant);
            meant
        };
        assert_eq!(about(&list, &["c50"]).len(), 10);
        assert_eq!(about(&list, &["c50", "c51", "c51"]).len(), 20);
        // About another column, by a change and by the column's new name.
        list.change("n50", |one| one.1 = vec![column(51)]);
        assert_eq!((about(&list, &["c50"]).len(), about(&list, &["c51"]).len()), (9, 11));
        let mut changed = 0;
        list.rename_column("c51", "c50", |one| {
            changed += 1;
            one.1.iter_mut().filter(|one| *one == "c51").for_each(|one| *one = "c50".into());
        });
        assert_eq!((changed, about(&list, &["c50"]).len(), about(&list, &["c51"]).len()), (11, 20, 0));
        // Taken out, one column after the other.
        let mut left = list.len();
        for number in 0..100 {
            let mut asked = 0;
            let taken = list.take_about(&[&column(number)], |one| {
                asked += 1;
                one.1.contains(&column(number))
            });
            left -= taken.len();
            assert!(asked < taken.len() + 200 && taken.is_sorted_by_key(|one| one.0.len()), "{number}");
            assert_eq!((list.len(), list.iter().count()), (left, left));
            assert!(
                taken.iter().all(|one| !list.has(one.0.as_str()))
                    && about(&list, &["c99"]).len() >= 10 * usize::from(number < 99)
            );
        }
        assert_eq!(left, 0);
    }
}
