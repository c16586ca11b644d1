//! Atlas: `<version>_name.sql` beside `atlas.sum`; statement by statement in one transaction for each file;
//! `-- atlas:txmode none` at the head for none.

use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "atlas",
    title: "Atlas",
    signs: Signs { inside: &["atlas.sum"], content: &["-- atlas:"], ..NO_SIGNS },
    named: numbered,
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[Switch::Line(|line| line.trim_end() == "-- atlas:txmode none")],
    alone: "put `-- atlas:txmode none` at the head of the file, followed by a blank line",
    psql: false,
};
