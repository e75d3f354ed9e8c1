// SPDX-License-Identifier: GPL-2.0

//! The fake: a remote processor in the kernel's own memory, to which Linux attaches.
//!
//! Its device addresses differ from all others of the memory. Frames from Linux are in ordinary DMA
//! memory, since there is no `vdev0buffer`.

use crate::{
    abstractions::{
        bindings,
        event::Event,
        memory::Memory,
        remoteproc::{
            self,
            loaded::LoadedTable,
            Carveout,
            DeviceRange,
            Operations,
            Rproc,
            Unregistered, //
        }, //
    },
    control,
    modem_ring::Fields,
    netdev::DriverNetdev,
    platform::{
        self,
        SleepyPlatform, //
    },
    scope::Point,
    table,
    vring::VringMem,
    vring_layout::{
        Layout,
        F_EVENT_IDX, //
    },
    vring_mem::Features, //
};
use kernel::{
    device,
    faux,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// Limit for what needs no waiting, in milliseconds. Generous, for an emulated and shared machine.
pub(crate) const TIMEOUT_MS: u32 = 20_000;
/// Device address of the first vring; everything else follows.
const DA: u32 = 0x4000_0000;
/// Alignment of the parts of the memory: remoteproc wants whole pages for a vring.
const PAGE: usize = kernel::page::PAGE_SIZE;

/// The largest alignment of a ring that is used.
const RING_ALIGN: usize = 4096;

/// Bytes of the memory for frames.
const HEAP: usize = 1 << 20;

/// Options of a modem.
pub(crate) struct FakeOptions {
    /// Descriptors of both vrings.
    pub(crate) num: [u32; 2],
    /// Alignment of both vrings.
    pub(crate) align: u32,
    /// Features offered.
    pub(crate) features: u32,
    /// The config space, if there is one.
    pub(crate) config: Option<KVec<u8>>,
    /// Type of the virtio device.
    pub(crate) virtio_id: u32,
    /// Whether a crash is recovered from by attaching again.
    pub(crate) recovers: bool,
    /// Whether kicks sleep, by the name of a platform on which they may.
    pub(crate) sleepy_kicks: bool,
    /// Whether its memory is to be accessed as I/O memory.
    pub(crate) io_memory: bool,
    /// Whether all of its memory is for virtio, so that there is none for received frames.
    pub(crate) no_heap: bool,
    /// Whether two of its carveouts overlap.
    pub(crate) overlap: bool,
    /// Milliseconds that a kick sleeps.
    pub(crate) kick_ms: u32,
    /// Whether it cannot be stopped.
    pub(crate) never_stops: bool,
    /// Whether its device cannot be added.
    pub(crate) nameless: bool,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self {
            num: [16, 16],
            align: 4096,
            features: 0,
            config: None,
            virtio_id: bindings::VIRTIO_ID_CAIF,
            recovers: false,
            sleepy_kicks: false,
            io_memory: false,
            no_heap: false,
            overlap: false,
            kick_ms: 0,
            never_stops: false,
            nameless: false,
        }
    }
}

/// The features of both kinds of notification: by flags, and by indices.
pub(crate) const NOTIFICATIONS: [u32; 2] = [0, 1 << F_EVENT_IDX];

/// Number of the next modem, for a name of its own.
static NUMBER: Atomic<u32> = Atomic::new(0);

/// The record of the remote processor's operations.
#[pin_data]
pub(crate) struct Record {
    /// Kicks of each vring.
    kicks: [Atomic<u32>; 2],
    /// Kicks of any vring that began.
    begun: Atomic<u32>,
    /// Kicks that began while another was under way.
    beside: Atomic<u32>,
    /// Kicks of vrings that there are not.
    stray_kicks: Atomic<u32>,
    /// Number of attaches.
    attaches: Atomic<u32>,
    /// Kicks of the reversed vring before it attached last.
    kicks_before: Atomic<u32>,
    /// Number of stops and detaches that were requested.
    stops: Atomic<u32>,
    /// The point at which each vring is kicked.
    points: [Point; 2],
    /// The point at which it is stopped or detached from.
    stopping: Point,
    sleepy_kicks: bool,
    kick_ms: u32,
    never_stops: bool,
    /// Whether the table cannot be read.
    table_fails: AtomicFlag,
    /// Whether it cannot be attached to.
    attach_fails: AtomicFlag,
    /// Set by each of the above.
    #[pin]
    event: Event,
}

