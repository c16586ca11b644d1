//! Any bytes as a dump: opened, its contents listed, all of its data read.
//! Seeds: the files of fixtures/dumps.

use std::path::Path;

use rollsafe::backup::archive::Archive;
use rollsafe::backup::archive::input::Input;
use rollsafe::backup::contents::read_contents;
use rollsafe::backup::data::{DataOptions, read_data};
use rollsafe::backup::rows::Depth;
use rollsafe::backup::text::read_plain;

/// Panics where that doesn't hold.
pub fn check(bytes: &[u8]) {
    let depth = Depth { checksums: true, values: true, keys: true };
    let options = DataOptions { depth, threads: 1 };
    let Ok(archive) = Archive::open_input(Path::new("x"), Input::bytes(bytes.to_vec())) else { return };
    if archive.format.is_text() {
        read_plain(&archive, options);
    } else {
        let (contents, schema) = read_contents(&archive.toc);
        read_data(&archive, &schema, &contents, options);
    }
}
