// SPDX-License-Identifier: GPL-2.0

//! The stack's header for programs, `caif/uapi/caif_socket.h`, as compilers read it.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A compiler, its options, and whether it is one for the machine that it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Compiler {
    program: &'static str,
    options: &'static [&'static str],
    native: bool,
}

/// For 64 bits, with a C library, and for 32 bits.
const C: &[&str] = &["-xc", "-std=c11"];
const C_32: &[&str] = &["-xc", "-std=c11", "-m32"];
const C_ARM: &[&str] = &["-xc", "-std=c11", "--target=arm-linux-gnueabihf"];
const CXX: &[&str] = &["-xc++", "-std=c++11"];
const CXX_32: &[&str] = &["-xc++", "-std=c++11", "-m32"];

/// Those that `scripts/toolchain` installs.
pub const COMPILERS: [Compiler; 5] = [
    compiler("gcc", C, true),
    compiler("gcc", C_32, false),
    compiler("clang-19", C_ARM, false),
    compiler("g++", CXX, true),
    compiler("g++", CXX_32, false),
];

const fn compiler(
    program: &'static str,
    options: &'static [&'static str],
    native: bool,
) -> Compiler {
    Compiler {
        program,
        options,
        native,
    }
}

impl Compiler {
    /// Compiles a file that includes the header, with more options. What the compiler says is the
    /// error, which there is without a compiler, too.
    pub fn compile(&self, file: &Path, options: &[&str]) -> Result<(), String> {
        let mut command = Command::new(self.program);
        command
            .args(self.options)
            .args(options)
            .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"])
            .arg("-I")
            .arg(here().join("../../caif/uapi"));
        if !self.native {
            // The kernel's headers are the same ones for another number of bits, but are not looked
            // for where those of this machine are.
            command
                .args(["-isystem", "/usr/include", "-isystem"])
                .arg(multiarch()?);
        }
        said(command.arg(file)).map(drop)
    }

    /// Returns whether there is a C library for what it compiles.
    pub fn has_libc(&self) -> bool {
        self.native
    }
}

/// Panics unless the header has these numbers: each of them is an expression of C with its value.
pub fn assert_numbers(numbers: &[(&str, i64)]) {
    let mut text = "#include <stddef.h>\n#include \"caif_socket.h\"\n".to_owned();
    for (expression, value) in numbers {
        let line = format!("_Static_assert(({expression}) == {value}, \"not {value}\");");
        writeln!(text, "{line}").unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let [native, ..] = COMPILERS;
    if let Err(error) = native.compile(file.path(), &[]) {
        panic!("caif_socket.h has other numbers:\n{error}");
    }
}

/// Returns the folder of this crate, when it runs: a checkout may use what another one has compiled.
pub fn here() -> PathBuf {
    let tested = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    // That of another crate, if its tests call this.
    let mut folders = Path::new(&tested).ancestors();
    let top = folders.find(|folder| folder.join("caif/uapi").is_dir());
    top.unwrap().join("tests/uapi")
}

/// Returns the folder of this machine's own headers.
fn multiarch() -> Result<PathBuf, String> {
    let name = said(Command::new("gcc").arg("-print-multiarch"))?;
    Ok(Path::new("/usr/include").join(name.trim()))
}

/// Runs a program and returns what it prints.
fn said(command: &mut Command) -> Result<String, String> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return Err(format!("{command:?}: {error}")),
    };
    if !output.status.success() {
        return Err(format!(
            "{command:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
