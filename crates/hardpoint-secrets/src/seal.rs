//! Sealing a text with a key, so that whoever has the file alone neither reads nor changes it.
//!
//! XChaCha20-Poly1305 with a new random nonce of 24 bytes for each sealing: so long that none ever comes twice. Must not
//! know where text or key are kept.

use crate::SecretsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const FORMAT: u32 = 1;
/// What is sealed, so that nothing else that was sealed with the same key is taken for it.
const SUBJECT: &[u8] = b"hardpoint secrets 1";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    nonce: String,
    sealed: String,
}

/// What a sealed text is opened with.
pub(crate) struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Why a text cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// It is not what is written by [`seal`].
    Malformed,
    /// It was never sealed.
    Plain,
    /// A newer version wrote it.
    Newer,
    /// It was sealed with another key, or changed since.
    Refused,
}

impl OpenError {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Malformed | Self::Plain => "it is not what was written",
            Self::Newer => "a newer version of Hardpoint wrote it",
            Self::Refused => "it was sealed with another key, or damaged",
        }
    }
}

impl Key {
    /// A new one.
    pub(crate) fn random() -> Result<Self, SecretsError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(|_| SecretsError::Random)?;
        Ok(Self(bytes))
    }

    /// The key of a text that [`Key::to_text`] made.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(text.trim()).ok()?);
        let bytes: [u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// As it stands in its file.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.0.as_ref()) + "\n")
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&CipherKey::from(*self.0))
    }
}

/// Seals a text.
pub(crate) fn seal(text: &[u8], key: &Key) -> Result<Vec<u8>, SecretsError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| SecretsError::Random)?;
    let sealed = key.cipher().encrypt(&XNonce::from(nonce), Payload { msg: text, aad: SUBJECT });
    // It refuses only what is longer than 256 GiB.
    let sealed = BASE64.encode(sealed.map_err(|_| SecretsError::FileFull)?);
    let envelope = Envelope { format: FORMAT, nonce: BASE64.encode(nonce), sealed };
    serde_json::to_vec(&envelope).map_err(|_| SecretsError::FileFull)
}

/// Opens what was sealed.
pub(crate) fn open(file: &[u8], key: &Key) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let envelope = look(file)?;
    let nonce = BASE64.decode(envelope.nonce).map_err(|_| OpenError::Malformed)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Malformed)?;
    let sealed = BASE64.decode(envelope.sealed).map_err(|_| OpenError::Malformed)?;
    let opened = key.cipher().decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: SUBJECT });
    opened.map(Zeroizing::new).map_err(|_| OpenError::Refused)
}

/// What a file is, before there is a key.
fn look(file: &[u8]) -> Result<Envelope, OpenError> {
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(file) {
        return if envelope.format == FORMAT { Ok(envelope) } else { Err(OpenError::Newer) };
    }
    Err(if crate::plain::is_plain(file) { OpenError::Plain } else { OpenError::Malformed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_with_its_key_alone_and_only_as_it_was() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let sealed = seal(b"the planted text", &key).unwrap();
        assert_ne!(sealed, seal(b"the planted text", &key).unwrap(), "no nonce comes twice");
        assert_eq!(open(&sealed, &key).unwrap().as_slice(), b"the planted text");
        assert_eq!(open(&sealed, &other).unwrap_err(), OpenError::Refused);
        let same = Key::parse(&key.to_text()).unwrap();
        assert_eq!(open(&sealed, &same).unwrap().as_slice(), b"the planted text");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &key).is_err(), "byte {at}");
            assert!(open(&sealed[..at], &key).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_file_says_why_it_cannot_be_opened() {
        let key = Key::random().unwrap();
        let cases: [(&[u8], OpenError); 4] = [
            (b"", OpenError::Malformed),
            (b"{\"__default__\": {\"p\": {\"K\": \"v\"}}}", OpenError::Plain),
            (b"{\"format\": 2, \"nonce\": \"\", \"sealed\": \"\"}", OpenError::Newer),
            (b"{\"format\": 1, \"nonce\": \"\", \"sealed\": \"\"}", OpenError::Malformed),
        ];
        for (file, expected) in cases {
            assert_eq!(open(file, &key).unwrap_err(), expected, "{}", String::from_utf8_lossy(file));
        }
        for text in ["", "short", &"A".repeat(44)] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
    }
}
