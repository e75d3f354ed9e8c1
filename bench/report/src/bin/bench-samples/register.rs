// SPDX-License-Identifier: GPL-2.0

//! What QEMU's monitor says of a processor, by `info registers`.

use anyhow::{Context, Result, bail};

/// What a processor did at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub cpu: u32,
    /// The address of its instruction.
    pub address: u64,
    /// Whether it was executing a program, not the kernel.
    pub program: bool,
    /// Whether it was waiting for an interrupt.
    pub idle: bool,
}

/// Returns the number of the processor that the lines from here on are of, if the line has one.
pub fn cpu(line: &str) -> Option<u32> {
    let (_, number) = line.rsplit_once("CPU#")?;
    number.trim().parse().ok()
}

/// Returns what the line with the instruction's address says of the processor, if it is that one.
pub fn sample(cpu: u32, line: &str) -> Result<Option<Sample>> {
    // The monitor's prompt may be in front of it.
    let Some(at) = line.find("RIP=") else {
        return Ok(None);
    };
    let (_, line) = line.split_at(at);
    let value = |name: &str| {
        let mut words = line.split_whitespace();
        words
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .with_context(|| format!("not as QEMU writes it: {line}"))
    };
    let address = u64::from_str_radix(value("RIP")?, 16).with_context(|| line.to_owned())?;
    let program = match value("CPL")? {
        "0" => false,
        "3" => true,
        _ => bail!("not as QEMU writes it: {line}"),
    };
    let idle = match value("HLT")? {
        "0" => false,
        "1" => true,
        _ => bail!("not as QEMU writes it: {line}"),
    };
    Ok(Some(Sample {
        cpu,
        address,
        program,
        idle,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "RIP=ffffffff81a3c5cf RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1";

    #[test]
    fn processors() {
        assert_eq!(cpu("CPU#1"), Some(1));
        assert_eq!(cpu("(qemu) info registers -a CPU#0"), Some(0));
        assert_eq!(cpu("CPU#x"), None);
        assert_eq!(cpu(LINE), None);
    }

    #[test]
    fn a_sample() {
        let want = Sample {
            cpu: 1,
            address: 0xffff_ffff_81a3_c5cf,
            program: false,
            idle: true,
        };
        assert_eq!(sample(1, LINE).unwrap(), Some(want));
        let program = LINE.replace("CPL=0", "CPL=3").replace("HLT=1", "HLT=0");
        let want = Sample {
            program: true,
            idle: false,
            ..want
        };
        assert_eq!(sample(1, &program).unwrap(), Some(want));
    }

    #[test]
    fn other_lines() {
        assert_eq!(sample(0, "RAX=0000000000000000").unwrap(), None);
        for part in ["RIP=x", "RIP=1", "RIP=1 CPL=2 HLT=0", "RIP=1 CPL=0 HLT=2"] {
            assert!(sample(0, part).is_err(), "{part}");
        }
    }
}
