//! What a caller wants to read, out of `Accept`.
//!
//! Must not know routes. Pure. Preference is by order alone: nobody weighs the kinds of these routes.

use axum::http::{HeaderMap, header};

/// What stands for the first kind that is named and known.
pub(crate) fn first<T: Copy>(headers: &HeaderMap, known: &[(&str, T)]) -> Option<T> {
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = fields.flat_map(|field| field.split(','));
    let mut kinds = kinds.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.find_map(|kind| {
        let found = known.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name));
        found.map(|(_, meaning)| *meaning)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_first_kind_that_is_known_is_the_one_that_is_wanted() {
        let known = [("application/x-ndjson", 'l'), ("text/event-stream", 'e'), ("application/json", 'j')];
        let cases = [
            ("", None),
            ("*/*", None),
            ("application/x-ndjson", Some('l')),
            ("text/event-stream; q=0.9, application/json", Some('e')),
            ("text/html, Application/X-NDJSON;q=1", Some('l')),
            ("application/json, text/event-stream", Some('j')),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(first(&headers, &known), expected, "{accept:?}");
        }
    }
}
