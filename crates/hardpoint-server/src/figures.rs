//! Figures about requests: how many came to which route and how they were answered.
//!
//! Owns the counters. A request costs one addition; nothing here waits.

use crate::route::Route;
use axum::http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Every status that this server sends.
const STATUSES: [u16; 24] = [
    101, 200, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 421, 422, 426, 429, 431, 500,
    502, 503, 0,
];

#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) started: Instant,
    requests: [[AtomicU64; STATUSES.len()]; Route::ALL.len()],
    pub(crate) connections: AtomicU64,
    /// Followers of events who took nothing of what they were sent.
    pub(crate) followers_dropped: AtomicU64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            requests: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            connections: AtomicU64::new(0),
            followers_dropped: AtomicU64::new(0),
        }
    }
}

impl Figures {
    /// A request was answered.
    pub(crate) fn answered(&self, route: Route, status: StatusCode) {
        let known = STATUSES.iter().position(|known| *known == status.as_u16());
        let column = known.unwrap_or(STATUSES.len() - 1);
        if let Some(count) = self.requests.get(route as usize).and_then(|row| row.get(column)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Route, status and count of everything that has happened at least once. Status 0 is any other.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, u16, u64)> {
        Route::ALL.iter().zip(&self.requests).flat_map(|(route, row)| {
            let counts =
                STATUSES.iter().zip(row).map(|(status, count)| (*status, count.load(Ordering::Relaxed)));
            counts.filter(|(_, count)| *count > 0).map(|(status, count)| (route.pattern(), status, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let figures = Figures::default();
        figures.answered(Route::Run, StatusCode::OK);
        figures.answered(Route::Run, StatusCode::OK);
        figures.answered(Route::Docs, StatusCode::IM_A_TEAPOT);
        let counted: Vec<_> = figures.requests().collect();
        assert_eq!(counted, [("/v1/plugins/{name}/tools/{tool}/run", 200, 2), ("/docs", 0, 1)]);
    }

    #[test]
    fn routes_stand_in_the_order_of_their_numbers_and_every_code_has_a_column() {
        for (at, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, at);
        }
        for code in Code::ALL {
            assert!(STATUSES.contains(&code.status().as_u16()), "{code:?}");
        }
    }
}
