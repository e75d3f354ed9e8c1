// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Completion and manual pages that the program generates.

use std::{
    fs,
    process::{Command, Stdio},
};

fn caifctl(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_caifctl"))
        .args(args)
        .output()
        .expect("the program");
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Returns the completions that the shell offers after these words.
fn completed(words: &str) -> String {
    let script = format!(
        "source <(\"$0\" completion bash); COMP_WORDS=({words} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         _caifctl caifctl '' \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_caifctl")])
        .stderr(Stdio::inherit())
        .output()
        .expect("bash");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn bash_completes_commands_and_options() {
    let commands = completed("caifctl");
    for command in ["status", "link", "at", "ping-channel", "bench"] {
        assert!(commands.contains(command), "{commands}");
    }
    assert!(completed("caifctl link").contains("add del show"));
    let options = completed("caifctl at");
    for option in ["--link", "--exec", "--pty", "--timeout"] {
        assert!(options.contains(option), "{options}");
    }
}

#[test]
fn each_command_has_a_page() {
    let dir = tempfile::tempdir().expect("a folder");
    caifctl(&["man", "--dir", dir.path().to_str().expect("a path of text")]);
    for page in [
        "",
        "-status",
        "-link",
        "-link-add",
        "-link-del",
        "-link-show",
        "-at",
        "-bench",
    ] {
        let file = dir.path().join(format!("caifctl{page}.1"));
        let text = fs::read_to_string(&file).expect("a page");
        assert!(text.contains(".SH SYNOPSIS"), "{}: {text}", file.display());
    }
    let main = caifctl(&["man"]);
    for section in [".TH caifctl", ".SH NAME", ".SH SUBCOMMANDS", "Exit status"] {
        assert!(main.contains(section), "no {section}: {main}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_caifctl"))
        .args(["man", "--dir", "/nonesuch"])
        .output()
        .expect("the program");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(
        said.starts_with("caifctl: cannot write to /nonesuch: "),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
}
