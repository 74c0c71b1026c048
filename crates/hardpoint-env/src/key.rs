//! Owns the name of an environment: a hash of everything it is made of. Pure.

use sha2::{Digest, Sha256};

use crate::interpreter::Interpreter;
use crate::limits::KEY_DIGITS;
use crate::store::Requirements;

/// Counted up when environments are built differently, so that old ones are not reused.
pub(crate) const FORMAT: u32 = 1;

/// The key of the environment with these packages for this interpreter.
pub(crate) fn key(interpreter: &Interpreter, requirements: &Requirements) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    part(&FORMAT.to_be_bytes());
    part(interpreter.executable.as_os_str().as_encoded_bytes());
    for text in [&interpreter.version, &interpreter.implementation, &interpreter.platform] {
        part(text.as_bytes());
    }
    part(interpreter.soabi.as_deref().unwrap_or_default().as_bytes());
    match requirements {
        Requirements::List(list) => {
            part(b"list");
            let mut lines: Vec<&str> = list.iter().map(|line| line.trim()).collect();
            lines.sort_unstable();
            lines.dedup();
            for line in lines {
                part(line.as_bytes());
            }
        }
        Requirements::Lock(text) => {
            part(b"lock");
            part(text.as_bytes());
        }
    }
    let digest = hash.finalize();
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.take(KEY_DIGITS).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(version: &str) -> Interpreter {
        Interpreter {
            executable: "/usr/bin/python3.12".into(),
            version: version.to_owned(),
            implementation: "cpython".to_owned(),
            platform: "linux-x86_64".to_owned(),
            soabi: Some("cpython-312-x86_64-linux-gnu".to_owned()),
        }
    }

    fn list(items: &[&str]) -> Requirements {
        Requirements::List(items.iter().map(|&item| item.to_owned()).collect())
    }

    #[test]
    fn the_same_ingredients_have_the_same_key_in_any_order() {
        let python = interpreter("3.12.1");
        assert_eq!(key(&python, &list(&["a", "b"])), key(&python, &list(&["b ", "a", "a"])));
        assert_eq!(key(&python, &list(&[])).len(), KEY_DIGITS);
    }

    #[test]
    fn any_other_ingredient_has_another_key() {
        let keys = [
            key(&interpreter("3.12.1"), &list(&["a", "b"])),
            key(&interpreter("3.12.2"), &list(&["a", "b"])),
            key(&interpreter("3.12.1"), &list(&["ab"])),
            key(&interpreter("3.12.1"), &list(&[])),
            key(&interpreter("3.12.1"), &Requirements::Lock("a\nb".to_owned())),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
    }
}
