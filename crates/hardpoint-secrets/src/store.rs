//! The secrets of a data folder: set, listed by name, deleted, handed out for a worker that is started.
//!
//! Owns the two files and what may be in them. Everything here blocks, for a bounded time. A reader needs no lock: it
//! sees the file as it was before a change or after it.

use crate::SecretsError;
use crate::file::{self, Existing, Lock, Step};
use crate::limits::{
    FILE_BYTES_MAX, KEY_FILE_BYTES_MAX, PER_PLUGIN_MAX, PLUGIN_BYTES_MAX, SCOPE_CHARS_MAX, VALUE_BYTES_MAX,
};
use crate::plain::{self, Scopes, Secrets};
use crate::seal::{self, Key, OpenError};
use hardpoint_model::{PluginName, Secret, worker_env};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The scope of what no scope was named for: the one that workers are given.
pub const DEFAULT_SCOPE: &str = "__default__";
/// Names another file for the key than the one in the data folder.
const KEY_VARIABLE: &str = "HARDPOINT_SECRETS_KEY_FILE";

/// Where the secrets of a data folder are. Cheap to clone; nothing is read before it is asked for.
#[derive(Debug, Clone)]
pub struct SecretStore {
    dir: PathBuf,
    key: PathBuf,
}

/// Whose secrets: a plugin's, in a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    scope: String,
    plugin: String,
}

impl Place {
    /// Without a scope it is the default one.
    pub fn new(scope: Option<&str>, plugin: &str) -> Result<Self, SecretsError> {
        let scope = scope.unwrap_or(DEFAULT_SCOPE);
        check_scope(scope)?;
        plugin.parse::<PluginName>().map_err(|error| SecretsError::Name {
            what: "plugin",
            name: short(plugin),
            why: error.to_string(),
            hint: "`hardpoint plugin list` shows the names".to_owned(),
        })?;
        Ok(Self { scope: scope.to_owned(), plugin: plugin.to_owned() })
    }

    /// Its scope.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Its plugin.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Whether workers are given what is here.
    pub fn is_default(&self) -> bool {
        self.scope == DEFAULT_SCOPE
    }
}

