// SPDX-License-Identifier: GPL-2.0

//! Measures fetch and return of chains by the driver's ring, by the crate `virtio-queue`, and by
//! the kernel's `vringh.c` in user space.
//!
//! All three use the same memory in turn; the first two by the same bounds-checked accesses of
//! `vm-memory`, the last one by pointers. The modem fills its ring once. Between rounds it only
//! moves `avail.idx`, which is part of all figures.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use modem_ring::{Desc, Fields};
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::Address;
use vring_host_tests::memory::{Memory, View, BASE};
use vring_host_tests::vring_chain::Segment;
use vring_host_tests::vring_layout::{Layout, DESC_F_NEXT};
use vring_host_tests::vring_mem::Features;
use vring_host_tests::vring_reversed::DeviceRing;
use vring_interop::arena::Arena;
use vring_interop::kernel::Device;

/// Descriptors of the ring.
const NUM: u16 = 256;
/// Descriptors of a chain.
const CHAINS: [u16; 3] = [1, 8, 64];
/// Target: the least ratio of `virtio-queue`'s time to that of the driver's ring.
const TARGET: f64 = 2.0;
/// Whether chains are published one by one, or all at once.
const WAYS: [(&str, bool); 2] = [("each", false), ("batch", true)];

/// The modem's side of the ring.
struct Modem<'a> {
    ring: Fields<View<'a>>,
    avail: u16,
    chains: u16,
}

impl<'a> Modem<'a> {
    /// Fills the ring with chains of `len` descriptors.
    fn new(memory: &'a Memory, layout: Layout, len: u16) -> Self {
        let ring = Fields::new(memory.view(layout.size()), layout);
        let chains = NUM / len;
        for index in 0..NUM {
            let last = index % len == len - 1;
            let desc = Desc {
                addr: 0x8000_0000 + u64::from(index) * 0x1000,
                len: 1500,
                flags: if last { 0 } else { DESC_F_NEXT },
                next: if last { 0 } else { index + 1 },
            };
            ring.write_desc(index, desc);
            ring.write_avail(index, index % chains * len);
        }
        ring.write_avail_flags(0);
        ring.write_avail_idx(0);
        ring.write_used_flags(0);
        ring.write_used_idx(0);
        Self {
            ring,
            avail: 0,
            chains,
        }
    }

    /// Makes all chains available again.
    fn post(&mut self) {
        self.avail = self.avail.wrapping_add(self.chains);
        self.ring.write_avail_idx(self.avail);
    }

    /// Panics unless all chains are returned.
    fn must_have_all(&self) {
        let used = self.ring.used_idx();
        assert_eq!(used, self.avail, "all chains must have been given back");
    }
}

/// Runs a round of the driver's ring.
fn ours(ring: &mut DeviceRing<View<'_>, Vec<bool>>, segments: &mut [Segment], batch: bool) {
    let show = |segment: &Segment| {
        black_box((segment.addr(), segment.len(), segment.flags()));
    };
    // The same calls as in the driver's receive path.
    while let Some(next) = ring.peek().expect("the ring is sound") {
        if let Some(segment) = next.single() {
            show(segment);
            next.give_back(0);
        } else {
            let chain = next.fetch(segments).expect("the ring is sound");
            segments[..chain.len()].iter().for_each(show);
            ring.give_back(chain, 0).expect("it is the ring's own");
        }
        if !batch {
            black_box(ring.publish());
        }
    }
    if batch {
        black_box(ring.publish());
    }
}

/// Runs a round of `virtio-queue`, returning each chain before the next is fetched.
fn theirs_each(queue: &mut Queue, memory: &Memory) {
    while let Some(chain) = queue.pop_descriptor_chain(memory.map()) {
        let head = chain.head_index();
        for desc in chain {
            black_box((desc.addr(), desc.len(), desc.flags()));
        }
        queue
            .add_used(memory.map(), head, 0)
            .expect("the chain was fetched");
        black_box(queue.needs_notification(memory.map()).expect("it is ready"));
    }
}

/// Runs a round of `virtio-queue`, fetching all chains before the first is returned, which lets it
/// read `avail.idx` only once.
fn theirs_batch(queue: &mut Queue, memory: &Memory, heads: &mut Vec<u16>) {
    heads.clear();
    for chain in queue.iter(memory.map()).expect("the ring is sound") {
        heads.push(chain.head_index());
        for desc in chain {
            black_box((desc.addr(), desc.len(), desc.flags()));
        }
    }
    for head in heads {
        queue
            .add_used(memory.map(), *head, 0)
            .expect("the chain was fetched");
    }
    black_box(queue.needs_notification(memory.map()).expect("it is ready"));
}

