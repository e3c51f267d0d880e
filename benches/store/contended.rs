//! Reading while a writer publishes as fast as it can.

use std::{
    hint::black_box,
    iter::Cycle,
    slice,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{
    stores::Candidate,
    support::measure::{float, median, thread_cpu},
    world::World,
};

const READERS: usize = 2;
const RUN: Duration = Duration::from_millis(200);
const RUNS: usize = 5;

type Changes<'a, C> = Cycle<slice::Iter<'a, <C as Candidate>::Change>>;

/// Measures gets of the current state, beside a writer.
pub(crate) fn measure<C: Candidate>(
    world: &mut World,
    mut store: C,
    keys: &[C::Key],
) -> Map<String, Value> {
    let changes = world.alternating::<C>(1000);
    // Continues from run to run: from the start it would publish stored versions.
    let mut changes = changes.iter().cycle();
    let mut figures = Map::new();
    let (wall, cpu) = run::<C>(&store.reader(), keys, None);
    figures.insert("readers_idle_ns".into(), json!(wall));
    figures.insert("readers_idle_cpu_ns".into(), json!(cpu));
    let reader = store.reader();
    let (wall, cpu) = run::<C>(&reader, keys, Some((&mut store, &mut changes)));
    figures.insert("readers_written_ns".into(), json!(wall));
    figures.insert("readers_written_cpu_ns".into(), json!(cpu));
    figures
}

/// Returns the nanoseconds of wall and CPU time per get.
fn run<C: Candidate>(
    reader: &C::Reader,
    keys: &[C::Key],
    mut writer: Option<(&mut C, &mut Changes<'_, C>)>,
) -> (f64, f64) {
    let runs = (0..RUNS).map(|_| {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|n| {
                    let keys = keys[keys.len() / READERS * n..].iter().chain(keys).cycle();
                    scope.spawn(|| read::<C>(reader, keys, &ended))
                })
                .collect();
            if let Some((store, changes)) = &mut writer {
                scope.spawn(|| write(*store, changes, &ended));
            }
            thread::sleep(RUN);
            ended.store(true, Ordering::Relaxed);
            let read = readers.into_iter().map(|reader| reader.join().expect("no panic"));
            let read: Vec<_> = read.collect();
            let mean =
                |of: fn(&(f64, f64)) -> f64| read.iter().map(of).sum::<f64>() / float(READERS);
            (mean(|read| read.0), mean(|read| read.1))
        })
    });
    let (wall, cpu): (Vec<_>, Vec<_>) = runs.unzip();
    (median(wall), median(cpu))
}

fn read<'a, C: Candidate>(
    reader: &C::Reader,
    mut keys: impl Iterator<Item = &'a C::Key>,
    ended: &AtomicBool,
) -> (f64, f64)
where
    C::Key: 'a,
{
    let (start, cpu) = (Instant::now(), thread_cpu());
    let mut count = 0;
    while !ended.load(Ordering::Relaxed) {
        let key = keys.next().expect("endless");
        assert!(black_box(C::get_now(reader, key)).is_some());
        count += 1;
    }
    let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9 / float(count);
    (nanoseconds(start.elapsed()), nanoseconds(thread_cpu().saturating_sub(cpu)))
}

fn write<C: Candidate>(store: &mut C, changes: &mut Changes<'_, C>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        store.publish(vec![changes.next().expect("endless").clone()]);
    }
}
