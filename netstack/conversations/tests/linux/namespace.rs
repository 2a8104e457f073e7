//! Network namespaces: a thread's own, with a tap whose other end has no IP stack.

use conversations::{HOST, HOST_STATION, PEER, PEER_STATION, ROUTER};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Says that this process runs in a user namespace that it made.
const INSIDE: &str = "CONVERSATIONS_IN_USER_NAMESPACE";

/// Makes sure that threads can have namespaces: an ordinary user first needs a user namespace.
pub fn enter() -> Result<(), String> {
    let Err(error) = std::thread::spawn(leave).join().expect("a thread") else { return Ok(()) };
    let advice = "CAP_SYS_ADMIN is missing (root has it), and unprivileged user namespaces are not allowed";
    if env::var_os(INSIDE).is_some() {
        return Err(format!("no network namespace: {error}: {advice}"));
    }
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let error = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(program)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(format!("no network namespace: unshare: {error}: {advice}"))
}

/// This thread, and what it starts, goes into a network namespace of its own, which ends with them.
pub fn leave() -> io::Result<()> {
    // SAFETY: only the network namespace is left; file descriptors and memory stay as they are.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(io::Error::from)
}

/// Gives the tap its address, and the namespace the peer's station. What Linux would say by itself is turned off.
pub fn configure(mtu: u16, strangers: bool, sysctls: &[(String, String)]) -> Result<(), String> {
    let quiet = [
        ("net/ipv6/conf/all/disable_ipv6", "1"),
        ("net/ipv6/conf/default/disable_ipv6", "1"),
        ("net/ipv4/tcp_congestion_control", "reno"),
        ("net/ipv4/tcp_no_metrics_save", "1"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
    ];
    let given = sysctls.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in quiet.into_iter().chain(given) {
        let path = format!("/proc/sys/{key}");
        if let Err(error) = fs::write(&path, value)
            && !key.starts_with("net/ipv6")
        {
            return Err(format!("{path}: {error}"));
        }
    }
    let station = |bytes: [u8; 6]| bytes.map(|byte| format!("{byte:02x}")).join(":");
    let mut batch = String::new();
    let _ = writeln!(batch, "link set lo up");
    let _ = writeln!(batch, "link set hp0 address {} mtu {mtu}", station(HOST_STATION));
    // Segments one by one: what waits to become a larger packet is no part of a rule.
    let _ = writeln!(batch, "link set hp0 gso_max_segs 1");
    let _ = writeln!(batch, "addr add {HOST}/24 brd + dev hp0");
    let _ = writeln!(batch, "link set hp0 up");
    let _ = writeln!(batch, "route add default via {ROUTER}");
    if !strangers {
        for address in [PEER, ROUTER] {
            let peer = station(PEER_STATION);
            let _ = writeln!(batch, "neigh replace {address} lladdr {peer} dev hp0 nud permanent");
        }
    }
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .env("PATH", format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ip: {error}: apt-get install iproute2"))?;
    ip.stdin.take().expect("stdin").write_all(batch.as_bytes()).map_err(|error| format!("ip: {error}"))?;
    let output = ip.wait_with_output().map_err(|error| format!("ip: {error}"))?;
    if !output.status.success() {
        return Err(format!("ip: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}
