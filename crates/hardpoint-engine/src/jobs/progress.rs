//! Progress of one call, told at most ten times a second; the last word is never lost.
//!
//! Owns the pace. Must not know who is told.

use super::limits::PROGRESS_EVERY;
use hardpoint_model::job::EventKind;
use hardpoint_wire::Progress;
use tokio::time::Instant;

/// What was said and not told yet.
#[derive(Debug, Default)]
pub(super) struct Coalesced {
    told: Option<Instant>,
    late: Option<Progress>,
}

impl Coalesced {
    /// The newer word replaces the one that was not told yet.
    pub(super) fn push(&mut self, progress: Progress) {
        self.late = Some(progress);
    }

    /// What is to be told next, when its time has come. Safe to drop half-way.
    pub(super) async fn due(&mut self) -> EventKind {
        if self.late.is_some()
            && let Some(told) = self.told
        {
            tokio::time::sleep_until(told + PROGRESS_EVERY).await;
        }
        match self.take() {
            Some(progress) => progress,
            None => std::future::pending().await,
        }
    }

    /// What was not told yet, whether its time has come or not.
    pub(super) fn take(&mut self) -> Option<EventKind> {
        let Progress { fraction, message, .. } = self.late.take()?;
        self.told = Some(Instant::now());
        Some(EventKind::ProgressChanged { progress: fraction.unwrap_or(-1.0), status_message: message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fraction: f64) -> Progress {
        Progress { id: 1, fraction: Some(fraction), message: String::new() }
    }

    fn fraction(kind: &EventKind) -> f64 {
        let EventKind::ProgressChanged { progress, .. } = kind else { panic!("{kind:?}") };
        *progress
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_word_is_told_at_once_and_the_last_one_soon_although_nothing_follows() {
        let mut progress = Coalesced::default();
        let began = Instant::now();
        progress.push(said(0.1));
        assert!((fraction(&progress.due().await) - 0.1).abs() < f64::EPSILON);
        assert_eq!(began.elapsed(), std::time::Duration::ZERO);
        for step in 2..=9 {
            progress.push(said(f64::from(step) / 10.0));
        }
        assert!((fraction(&progress.due().await) - 0.9).abs() < f64::EPSILON);
        assert_eq!(began.elapsed(), PROGRESS_EVERY);
        assert_eq!(progress.take(), None);
    }
}
