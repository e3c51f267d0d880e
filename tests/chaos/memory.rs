//! Memory over the time of the test.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, interval},
};

use super::{ALLOCATOR, measure, report};

/// Time between two samples, at the least.
const EVERY: Duration = Duration::from_secs(1);

/// Samples of a test, at the most.
const SAMPLES: u32 = 1_000;

/// Memory at one moment.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    /// Bytes allocated.
    allocated: usize,
    /// Resident set size in bytes; 0 where `/proc/self/status` can't be read.
    resident: f64,
}

/// A recorder of how much memory the process has, by a task that ends with this.
pub(crate) struct Memory {
    begun: Instant,
    samples: Arc<Mutex<Vec<Sample>>>,
    /// In each quiet.
    quiet: Vec<Sample>,
    task: JoinHandle<()>,
}

impl Memory {
    /// Begins to record a test of this length. All memory for the samples is allocated here.
    pub(crate) fn record(length: Duration) -> Self {
        let begun = Instant::now();
        let samples = Arc::new(Mutex::new(Vec::with_capacity(2 * SAMPLES as usize)));
        let own = Arc::clone(&samples);
        let mut ticks = interval((length / SAMPLES).max(EVERY));
        let task = tokio::spawn(async move {
            loop {
                ticks.tick().await;
                let mut samples = own.lock().unwrap();
                if samples.len() < samples.capacity() {
                    samples.push(Sample::of(begun));
                }
            }
        });
        Self { begun, samples, quiet: Vec::with_capacity(2 * SAMPLES as usize), task }
    }

    /// Records a moment at which all consumers have what the server has.
    pub(crate) fn quiet(&mut self) {
        self.quiet.push(Sample::of(self.begun));
    }

    /// Writes `target/bench/soak.json`, which `just soak` draws.
    pub(crate) fn write(&self, length: Duration, seed: u64) {
        let samples = self.samples.lock().unwrap();
        let measured = json!({ "samples": columns(&samples), "quiet": columns(&self.quiet) });
        let of = json!({ "seconds": length.as_secs(), "seed": seed });
        report::write("soak", &of, &measured);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sample {
    fn of(begun: Instant) -> Self {
        Self {
            seconds: begun.elapsed().as_secs_f64(),
            allocated: ALLOCATOR.allocated(),
            resident: measure::status("VmRSS"),
        }
    }
}

fn columns(samples: &[Sample]) -> Value {
    let column = |value: fn(&Sample) -> Value| samples.iter().map(value).collect::<Value>();
    json!({
        "seconds": column(|sample| sample.seconds.into()),
        "allocated": column(|sample| sample.allocated.into()),
        "resident": column(|sample| sample.resident.into()),
    })
}
