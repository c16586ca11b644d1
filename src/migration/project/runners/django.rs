//! Django's `sqlmigrate`: BEGIN and COMMIT are those that Django sends; which statements are one string of RunSQL, and so one
//! query, it doesn't print.

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "django",
    title: "Django",
    signs: NO_SIGNS,
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "set `atomic = False` on the migration, and give RunSQL a list of strings, one for each statement",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: None,
    export: Some(Export {
        command: "python manage.py sqlmigrate",
        shows_transactions: true,
        lost: "sqlmigrate doesn't print which statements are one string of RunSQL, and those go to the server as one query",
    }),
};
