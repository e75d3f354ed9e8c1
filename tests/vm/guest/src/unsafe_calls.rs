// SPDX-License-Identifier: GPL-2.0

//! Calls without a safe form in any crate.

#![expect(unsafe_code, reason = "see there")]

use std::{
    io,
    os::{fd::AsRawFd, unix::thread::JoinHandleExt},
    ptr::{null, null_mut},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use socket2::Socket;

/// The signal that interrupts calls.
const INTERRUPT: libc::c_int = libc::SIGUSR1;

extern "C" fn nothing(_signal: libc::c_int) {}

static BROKEN_PIPES: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    BROKEN_PIPES.fetch_add(1, SeqCst);
}

fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int), flags: i32) -> io::Result<()> {
    // SAFETY: Its members are integers, pointers and functions that there need not be.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = flags;
    // SAFETY: The handler does nothing else than an atomic operation.
    let result = unsafe { libc::sigaction(signal, &action, null_mut()) };
    checked(result)
}

/// Sets the handler for [`Thread::interrupt`], after which calls are restarted or not.
pub fn handle_interrupts(restart: bool) -> io::Result<()> {
    let flags = if restart { libc::SA_RESTART } else { 0 };
    handle(INTERRUPT, nothing, flags)
}

/// A thread that is to be interrupted.
pub struct Thread<T>(JoinHandle<T>);

impl<T: Send + 'static> Thread<T> {
    pub fn start(call: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(std::thread::spawn(call))
    }

    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub fn interrupt(&self) -> io::Result<()> {
        // SAFETY: The thread is not joined yet.
        match unsafe { libc::pthread_kill(self.0.as_pthread_t(), INTERRUPT) } {
            // It is just over.
            0 | libc::ESRCH => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    pub fn join(self) -> T {
        self.0.join().expect("the thread")
    }
}

/// Runs a function. Returns the number of `SIGPIPE` that the process got meanwhile.
pub fn broken_pipes<T>(f: impl FnOnce() -> T) -> io::Result<(T, u32)> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    handle(libc::SIGPIPE, count, 0)?;
    BROKEN_PIPES.store(0, SeqCst);
    let result = f();
    let signals = BROKEN_PIPES.load(SeqCst);
    // As Rust's programs have it.
    // SAFETY: There are no requirements.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    Ok((result, signals))
}

/// Attaches a filter of classic BPF (`SO_ATTACH_FILTER`).
pub fn attach_filter(socket: &Socket, filter: &mut [libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as libc::c_ushort,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: The program is as long as it says.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    checked(result)
}

/// What a call that received has written beside the payload.
pub struct Received {
    /// The length of the payload, which may be more than there was room for.
    pub len: usize,
    pub flags: libc::c_int,
    /// The length of the sender's address.
    pub name_len: usize,
    /// The length of control data.
    pub control_len: usize,
}

/// Receives with room for an address and for control data.
pub fn receive_message(
    socket: &Socket,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<Received> {
    let (mut name, mut control) = ([0_u8; 128], [0_u64; 64]);
    let mut payload = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: Its members are integers and pointers that there need not be.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = name.as_mut_ptr().cast();
    message.msg_namelen = size_of_val(&name) as libc::socklen_t;
    message.msg_iov = &mut payload;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: All that the message names is as long as it says.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags) };
    checked(len as libc::c_int)?;
    Ok(Received {
        len: len as usize,
        flags: message.msg_flags,
        name_len: message.msg_namelen as usize,
        control_len: message.msg_controllen as usize,
    })
}

/// Lets the calling thread run on one CPU only.
pub fn stay_on_cpu(number: usize) -> io::Result<()> {
    // SAFETY: It is an array of bits.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: The set is valid; a number beyond its end is ignored.
    unsafe { libc::CPU_SET(number, &mut set) };
    // SAFETY: The set is as long as is said.
    checked(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) })
}

/// An invalid address.
const NOWHERE: usize = 1;

/// Sends from an invalid address.
pub fn send_from_nowhere(socket: &Socket) -> io::Result<()> {
    // SAFETY: The kernel finds out.
    let sent = unsafe { libc::send(socket.as_raw_fd(), NOWHERE as *const _, 10, 0) };
    checked(sent as libc::c_int)
}

/// Receives to an invalid address.
pub fn receive_to_nowhere(socket: &Socket) -> io::Result<()> {
    // SAFETY: The kernel finds out.
    let got = unsafe { libc::recv(socket.as_raw_fd(), NOWHERE as *mut _, 10, 0) };
    checked(got as libc::c_int)
}

/// Sets an option from an invalid address.
pub fn set_option_from_nowhere(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
) -> io::Result<()> {
    // SAFETY: The kernel finds out.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, NOWHERE as *const _, 10) })
}

/// Gets an option to an invalid address.
pub fn get_option_to_nowhere(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
) -> io::Result<()> {
    let mut len: libc::socklen_t = 10;
    // SAFETY: The kernel finds out.
    checked(unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, NOWHERE as *mut _, &mut len)
    })
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// `struct ifreq` with a pointer.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: *mut DriverInfo,
    rest: [u8; 16],
}

/// Returns the driver of an interface, as `ethtool -i` says it.
pub fn driver_of(interface: &str) -> io::Result<String> {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    const GET_DRIVER_INFO: u32 = 3;
    let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None)?;
    let mut info = DriverInfo {
        command: GET_DRIVER_INFO,
        driver: [0; 32],
        rest: [0; 160],
    };
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        data: &mut info,
        rest: [0; 16],
    };
    let bytes = interface.bytes().take(libc::IFNAMSIZ - 1);
    request
        .name
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = from);
    // SAFETY: The request is one of an interface, with a place as long as the answer.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &mut request) })?;
    let driver = info.driver.split(|byte| *byte == 0).next();
    Ok(String::from_utf8_lossy(driver.unwrap_or_default()).into_owned())
}

/// Maps a socket.
pub fn map(socket: &Socket) -> io::Result<()> {
    // SAFETY: The kernel chooses a place where nothing is.
    let place = unsafe {
        libc::mmap(
            null::<libc::c_void>().cast_mut(),
            4096,
            libc::PROT_READ,
            libc::MAP_SHARED,
            socket.as_raw_fd(),
            0,
        )
    };
    if place == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
