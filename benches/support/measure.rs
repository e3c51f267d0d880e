//! Time and memory.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Duration of a run of [`nanoseconds`], and number of runs.
const RUN: Duration = Duration::from_millis(10);
const RUNS: usize = 9;

/// Returns the user and system time of this process, for all threads.
pub(crate) fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

/// Returns the user and system time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).expect("not negative");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below 10^9"))
}

/// Returns a line of `/proc/self/status`, such as `VmHWM`, in bytes; 0 if the file doesn't exist.
pub(crate) fn status(field: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() * 1024.0
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("below 2^32"))
}

/// Returns the microseconds per item.
pub(crate) fn micros(time: Duration, items: usize) -> f64 {
    time.as_secs_f64() * 1e6 / float(items)
}

/// Returns the nanoseconds per item of an operation on `items`: the median of several runs.
pub(crate) fn nanoseconds<T>(items: usize, mut operation: impl FnMut() -> T) -> f64 {
    let mut run = |rounds: usize| {
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(operation());
        }
        start.elapsed()
    };
    let mut rounds = 1;
    while run(rounds) < RUN / 2 {
        rounds *= 2;
    }
    let runs = (0..RUNS).map(|_| run(rounds).as_secs_f64() * 1e9 / float(rounds) / float(items));
    median(runs.collect())
}
