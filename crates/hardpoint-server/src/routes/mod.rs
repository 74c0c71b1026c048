//! The routes, one family a file, with what is documented of each.

mod config;
mod docs;
mod host;
mod instances;
mod logs;
mod metrics;
mod plugins;
mod secrets;
mod usage;
mod verbs;

pub(crate) use host::Counts;
pub(crate) use verbs::problem as verb_refused;

use crate::app::App;
use crate::{compat, jobs, openapi, pipelines};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
use aide::openapi::OpenApi;
use axum::Router;
use axum::routing::get;
use schemars::generate::SchemaSettings;
use std::sync::Arc;

/// Every route.
pub(crate) fn router() -> Router<Arc<App>> {
    documented().0
}

/// How types are described, from here on.
fn begin_description() {
    aide::generate::reset_context();
    aide::generate::infer_responses(false);
    aide::generate::extract_schemas(true);
    // What is answered, every field of it, is described; the few fields that may be left out of requests say so.
    aide::generate::in_context(|ctx| {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        ctx.schema = settings.for_serialize().into_generator();
    });
}

/// Every route and what is said of it.
pub(crate) fn documented() -> (Router<Arc<App>>, OpenApi) {
    begin_description();
    let mut api = OpenApi::default();
    let router = compat::router()
        .api_route("/v1/plugins", get_with(plugins::list, plugins::list_docs))
        .api_route("/v1/plugins/{name}", get_with(plugins::show, plugins::show_docs))
        .api_route("/v1/plugins/{name}/health", get_with(plugins::health, plugins::health_docs))
        .api_route("/v1/plugins/{name}/manifest", get_with(plugins::manifest, plugins::manifest_docs))
        .api_route(
            "/v1/plugins/{name}/config",
            get_with(config::show, config::show_docs).patch_with(config::change, config::change_docs),
        )
        .api_route("/v1/plugins/{name}/config/options", get_with(config::options, config::options_docs))
        .api_route("/v1/plugins/{name}/secrets", get_with(secrets::list, secrets::list_docs))
        .api_route(
            "/v1/plugins/{name}/secrets/{key}",
            put_with(secrets::set, secrets::set_docs).delete_with(secrets::delete, secrets::delete_docs),
        )
        .api_route("/v1/plugins/{name}/tools", get_with(plugins::tools, plugins::tools_docs))
        .api_route("/v1/plugins/{name}/logs", get_with(logs::logs, logs::logs_docs))
        .api_route("/v1/plugins/{name}/usage", get_with(usage::usage, usage::usage_docs))
        .api_route("/v1/plugins/{name}/load", post_with(verbs::load, verbs::load_docs))
        .api_route("/v1/plugins/{name}/unload", post_with(verbs::unload, verbs::unload_docs))
        .api_route("/v1/plugins/{name}/restart", post_with(verbs::restart, verbs::restart_docs))
        .api_route("/v1/plugins/{name}/enable", post_with(verbs::enable, verbs::enable_docs))
        .api_route("/v1/plugins/{name}/disable", post_with(verbs::disable, verbs::disable_docs))
        .api_route("/v1/plugins/{name}/prefetch", post_with(verbs::prefetch, verbs::prefetch_docs))
        .api_route(
            "/v1/plugins/{name}/tools/{tool}/run",
            post_with(crate::run::run, openapi::run_docs)
                .get_with(crate::run::run_socket, openapi::run_socket_docs),
        )
        .api_route(
            "/v1/jobs",
            get_with(jobs::list, jobs::list_docs).post_with(jobs::submit, jobs::submit_docs),
        )
        .api_route("/v1/jobs/stats", get_with(jobs::stats, jobs::stats_docs))
        .api_route(
            "/v1/jobs/{id}",
            get_with(jobs::show, jobs::show_docs).delete_with(compat::cancel, compat::cancel_docs),
        )
        .api_route("/v1/jobs/{id}/result", get_with(jobs::result, jobs::result_docs))
        .api_route("/v1/jobs/{id}/events", get_with(jobs::job_events, jobs::job_events_docs))
        .api_route("/v1/jobs/{id}/logs", get_with(jobs::logs, jobs::logs_docs))
        .api_route("/v1/jobs/{id}/cancel", post_with(jobs::cancel, jobs::cancel_docs))
        .api_route("/v1/jobs/{id}/reorder", post_with(jobs::reorder, jobs::reorder_docs))
        .api_route("/v1/jobs/{id}/wait", post_with(jobs::wait, jobs::wait_docs))
        .api_route("/v1/jobs/{id}/rerun", post_with(jobs::rerun, jobs::rerun_docs))
        .api_route("/v1/jobs/{id}/pipeline", get_with(jobs::pipeline, jobs::pipeline_docs))
        .api_route(
            "/v1/pipelines",
            get_with(pipelines::list, pipelines::list_docs)
                .post_with(pipelines::create, pipelines::create_docs),
        )
        .api_route(
            "/v1/pipelines/{id}",
            get_with(pipelines::show, pipelines::show_docs)
                .put_with(pipelines::replace, pipelines::replace_docs)
                .delete_with(pipelines::delete, pipelines::delete_docs),
        )
        .api_route("/v1/events", get_with(jobs::events, jobs::events_docs))
        .api_route("/v1/realtime", get_with(jobs::realtime, jobs::realtime_docs))
        .api_route("/v1/health", get_with(host::health, host::health_docs))
        .api_route("/v1/ready", get_with(host::ready, host::ready_docs))
        .api_route("/metrics", get_with(metrics::metrics, metrics::metrics_docs))
        .merge(instances::router())
        .merge(pages())
        .finish_api_with(&mut api, openapi::about);
    (router, api)
}

/// What is open to everybody, and not described itself.
fn pages() -> ApiRouter<Arc<App>> {
    ApiRouter::new()
        .route("/openapi.json", get(docs::openapi))
        .route("/docs", get(docs::page))
        .route("/docs/page.js", get(docs::page_script))
        .route("/docs/swagger.js", get(docs::viewer_script))
        .route("/docs/swagger.css", get(docs::viewer_style))
}
