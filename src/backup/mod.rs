//! Proves that a pg_dump archive is whole, and tells what is in it and what is missing.

pub mod archive;
pub mod checksum;
pub mod contents;
pub mod data;
pub mod encoding;
pub mod evidence;
pub mod expected;
pub mod json;
pub mod keys;
pub mod location;
pub mod manifest;
#[cfg(feature = "object-store")]
pub mod object_store;
pub mod options;
pub mod report;
pub mod restore;
pub mod rows;
pub mod rules;
pub mod schema;
pub mod take;
pub mod text;
pub mod value;
pub mod verify;
