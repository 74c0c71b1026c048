//! Verdicts on figures made up for each case: what the scheduler must say, and whom it must spare.

use super::*;
use proptest::prelude::*;

const MB: u64 = 1 << 20;

fn machine(total: u64, free: u64) -> Machine {
    Machine { ram: Some(Amount { total: total * MB, free: free * MB }), vram: None }
}

fn need(ram: u64) -> Need {
    Need { ram: ram * MB, vram: 0 }
}

fn holding(instance: &str, ram: u64, is_idle: bool, last_used: Option<i64>) -> Holding {
    Holding {
        instance: instance.to_owned(),
        incarnation: 1,
        ram: ram * MB,
        vram: 0,
        peak_ram: ram * MB,
        peak_vram: 0,
        is_idle,
        last_used: last_used.map(|at| Timestamp::from_second(at).unwrap()),
    }
}

fn grant(instance: &str, ram: u64) -> Grant {
    Grant { instance: instance.to_owned(), need: need(ram) }
}

fn short(needed: u64, available: u64) -> Shortage {
    let (instance, resource) = ("needy".to_owned(), Resource::Ram);
    Shortage { instance, resource, needed: needed * MB, available: available * MB, total: 1000 * MB }
}

#[test]
fn a_plugin_that_asks_for_more_than_is_free_is_told_by_how_much() {
    let verdict = judge("p", need(1_000_000_000), &machine(1000, 1), &[], &[]).unwrap_err();
    assert!(verdict.is_for_good());
    let told = serde_json::to_value(verdict.shortfall()).unwrap();
    let expected = serde_json::json!({"resource": "system_ram_mb", "needed": 1e9, "available": 1.0});
    assert_eq!(told, expected);
    let said = verdict.to_string();
    assert_eq!(
        said,
        "ResourceScheduler blocked execution of p: it needs 1000000000 MiB of memory; 1 of 1000 MiB are free for it"
    );
    let error = verdict.to_job_error();
    assert_eq!((error.category, error.retriable), (Category::Resource, false));
    assert_eq!(error.resource_shortfall, Some(verdict.shortfall()));
}

#[test]
fn what_a_worker_holds_counts_as_its_own_and_what_was_granted_is_not_free() {
    let held = [holding("p", 300, true, None), holding("q", 50, false, None)];
    let check = |instance: &str, ram, free, granted: &[Grant]| {
        judge(instance, need(ram), &machine(1000, free), &held, granted).is_ok()
    };
    assert!(check("p", 400, 100, &[]), "it holds 300 of them already");
    assert!(!check("p", 401, 100, &[]));
    assert!(!check("new", 101, 100, &[]));
    // q was granted 120 and has taken 50 of it.
    assert!(!check("new", 31, 100, &[grant("q", 120)]));
    assert!(check("new", 30, 100, &[grant("q", 120)]));
    assert!(check("new", 30, 100, &[grant("q", 120), grant("q", 120)]), "two calls need it once");
    assert!(check("q", 10_000, 0, &[grant("q", 120)]), "it has leave already");
}

#[test]
fn a_gpu_counts_for_plugins_that_need_one_and_unknown_figures_stop_nobody() {
    let gpu = Need { ram: 0, vram: 500 * MB };
    let with = |vram| Machine { ram: None, vram };
    let short =
        judge("p", gpu, &with(Some(Amount { total: 800 * MB, free: 400 * MB })), &[], &[]).unwrap_err();
    assert_eq!(short.shortfall().resource, "gpu_vram_mb");
    assert!(short.is_of_gpu() && !short.is_for_good());
    assert!(judge("p", gpu, &with(None), &[], &[]).is_ok());
    assert!(judge("p", need(500), &with(None), &[], &[]).is_ok());
}

#[test]
fn the_longest_unused_makes_room_and_of_those_never_used_the_costliest() {
    let held = [
        holding("new", 200, true, Some(30)),
        holding("old", 200, true, Some(10)),
        holding("older-but-busy", 200, false, Some(5)),
        holding("older-but-granted", 200, true, Some(5)),
        holding("needy", 200, true, Some(1)),
    ];
    let granted = [grant("older-but-granted", 10)];
    let first = |held: &[Holding]| victim(&short(300, 100), held, &granted).map(|held| held.instance.clone());
    assert_eq!(first(&held).as_deref(), Some("old"));
    let mut never = held.to_vec();
    never.extend([holding("small", 10, true, None), holding("large", 20, true, None)]);
    assert_eq!(first(&never).as_deref(), Some("large"));
    assert_eq!(victim(&short(501, 100), &held, &granted), None, "400 of 401 would help nobody");
}

proptest! {
    #[test]
    fn nobody_with_a_call_or_leave_ever_goes_and_who_goes_is_enough_in_the_end(
        figures in prop::collection::vec((0..100_u64, any::<bool>(), any::<bool>(), prop::option::of(0..50_i64)), 0..12),
        needed in 1..1000_u64,
    ) {
        let mut held: Vec<Holding> = figures.iter().enumerate().map(|(at, (ram, is_idle, _, used))| {
            holding(&format!("p{at}"), *ram, *is_idle, *used)
        }).collect();
        let granted: Vec<Grant> = figures.iter().enumerate().filter(|(_, figure)| figure.2)
            .map(|(at, _)| grant(&format!("p{at}"), 1)).collect();
        let mut shortage = short(needed, 0);
        let mut last = None;
        let mut evicted = 0;
        while let Some(gone) = victim(&shortage, &held, &granted).cloned() {
            prop_assert!(gone.is_idle && granted.iter().all(|grant| grant.instance != gone.instance));
            prop_assert!(last <= Some(gone.last_used), "the longest unused first");
            last = Some(gone.last_used);
            held.retain(|holding| holding.instance != gone.instance);
            evicted += 1;
            if shortage.is_made_up_by(&gone) {
                break;
            }
        }
        prop_assert!(evicted == 0 || shortage.needed <= shortage.available, "somebody went for nothing");
    }
}

#[test]
fn what_a_plugin_says_that_it_lacked_is_taken_within_bounds() {
    let told = |resource: &str, needed, available| {
        let resource = resource.to_owned();
        Shortage::told("p", Some(ResourceShortfall { resource, needed, available }))
    };
    let amounts = |shortage: Option<Shortage>| shortage.map(|short| (short.needed, short.available));
    assert_eq!(amounts(told("system_ram_mb", 3.0, 1.0)), Some((3 * MB, MB)));
    assert_eq!(amounts(told("gpu_vram_mb", f64::NAN, -4.0)), Some((1, 0)));
    assert_eq!(amounts(told("system_ram_mb", f64::INFINITY, 0.0)), Some((u64::MAX, 0)));
    assert_eq!(told("disk_mb", 3.0, 1.0), None);
    assert_eq!(amounts(Shortage::told("p", None)), Some((1, 0)));
}
