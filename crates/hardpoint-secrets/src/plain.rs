//! Secrets as text: the document that is sealed, and the plain file of another host that is imported.
//!
//! `{"SCOPE": {"PLUGIN": {"NAME": "value"}}}`. Must not know files or keys.

use hardpoint_model::Secret;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The secrets of one plugin.
pub type Secrets = BTreeMap<String, Secret>;
/// All of them: by scope, plugin and name.
pub(crate) type Scopes = BTreeMap<String, BTreeMap<String, Secrets>>;

/// Reads a document.
pub(crate) fn parse(text: &[u8]) -> Option<Scopes> {
    serde_json::from_slice(text).ok()
}

/// Whether a text is such a document; one without anything in it is, too.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    parse(text).is_some()
}

/// The document of secrets. What it is built in is overwritten with it.
pub(crate) fn text(scopes: &Scopes) -> Option<Zeroizing<Vec<u8>>> {
    type Shown<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>>;
    let plugin = |secrets: &'_ Secrets| -> usize {
        secrets.iter().map(|(name, value)| name.len() + value.expose().len() + 8).sum()
    };
    let bytes: usize = scopes.values().flat_map(BTreeMap::values).map(plugin).sum();
    let shown: Shown<'_> = scopes
        .iter()
        .map(|(scope, plugins)| {
            let plugins = plugins.iter().map(|(plugin, secrets)| {
                let secrets = secrets.iter().map(|(name, value)| (name.as_str(), value.expose()));
                (plugin.as_str(), secrets.collect())
            });
            (scope.as_str(), plugins.collect())
        })
        .collect();
    // So large that it never moves, even when every byte needs an escape: nothing is left where it was.
    let mut text = Zeroizing::new(Vec::with_capacity(6 * bytes + 256 * (shown.len() + 1)));
    serde_json::to_writer(&mut *text, &shown).ok()?;
    Some(text)
}
