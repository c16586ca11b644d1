//! Proves that a pg_dump archive is whole, and tells what is in it and what is missing.

pub mod archive;
pub mod checksum;
pub mod contents;
pub mod data;
pub mod encoding;
pub mod evidence;
pub mod expected;
mod gathered;
mod heading;
pub mod json;
pub mod keys;
mod lanes;
pub mod location;
pub mod manifest;
#[cfg(feature = "object-store")]
pub mod object_store;
pub mod options;
pub mod report;
pub mod restore;
mod row_plan;
pub mod rows;
pub mod rules;
pub mod schema;
pub mod take;
pub mod text;
mod tokens;
pub mod value;
pub mod verify;
mod wanted;
