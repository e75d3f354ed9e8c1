// SPDX-License-Identifier: GPL-2.0

//! The hostile modem's process, and the requests to it.

use std::{
    io::{BufRead, BufReader, Write},
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
pub use harness::modem::START;
use harness::{output::Output, process::Process};
use hostile::protocol::{Request, Response};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Time limit of a request. The modem's own limits are shorter.
const ANSWER: Duration = Duration::from_secs(300);

pub struct Modem {
    pub process: Process,
    stream: BufReader<UnixStream>,
    listener: UnixListener,
    program: PathBuf,
    socket: PathBuf,
    control: PathBuf,
    logs: PathBuf,
}

impl Modem {
    pub fn start(program: &Path, socket: &Path, dir: &Path, logs: &Path) -> Result<Self> {
        let control = dir.join("control");
        let listener = UnixListener::bind(&control)?;
        let (process, stream) = connect(program, socket, &control, &listener, logs)?;
        Ok(Self {
            process,
            stream,
            listener,
            program: program.to_owned(),
            socket: socket.to_owned(),
            control,
            logs: logs.to_owned(),
        })
    }

    /// Starts the modem again after it has ended.
    pub fn restart(&mut self) -> Result<()> {
        let (process, stream) = connect(
            &self.program,
            &self.socket,
            &self.control,
            &self.listener,
            &self.logs,
        )?;
        (self.process, self.stream) = (process, stream);
        Ok(())
    }

    fn request(&mut self, request: &Request) -> Result<Response> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.stream
            .get_ref()
            .write_all(line.as_bytes())
            .context("the modem is gone")?;
        line.clear();
        let len = self
            .stream
            .read_line(&mut line)
            .context("the modem does not answer")?;
        if len == 0 {
            bail!("the modem ended:\n{}", tail(&self.process.output));
        }
        match serde_json::from_str(&line).with_context(|| line.clone())? {
            Response::Failed(why) => bail!(why),
            response => Ok(response),
        }
    }

    /// Makes a request without a result.
    pub fn demand(&mut self, request: &Request) -> Result<()> {
        match self.request(request)? {
            Response::Done => Ok(()),
            other => bail!("the modem answers {other:?} to {request:?}"),
        }
    }

    /// Returns the boot, and the links since the process began.
    pub fn state(&mut self) -> Result<(Option<u32>, u32)> {
        match self.request(&Request::State)? {
            Response::State(boot, links) => Ok((boot, links)),
            other => bail!("the modem answers {other:?}"),
        }
    }

    /// Passes a frame each way, and returns the guest's counters.
    pub fn report(&mut self, mark: u32) -> Result<hostile::execute::Counters> {
        match self.request(&Request::Report(mark))? {
            Response::Counters(counters) => Ok(counters),
            other => bail!("the modem answers {other:?}"),
        }
    }

    /// Ends the modem in an orderly way.
    pub fn end(mut self) -> Result<()> {
        drop(self.stream);
        self.process.must_end_well(START)
    }
}

fn connect(
    program: &Path,
    socket: &Path,
    control: &Path,
    listener: &UnixListener,
    logs: &Path,
) -> Result<(Process, BufReader<UnixStream>)> {
    let mut command = Command::new(program);
    command.arg("run").arg("--socket").arg(socket);
    command.arg("--control").arg(control);
    let process = Process::start("caif-hostile", command, logs)?;
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(START).unwrap_or(PollTimeout::MAX);
    ensure!(
        poll(&mut fds, timeout)? > 0,
        "the modem did not start within {START:?}:\n{}",
        tail(&process.output)
    );
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(ANSWER))?;
    Ok((process, BufReader::new(stream)))
}

fn tail(output: &Output) -> String {
    output.tail(10).join("\n")
}
