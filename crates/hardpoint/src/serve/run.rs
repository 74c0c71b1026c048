//! From an order to a server that has ended.

use super::claim::{Claim, ClaimError};
use super::notify::{State, notify};
use super::signals::{Ending, Signals};
use crate::assembly::{Assembly, Parts};
use crate::embedded::{Catalog, Failure, Places, open_starter};
use hardpoint_engine::jobs::JobSettings;
use hardpoint_engine::{Decisions, Settings};
use hardpoint_server::ServerSettings;
use hardpoint_server::access::{self, Tokens, TokensError};
use hardpoint_store::Store;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// After their time is over open streams are told so; that takes a moment.
const GOODBYE: Duration = Duration::from_millis(500);

/// What a server is told.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) places: Places,
    pub(crate) listen: SocketAddr,
    pub(crate) engine: Settings,
    pub(crate) jobs: JobSettings,
    pub(crate) server: ServerSettings,
    /// How long requests and jobs in flight may take to end once it is to stop.
    pub(crate) drain: Duration,
}

/// Serves until a signal. `listening` is told the address once it can be called.
pub(crate) async fn run(
    order: Order,
    listening: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let signals = Signals::listen().map_err(|e| Failure::host("signals cannot be received", &e))?;
    let claim = Claim::take(&order.places.data).map_err(|e| claim_failure(&e))?;
    // Nothing is begun that could not be kept.
    let store = Store::open(&order.places.data)?;
    // Before anybody can be told of the address: whoever reads it reads the token next.
    access::local_token(&order.places.data).map_err(|e| token_failure(&e))?;
    let tokens = Tokens::open(&order.places.data).map_err(|e| token_failure(&e))?;
    access::check_bind(order.listen, &tokens).map_err(|e| Failure::request(e.to_string(), e.hint()))?;
    let (listener, url) = bind(order.listen).await?;
    let starter = open_starter(&order.places)?;
    let catalog = Catalog::read(&order.places.plugins)?;
    let mut engine = order.engine;
    engine.logs.dir = Some(order.places.data.join("logs"));
    let decisions = Decisions::read(store.clone()).await?;
    let parts = Parts { starter, catalog, engine, decisions, jobs: order.jobs };
    let assembly = Assembly::start(parts, ready(Ok(store))).await?;
    let (engine, jobs) = (assembly.engine.clone(), assembly.jobs.clone());
    claim.announce(&url).map_err(|e| Failure::host("server.json cannot be written", &e))?;
    let (stop, stopped) = oneshot::channel::<()>();
    let stop_wanted = async move { drop(stopped.await) };
    let open = hardpoint_server::serve(engine, jobs, listener, order.server, stop_wanted);
    let doors = tokio::spawn(open);
    tracing::info!(url, plugins = %order.places.plugins.display(), data = %order.places.data.display(), "listening");
    let told = listening(&url);
    notify(State::Ready(&url));
    let server = Running { signals, claim, assembly, doors, stop, drain: order.drain };
    match told {
        Ok(()) => server.until_ended().await,
        // Nobody can be told where it listens: then it must not stay behind.
        Err(failure) => server.end().await.and(Err(failure)),
    }
}

struct Running {
    signals: Signals,
    claim: Claim,
    assembly: Assembly,
    doors: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
    drain: Duration,
}

impl Running {
    async fn until_ended(mut self) -> Result<(), Failure> {
        let broke = tokio::select! {
            ending = self.signals.next() => {
                tracing::info!(signal = ending.name(), "stopping: requests in flight are finished");
                None
            }
            ended = &mut self.doors => Some(doors_broke(ended)),
        };
        let ended = self.end().await;
        broke.map_or(ended, Err)
    }

    /// Ends in order; another signal ends it at once.
    async fn end(self) -> Result<(), Failure> {
        let Self { mut signals, claim, assembly, mut doors, stop, drain } = self;
        notify(State::Stopping);
        drop(stop);
        let close = async {
            if !doors.is_finished() && tokio::time::timeout(drain + GOODBYE, &mut doors).await.is_err() {
                tracing::warn!(
                    "requests were still in flight after {} s and are given up",
                    drain.as_secs_f64()
                );
                doors.abort();
            }
        };
        // Jobs and requests have the same time.
        let in_order = async { assembly.stop(drain, close).await.close().await };
        let at_once = tokio::select! {
            () = in_order => None,
            ending = signals.next() => Some(ending),
        };
        // The note goes before the lock does.
        drop(claim);
        match at_once {
            None => tracing::info!("stopped"),
            Some(ending) => end_at_once(ending),
        }
        Ok(())
    }
}

/// The shims end the workers by themselves once this process is gone.
fn end_at_once(ending: Ending) -> ! {
    tracing::warn!(signal = ending.name(), "ended at once by a second signal");
    std::process::exit(ending.exit_code())
}

fn doors_broke(ended: Result<io::Result<()>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::Host { message: "the server ended by itself".to_owned() },
        Ok(Err(e)) => Failure::host("the server failed", &e),
        Err(e) => Failure::host("the server failed", &e),
    }
}

/// The listener and the address that it really has.
async fn bind(listen: SocketAddr) -> Result<(TcpListener, String), Failure> {
    let bound = async {
        let listener = TcpListener::bind(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        io::Result::Ok((listener, url))
    };
    bound.await.map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => Failure::request(
            format!("{listen} is in use by another program"),
            format!("stop it, or choose another port: `--listen {}:0` takes a free one", listen.ip()),
        ),
        io::ErrorKind::PermissionDenied => Failure::request(
            format!("{listen} may not be used: {e}"),
            "choose a port above 1023 with `--listen`",
        ),
        io::ErrorKind::AddrNotAvailable => Failure::request(
            format!("{listen} is not an address of this machine"),
            "choose one with `--listen`, for example 127.0.0.1:8700",
        ),
        _ => Failure::host(&format!("{listen} cannot be listened on"), &e),
    })
}

fn token_failure(error: &TokensError) -> Failure {
    Failure::request(error.to_string(), error.hint())
}

fn claim_failure(error: &ClaimError) -> Failure {
    match error {
        ClaimError::Taken { .. } => Failure::request(
            error.to_string(),
            "use that one, stop it first, or give this one a folder of its own with `--data-dir DIR`",
        ),
        ClaimError::Unusable { source, .. } => Failure::request(
            format!("{error}: {source}"),
            "name a folder that can be written to, with `--data-dir DIR`",
        ),
    }
}
