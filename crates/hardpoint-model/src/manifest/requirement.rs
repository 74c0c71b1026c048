//! Owns the shape of a requirement as `pip install` takes it: `name[extras] versions; marker` or `name @ url`.
//! The marker's words are left to the installer, which knows them all.

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use crate::suggest::quoted;

/// One package to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The distribution's name in its normal form: lower case, words joined by `-`.
    pub name: String,
    /// The whole requirement as written.
    pub text: String,
}

/// Why a text is not a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// It starts with `-`.
    #[error("options of the installer may not stand here")]
    Option,
    /// It does not start with a distribution's name.
    #[error("`{0}` does not start with the name of a package")]
    Name(String),
    /// The list in brackets is not a list of names.
    #[error("the extras of `{0}` must be names in brackets: `name[extra]`")]
    Extras(String),
    /// What follows is neither a version specifier nor an address.
    #[error("`{0}` is neither a version specifier nor `@ address`")]
    Versions(String),
    /// Nothing stands behind the semicolon, or a quote is open.
    #[error("the condition behind `;` is not complete in `{0}`")]
    Marker(String),
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(RequirementError::Option);
        }
        let (name, rest) = split_name(text);
        if !is_name(name) || text.contains(['\n', '\r', '\0']) {
            return Err(RequirementError::Name(quoted(text)));
        }
        let rest = skip_extras(rest).ok_or_else(|| RequirementError::Extras(quoted(text)))?;
        check_rest(rest)?;
        Ok(Self { name: normal_name(name), text: text.to_owned() })
    }
}

/// The name at the start of `text` and what follows it.
pub(super) fn split_name(text: &str) -> (&str, &str) {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.split_at(text.find(|c| !part(c)).unwrap_or(text.len()))
}

/// A distribution's name in its normal form, so that `Foo.Bar` and `foo-bar` are the same.
pub fn normal_name(name: &str) -> String {
    let words: Vec<&str> = name.split(['.', '_', '-']).filter(|word| !word.is_empty()).collect();
    words.join("-").to_lowercase()
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 256
}

fn skip_extras(rest: &str) -> Option<&str> {
    let Some(inside) = rest.trim_start().strip_prefix('[') else { return Some(rest) };
    let (extras, rest) = inside.split_once(']')?;
    extras
        .split(',')
        .all(|extra| is_name(extra.trim()) && split_name(extra.trim()).1.is_empty())
        .then_some(rest)
}

fn check_rest(rest: &str) -> Result<(), RequirementError> {
    let rest = rest.trim();
    if let Some(address) = rest.strip_prefix('@') {
        let address = address.trim().split(" ;").next().unwrap_or_default();
        let fits = address.contains(':') && !address.contains(char::is_whitespace);
        return if fits { Ok(()) } else { Err(RequirementError::Versions(quoted(rest))) };
    }
    let (versions, marker) = match rest.split_once(';') {
        Some((versions, marker)) => (versions.trim(), Some(marker.trim())),
        None => (rest, None),
    };
    let open_quote =
        |marker: &str| marker.matches('"').count() % 2 == 1 || marker.matches('\'').count() % 2 == 1;
    if marker.is_some_and(|marker| marker.is_empty() || open_quote(marker)) {
        return Err(RequirementError::Marker(quoted(rest)));
    }
    parse_versions(versions).map(drop).ok_or_else(|| RequirementError::Versions(quoted(versions)))
}

/// Version specifiers, in parentheses or not.
pub(super) fn parse_versions(text: &str) -> Option<VersionSpecifiers> {
    let text = text.trim();
    text.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')).unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requirements_are_what_pip_takes() {
        for (text, expected) in [
            ("numpy", Some("numpy")),
            ("Foo.Bar_baz >= 2, <3", Some("foo-bar-baz")),
            ("uvicorn[standard,extra]>=0.30", Some("uvicorn")),
            ("torch==2.9.*; platform_machine == 'x86_64'", Some("torch")),
            ("x (>=1)", Some("x")),
            ("local @ file:///opt/wheels/local-1.0-py3-none-any.whl", Some("local")),
            ("git-thing @ git+https://example.com/x.git ; os_name == 'posix'", Some("git-thing")),
            ("tor2.9.*; a", None),
            ("numpy=>2", None),
            ("numpy==", None),
            ("-r requirements.txt", None),
            ("--index-url=x", None),
            ("./wheel.whl", None),
            ("a[b", None),
            ("a[]", None),
            ("a; ", None),
            ("a; b == 'c", None),
            ("a @ ", None),
            ("a\n-r x", None),
            ("", None),
        ] {
            let name = text.parse::<Requirement>().ok().map(|requirement| requirement.name);
            assert_eq!(name.as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|[a-z0-9.\\[\\]<>=!~@;,* ()-]{0,40}") {
            let _ = text.parse::<Requirement>();
        }
    }
}
