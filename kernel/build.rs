//! Gives the linker the guest's layout, and the assembler the packed site.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let script = here.join("link.ld");
    println!("cargo::rerun-if-changed={}", script.display());
    let script = format!("-Wl,--script={}", script.display());
    // Never the C library, and no segment that both writes and executes.
    for argument in ["-nostdlib", "-nostartfiles", "-static", "-no-pie", &script] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    for argument in ["-z,max-page-size=4096", "-z,noexecstack", "--build-id=none", "--gc-sections"] {
        println!("cargo::rustc-link-arg-bins=-Wl,{argument}");
    }
    if env::var_os("CARGO_FEATURE_TLS").is_some() {
        // P-384's table alone has 56 KiB, and is made as a value that is moved twice.
        println!("cargo::rustc-link-arg-bins=-Wl,--defsym=_stack_wanted=0x40000");
    }
    println!("cargo::rustc-link-search=native={}", no_libraries()?.display());
    println!("cargo::rustc-env=HALFPAGE_SITE_TAR={}", site()?);
    println!("cargo::rustc-env=HALFPAGE_CERTIFICATE={}", given("HALFPAGE_TLS_CERT")?);
    println!("cargo::rustc-env=HALFPAGE_KEY={}", given("HALFPAGE_TLS_KEY")?);
    Ok(())
}

/// The file that a variable names; without one, an empty file.
fn given(name: &str) -> io::Result<String> {
    println!("cargo::rerun-if-env-changed={name}");
    match env::var(name) {
        Ok(file) if !file.is_empty() => {
            println!("cargo::rerun-if-changed={file}");
            Ok(file)
        }
        _ => empty(),
    }
}

fn empty() -> io::Result<String> {
    let empty = PathBuf::from(variable("OUT_DIR")?).join("empty");
    fs::write(&empty, [])?;
    Ok(empty.display().to_string())
}

/// A folder of empty libraries: the crate `libc` names them to the linker even where nothing calls into them, and the C
/// library's own would make the image a dynamic one. Whatever does call finds nothing, and the link fails.
fn no_libraries() -> io::Result<PathBuf> {
    let folder = PathBuf::from(variable("OUT_DIR")?).join("libraries");
    fs::create_dir_all(&folder)?;
    for name in ["c", "m", "rt", "pthread", "util", "dl"] {
        fs::write(folder.join(format!("lib{name}.a")), b"!<arch>\n")?;
    }
    Ok(folder)
}

/// The tar that site/build.rs packed (`links = "halfpage-site"`); without one, an empty file.
fn site() -> io::Result<String> {
    if let Ok(tar) = env::var("DEP_HALFPAGE_SITE_TAR") {
        println!("cargo::rerun-if-changed={tar}");
        return Ok(tar);
    }
    empty()
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
