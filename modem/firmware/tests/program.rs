// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The program `caif-firmware`: an independent ELF reader finds each option in the file.

use object::{
    Endianness, elf,
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};
use std::process::{Command, Output};

/// A parsed firmware file.
struct File {
    machine: u16,
    /// Device address and content of each segment.
    segments: Vec<(u32, Vec<u8>)>,
    /// Device address and content of the section of the resource table.
    table: Option<(u32, Vec<u8>)>,
}

fn run(output: &std::path::Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caif-firmware"))
        .arg("--output")
        .arg(output)
        .args(options)
        .output()
        .unwrap()
}

/// Returns the file that the program writes with those options.
fn written(options: &[&str]) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("caif-modem.elf");
    let output = run(&path, options);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{options:?}: {said}");
    let bytes = std::fs::read(&path).unwrap();
    let data = &*bytes;
    let header = elf::FileHeader32::<Endianness>::parse(data).unwrap();
    let endian = header.endian().unwrap();
    assert!(endian == Endianness::Little);
    let segments = header
        .program_headers(endian, data)
        .unwrap()
        .iter()
        .map(|segment| {
            assert_eq!(segment.p_type(endian), elf::PT_LOAD);
            let content = segment.data(endian, data).unwrap();
            assert_eq!(segment.p_memsz(endian) as usize, content.len());
            (segment.p_paddr(endian), content.to_vec())
        })
        .collect();
    let table = header
        .sections(endian, data)
        .unwrap()
        .section_by_name(endian, b".resource_table")
        .map(|(_, section)| {
            let content = section.data(endian, data).unwrap();
            (section.sh_addr(endian), content.to_vec())
        });
    File {
        machine: header.e_machine(endian),
        segments,
        table,
    }
}

impl File {
    /// Returns a word of the resource table.
    fn word(&self, at: usize) -> u32 {
        let (_, table) = self.table.as_ref().unwrap();
        u32::from_le_bytes(table[at..at + 4].try_into().unwrap())
    }

    /// Returns what options can change: features, config, and alignment and number of each vring.
    fn device(&self) -> (u32, Vec<u8>, [(u32, u32); 2]) {
        let (_, table) = self.table.as_ref().unwrap();
        // Version, one entry, reserved; its offset; a virtio device, CAIF; its notify id.
        let head: Vec<u32> = (0..28).step_by(4).map(|at| self.word(at)).collect();
        assert_eq!(head, [1, 1, 0, 0, 20, 3, 12]);
        // Nothing is agreed to yet, and Linux may put the vrings anywhere.
        assert_eq!((self.word(28), self.word(36)), (0, 0));
        assert_eq!(table[44..48], [0, 2, 0, 0], "status, vrings, reserved");
        let config = table[88..].to_vec();
        assert_eq!(self.word(40) as usize, config.len());
        let vrings = [48, 68].map(|at| {
            assert_eq!((self.word(at), self.word(at + 16)), (u32::MAX, 0));
            (self.word(at + 4), self.word(at + 8))
        });
        assert_eq!((self.word(60), self.word(80)), (0, 1), "notify ids");
        (self.word(32), config, vrings)
    }
}

/// Returns the config space of those two directions.
fn config(uplink: (u16, u16, u32), downlink: (u16, u16, u32)) -> Vec<u8> {
    let mut out = Vec::new();
    for (headroom, tailroom, mtu) in [uplink, downlink] {
        out.extend(headroom.to_le_bytes());
        out.extend(tailroom.to_le_bytes());
        out.extend(mtu.to_le_bytes());
        out.extend([0; 4]);
    }
    out.extend([0; 8]);
    out
}

#[test]
fn by_default_it_is_what_the_board_describes() {
    let file = written(&[]);
    assert_eq!(file.machine, 0xca1f);
    assert_eq!(
        file.device(),
        (
            1 << 29,
            config((32, 32, 4096), (32, 32, 4096)),
            [(4096, 256); 2]
        )
    );
    let (da, table) = file.table.clone().unwrap();
    assert_eq!(file.segments[0], (0x8001_0000, b"CAIFMDM1".to_vec()));
    assert_eq!(da, 0x800f_0000);
    assert_eq!(file.segments[1..], [(da, table)]);
}

#[test]
fn each_option_changes_what_it_names() {
    let (features, same, vrings) = written(&[]).device();
    let with = |options: &[&str]| written(options).device();

    let sized = [(4096, 8), (4096, 256)];
    assert_eq!(with(&["--rx-num", "8"]), (features, same.clone(), sized));
    let sized = [(4096, 256), (4096, 32768)];
    assert_eq!(
        with(&["--tx-num", "32768"]),
        (features, same.clone(), sized)
    );
    let aligned = [(64, 256); 2];
    assert_eq!(with(&["--align", "64"]), (features, same.clone(), aligned));

    for (text, bits) in [
        ("0", 0),
        ("0x30000001", 0x3000_0001),
        ("5", 5),
        ("0xffffffff", u32::MAX),
    ] {
        let changed = with(&["--features", text]);
        assert_eq!(changed, (bits, same.clone(), vrings));
    }
    let uplink = config((1, 2, 3), (32, 32, 4096));
    assert_eq!(with(&["--uplink", "1,2,3"]), (features, uplink, vrings));
    let downlink = config((32, 32, 4096), (65535, 0, u32::MAX));
    let changed = with(&["--downlink", "65535,0,4294967295"]);
    assert_eq!(changed, (features, downlink, vrings));
    assert_eq!(with(&["--no-config"]), (features, Vec::new(), vrings));
}

#[test]
fn what_linux_must_refuse_is_written_as_asked_for() {
    let odd = written(&["--rx-num", "3", "--tx-num", "0", "--align", "48"]);
    assert_eq!(odd.device().2, [(48, 3), (48, 0)]);
    for machine in ["62", "0x3e"] {
        assert_eq!(written(&["--machine", machine]).machine, 62);
    }
}

#[test]
fn without_a_table_there_is_only_the_mark() {
    let file = written(&["--no-table"]);
    assert!(file.table.is_none());
    assert_eq!(file.segments, [(0x8001_0000, b"CAIFMDM1".to_vec())]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("caif-modem.elf");
    for (options, why) in [
        (["--uplink", "32,32"], "want headroom,tailroom,mtu"),
        (["--uplink", "32,32,4096,1"], "want headroom,tailroom,mtu"),
        (["--downlink", "65536,0,4096"], "65536"),
        (["--downlink", "0,x,4096"], "\"x\""),
        (["--features", "0x100000000"], "0x100000000"),
        (["--features", "all"], "all"),
        (["--rx-num", "-1"], "-1"),
        (["--machine", "65536"], "65536"),
    ] {
        let output = run(&path, &options);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{options:?}");
        assert!(said.lines().next().unwrap().contains(why), "{said}");
        assert!(!path.exists(), "nothing is written");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no/such/folder");
    let output = run(&path, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains(&format!("cannot write {}", path.display())),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
