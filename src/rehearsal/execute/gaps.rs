//! Times in which migrations would have gone on, had rollsafe not looked.

/// Times that are taken out of the report: while rollsafe measures between two statements of a transaction its
/// locks stay, and an application would be seen to wait for rollsafe.
#[derive(Clone, Debug, Default)]
pub(in crate::rehearsal) struct Gaps(pub(super) Vec<(f64, f64)>);

impl Gaps {
    /// `at` with the gaps before it taken out.
    pub fn without(&self, at: f64) -> f64 {
        let before: f64 = self.0.iter().map(|(start, end)| (at.min(*end) - start).max(0.0)).sum();
        at - before
    }

    /// All of them together.
    pub fn seconds(&self) -> f64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_taken_out_of_times() {
        let gaps = Gaps(vec![(1.0, 2.0), (5.0, 5.5)]);
        let times: Vec<f64> = [0.5, 1.5, 2.0, 4.0, 6.0].into_iter().map(|at| gaps.without(at)).collect();
        assert_eq!(times, [0.5, 1.0, 1.0, 3.0, 4.5]);
        assert_eq!(gaps.seconds(), 1.5);
    }
}
