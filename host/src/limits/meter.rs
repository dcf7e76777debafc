//! Holds an instance's memories and tables, all of them together, against its limits.

use wasmtime::{Error, ResourceLimiter, Result};

use super::{LimitHit, Limits};

/// Asked before each growth. A growth beyond the limit traps, so that the trap can say which limit it was: no program
/// goes on well after a failed allocation.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: Gauge,
    table: Gauge,
    instances: usize,
}

#[derive(Debug)]
struct Gauge {
    name: &'static str,
    limit: usize,
    used: usize,
    /// Of the last growth, taken back where it fails after all.
    last: usize,
}

impl Gauge {
    fn new(name: &'static str, limit: usize) -> Self {
        Self { name, limit, used: 0, last: 0 }
    }

    fn grow(&mut self, current: usize, desired: usize) -> Result<bool> {
        let more = desired.saturating_sub(current);
        let requested = self.used.saturating_add(more);
        if requested > self.limit {
            let [limit, current, requested] = [self.limit, self.used, requested].map(|number| number as u64);
            return Err(Error::new(LimitHit { name: self.name, limit, current, requested }));
        }
        self.used = requested;
        self.last = more;
        Ok(true)
    }

    fn failed(&mut self) {
        self.used -= std::mem::take(&mut self.last);
    }
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Gauge::new("memory in bytes", limits.memory),
            table: Gauge::new("table elements", limits.table_elements),
            instances: limits.instances,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        self.memory.grow(current, desired)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.memory.failed();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        self.table.grow(current, desired)
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.table.failed();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together_and_a_refusal_says_the_numbers() {
        let mut meter = Meter::new(&Limits::default().with_memory(3 << 20).unwrap());
        assert!(meter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(meter.memory_growing(0, 1 << 20, None).unwrap(), "another memory");
        let error = meter.memory_growing(1 << 20, 3 << 20, None).unwrap_err();
        let hit = error.downcast_ref::<LimitHit>().unwrap();
        assert_eq!(hit.to_string(), "memory in bytes is limited to 3145728: 2097152 in use, 4194304 asked for");
        assert!(meter.memory_growing(1 << 20, 2 << 20, None).unwrap(), "what fits still may");
    }

    #[test]
    fn a_growth_that_failed_is_not_counted() {
        let mut meter = Meter::new(&Limits::default().with_memory(2 << 20).unwrap());
        assert!(meter.memory_growing(0, 2 << 20, None).unwrap());
        meter.memory_grow_failed(Error::msg("the system has no more")).unwrap();
        assert!(meter.memory_growing(0, 2 << 20, None).unwrap());
    }
}