impl Record {
    /// Returns the number of kicks of a vring so far.
    pub(crate) fn kicks(&self, vring: usize) -> u32 {
        self.kicks.get(vring).map_or(0, |kicks| kicks.load(Relaxed))
    }

    /// Returns the number of kicks that have begun so far.
    pub(crate) fn begun(&self) -> u32 {
        self.begun.load(Relaxed)
    }

    /// Returns the number of kicks that began while another was under way.
    pub(crate) fn beside(&self) -> u32 {
        self.beside.load(Relaxed)
    }

    /// Returns the number of stops and detaches so far, failed ones included.
    pub(crate) fn stops(&self) -> u32 {
        self.stops.load(Relaxed)
    }

    /// Sets whether the operation fails that reads the table.
    pub(crate) fn fail_table(&self, fails: bool) {
        self.table_fails.store(fails, Relaxed);
    }

    /// Sets whether the operation fails that attaches.
    pub(crate) fn fail_attach(&self, fails: bool) {
        self.attach_fails.store(fails, Relaxed);
    }

    /// Returns the point at which Linux stops the modem or detaches from it. Its function runs
    /// before that is recorded.
    pub(crate) fn stopping(&self) -> &Point {
        &self.stopping
    }

    /// Returns the point at which a vring is kicked, the reversed one (0) or the other (1). Its
    /// function runs before the kick is recorded.
    pub(crate) fn kick_of(&self, vring: usize) -> &Point {
        let [rx, tx] = &self.points;
        if vring == 0 {
            rx
        } else {
            tx
        }
    }

    /// Returns the number of kicks of vrings that do not exist.
    pub(crate) fn stray_kicks(&self) -> u32 {
        self.stray_kicks.load(Relaxed)
    }

    /// Returns the number of attaches so far.
    pub(crate) fn attaches(&self) -> u32 {
        self.attaches.load(Relaxed)
    }

    /// Returns whether the driver kicked the reversed vring, which announces DRIVER_OK, since Linux
    /// attached for the `times`th time.
    pub(crate) fn is_up(&self, times: u32) -> bool {
        self.attaches() >= times && self.kicks(0) != self.kicks_before.load(Relaxed)
    }

    /// Waits until the condition holds, which is checked after each recorded event.
    pub(crate) fn wait(&self, condition: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.event.reset();
            if condition(self) {
                return true;
            }
            if !self.event.wait(TIMEOUT_MS) {
                return condition(self);
            }
        }
    }

    fn count(&self, counter: &Atomic<u32>) {
        counter.add(1, Relaxed);
        self.event.set();
    }
}

/// The remoteproc driver of the fake.
struct Ops {
    record: Arc<Record>,
    memory: Arc<Memory>,
    /// Where the table is in the memory.
    at: usize,
    table: DeviceRange,
}

#[vtable]
impl Operations for Ops {
    fn stop(&self, _rproc: &Rproc) -> Result {
        self.record.stopping.run();
        self.record.count(&self.record.stops);
        if self.record.never_stops {
            return Err(EIO);
        }
        Ok(())
    }

    fn attach(&self, rproc: &Rproc) -> Result {
        if self.record.attach_fails.load(Relaxed) {
            return Err(EIO);
        }
        // An interrupt far too early: there are no virtqueues yet.
        rproc.vq_interrupt(0);
        rproc.vq_interrupt(1);
        self.record
            .kicks_before
            .store(self.record.kicks(0), Relaxed);
        self.record.count(&self.record.attaches);
        Ok(())
    }

    fn detach(&self, rproc: &Rproc) -> Result {
        self.stop(rproc)
    }

    fn kick(&self, _rproc: &Rproc, vqid: u32) {
        let ended = |record: &Record| record.kicks(0) + record.kicks(1) + record.stray_kicks();
        if self.record.begun() != ended(&self.record) {
            self.record.count(&self.record.beside);
        }
        self.record.count(&self.record.begun);
        if self.record.sleepy_kicks {
            platform::sleeps();
        }
        if self.record.kick_ms > 0 {
            control::pass_time(self.record.kick_ms);
        }
        let vring = usize::try_from(vqid).ok().filter(|vring| *vring < 2);
        if let Some(vring) = vring {
            self.record.kick_of(vring).run();
        }
        let counter = vring.and_then(|vring| self.record.kicks.get(vring));
        self.record
            .count(counter.unwrap_or(&self.record.stray_kicks));
    }

