//! Opens many connections to a server and keeps them: `hold ADDRESS:PORT COUNT PATH`. Each is asked for the file once it is
//! open, and once more when all are. Prints how many were open at the end and how many answers came in all; fails where
//! a connection does.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, str};

const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer, head and body.
const LONGEST: usize = 4096;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [address, count, path] = words.as_slice() else {
        eprintln!("hold ADDRESS:PORT COUNT PATH");
        return ExitCode::FAILURE;
    };
    match address.parse().map_err(invalid).and_then(|address| Ok((address, count.parse().map_err(invalid)?)))
    {
        Ok((address, count)) => hold(address, count, path),
        Err(error) => {
            eprintln!("hold: {error}");
            ExitCode::FAILURE
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidInput, error)
}

fn hold(address: SocketAddr, count: usize, path: &str) -> ExitCode {
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut open = Vec::with_capacity(count);
    let mut failed = None;
    for _ in 0..count {
        let asked = connect(address).and_then(|mut stream| ask(&mut stream, &request).map(|()| stream));
        match asked {
            Ok(stream) => open.push(stream),
            Err(error) => failed = Some(error),
        }
    }
    let before = open.len();
    open.retain_mut(|stream| match ask(stream, &request) {
        Ok(()) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    println!("{} {}", open.len(), before.saturating_add(open.len()));
    let Some(error) = failed else { return ExitCode::SUCCESS };
    eprintln!("hold: {error}");
    ExitCode::FAILURE
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends the request and takes the whole answer, which has to be a 200 with its Content-Length.
fn ask(stream: &mut TcpStream, request: &str) -> io::Result<()> {
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; LONGEST];
    let mut taken = 0;
    while !is_whole(answer.get(..taken).unwrap_or_default()) {
        let room = answer.get_mut(taken..).unwrap_or_default();
        match stream.read(room)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => taken = taken.saturating_add(read),
        }
    }
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let Ok(head) = str::from_utf8(answer.get(..end).unwrap_or_default()) else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| answer.len() >= end.saturating_add(4).saturating_add(length))
}
