//! The rounds, one after the other.
//!
//! Owns the life of each server and of those who ask it. Must not decide anything by chance: the plan does.

use super::clients::Client;
use super::follower::{Notes, follow};
use super::http::{Address, Http};
use super::ledger::Ledger;
use super::plan::{How, Plan, When};
use super::server::{Folder, Grave, Server};
use super::settle;
use crate::orphans;
use crate::random::Random;
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Between two verdicts.
const ROUNDS_PER_VERDICT: u32 = 50;
/// Jobs that the server runs at once which brings all to rest.
const RUNNING_MAX_AT_REST: u64 = 16;
/// A line of progress this often.
const ROUNDS_PER_LINE: u32 = 10;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
    /// The binary that is tested.
    pub(crate) program: PathBuf,
}

/// What outlives every server.
struct Stage {
    folder: Folder,
    ledger: Arc<Mutex<Ledger>>,
    notes: Notes,
    servers: watch::Sender<Option<Address>>,
    runtime: Runtime,
    graves: Vec<Grave>,
}

/// How servers died.
#[derive(Debug, Default)]
struct Tally {
    starting: u32,
    serving: u32,
    stopping: u32,
    stopped: u32,
}

pub(crate) fn run(order: &Order) -> Result<()> {
    let Order { rounds, seed, program } = order;
    println!("host-kill: seed {seed}, {rounds} rounds");
    let root = tempfile::Builder::new().prefix("hardpoint-chaos-").tempdir()?;
    let outcome = all(order, Folder::lay_out(root.path(), program)?);
    if outcome.is_err() {
        orphans::clear();
        println!("database, log and the record of the plugins are kept in {}", root.keep().display());
        println!("replay: cargo xtask chaos --host-kill {rounds} --seed {seed}");
        println!(
            "(from the first round on, as all share one data folder; what the machine adds by its timing differs)"
        );
    }
    outcome
}

fn all(order: &Order, folder: Folder) -> Result<()> {
    orphans::adopt()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (servers, notes) = (watch::Sender::new(None), Notes::default());
    // Its own stream, so that what it draws changes nothing for the rounds.
    let random = Random::of_round(order.seed, u32::MAX);
    let following = runtime.spawn(follow(servers.subscribe(), Arc::clone(&notes), random));
    let mut stage = Stage { folder, ledger: Arc::default(), notes, servers, runtime, graves: Vec::new() };
    let (begun, mut tally) = (Instant::now(), Tally::default());
    for round in 0..order.rounds {
        let mut random = Random::of_round(order.seed, round);
        let plan = Plan::draw(&mut random);
        tally.count(&plan);
        stage.round(&plan, random).with_context(|| format!("round {round}, {plan:?}"))?;
        if (round + 1) % ROUNDS_PER_LINE == 0 {
            println!("round {round}: {tally}, {:.1} s", begun.elapsed().as_secs_f64());
        }
        if (round + 1) % ROUNDS_PER_VERDICT == 0 || round + 1 == order.rounds {
            let found = stage.settle().with_context(|| format!("the verdict after round {round}"))?;
            println!(
                "all is well after {} rounds: {found}, {:.1} s",
                round + 1,
                begun.elapsed().as_secs_f64()
            );
        }
    }
    let Stage { servers, runtime, .. } = stage;
    drop(servers);
    runtime.block_on(following)?;
    Ok(())
}

impl Stage {
    fn round(&mut self, plan: &Plan, random: Random) -> Result<()> {
        self.folder.configure(plan.on_host_loss, plan.running_max)?;
        let mut server = self.folder.start()?;
        let begun = Instant::now();
        self.look_at_graves()?;
        let living = match plan.when {
            When::AfterStart(after) => {
                thread::sleep(after.saturating_sub(begun.elapsed()));
                None
            }
            When::AfterListening(after) => {
                let address = self.folder.address(&mut server)?;
                let living = self.let_live(&address, plan, random, server.id())?;
                thread::sleep(after);
                Some(living)
            }
        };
        let grave = end(server, plan.how)?;
        self.servers.send_replace(None);
        if let Some((over, clients)) = living {
            over.send_replace(true);
            self.runtime.block_on(clients.join_all());
        }
        self.graves.push(grave);
        if plan.next_at_once { Ok(()) } else { self.look_at_last_grave() }
    }

    /// Clients of a server that listens.
    fn let_live(
        &self,
        address: &Address,
        plan: &Plan,
        mut random: Random,
        host: u32,
    ) -> Result<(watch::Sender<bool>, JoinSet<()>)> {
        self.servers.send_replace(Some(address.clone()));
        let (over, mut clients) = (watch::Sender::new(false), JoinSet::new());
        for _ in 0..plan.clients {
            let (http, ledger, random) =
                (Http::to(address.clone())?, Arc::clone(&self.ledger), random.branch());
            clients.spawn_on(
                Client { http, ledger, random, host, shims_too: plan.next_at_once }.live(over.subscribe()),
                self.runtime.handle(),
            );
        }
        Ok((over, clients))
    }

    /// While the next server lives already.
    fn look_at_graves(&mut self) -> Result<()> {
        for grave in self.graves.drain(..) {
            let left = self.folder.left_of(&grave);
            ensure!(left.is_empty(), "the server before it left {left:#?}");
        }
        Ok(())
    }

    fn look_at_last_grave(&mut self) -> Result<()> {
        for grave in self.graves.drain(..) {
            let left = self.folder.left_of_last(&grave);
            ensure!(left.is_empty(), "the server left {left:#?}");
        }
        Ok(())
    }

    /// Brings everything to rest, and judges.
    fn settle(&mut self) -> Result<String> {
        self.folder.configure("retry", RUNNING_MAX_AT_REST)?;
        let mut server = self.folder.start()?;
        self.look_at_graves()?;
        let address = self.folder.address(&mut server)?;
        self.servers.send_replace(Some(address.clone()));
        let http = Http::to(address)?;
        let rest = self.runtime.block_on(settle::bring_to_rest(&http, &self.ledger, &self.notes));
        self.graves.push(server.stop()?);
        self.servers.send_replace(None);
        self.look_at_last_grave()?;
        let found = settle::look(&self.folder, &self.ledger, &self.notes);
        // What does not come to rest has its cause in what is found, more often than not.
        match (rest, found) {
            (Ok(()), found) => found,
            (Err(rest), Ok(_)) => Err(rest),
            (Err(rest), Err(found)) => Err(found.context(rest)),
        }
    }
}

fn end(server: Server, how: How) -> Result<Grave> {
    match how {
        How::Killed => server.kill(),
        How::KilledWhileStopping(after) => {
            server.ask_to_stop()?;
            thread::sleep(after);
            server.kill()
        }
        How::Stopped => server.stop(),
    }
}

impl Tally {
    fn count(&mut self, plan: &Plan) {
        let place = match (plan.when, plan.how) {
            (When::AfterStart(_), _) => &mut self.starting,
            (When::AfterListening(_), How::Killed) => &mut self.serving,
            (When::AfterListening(_), How::KilledWhileStopping(_)) => &mut self.stopping,
            (When::AfterListening(_), How::Stopped) => &mut self.stopped,
        };
        *place += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { starting, serving, stopping, stopped } = self;
        write!(
            f,
            "servers killed while starting {starting}, serving {serving}, stopping {stopping}; stopped {stopped}"
        )
    }
}
