//! Reports: what was found, for people and for machines. Everything here gives a `String`; printing is the
//! binary's.

pub mod json;
pub mod snippet;
pub mod terminal;
