//! Supabase CLI: `supabase/migrations/<timestamp>_name.sql`; statements in one pipeline, those that can't run in a
//! transaction alone.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "supabase",
    title: "Supabase CLI",
    signs: Signs { folder: &["supabase/migrations"], ..NO_SIGNS },
    named: numbered,
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[Switch::Alone(needs_no_transaction)],
    alone: "leave the statement alone in its file; newer versions of the CLI send it alone by themselves",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["supabase_migrations.schema_migrations"],
        columns: &["version"],
        compare: as_text,
        ..ONE_ROW_EACH
    }),
    export: None,
};
