//! yandex-pgmigrate: `V1__x.sql` beside `migrations.yml`; all transactional migrations of a run in one transaction;
//! NONTRANSACTIONAL in the name for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "yandex-pgmigrate",
    title: "yandex-pgmigrate",
    signs: Signs { above: &["migrations.yml"], ..NO_SIGNS },
    named: super::flyway::named,
    order: Order::Dotted,
    sections: Sections::Whole,
    around: Around::Run,
    unit: Unit::Statement,
    switch: &[Switch::Path(|path| path.contains("NONTRANSACTIONAL"))],
    alone: "put NONTRANSACTIONAL into the description in the file's name",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["public.schema_version"],
        columns: &["version", "type", "installed_by"],
        foreign: &["installed_rank"],
        ..ONE_ROW_EACH
    }),
    export: None,
};
