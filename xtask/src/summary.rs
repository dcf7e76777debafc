//! What a whole test run came to: the sum of libtest's result lines, less the tests that said they could not run.

use std::collections::BTreeSet;
use std::fmt;

/// Counts of tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Tests that ran and were right.
    pub(crate) passed: u64,
    /// Tests that ran and were wrong, and runs that broke off.
    pub(crate) failed: u64,
    /// Tests that lacked something.
    pub(crate) skipped: u64,
}

impl Summary {
    /// Adds the counts in `line` if it is one of libtest's result lines.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, name)) = count.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match name {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Takes the tests that `record` names out of those that passed: they returned early.
    pub(crate) fn skip(&mut self, record: &str) -> BTreeSet<String> {
        let skips: BTreeSet<String> = record.lines().map(str::to_owned).collect();
        let tests: BTreeSet<&str> = skips.iter().map(|line| line.split('\t').next().unwrap_or(line)).collect();
        let number = (tests.len() as u64).min(self.passed);
        self.passed -= number;
        self.skipped += number;
        skips
    }

    /// Takes a run into account whose cargo reported failure though no test did: it did not compile, or broke off.
    pub(crate) fn broke_off(&mut self) {
        self.failed = self.failed.max(1);
    }

    /// Whether something was tested and all of it was right.
    pub(crate) fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up() {
        let mut summary = Summary::default();
        summary.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s");
        summary.read("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s");
        summary.read("test servers::opensearch ... ok");
        assert_eq!(summary.to_string(), "4 passed, 2 failed, 1 skipped");
        assert!(!summary.is_good());
    }

    #[test]
    fn a_test_that_lacked_two_things_is_skipped_once() {
        let mut summary = Summary { passed: 3, ..Summary::default() };
        let skips = summary.skip("a::b\tno os2\na::b\tno prom2\n");
        assert_eq!((summary.to_string().as_str(), skips.len()), ("2 passed, 0 failed, 1 skipped", 2));
    }

    #[test]
    fn nothing_run_is_not_good() {
        assert!(!Summary::default().is_good());
        let mut summary = Summary { passed: 1, ..Summary::default() };
        assert!(summary.is_good());
        summary.broke_off();
        assert_eq!(summary.to_string(), "1 passed, 1 failed");
    }
}
