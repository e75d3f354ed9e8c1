// SPDX-License-Identifier: GPL-2.0

//! The header has the numbers and the layout that programs were compiled with before.

use std::fs;

use uapi_tests::{COMPILERS, assert_numbers, here};

#[test]
fn the_header_keeps_its_contract() {
    let file = here().join("contract.c");
    for compiler in COMPILERS {
        compiler
            .compile(&file, &[])
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_header_goes_with_a_c_library() {
    let file = here().join("contract.c");
    let mut compiled = 0;
    for compiler in COMPILERS.iter().filter(|compiler| compiler.has_libc()) {
        let result = compiler.compile(&file, &["-DWITH_LIBC"]);
        result.unwrap_or_else(|error| panic!("{error}"));
        compiled += 1;
    }
    assert_eq!(compiled, 2, "C and C++");
}

/// What the tests above are worth: a header with another number is refused by each compiler.
#[test]
fn a_header_with_another_number_is_refused() {
    let (contract, header) = (here().join("contract.c"), here().join("../../caif/uapi"));
    let header = fs::read_to_string(header.join("caif_socket.h")).unwrap();
    for (right, wrong, says) in [
        ("AF_CAIF 37", "AF_CAIF 38", "AF_CAIF is not 37"),
        ("CAIFPROTO_UTIL,", "", "CAIFPROTO_RFM is not 4"),
        (
            "_PARAM = 129",
            "_PARAM = 130",
            "CAIFSO_RSP_PARAM is not 129",
        ),
        ("volume[16]", "volume[15]", "SIZE(u.rfm.volume) is not 16"),
        (
            "__u32 connection_id",
            "__u16 connection_id",
            "SIZE(u.dgm.connection_id) is not 4",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let other = header.replace(right, wrong);
        assert_ne!(other, header, "{right}");
        fs::write(folder.path().join("caif_socket.h"), other).unwrap();
        // It is looked for there first.
        let first = format!("-I{}", folder.path().display());
        for compiler in COMPILERS {
            let said = compiler.compile(&contract, &[&first]).unwrap_err();
            assert!(said.contains(says), "{compiler:?}: {said}");
        }
    }
}

#[test]
#[should_panic(expected = "not 38")]
fn another_number_is_noticed() {
    assert_numbers(&[("AF_CAIF", 38)]);
}
