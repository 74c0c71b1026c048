//! Which routes there are, as figures and access see them: a name and what a token must allow.
//!
//! Must not know handlers. Pure.

use crate::access::Scope;
use axum::http::Method;

/// A route, whatever plugin or tool it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Plugins,
    Plugin,
    PluginHealth,
    Manifest,
    Tools,
    Instances,
    PluginConfig,
    PluginConfigOptions,
    Secrets,
    Secret,
    Logs,
    Usage,
    Verb,
    ReloadAll,
    Run,
    Jobs,
    JobStats,
    Job,
    JobResult,
    JobEvents,
    JobLogs,
    JobAction,
    JobPipeline,
    Pipelines,
    Pipeline,
    Events,
    Realtime,
    Images,
    Videos,
    Frames,
    JobSocket,
    Mcp,
    Health,
    Ready,
    Metrics,
    OpenApi,
    Docs,
    Other,
}

impl Route {
    pub(crate) const ALL: [Self; 38] = [
        Self::Plugins,
        Self::Plugin,
        Self::PluginHealth,
        Self::Manifest,
        Self::Tools,
        Self::Instances,
        Self::PluginConfig,
        Self::PluginConfigOptions,
        Self::Secrets,
        Self::Secret,
        Self::Logs,
        Self::Usage,
        Self::Verb,
        Self::ReloadAll,
        Self::Run,
        Self::Jobs,
        Self::JobStats,
        Self::Job,
        Self::JobResult,
        Self::JobEvents,
        Self::JobLogs,
        Self::JobAction,
        Self::JobPipeline,
        Self::Pipelines,
        Self::Pipeline,
        Self::Events,
        Self::Realtime,
        Self::Images,
        Self::Videos,
        Self::Frames,
        Self::JobSocket,
        Self::Mcp,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::OpenApi,
        Self::Docs,
        Self::Other,
    ];

