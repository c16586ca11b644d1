//! One self-contained page to look at: the rehearsal and the gate's judgement.

use crate::gate::GateReport;
use crate::rehearsal::report::Rehearsal;

/// The page.
pub fn page(_rehearsal: Option<&Rehearsal>, _gate: Option<&GateReport>) -> String {
    String::new()
}
