//! One connection's requests and responses.

use smoltcp::socket::tcp::{Socket, State};
use std::path::Path;
use std::{fs, io};

/// The longest request that is understood.
const REQUEST: usize = 2_048;
const PORT: u16 = 80;
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// Responses by path, each whole: its head and its body.
pub struct Responses(Vec<(Vec<u8>, Vec<u8>)>);

impl Responses {
    /// One for each file that lies in a folder, with the fields that our own server sends.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut responses = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let body = fs::read(entry.path())?;
                let path = format!("/{}", entry.file_name().to_string_lossy());
                let mut response = format!(
                    "HTTP/1.1 200 OK\r\nServer: smoltcp\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
                     Content-Type: application/octet-stream\r\nContent-Length: {}\r\nETag: \"{:032x}\"\r\n\r\n",
                    body.len(),
                    body.len(),
                )
                .into_bytes();
                response.extend(body);
                responses.push((path.into_bytes(), response));
            }
        }
        Ok(Self(responses))
    }

    /// The number of the response to a request; one that is none of them for a path that is not there.
    fn find(&self, request: &[u8]) -> usize {
        let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        self.0.iter().position(|(known, _)| known == path).unwrap_or(usize::MAX)
    }

    fn get(&self, number: usize) -> &[u8] {
        self.0.get(number).map_or(NOT_FOUND, |(_, response)| response)
    }
}

/// What a connection is at.
#[derive(Default)]
pub struct Connection {
    /// The response that is under way.
    response: Option<usize>,
    /// Bytes of it that smoltcp has taken.
    sent: usize,
}

impl Connection {
    /// Does what can be done now.
    pub fn serve(&mut self, socket: &mut Socket<'_>, responses: &Responses) {
        if !socket.is_open() {
            *self = Self::default();
            // It fails only for port 0 and open sockets.
            let _ = socket.listen(PORT);
            return;
        }
        loop {
            if self.response.is_none() {
                self.response = take(socket, responses);
                self.sent = 0;
            }
            let Some(response) = self.response else { break };
            let rest = responses.get(response).get(self.sent..).unwrap_or_default();
            let taken = socket.send_slice(rest).unwrap_or(0);
            self.sent = self.sent.saturating_add(taken);
            if taken < rest.len() {
                return;
            }
            self.response = None;
        }
        if socket.state() == State::CloseWait || socket.recv_queue() > REQUEST {
            socket.close();
        }
    }
}

/// The response to the next request, once that is whole.
fn take(socket: &mut Socket<'_>, responses: &Responses) -> Option<usize> {
    let mut bytes = [0; REQUEST];
    let length = socket.peek_slice(&mut bytes).ok()?;
    let end = bytes.get(..length)?.windows(4).position(|window| window == b"\r\n\r\n")?.saturating_add(4);
    let request = bytes.get_mut(..end)?;
    // A second time, since smoltcp lets go only of what it hands out, and no further than its ring's end.
    socket.recv_slice(request).ok()?;
    Some(responses.find(request))
}