    /// The route of a path as it stands in the request, not decoded: as the router sees it too.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Some(rest) = path.strip_prefix("v1/plugins/") {
            return Self::of_plugin(rest);
        }
        if let Some(rest) = path.strip_prefix("v1/jobs/") {
            return Self::of_job(rest);
        }
        if let Some(rest) = path.strip_prefix("v1/pipelines/") {
            return if rest.contains('/') { Self::Other } else { Self::Pipeline };
        }
        if let Some(id) = path.strip_prefix("v1/ws/jobs/") {
            return if id.contains('/') { Self::Other } else { Self::JobSocket };
        }
        match path {
            "v1/pipelines" => Self::Pipelines,
            "v1/plugins" => Self::Plugins,
            "v1/jobs" => Self::Jobs,
            "v1/events" => Self::Events,
            "v1/realtime" => Self::Realtime,
            "v1/image/submit" => Self::Images,
            "v1/video/submit" | "v1/video/upload" | "v1/video/job" => Self::Videos,
            "v1/stream" => Self::Frames,
            "v1/mcp" => Self::Mcp,
            "v1/health" => Self::Health,
            "v1/ready" => Self::Ready,
            "metrics" => Self::Metrics,
            "openapi.json" => Self::OpenApi,
            "docs" | "docs/page.js" | "docs/swagger.js" | "docs/swagger.css" => Self::Docs,
            _ => Self::Other,
        }
    }

    fn of_plugin(rest: &str) -> Self {
        let mut parts = rest.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(""), None, ..) => Self::Plugins,
            (Some("reload-all"), None, ..) => Self::ReloadAll,
            (Some(_), None, ..) => Self::Plugin,
            (Some(_), Some(what), None, ..) => match what {
                "health" => Self::PluginHealth,
                "manifest" => Self::Manifest,
                "tools" => Self::Tools,
                "instances" => Self::Instances,
                "config" => Self::PluginConfig,
                "secrets" => Self::Secrets,
                "logs" => Self::Logs,
                "usage" => Self::Usage,
                "restart" | "reload" | "load" | "unload" | "enable" | "disable" | "prefetch" => Self::Verb,
                _ => Self::Other,
            },
            (Some(_), Some("config"), Some("options"), None, _) => Self::PluginConfigOptions,
            (Some(_), Some("secrets"), Some(_), None, _) => Self::Secret,
            (Some(_), Some("tools"), Some(_), Some("run"), None) => Self::Run,
            _ => Self::Other,
        }
    }

    fn of_job(rest: &str) -> Self {
        let mut parts = rest.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("stats"), None, _) => Self::JobStats,
            (Some(_), None, _) => Self::Job,
            (Some(_), Some(what), None) => match what {
                "result" => Self::JobResult,
                "events" => Self::JobEvents,
                "pipeline" => Self::JobPipeline,
                "cancel" | "reorder" | "wait" | "rerun" => Self::JobAction,
                "logs" => Self::JobLogs,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// What a token must allow; `None` for what is open to everybody. What is not known needs the most.
    pub(crate) fn scope(self, method: &Method) -> Option<Scope> {
        let reads = method == Method::GET || method == Method::HEAD;
        match self {
            Self::OpenApi | Self::Docs if reads => None,
            Self::Run | Self::Images | Self::Videos | Self::Frames | Self::Mcp => Some(Scope::Run),
            Self::Job if method == Method::DELETE => Some(Scope::Run),
            Self::Jobs | Self::JobAction if method == Method::POST => Some(Scope::Run),
            Self::Pipelines | Self::Pipeline if !reads => Some(Scope::Run),
            Self::Plugins
            | Self::Plugin
            | Self::PluginHealth
            | Self::Manifest
            | Self::Tools
            | Self::Instances
            | Self::PluginConfig
            | Self::PluginConfigOptions
            | Self::Secrets
            | Self::Secret
            | Self::Logs
            | Self::Usage
            | Self::Verb
            | Self::ReloadAll
            | Self::Jobs
            | Self::JobStats
            | Self::Job
            | Self::JobResult
            | Self::JobEvents
            | Self::JobLogs
            | Self::JobAction
            | Self::JobPipeline
            | Self::Pipelines
            | Self::Pipeline
            | Self::Events
            | Self::Realtime
            | Self::JobSocket
            | Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::Docs
            | Self::Other => Some(if reads { Scope::Read } else { Scope::Admin }),
        }
    }

    /// As it is written in figures.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Self::Plugins => "/v1/plugins",
            Self::Plugin => "/v1/plugins/{name}",
            Self::PluginHealth => "/v1/plugins/{name}/health",
            Self::Manifest => "/v1/plugins/{name}/manifest",
            Self::Tools => "/v1/plugins/{name}/tools",
            Self::Instances => "/v1/plugins/{name}/instances",
            Self::PluginConfig => "/v1/plugins/{name}/config",
            Self::PluginConfigOptions => "/v1/plugins/{name}/config/options",
            Self::Secrets => "/v1/plugins/{name}/secrets",
            Self::Secret => "/v1/plugins/{name}/secrets/{key}",
            Self::Logs => "/v1/plugins/{name}/logs",
            Self::Usage => "/v1/plugins/{name}/usage",
            Self::Verb => "/v1/plugins/{name}/{verb}",
            Self::ReloadAll => "/v1/plugins/reload-all",
            Self::Run => "/v1/plugins/{name}/tools/{tool}/run",
            Self::Jobs => "/v1/jobs",
            Self::JobStats => "/v1/jobs/stats",
            Self::Job => "/v1/jobs/{id}",
            Self::JobResult => "/v1/jobs/{id}/result",
            Self::JobEvents => "/v1/jobs/{id}/events",
            Self::JobLogs => "/v1/jobs/{id}/logs",
            Self::JobAction => "/v1/jobs/{id}/{action}",
            Self::JobPipeline => "/v1/jobs/{id}/pipeline",
            Self::Pipelines => "/v1/pipelines",
            Self::Pipeline => "/v1/pipelines/{id}",
            Self::Events => "/v1/events",
            Self::Realtime => "/v1/realtime",
            Self::Images => "/v1/image/submit",
            Self::Videos => "/v1/video/{action}",
            Self::Frames => "/v1/stream",
            Self::JobSocket => "/v1/ws/jobs/{id}",
            Self::Mcp => "/v1/mcp",
            Self::Health => "/v1/health",
            Self::Ready => "/v1/ready",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_the_route_that_it_names() {
        for route in Route::ALL {
            let action = if route == Route::Videos { "submit" } else { "cancel" };
            let path = route.pattern().replace("{verb}", "restart").replace("{action}", action);
            assert_eq!(Route::of(&path), route, "{path}");
        }
        for path in ["", "/", "/v1/plugins/a/tools/b", "/v1/plugins/a/tools/b/run/c", "/v1/ws/jobs/1/a"] {
            assert_eq!(Route::of(path), Route::Other, "{path}");
        }
        assert_eq!(Route::of("/v1/plugins/"), Route::Plugins);
    }

    #[test]
    fn what_changes_something_needs_more_than_reading() {
        let cases = [
            (Method::GET, "/v1/plugins", Some(Scope::Read)),
            (Method::HEAD, "/v1/plugins/a/logs", Some(Scope::Read)),
            (Method::POST, "/v1/plugins/a/tools/t/run", Some(Scope::Run)),
            (Method::POST, "/v1/plugins/a/restart", Some(Scope::Admin)),
            (Method::GET, "/v1/plugins/a/config", Some(Scope::Read)),
            (Method::GET, "/v1/plugins/a/instances", Some(Scope::Read)),
            (Method::POST, "/v1/plugins/a/instances", Some(Scope::Admin)),
            (Method::PATCH, "/v1/plugins/a/config", Some(Scope::Admin)),
            (Method::GET, "/v1/plugins/a/config/options", Some(Scope::Read)),
            (Method::GET, "/v1/plugins/a/secrets", Some(Scope::Read)),
            (Method::PUT, "/v1/plugins/a/secrets/KEY", Some(Scope::Admin)),
            (Method::DELETE, "/v1/plugins/a/secrets/KEY", Some(Scope::Admin)),
            (Method::POST, "/v1/plugins/a/tools/t%2Frun", Some(Scope::Admin)),
            (Method::DELETE, "/v1/plugins", Some(Scope::Admin)),
            (Method::GET, "/v1/jobs", Some(Scope::Read)),
            (Method::POST, "/v1/jobs", Some(Scope::Run)),
            (Method::GET, "/v1/jobs/stats", Some(Scope::Read)),
            (Method::DELETE, "/v1/jobs/1", Some(Scope::Run)),
            (Method::PUT, "/v1/jobs/1", Some(Scope::Admin)),
            (Method::POST, "/v1/plugins/a/reload", Some(Scope::Admin)),
            (Method::POST, "/v1/plugins/reload-all", Some(Scope::Admin)),
            (Method::POST, "/v1/mcp", Some(Scope::Run)),
            (Method::GET, "/v1/stream", Some(Scope::Run)),
            (Method::GET, "/v1/ws/jobs/1", Some(Scope::Read)),
            (Method::POST, "/v1/video/upload", Some(Scope::Run)),
            (Method::GET, "/v1/jobs/1/events", Some(Scope::Read)),
            (Method::GET, "/v1/jobs/1/logs", Some(Scope::Read)),
            (Method::POST, "/v1/jobs/1/cancel", Some(Scope::Run)),
            (Method::POST, "/v1/jobs/1/wait", Some(Scope::Run)),
            (Method::POST, "/v1/jobs/1/restart", Some(Scope::Admin)),
            (Method::GET, "/v1/events", Some(Scope::Read)),
            (Method::POST, "/v1/jobs/1/rerun", Some(Scope::Run)),
            (Method::GET, "/v1/pipelines/a", Some(Scope::Read)),
            (Method::PUT, "/v1/pipelines/a", Some(Scope::Run)),
            (Method::DELETE, "/v1/pipelines/a", Some(Scope::Run)),
            (Method::POST, "/v1/pipelines/a/b", Some(Scope::Admin)),
            (Method::GET, "/docs", None),
            (Method::GET, "/openapi.json", None),
            (Method::POST, "/docs", Some(Scope::Admin)),
            (Method::GET, "/nowhere", Some(Scope::Read)),
        ];
        for (method, path, expected) in cases {
            assert_eq!(Route::of(path).scope(&method), expected, "{method} {path}");
        }
    }
}
