//! smoltcp on a tap, serving the files of a folder over HTTP/1.1 with keep-alive: what the server is measured against.
//!
//! It is given what helps it: responses made beforehand, buffers larger than the path's product of rate and delay, only
//! sockets that smoltcp has woken are looked at, and checksums and segmentation are left to the device where that is on.

mod connection;
mod device;

use connection::{Connection, Responses};
use device::TapDevice;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::{env, io};
use tap::{Port, signals};

const USAGE: &str = "usage: smoltcp-server --tap NAME --ip ADDRESS/LENGTH --site DIR --connections N [--buffer BYTES] [--no-offload]";
/// More sockets than connections: some of them are still closing.
const SPARE: usize = 32;
/// For requests.
const RECEIVE: usize = 4_096;

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smoltcp-server: {error}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut name, mut ip, mut site, mut connections) = (None, None, None, 16_usize);
    let (mut buffer, mut offload) = (256 * 1024_usize, true);
    while let Some(word) = words.next() {
        if word == "--no-offload" {
            offload = false;
            continue;
        }
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{value}: not a number"));
        match word.as_str() {
            "--tap" => name = Some(value),
            "--ip" => ip = Some(value.parse::<IpCidr>().map_err(|()| format!("{value}: not an address"))?),
            "--site" => site = Some(value),
            "--connections" => connections = number()?,
            "--buffer" => buffer = number()?,
            _ => return Err(format!("{word}: not understood")),
        }
    }
    let name = name.ok_or("--tap is missing")?;
    let ip = ip.ok_or("--ip is missing")?;
    let site = site.ok_or("--site is missing")?;
    let responses = Responses::read(site.as_ref()).map_err(|error| format!("{site}: {error}"))?;
    let signals = signals::end().map_err(|error| error.to_string())?;
    let port = Port::open(&name, offload, signals).map_err(|error| format!("tap {name}: {error}"))?;
    let sockets = connections.saturating_add(SPARE);
    serve(TapDevice::new(port, offload), ip, &responses, sockets, buffer).map_err(|error| error.to_string())
}

/// Says which socket has something to do.
struct Ready {
    socket: usize,
    list: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(self.socket);
    }
}

struct Slot {
    handle: SocketHandle,
    waker: Waker,
    connection: Connection,
}

fn serve(
    mut device: TapDevice,
    ip: IpCidr,
    responses: &Responses,
    sockets: usize,
    buffer: usize,
) -> io::Result<()> {
    let mut config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 1]).into());
    config.random_seed = 1;
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(ip);
    });
    let mut set = SocketSet::new(vec![]);
    let list = Arc::new(Mutex::new((0..sockets).collect::<Vec<_>>()));
    let mut slots: Vec<Slot> = (0..sockets)
        .map(|socket| {
            let ring = |size| tcp::SocketBuffer::new(vec![0; size]);
            let mut tcp = tcp::Socket::new(ring(RECEIVE), ring(buffer));
            tcp.set_nagle_enabled(false);
            let waker = Arc::new(Ready { socket, list: Arc::clone(&list) }).into();
            Slot { handle: set.add(tcp), waker, connection: Connection::default() }
        })
        .collect();
    println!("listening on http://{}/", ip.address());
    let mut ready = Vec::new();
    loop {
        std::mem::swap(&mut ready, &mut *list.lock().unwrap_or_else(PoisonError::into_inner));
        let idle = ready.is_empty();
        for socket in ready.drain(..) {
            if let Some(slot) = slots.get_mut(socket) {
                let tcp = set.get_mut::<tcp::Socket<'_>>(slot.handle);
                slot.connection.serve(tcp, responses);
                tcp.register_recv_waker(&slot.waker);
                tcp.register_send_waker(&slot.waker);
            }
        }
        if idle || device.is_blocked() {
            let now = Instant::now();
            let until = if idle { interface.poll_at(now, &set) } else { Some(now) };
            if device.wait(now, until)? {
                return Ok(());
            }
        }
        interface.poll(Instant::now(), &mut device, &mut set);
    }
}
