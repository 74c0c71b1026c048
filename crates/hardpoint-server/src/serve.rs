//! The listening socket and its connections.
//!
//! Owns every connection's task and ends it. Must not know what a request says.

use crate::access::{Keyring, Names, Rate, Tokens, TokensError, check_bind};
use crate::app::App;
use crate::connection::{Connection, Watched};
use crate::figures::Figures;
use crate::limits::{
    CONNECTIONS_MAX, FOLLOWER_STALL, FOLLOWERS_MAX, HEAD_READ_BYTES_MAX, HEAD_READ_FIELDS_MAX, HEAD_TIMEOUT,
};
use crate::settings::ServerSettings;
use crate::{compat, gate, routes};
use axum::Router;
use hardpoint_engine::Engine;
use hardpoint_engine::jobs::Jobs;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a full table of descriptors or another passing trouble is waited for before the next connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is done, then takes no connection, lets the requests in flight finish and ends open
/// streams with a last word. The local user's token is there once this has returned, before the future is
/// first polled. An error says that the tokens cannot be used, or that the address needs some.
pub fn serve(
    engine: Engine,
    jobs: Jobs,
    listener: TcpListener,
    settings: ServerSettings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = io::Result<()>> + Send + 'static {
    let opened = open(engine, jobs, &listener, settings);
    async move {
        run(&opened?, listener, stop).await;
        Ok(())
    }
}

fn open(
    engine: Engine,
    jobs: Jobs,
    listener: &TcpListener,
    settings: ServerSettings,
) -> io::Result<Arc<App>> {
    let data = &settings.data_dir;
    let with_hint = |error: TokensError| io::Error::other(format!("{error}\nhint: {}", error.hint()));
    let tokens = Tokens::open(data).map_err(with_hint)?;
    check_bind(listener.local_addr()?, &tokens)
        .map_err(|refused| io::Error::other(format!("{refused}\nhint: {}", refused.hint())))?;
    Ok(Arc::new(App {
        engine,
        jobs,
        keyring: Keyring::open(data).map_err(with_hint)?,
        names: Names::new(&settings.allowed_hosts, &settings.allowed_origins),
        rate: Rate::new(settings.requests_per_second),
        figures: Figures::default(),
        followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
        closing: CancellationToken::new(),
        giving_up: CancellationToken::new(),
        settings,
    }))
}

async fn run(app: &Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let router = routes::router().with_state(Arc::clone(app));
    let mut connections = JoinSet::new();
    tokio::select! {
        () = stop => {}
        () = accept(app, &listener, &router, &mut connections) => {}
        () = app.keyring.watch() => {}
        () = forget(app) => {}
        () = compat::sweep(app) => {}
    }
    drop(listener);
    app.closing.cancel();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let mut all_ended = pin!(all_ended);
    if tokio::time::timeout(app.settings.drain, all_ended.as_mut()).await.is_err() {
        app.giving_up.cancel();
        all_ended.await;
    }
}

async fn forget(app: &App) {
    loop {
        tokio::time::sleep(Duration::from_mins(1)).await;
        app.rate.forget_idle();
    }
}

/// Takes connections, for ever.
async fn accept(app: &Arc<App>, listener: &TcpListener, router: &Router, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (app, router) = (Arc::clone(app), router.clone());
                connections.spawn(async move {
                    app.figures.connections.fetch_add(1, Ordering::Relaxed);
                    connection(&app, &router, stream).await;
                    app.figures.connections.fetch_sub(1, Ordering::Relaxed);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be taken: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends, or, once the server is closing, until its request is answered.
async fn connection(app: &Arc<App>, router: &Router, stream: TcpStream) {
    let Ok(address) = stream.local_addr().map(|address| address.ip()) else { return };
    let _ = stream.set_nodelay(true);
    let connection = Connection::default();
    let service = service_fn(|mut request| {
        let (app, router) = (Arc::clone(app), router.clone());
        request.extensions_mut().insert(connection.clone());
        async move { Ok::<_, Infallible>(gate::answer(&app, router, address, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEAD_READ_FIELDS_MAX)
        .max_buf_size(HEAD_READ_BYTES_MAX);
    let stream = Watched::new(stream, connection.clone(), FOLLOWER_STALL);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    // What goes wrong on a connection is the other side's: it hung up, or spoke no HTTP.
    tokio::select! {
        _ = served.as_mut() => {}
        () = app.closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
    if let Some(work) = connection.take_afterwards() {
        work.await;
    }
}