/// Makes a queue of `virtio-queue` on the ring at the start of `memory`.
fn queue_of(layout: &Layout) -> Queue {
    let at = |off: usize| BASE.unchecked_add(off as u64);
    let mut queue = Queue::new(NUM).expect("the size is a power of two");
    queue
        .try_set_desc_table_address(at(layout.desc(0)))
        .expect("the table is aligned");
    queue
        .try_set_avail_ring_address(at(layout.avail_flags()))
        .expect("the available ring is aligned");
    queue
        .try_set_used_ring_address(at(layout.used_flags()))
        .expect("the used ring is aligned");
    queue.set_ready(true);
    queue
}

fn measure(criterion: &mut Criterion, arena: &Arena) {
    let (memory, layout) = (arena.memory(), arena.layout());
    for (way, batch) in WAYS {
        let mut group = criterion.benchmark_group(way);
        for len in CHAINS {
            group.throughput(Throughput::Elements(u64::from(NUM / len)));

            group.bench_function(BenchmarkId::new("ours", len), |bencher| {
                let mut modem = Modem::new(memory, layout, len);
                let storage = vec![false; usize::from(NUM)];
                let view = memory.view(layout.size());
                let mut ring = DeviceRing::new(view, layout, Features::default(), storage)
                    .expect("the storage is large enough");
                let mut segments = vec![Segment::default(); usize::from(NUM)];
                bencher.iter(|| {
                    modem.post();
                    ours(&mut ring, &mut segments, batch);
                });
                modem.must_have_all();
            });

            group.bench_function(BenchmarkId::new("virtio-queue", len), |bencher| {
                let mut modem = Modem::new(memory, layout, len);
                let mut queue = queue_of(&layout);
                let mut heads = Vec::with_capacity(usize::from(NUM));
                bencher.iter(|| {
                    modem.post();
                    if batch {
                        theirs_batch(&mut queue, memory, &mut heads);
                    } else {
                        theirs_each(&mut queue, memory);
                    }
                });
                modem.must_have_all();
            });

            group.bench_function(BenchmarkId::new("vringh", len), |bencher| {
                let mut modem = Modem::new(memory, layout, len);
                let mut device = Device::new(arena, false);
                bencher.iter(|| {
                    modem.post();
                    assert_eq!(device.round(!batch), u32::from(NUM / len));
                });
                modem.must_have_all();
            });
        }
        group.finish();
    }
}

/// Returns the median time per chain in nanoseconds, from criterion's results.
fn median(out: &Path, way: &str, who: &str, len: u16) -> Result<f64, String> {
    let path = out.join(format!("{way}/{who}/{len}/new/estimates.json"));
    let bad = |e: String| format!("{}: {e}", path.display());
    let text = fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let round = json["median"]["point_estimate"]
        .as_f64()
        .ok_or_else(|| bad("has no median".to_string()))?;
    Ok(round / f64::from(NUM / len))
}

/// Prints the table. Returns how many targets were met and how many were missed.
fn report(out: &Path) -> Result<(u32, u32), String> {
    let (mut met, mut missed) = (0, 0);
    println!(
        "| chain | modem told | ours, ns per chain | virtio-queue | ratio |        | vringh.c | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (way, _) in WAYS {
        for len in CHAINS {
            let ours = median(out, way, "ours", len)?;
            let theirs = median(out, way, "virtio-queue", len)?;
            let kernels = median(out, way, "vringh", len)?;
            let ratio = theirs / ours;
            let verdict = if ratio >= TARGET {
                met += 1;
                "met"
            } else {
                missed += 1;
                "MISSED"
            };
            println!(
                "| {len:5} | {way:10} | {ours:18.1} | {theirs:12.1} | {ratio:5.2} | {verdict:6} \
                 | {kernels:8.1} | {:5.2} |",
                kernels / ours
            );
        }
    }
    Ok((met, missed))
}

fn main() -> ExitCode {
    let out = PathBuf::from(std::env::var_os("CRITERION_HOME").unwrap_or("criterion".into()));
    let arena = Arena::new(NUM);
    let mut criterion = Criterion::default()
        .output_directory(&out)
        .without_plots()
        .configure_from_args();
    measure(&mut criterion, &arena);
    criterion.final_summary();
    match report(&out) {
        Ok((met, missed)) => {
            println!("{met} targets met, {missed} missed, each at least {TARGET}");
            if missed == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