impl SecretStore {
    /// The secrets of this data folder.
    pub fn of(data: &Path) -> Self {
        let named = std::env::var_os(KEY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { dir: data.join("secrets"), key: named.unwrap_or_else(|| data.join("secrets.key")) }
    }

    /// Keeps a value; when this returns it is on the disk.
    pub fn set(&self, place: &Place, name: &str, value: Secret) -> Result<(), SecretsError> {
        check(name, &value)?;
        self.change(&mut |_| (), |scopes| put(scopes, place, name, value))
    }

    /// Forgets a value; whether there was one.
    pub fn delete(&self, place: &Place, name: &str) -> Result<bool, SecretsError> {
        if !self.read()?.get(&place.scope).is_some_and(|plugins| plugins.contains_key(&place.plugin)) {
            return Ok(false);
        }
        self.change(&mut |_| (), |scopes| {
            let Some(plugins) = scopes.get_mut(&place.scope) else { return Ok(false) };
            let Some(secrets) = plugins.get_mut(&place.plugin) else { return Ok(false) };
            let was_there = secrets.remove(name).is_some();
            if secrets.is_empty() {
                plugins.remove(&place.plugin);
            }
            if plugins.is_empty() {
                scopes.remove(&place.scope);
            }
            Ok(was_there)
        })
    }

    /// The names of a plugin's secrets, in their order.
    pub fn names(&self, place: &Place) -> Result<Vec<String>, SecretsError> {
        Ok(self.of_plugin(place)?.into_keys().collect())
    }

    /// A plugin's secrets, for a worker that is about to be started.
    pub fn of_plugin(&self, place: &Place) -> Result<Secrets, SecretsError> {
        let mut scopes = self.read()?;
        Ok(scopes.get_mut(&place.scope).and_then(|plugins| plugins.remove(&place.plugin)).unwrap_or_default())
    }

    /// Takes over the plain file of another host, all of it or nothing; how many there were.
    pub fn import(&self, path: &Path) -> Result<usize, SecretsError> {
        let refused = |why| SecretsError::NotImportable { path: path.to_owned(), why };
        let text = file::read(path, FILE_BYTES_MAX)?.ok_or_else(|| refused("it is not there"))?;
        let text = Zeroizing::new(text);
        if text.len() > FILE_BYTES_MAX {
            return Err(refused("it is too large"));
        }
        let found = plain::parse(&text).ok_or_else(|| refused("it has another form"))?;
        self.change(&mut |_| (), |scopes| {
            let mut count = 0;
            for (scope, plugins) in &found {
                for (plugin, secrets) in plugins {
                    let place = Place::new(Some(scope), plugin)?;
                    for (name, value) in secrets {
                        check(name, value)?;
                        put(scopes, &place, name, value.clone())?;
                        count += 1;
                    }
                }
            }
            Ok(count)
        })
    }

    /// Whether the secrets can be opened; so they can when there are none.
    pub fn check(&self) -> Result<(), SecretsError> {
        self.read().map(drop)
    }

    /// Where others than the owner may read, in words.
    pub fn warnings(&self) -> Vec<String> {
        let places = [self.dir.clone(), self.file(), self.key.clone()];
        let loose = places.iter().filter_map(|path| file::loose(path).map(|mode| (path, mode)));
        loose
            .map(|(path, mode)| format!("{} may be read by others (mode {mode:o})", path.display()))
            .collect()
    }

    /// Where the values are.
    pub fn file(&self) -> PathBuf {
        self.dir.join("secrets.json")
    }

    /// Where their key is.
    pub fn key_file(&self) -> &Path {
        &self.key
    }

    fn read(&self) -> Result<Scopes, SecretsError> {
        let path = self.file();
        let Some(bytes) = file::read(&path, FILE_BYTES_MAX)? else { return Ok(Scopes::new()) };
        let unreadable = |why| SecretsError::Unreadable { path: path.clone(), why, other: self.key.clone() };
        if bytes.len() > FILE_BYTES_MAX {
            return Err(unreadable("it is too large"));
        }
        if plain::is_plain(&bytes) {
            return Err(SecretsError::Plain { path });
        }
        let missing = || SecretsError::KeyMissing { path: self.key.clone(), secrets: path.clone() };
        let key = self.known_key()?.ok_or_else(missing)?;
        let text = seal::open(&bytes, &key).map_err(|error| match error {
            OpenError::Plain => SecretsError::Plain { path: path.clone() },
            OpenError::Malformed | OpenError::Newer | OpenError::Refused => unreadable(error.why()),
        })?;
        plain::parse(&text).ok_or_else(|| unreadable("it holds something else"))
    }

    fn known_key(&self) -> Result<Option<Key>, SecretsError> {
        let Some(bytes) = file::read(&self.key, KEY_FILE_BYTES_MAX)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let key = std::str::from_utf8(&bytes).ok().and_then(Key::parse);
        let unreadable =
            || SecretsError::Unreadable { path: self.key.clone(), why: "it is no key", other: self.file() };
        key.ok_or_else(unreadable).map(Some)
    }

    /// The key, which is made with the first secret. Only called while the folder is locked.
    fn key(&self) -> Result<Key, SecretsError> {
        if let Some(key) = self.known_key()? {
            return Ok(key);
        }
        let made = Key::random()?;
        file::write(&self.key, made.to_text().as_bytes(), Existing::Keep, &mut |_| ())?;
        Ok(made)
    }

    /// Reads, changes and replaces the file, with nobody else in between.
    fn change<T>(
        &self,
        at: &mut dyn FnMut(Step),
        change: impl FnOnce(&mut Scopes) -> Result<T, SecretsError>,
    ) -> Result<T, SecretsError> {
        file::folder(&self.dir)?;
        let _lock = Lock::take(&self.dir)?;
        at(Step::Locked);
        file::sweep(&self.dir);
        let mut scopes = self.read()?;
        let changed = change(&mut scopes)?;
        let text = plain::text(&scopes).ok_or(SecretsError::FileFull)?;
        let sealed = seal::seal(&text, &self.key()?)?;
        if sealed.len() > FILE_BYTES_MAX {
            return Err(SecretsError::FileFull);
        }
        file::write(&self.file(), &sealed, Existing::Replace, at)?;
        Ok(changed)
    }

    #[cfg(test)]
    pub(crate) fn set_step_by_step(
        &self,
        place: &Place,
        (name, value): (&str, &str),
        at: &mut dyn FnMut(Step),
    ) -> Result<(), SecretsError> {
        self.change(at, |scopes| put(scopes, place, name, Secret::from(value.to_owned())))
    }
}

fn put(scopes: &mut Scopes, place: &Place, name: &str, value: Secret) -> Result<(), SecretsError> {
    let plugins = scopes.entry(place.scope.clone()).or_default();
    let secrets = plugins.entry(place.plugin.clone()).or_default();
    secrets.insert(name.to_owned(), value);
    let bytes: usize = secrets.iter().map(|(name, value)| name.len() + value.expose().len()).sum();
    if secrets.len() > PER_PLUGIN_MAX || bytes > PLUGIN_BYTES_MAX {
        return Err(SecretsError::Full { plugin: place.plugin.clone() });
    }
    Ok(())
}

/// Whether a secret may have this name.
pub fn check_name(name: &str) -> Result<(), SecretsError> {
    worker_env::check_secret_name(name).map_err(of_name(name))
}

/// Whether a secret could have had this name: what was kept by an older version can be deleted.
pub fn check_kept_name(name: &str) -> Result<(), SecretsError> {
    worker_env::check_name(name).map_err(of_name(name))
}

fn of_name(name: &str) -> impl FnOnce((String, String)) -> SecretsError {
    let name = short(name);
    move |(why, hint)| SecretsError::Name { what: "secret", name, why, hint }
}

fn check(name: &str, value: &Secret) -> Result<(), SecretsError> {
    check_name(name)?;
    let refused = |why| SecretsError::Value { name: name.to_owned(), why };
    match value.expose() {
        "" => Err(refused("is empty")),
        value if value.len() > VALUE_BYTES_MAX => Err(refused("is too long")),
        value if value.contains('\0') => Err(refused("has a NUL character in it")),
        _ => Ok(()),
    }
}

fn check_scope(scope: &str) -> Result<(), SecretsError> {
    let fits = scope.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if fits && !scope.is_empty() && scope.len() <= SCOPE_CHARS_MAX {
        return Ok(());
    }
    Err(SecretsError::Name {
        what: "scope",
        name: short(scope),
        why: format!("must be letters, digits, `_`, `-` and `.`, {SCOPE_CHARS_MAX} characters at most"),
        hint: "leave it out for what workers are given".to_owned(),
    })
}

/// Enough of a text to know it again.
fn short(text: &str) -> String {
    text.chars().take(SCOPE_CHARS_MAX).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests;
