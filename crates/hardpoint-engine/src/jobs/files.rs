//! Binary data in files: written whole or not at all, and read back.
//!
//! Owns their content and their names in one folder. Must not know what refers to them.

use hardpoint_store::KeptBlob;
use hardpoint_wire::Blob;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Large ones into files, small ones as they are. `synced`: they survive the loss of power when this returns.
pub(super) fn write(folder: &Path, prefix: &str, blobs: &[Blob], synced: bool) -> io::Result<Vec<KeptBlob>> {
    let mut kept = Vec::with_capacity(blobs.len());
    let mut write = || -> io::Result<()> {
        for (number, blob) in blobs.iter().enumerate() {
            let Blob::Shared(shared) = blob else {
                kept.push(KeptBlob::Inline(blob.to_bytes()?.to_vec()));
                continue;
            };
            let (name, length) = (format!("{prefix}-{number}"), blob.len());
            let path = folder.join(&name);
            // Before it is there: it is removed with the others when it cannot be written.
            kept.push(KeptBlob::File { name, length });
            let file = File::create(path)?;
            shared.write_to(&file)?;
            if synced {
                file.sync_all()?;
            }
        }
        if synced { File::open(folder)?.sync_all() } else { Ok(()) }
    };
    match write() {
        Ok(()) => Ok(kept),
        Err(error) => {
            for name in names(&kept) {
                let _ = fs::remove_file(folder.join(name));
            }
            Err(error)
        }
    }
}

pub(super) fn inline(blobs: &[Blob]) -> io::Result<Vec<KeptBlob>> {
    blobs.iter().map(|blob| Ok(KeptBlob::Inline(blob.to_bytes()?.to_vec()))).collect()
}

pub(super) fn read(folder: &Path, blobs: Vec<KeptBlob>) -> io::Result<Vec<Blob>> {
    let one = |blob: KeptBlob| match blob {
        KeptBlob::Inline(bytes) => Blob::new(bytes.into()),
        KeptBlob::File { name, length } => {
            let blob = Blob::of_file(&File::open(folder.join(&name))?)?;
            if blob.len() != length {
                let found = blob.len();
                return Err(io::Error::other(format!("{name} has {found} bytes instead of {length}")));
            }
            Ok(blob)
        }
    };
    blobs.into_iter().map(one).collect()
}

/// The names of those that are files.
pub(super) fn names(blobs: &[KeptBlob]) -> impl Iterator<Item = &String> {
    blobs.iter().filter_map(|blob| match blob {
        KeptBlob::File { name, .. } => Some(name),
        KeptBlob::Inline(_) => None,
    })
}
