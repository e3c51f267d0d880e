//! Checks of the reader of Leases, for the fuzzer.
#![expect(clippy::missing_panics_doc, reason = "the fuzzer looks for panics")]

use std::{cell::RefCell, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use k8s_openapi::{
    api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use serde_json::Value;
use tokio::{runtime::Runtime, time::Instant};

use super::{
    election::LeaseRef,
    leases::{Leases, Refused},
    record::{Claim, ObservedLease, holder, released},
};
use crate::source::fuzzing::Answers;

/// The lease duration to assume if the Lease has none.
const OWN: Duration = Duration::from_secs(15);

/// Checks that a write counts as done only if the answer is the Lease with this replica's claim, and that
/// no other Lease than the requested one is read. The first byte selects the request, the second the status
/// of the answer; the rest is its body.
pub fn lease(data: &[u8]) {
    let Some(([choice, code], body)) = data.split_first_chunk::<2>() else { return };
    let code = [200, 201, 404, 409, 500][usize::from(code % 5)];
    let code = StatusCode::from_u16(code).unwrap();
    let found = serde_json::from_slice::<Value>(body);
    let decodes = serde_json::from_slice::<Lease>(body).is_ok();
    // `serde_json` accepts anything in fields that it ignores.
    if decodes && found.is_err() {
        return;
    }
    let found = found.unwrap_or_default();
    let meta = &found["metadata"];
    let is_own = code.is_success()
        && meta["name"] == "lease"
        && meta["namespace"] == "default"
        && meta["resourceVersion"].is_string();
    WORLD.with_borrow(|world| {
        world.answers.set([(code, vec![Bytes::copy_from_slice(body)])]);
        let until = Instant::now() + OWN;
        if choice % 3 == 0 {
            match world.runtime.block_on(world.leases.get(until)) {
                Ok(Some(lease)) => {
                    assert!(is_own);
                    is_read(&lease, &found["spec"]);
                }
                Ok(None) => assert_eq!(code, 404),
                Err(_) => assert!(!is_own || !decodes),
            }
            return;
        }
        let claim = claim();
        let mut known = Lease::default();
        let is_update = choice % 3 == 1;
        known.metadata.resource_version = is_update.then(|| "7".to_owned());
        let mut lease = claim.renewed(claim.acquired.clone(), Some(&known), "lease", OWN);
        lease.spec.get_or_insert_default().renew_time = Some(claim.acquired.clone());
        let spec = &found["spec"];
        let time =
            |field: &str| spec[field].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let is_claimed = is_own
            && (!is_update || meta["resourceVersion"] != "7")
            && spec["holderIdentity"] == claim.holder
            && spec["leaseTransitions"] == claim.number
            && spec["leaseDurationSeconds"] == OWN.as_secs()
            && [time("acquireTime"), time("renewTime")] == [Some(claim.acquired.0); 2];
        match world.runtime.block_on(world.leases.write(&lease, until)) {
            Ok(written) => {
                assert!(is_claimed);
                assert!(claim.matches(&written));
            }
            Err(Refused::Outdated) => assert!(code == 409 || (code == 404 && is_update)),
            Err(Refused::Failed(error)) => {
                assert!(!is_claimed || !decodes, "{error}");
                assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    });
}

/// Checks the interpretation of a Lease that was read.
fn is_read(lease: &Lease, spec: &Value) {
    let named = spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty());
    assert_eq!(holder(lease), named);
    let number = if spec.is_null() { -1 } else { spec["leaseTransitions"].as_i64().unwrap_or(0) };
    let mut observed = ObservedLease::default();
    observed.observe(Some(lease.clone()), OWN);
    assert_eq!(observed.holder(), named);
    let seconds = spec["leaseDurationSeconds"].as_u64().filter(|seconds| *seconds > 0);
    let held = seconds.map_or(OWN, Duration::from_secs);
    match observed.held_until() {
        Some(until) => {
            assert!(named.is_some());
            let left = until - Instant::now();
            assert!(left <= held && left + Duration::from_secs(1) > held, "{left:?} of {held:?}");
        }
        None => assert!(named.is_none()),
    }
    let claim = observed.claim("me");
    assert!(i64::from(claim.number) > number || number == i64::from(i32::MAX));
    let renewed = claim.renewed(claim.acquired.clone(), Some(lease), "", OWN);
    assert!(claim.matches(&renewed) && !claim.matches(lease));
    assert_eq!(renewed.metadata, lease.metadata);
    assert_eq!(holder(&released(lease)), None);
    // The watch delivers the same Lease again: no news.
    assert_eq!(observed.observe_event(lease.clone(), OWN), Some(false));
}

fn claim() -> Claim {
    let acquired = MicroTime(Timestamp::from_microsecond(1_700_000_000_123_456).unwrap());
    Claim { holder: "a".to_owned(), acquired, number: 3 }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// A reader of Leases with prepared answers.
struct World {
    runtime: Runtime,
    leases: Leases,
    answers: Answers,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answers = Answers::default();
        let leases = {
            let _in_runtime = runtime.enter();
            Leases::new(answers.client(), LeaseRef::new("default", "lease"))
        };
        Self { runtime, leases, answers }
    }
}
