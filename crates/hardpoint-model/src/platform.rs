//! Owns the names of machines: `linux-x64`, `darwin-arm64`. Knows nothing of what a plugin needs.

use std::fmt;

/// An operating system and a processor, as manifests name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    os: String,
    arch: String,
}

const SYSTEMS: [(&str, &str); 4] =
    [("linux", "linux"), ("macos", "darwin"), ("windows", "win32"), ("freebsd", "freebsd")];

const PROCESSORS: [(&str, &str); 4] =
    [("x86_64", "x64"), ("aarch64", "arm64"), ("riscv64", "riscv64"), ("arm", "arm")];

/// The usual names that other tools have for the same things.
const SYNONYMS: [(&str, &str); 9] = [
    ("macos", "darwin"),
    ("osx", "darwin"),
    ("mac", "darwin"),
    ("windows", "win32"),
    ("win", "win32"),
    ("x86_64", "x64"),
    ("amd64", "x64"),
    ("x86-64", "x64"),
    ("aarch64", "arm64"),
];

impl Platform {
    /// The machine this program was built for.
    pub fn current() -> Self {
        Self {
            os: translate(&SYSTEMS, std::env::consts::OS).to_owned(),
            arch: translate(&PROCESSORS, std::env::consts::ARCH).to_owned(),
        }
    }

    /// Whether a manifest's entry means this machine: `linux-x64`, or the system alone: `linux`.
    pub fn matches(&self, entry: &str) -> bool {
        match entry.split_once('-') {
            Some((os, arch)) => os == self.os && arch == self.arch,
            None => entry == self.os,
        }
    }

    /// Whether a plugin with this list may run here. An empty list means everywhere.
    pub fn allowed_by<S: AsRef<str>>(&self, platforms: &[S]) -> bool {
        platforms.is_empty() || platforms.iter().any(|entry| self.matches(entry.as_ref()))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}

/// The name by which a platform is known here: itself, or the one that was meant.
pub fn known(name: &str) -> Option<String> {
    match check(name) {
        Ok(()) => Some(name.to_owned()),
        Err(meant) => meant,
    }
}

/// Whether `entry` is a platform name; else the name that was probably meant, if there is one.
pub(crate) fn check(entry: &str) -> Result<(), Option<String>> {
    let (os, arch) = match entry.split_once('-') {
        Some((os, arch)) => (os, Some(arch)),
        None => (entry, None),
    };
    let known_os = SYSTEMS.iter().any(|(_, name)| *name == os);
    let known_arch = arch.is_none_or(|arch| PROCESSORS.iter().any(|(_, name)| *name == arch));
    if known_os && known_arch {
        return Ok(());
    }
    let os = translate(&SYNONYMS, os);
    let meant = arch.map_or_else(|| os.to_owned(), |arch| format!("{os}-{}", translate(&SYNONYMS, arch)));
    Err(if meant != entry && check(&meant).is_ok() { Some(meant) } else { None })
}

fn translate<'a>(table: &[(&'a str, &'a str)], name: &'a str) -> &'a str {
    table.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_a_known_platform() {
        assert_eq!(check(&Platform::current().to_string()), Ok(()));
    }

    #[test]
    fn an_entry_matches_by_system_and_processor_or_by_system_alone() {
        let linux = Platform { os: "linux".into(), arch: "x64".into() };
        for (entries, expected) in [
            (vec![], true),
            (vec!["linux-x64"], true),
            (vec!["linux"], true),
            (vec!["darwin", "linux-arm64"], false),
            (vec!["darwin-x64", "linux-x64"], true),
        ] {
            assert_eq!(linux.allowed_by(&entries), expected, "{entries:?}");
        }
    }

    #[test]
    fn names_of_other_tools_are_translated_in_the_hint() {
        for (entry, expected) in [
            ("linux-x64", Ok(())),
            ("linux", Ok(())),
            ("linux-x86_64", Err(Some("linux-x64".to_owned()))),
            ("macos-aarch64", Err(Some("darwin-arm64".to_owned()))),
            ("macos", Err(Some("darwin".to_owned()))),
            ("plan9-x64", Err(None)),
            ("", Err(None)),
        ] {
            assert_eq!(check(entry), expected, "{entry}");
        }
    }
}
