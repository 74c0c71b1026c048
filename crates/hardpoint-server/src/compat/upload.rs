//! Files that come in forms: the part `file`, whole in memory or straight to the disk.
//!
//! Owns what a file must begin with. Must not know what becomes of it.

use super::uploads::{self, Upload};
use crate::app::App;
use crate::limits::PARTS_MAX;
use crate::problem::{Code, Problem};
use crate::run::{Bounded, boundary, unreadable, with_parts};
use axum::body::Body;
use axum::http::Request;
use bytes::{Bytes, BytesMut};
use multer::{Field, Multipart};
use std::path::PathBuf;
use tokio::io::AsyncWriteExt as _;

const FILE: &str = "file";
/// Where an MP4 says what it is.
const MP4_HEAD: usize = 64;
const MP4_MARK: &[u8] = b"ftyp";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";

/// The image of a form.
pub(super) async fn image(request: Request<Body>, max: usize) -> Result<Bytes, Problem> {
    let (body, boundary) = form(request, max)?;
    let bytes = with_parts(body, boundary, |mut form| async move {
        let mut part = file(&mut form).await?;
        let mut all = BytesMut::new();
        while let Some(bytes) = next(&mut part).await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    });
    let bytes = bytes.await?;
    if bytes.starts_with(PNG) || bytes.starts_with(JPEG) {
        Ok(bytes)
    } else {
        Err(no("PNG or JPEG image", "a"))
    }
}

/// The video of a form, as a file that lasts.
pub(super) async fn video(app: &App, request: Request<Body>) -> Result<PathBuf, Problem> {
    let (body, boundary) = form(request, app.settings.body_bytes_max)?;
    let mut upload = uploads::begin(app).await?;
    let written = with_parts(body, boundary, |mut form| async move {
        let written = match file(&mut form).await {
            Ok(mut part) => write(&mut part, &mut upload).await,
            Err(problem) => Err(problem),
        };
        match written {
            Ok(()) => upload.end().await,
            Err(problem) => {
                upload.forget().await;
                Err(problem)
            }
        }
    });
    written.await
}

async fn write(part: &mut Field<'static>, upload: &mut Upload) -> Result<(), Problem> {
    let mut head = Vec::with_capacity(MP4_HEAD);
    while let Some(bytes) = next(part).await? {
        if head.len() < MP4_HEAD {
            head.extend(bytes.iter().take(MP4_HEAD - head.len()));
            if head.len() == MP4_HEAD {
                check_video(&head)?;
            }
        }
        upload.file.write_all(&bytes).await.map_err(|e| uploads::not_written(&e))?;
    }
    upload.file.flush().await.map_err(|e| uploads::not_written(&e))?;
    check_video(&head)
}

fn check_video(head: &[u8]) -> Result<(), Problem> {
    if memchr::memmem::find(head, MP4_MARK).is_some() { Ok(()) } else { Err(no("MP4 video", "an")) }
}

fn no(kind: &str, article: &str) -> Problem {
    Problem::new(Code::WrongMedium, format!("the part `{FILE}` is no {kind}"))
        .hint(format!("send {article} {kind}: what it is called does not count, what it begins with does"))
}

fn form(request: Request<Body>, max: usize) -> Result<(Bounded, String), Problem> {
    let (parts, body) = request.into_parts();
    let boundary = boundary(&parts.headers)?;
    Ok((Bounded::new(body, &parts.headers, max)?, boundary))
}

/// The part that has the file; those before it are passed over.
async fn file(form: &mut Multipart<'static>) -> Result<Field<'static>, Problem> {
    for _ in 0..PARTS_MAX {
        match form.next_field().await.map_err(|e| unreadable(&e))? {
            Some(part) if part.name() == Some(FILE) => return Ok(part),
            Some(_) => {}
            None => break,
        }
    }
    Err(Problem::new(Code::BadForm, format!("the form has no part `{FILE}`")).at(format!("/{FILE}")))
}

async fn next(part: &mut Field<'static>) -> Result<Option<Bytes>, Problem> {
    part.chunk().await.map_err(|e| unreadable(&e))
}
