//! The routes of other hosts that are none of this one's.
//!
//! Owns their paths. `DELETE /v1/jobs/{id}` stands beside the native methods of its path.

use super::{counts, frames, job_socket, mcp, media, media_docs, reload, rpc};
use crate::app::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use std::sync::Arc;

/// Every one of them.
pub(crate) fn router() -> ApiRouter<Arc<App>> {
    ApiRouter::new()
        .api_route("/v1/plugins/", get_with(counts::counted, counts::counted_docs))
        .api_route("/v1/plugins/reload-all", post_with(reload::reload_all, reload::reload_all_docs))
        .api_route("/v1/plugins/{name}/reload", post_with(reload::reload, reload::reload_docs))
        .api_route("/v1/image/submit", post_with(media::image, media_docs::image_docs))
        .api_route("/v1/video/submit", post_with(media::video, media_docs::video_docs))
        .api_route("/v1/video/upload", post_with(media::upload_video, media_docs::upload_docs))
        .api_route("/v1/video/job", post_with(media::video_job, media_docs::video_job_docs))
        .api_route("/v1/stream", get_with(frames::frames, frames::frames_docs))
        .api_route("/v1/ws/jobs/{id}", get_with(job_socket::job_socket, job_socket::job_socket_docs))
        .api_route("/v1/mcp", post_with(mcp::mcp, rpc::mcp_docs))
}