    fn loaded_table(&self, _rproc: &Rproc) -> Result<Option<LoadedTable>> {
        if self.record.table_fails.load(Relaxed) {
            return Err(EIO);
        }
        LoadedTable::read(&self.memory, self.at, self.table).map(Some)
    }
}

/// Offsets of the parts of the memory.
#[derive(Clone, Copy)]
struct Parts {
    vrings: [usize; 2],
    table: usize,
    heap: usize,
    end: usize,
}

/// A modem, attached to or not.
pub(crate) struct Fake {
    // Dropped in this order. The last one owns the registration.
    rproc: ARef<Rproc>,
    record: Arc<Record>,
    memory: Arc<Memory>,
    parts: Parts,
    layouts: Option<[Layout; 2]>,
    _parent: Parent,
}

/// The platform's device.
enum Parent {
    /// A platform that kicks without sleeping.
    Faux(faux::Registration),
    /// A platform whose kicks sleep.
    Sleepy(SleepyPlatform),
}

impl Fake {
    /// Makes a modem that Linux is not attached to.
    pub(crate) fn new(options: &FakeOptions) -> Result<Self> {
        // At least `vring_size()`, for any geometry.
        let room = |num: u32| (num as usize * 32 + 2 * RING_ALIGN).next_multiple_of(PAGE);
        let [rx, tx] = options.num;
        let table = room(rx) + room(tx);
        let parts = Parts {
            vrings: [0, room(rx)],
            table,
            heap: table + PAGE,
            end: table + PAGE + HEAP,
        };
        let mut memory = Memory::alloc(parts.end)?;
        if options.io_memory {
            memory = memory.into_io();
        }
        let memory = Arc::new(memory, GFP_KERNEL)?;
        let table_len = table::write(&memory, parts.table, options)?;
        let [table, heap] = if options.no_heap {
            [c"vdev0vring2", c"vdev0vring3"]
        } else {
            [c"table", c"heap"]
        };
        let mut carveouts = KVec::new();
        for (name, from, to) in [
            (c"vdev0vring0", parts.vrings[0], parts.vrings[1]),
            (c"vdev0vring1", parts.vrings[1], parts.table),
            (table, parts.table, parts.heap),
            (heap, parts.heap - usize::from(options.overlap), parts.end),
        ] {
            let range = DeviceRange {
                da: da(from)?,
                len: to - from,
            };
            carveouts.push(
                Carveout::mapped(name, memory.clone(), from, range)?,
                GFP_KERNEL,
            )?;
        }
        let record = Arc::pin_init(
            pin_init!(Record {
                kicks: [Atomic::new(0), Atomic::new(0)],
                begun: Atomic::new(0),
                beside: Atomic::new(0),
                stray_kicks: Atomic::new(0),
                attaches: Atomic::new(0),
                kicks_before: Atomic::new(0),
                stops: Atomic::new(0),
                points: [Point::unused(), Point::unused()],
                stopping: Point::unused(),
                sleepy_kicks: options.sleepy_kicks,
                kick_ms: options.kick_ms,
                never_stops: options.never_stops,
                table_fails: AtomicFlag::new(false),
                attach_fails: AtomicFlag::new(false),
                event <- Event::new(),
            }),
            GFP_KERNEL,
        )?;
        let ops = Ops {
            record: record.clone(),
            memory: memory.clone(),
            at: parts.table,
            table: DeviceRange {
                da: da(parts.table)?,
                len: table_len,
            },
        };
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = CString::try_from_fmt(fmt!("caif-fake-modem{number}"))?;
        let parent = if options.sleepy_kicks {
            Parent::Sleepy(SleepyPlatform::new()?)
        } else {
            Parent::Faux(faux::Registration::new(&name, None)?)
        };
        let unregistered = Unregistered::new(
            parent.device(),
            remoteproc::RprocOptions {
                name: &name,
                firmware: None,
                auto_boot: false,
                detached: true,
                attach_on_recovery: options.recovers,
                carveouts,
            },
            Ok::<_, Error>(ops),
        )?;
        let layout = |num| Layout::new(num, options.align).ok();
        let rproc = unregistered.rproc().clone();
        let register = || unregistered.register(parent.device());
        if options.nameless {
            let ret = control::without_name(&rproc, register);
            check_eq!(control::references(&rproc), 1, "references that are left");
            ret?;
        } else {
            register()?;
        }
        Ok(Self {
            rproc,
            record,
            memory,
            parts,
            layouts: layout(rx).zip(layout(tx)).map(<[_; 2]>::from),
            _parent: parent,
        })
    }

