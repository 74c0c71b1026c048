//! What a call says that it used, added up while it runs.
//!
//! Owns the sums. They are there whatever became of the call, and whether anybody takes its notes or not.

use crate::limits::USAGE_UNITS_MAX;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The sums of one call, by unit. Cheap to clone; all are the same ones.
#[derive(Debug, Clone, Default)]
pub struct UsageTally(Arc<Mutex<BTreeMap<String, f64>>>);

impl UsageTally {
    /// What it has come to; nothing is left of it.
    pub fn take(&self) -> BTreeMap<String, f64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Units beyond the bound are let go.
    pub(super) fn add(&self, usage: &BTreeMap<String, f64>) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (unit, amount) in usage.iter().filter(|(_, amount)| amount.is_finite()) {
            if let Some(sum) = sums.get_mut(unit) {
                *sum += amount;
            } else if sums.len() < USAGE_UNITS_MAX {
                sums.insert(unit.clone(), *amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_added_up_by_unit_and_a_flood_of_units_is_bounded() {
        let tally = UsageTally::default();
        for number in 0..1000 {
            let odd = BTreeMap::from([("tokens".to_owned(), 2.0), (format!("unit {number:04}"), f64::NAN)]);
            tally.add(&odd);
            tally.add(&BTreeMap::from([(format!("unit {number:04}"), 1.0)]));
        }
        let sums = tally.take();
        assert_eq!((sums.len(), sums["tokens"], sums["unit 0000"]), (USAGE_UNITS_MAX, 2000.0, 1.0));
        assert!(tally.take().is_empty());
    }
}
