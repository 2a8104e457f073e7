//! A network namespace with the tap `hp0`, whose Linux side is 192.0.2.1/24, and the programs in it.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, fs};

pub const SERVER: &str = "192.0.2.10";

/// A namespace; it ends with this value, and with it everything in it.
pub struct Segment {
    /// Sleeps in the namespace and so keeps it.
    keeper: Child,
    /// A folder for this test's files.
    pub folder: PathBuf,
}

impl Segment {
    /// A segment with its tap up, and nobody on it.
    pub fn new(test: &str) -> Self {
        let mut keeper = Command::new(tool("unshare"))
            .args(if is_root() { &["--net"][..] } else { &["--user", "--map-root-user", "--net"] })
            .args(["sh", "-c", "echo ready; exec sleep infinity"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let ready = first_line(keeper.stdout.take().unwrap());
        assert_eq!(
            ready.as_deref(),
            Some("ready"),
            "no network namespace: CAP_SYS_ADMIN is missing, and unprivileged user namespaces are not allowed"
        );
        let folder = env::temp_dir().join(format!("halfpage-tap-{test}-{}", keeper.id()));
        fs::create_dir_all(&folder).expect("a folder");
        let segment = Self { keeper, folder };
        segment.run("ip", ["tuntap", "add", "dev", "hp0", "mode", "tap"]);
        segment.run("ip", ["addr", "add", "192.0.2.1/24", "dev", "hp0"]);
        segment.run("ip", ["link", "set", "lo", "up"]);
        segment.run("ip", ["link", "set", "hp0", "up"]);
        segment
    }

    /// A segment with a server at [`SERVER`].
    pub fn with_server<const N: usize>(test: &str, arguments: [&str; N]) -> (Self, Server) {
        let segment = Self::new(test);
        let server = segment.serve(["--ip", "192.0.2.10/24"].into_iter().chain(arguments));
        (segment, server)
    }

    /// Starts a server and waits until it has its address.
    pub fn serve<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Server {
        let mut child = self
            .command(env!("CARGO_BIN_EXE_halfpage-tap"))
            .args(["--tap", "hp0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().map(|line| line.expect("a line"));
        let line = line.unwrap_or_else(|| panic!("the server ended: {:?}", child.wait()));
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Server { child, lines, url }
    }

    /// A program in this namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(tool("nsenter"));
        command.arg("--target").arg(self.keeper.id().to_string()).arg("--net");
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program).stdin(Stdio::null());
        command
    }

    /// Runs a program to its end, which must be a success; what it printed.
    pub fn run<const N: usize>(&self, program: &str, arguments: [&str; N]) -> Vec<u8> {
        let output = self.command(tool(program)).args(arguments).output().expect(program);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        output.stdout
    }

    /// The same, as text.
    pub fn says<const N: usize>(&self, program: &str, arguments: [&str; N]) -> String {
        String::from_utf8(self.run(program, arguments)).expect("text")
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running server.
pub struct Server {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    pub url: String,
}

impl Server {
    /// Tells it to end, which must be a success. Gives its counters.
    pub fn stop(mut self) -> Vec<(String, u64)> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a signal");
        let counters = self.lines.by_ref().map(|line| {
            let line = line.expect("a line");
            let (name, value) =
                line.strip_prefix("counter ").and_then(|line| line.split_once('=')).expect("counter");
            (name.to_owned(), value.parse().expect("a number"))
        });
        let counters = counters.collect();
        assert!(self.child.wait().expect("the server").success());
        counters
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program's path; it is named where it is missing.
pub fn tool(name: &str) -> PathBuf {
    if name.contains('/') {
        return name.into();
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&paths).chain([Path::new("/usr/sbin").into(), Path::new("/sbin").into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{name} is missing: apt-get install curl iproute2 util-linux iputils-ping nmap dnsmasq-base tcpdump")
    })
}

/// The value of a counter.
pub fn counter(counters: &[(String, u64)], name: &str) -> u64 {
    counters.iter().find(|(each, _)| each == name).map_or(0, |(_, value)| *value)
}

fn is_root() -> bool {
    match fs::read_to_string("/proc/self/status") {
        Ok(status) => {
            status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("no /proc"),
        Err(error) => panic!("/proc/self/status: {error}"),
    }
}

fn first_line(output: ChildStdout) -> Option<String> {
    BufReader::new(output).lines().next()?.ok()
}