    /// Makes a modem and attaches to it, whether the driver's probe succeeds or not.
    pub(crate) fn attached(options: &FakeOptions) -> Result<Self> {
        let this = Self::new(options)?;
        this.attach()?;
        Ok(this)
    }

    /// Does the same with a modem that is recovered when it crashes.
    pub(crate) fn recovering() -> Result<Self> {
        Self::attached(&FakeOptions {
            recovers: true,
            ..FakeOptions::default()
        })
    }

    /// Attaches to the modem. The driver's probe is over afterwards.
    pub(crate) fn attach(&self) -> Result {
        control::boot(self)
    }

    /// Detaches from the modem.
    pub(crate) fn detach(&self) -> Result {
        control::detach(self)
    }

    /// Returns the record of events.
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Returns the remote processor.
    pub(crate) fn rproc(&self) -> &ARef<Rproc> {
        &self.rproc
    }

    /// Returns the network device of the link, if there is one.
    pub(crate) fn find_netdev(&self) -> Option<DriverNetdev<'_>> {
        let rproc: &Rproc = self.rproc();
        DriverNetdev::find_below(rproc.as_ref())
    }

    /// Returns the network device of the link.
    pub(crate) fn netdev(&self) -> Result<DriverNetdev<'_>> {
        let netdev = self.find_netdev();
        check!(netdev.is_some(), "there is no network device");
        netdev.ok_or(ENODEV)
    }

    /// Interrupts for a vring. Returns whether a virtqueue handled the interrupt.
    pub(crate) fn interrupt(&self, vring: u32) -> bool {
        self.rproc().vq_interrupt(vring)
    }

    /// Returns the shared memory.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns the offset of the resource table in the memory.
    pub(crate) fn table(&self) -> usize {
        self.parts.table
    }

    /// Returns the layout of a vring with a valid geometry.
    pub(crate) fn layout(&self, vring: usize) -> Result<Layout> {
        let layouts = self.layouts.ok_or(EINVAL)?;
        layouts.get(vring).copied().ok_or(EINVAL)
    }

    /// Returns the memory of a vring.
    pub(crate) fn vring_mem(&self, vring: usize) -> Result<VringMem<'_>> {
        let base = self.parts.vrings.get(vring).copied().ok_or(EINVAL)?;
        Ok(VringMem::new(&self.memory, base))
    }

    /// Returns the fields of a vring, for accesses without rules.
    pub(crate) fn vring(&self, vring: usize) -> Result<Fields<VringMem<'_>>> {
        Ok(Fields::new(self.vring_mem(vring)?, self.layout(vring)?))
    }

    /// Returns the negotiated features of both vrings.
    pub(crate) fn ring_features(&self) -> Result<Features> {
        let event_idx = self.features()? & 1 << F_EVENT_IDX != 0;
        Ok(Features { event_idx })
    }

    /// Returns the offset of the heap in the memory.
    pub(crate) fn heap(&self) -> usize {
        self.parts.heap
    }

    /// Returns the size of the heap.
    pub(crate) fn heap_len(&self) -> usize {
        HEAP
    }

    /// Returns the device address of a place in the memory.
    pub(crate) fn da(&self, offset: usize) -> u64 {
        u64::from(DA) + offset as u64
    }

    /// Returns the negotiated features.
    pub(crate) fn features(&self) -> Result<u32> {
        table::features(&self.memory, self.parts.table)
    }

    /// Returns the device address of a vring by the resource table, and its real one.
    pub(crate) fn vring_da(&self, vring: usize) -> Result<(u64, u64)> {
        let base = self.parts.vrings.get(vring).copied().ok_or(EINVAL)?;
        let told = table::vring_da(&self.memory, self.parts.table, vring)?;
        Ok((told.into(), self.da(base)))
    }

    /// Returns the status of the virtio device.
    pub(crate) fn status(&self) -> Result<u8> {
        table::status(&self.memory, self.parts.table)
    }
}

impl Parent {
    fn device(&self) -> &device::Device<device::Bound> {
        match self {
            Self::Faux(registration) => {
                let device: &faux::Device<device::Bound> = registration.as_ref();
                device.as_ref()
            }
            Self::Sleepy(platform) => platform.device(),
        }
    }
}

/// Returns the device address of a place in the memory.
fn da(offset: usize) -> Result<u32> {
    DA.checked_add(u32::try_from(offset)?).ok_or(ERANGE)
}
