//! `corpus list`: each target, the length of its longest input, and whether what it compares is of interest. `corpus unpack NAME FOLDER`, `corpus pack NAME FOLDER`:
//! between `corpora/NAME` and a file for each input.

use halfpage_fuzz::{TARGETS, corpus};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["list"] => {
            TARGETS
                .iter()
                .for_each(|target| println!("{} {} {}", target.name, target.longest, target.compares));
            Ok(())
        }
        ["unpack", name, folder] => corpus::unpack(name, Path::new(folder)),
        ["pack", name, folder] => corpus::pack(name, Path::new(folder))
            .map(|(inputs, bytes)| println!("{name:<18} {inputs:5} inputs, {bytes:7} bytes")),
        _ => {
            eprintln!("usage: corpus list | unpack NAME FOLDER | pack NAME FOLDER");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {}: {error}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}
