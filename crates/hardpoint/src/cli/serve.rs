//! `hardpoint serve`: the host as a server.

use super::exit_code::Code;
use super::{Shared, terminal};
use crate::embedded::{Failure, Places};
use crate::serve::{self, Order};
use clap::Args;
use hardpoint_server::ServerSettings;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

/// One server.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
}

pub(super) async fn run(args: Serve, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let order = Order {
        places: places.clone(),
        listen: args.listen,
        engine: hardpoint_engine::Settings::default(),
        server: ServerSettings { data_dir: places.data.clone(), ..ServerSettings::default() },
        drain: Duration::from_secs(30),
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
