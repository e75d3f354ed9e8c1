// SPDX-License-Identifier: GPL-2.0

//! The examples in `Documentation/firmware`, compiled against headers that declare the functions
//! that they use of each library. The resource table in the object is checked by the board's
//! reader, which accepts or refuses firmware in the kernel, and field by field.

use kernel_pure::{
    ivshmem::table,
    link_config::{CONFIG_SIZE, Direction, LinkConfig},
    vring_layout::F_EVENT_IDX,
};
use object::{Object, ObjectSection};
use std::{
    path::Path,
    process::{Command, Output},
};

/// The host's compiler, and those of modems: a core that cannot store 16 bits at an odd address, and
/// one of another architecture.
const COMPILERS: [&[&str]; 3] = [
    &["gcc"],
    &["clang-19", "--target=arm-none-eabi", "-mcpu=cortex-m0"],
    &["clang-19", "--target=riscv32-none-elf"],
];

/// Compiles an example to `object`.
fn compile(compiler: &[&str], example: &str, more: &[&str], object: &Path) -> Output {
    // When it runs: a checkout may use what another one has compiled.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let here = Path::new(&here);
    let (program, options) = compiler.split_first().unwrap();
    Command::new(program)
        .args(options)
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(["-ffreestanding", "-c", "-I"])
        .arg(here.join(example.trim_end_matches(".c")))
        .args(more)
        .arg(here.join("../../Documentation/firmware").join(example))
        .arg("-o")
        .arg(object)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Returns the resource table of an example, by each compiler.
fn tables(example: &str) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let compiled = COMPILERS.iter().map(|compiler| {
        let object = dir.path().join("object.o");
        let output = compile(compiler, example, &[], &object);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{compiler:?}: {said}");
        let bytes = std::fs::read(&object).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let section = file.section_by_name(".resource_table").unwrap();
        section.data().unwrap().to_vec()
    });
    compiled.collect()
}

/// Checks the resource table of an example that offers those features.
fn check(example: &str, features: u32) {
    for bytes in tables(example) {
        assert_eq!(table::check(&bytes), Ok(()));
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        // After the header and the entry's type: id, notify id, features offered and accepted.
        assert_eq!([20, 24, 28, 32, 36].map(word), [3, 12, 31, features, 0]);
        assert_eq!(word(40) as usize, CONFIG_SIZE);
        assert_eq!(bytes[44..48], [0, 2, 0, 0], "status, vrings, padding");
        for (number, at) in [48, 68].into_iter().enumerate() {
            let notify_id = word(at + 12) as usize;
            assert_eq!(notify_id, number);
        }
        let config = LinkConfig::parse(bytes[88..].try_into().unwrap()).unwrap();
        let LinkConfig { uplink, downlink } = config;
        assert_eq!((uplink, downlink), (Direction::DEFAULT, Direction::DEFAULT));
    }
}

#[test]
fn the_table_of_openamp() {
    check("openamp.c", 1 << F_EVENT_IDX);
}

#[test]
fn the_table_of_rpmsg_lite() {
    check("rpmsg_lite.c", 0);
}

#[test]
fn an_index_that_may_be_stored_in_two_parts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for example in ["openamp.c", "rpmsg_lite.c"] {
        let object = dir.path().join("object.o");
        let output = compile(COMPILERS[0], example, &["-DSTUB_PACKED"], &object);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(
            said.contains("an index must be stored by one 16-bit access"),
            "{said}"
        );
    }
}
