//! `hardpoint serve`: the host as a server.

use super::exit_code::Code;
use super::{Shared, config, terminal};
use crate::configuration::{engine_settings, job_settings, server_settings};
use crate::embedded::{Catalog, Failure, Places};
use crate::serve::{self, Order};
use clap::Args;
use hardpoint_model::config::Loaded;
use serde_json::json;

/// One server.
#[derive(Debug, Args)]
#[command(after_help = "\
Every plugin of the plugins folder is started in a worker of its own. The first line on stdout says where the \
server listens; the log goes to stderr. Settings come from the command line, HARDPOINT_* variables and \
hardpoint.yaml: `hardpoint config show --origin` lists them.

The first SIGTERM or Ctrl-C lets requests and jobs in flight finish (stop.drain_seconds), then ends the workers; the \
second ends everything at once. Jobs are kept in the data folder: those that wait run when a server is started again. SIGHUP is ignored.

Examples:
  hardpoint serve
  hardpoint serve --listen 127.0.0.1:0 --plugins-dir examples/plugins
  hardpoint serve --config /etc/hardpoint.yaml --json

Exit codes:
  0  it was told to end, and ended in order
  2  the configuration is wrong, the address is in use, or the data folder belongs to another server
  5  Hardpoint itself had trouble, or its database cannot be used
  130, 143  a second Ctrl-C or SIGTERM ended it at once")]
pub(super) struct Serve {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8700]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Serve {
    pub(super) fn listen(&self) -> Option<&String> {
        self.listen.as_ref()
    }
}

pub(super) async fn run(shared: &Shared, loaded: &Loaded, places: &Places) -> Result<Code, Failure> {
    let config = &loaded.config;
    let catalog = Catalog::read(&places.plugins)?;
    for stranger in config::strangers(loaded, &catalog) {
        tracing::warn!("there are settings for `{stranger}`, but no plugin of this name");
    }
    let order = Order {
        places: places.clone(),
        listen: config.listen,
        engine: engine_settings(config),
        jobs: job_settings(config),
        server: server_settings(config, &places.data),
        drain: config.stop.drain_seconds.as_duration(),
    };
    let json = shared.json;
    serve::run(order, |url| {
        if json {
            return terminal::print(json!({"event": "listening", "url": url}));
        }
        terminal::print(format!("listening on {url}"))
    })
    .await?;
    Ok(Code::Ok)
}
