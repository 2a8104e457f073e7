//! What always holds between the tables, for tests that look after each step.

use super::Tcp;
use super::demux::Tuple;
use super::send::Timer;
use super::states::State;
use crate::service::Service;

/// How many connections there are in each state of RFC 9293 section 3.3.2 that a server can be in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names of the states")]
pub struct Census {
    pub syn_received: usize,
    pub established: usize,
    pub fin_wait_1: usize,
    pub fin_wait_2: usize,
    pub close_wait: usize,
    pub closing: usize,
    pub last_ack: usize,
    pub time_wait: usize,
}

impl<S: Service> Tcp<S> {
    /// The state of the connection with this port of a peer, as RFC 9293 section 3.3.2 names it; the first one's, where
    /// peers share a port.
    pub fn audit_state(&self, remote_port: u16) -> &'static str {
        let connection = (0..self.connections.end())
            .filter_map(|at| self.connections.get(at))
            .find(|entry| entry.tuple.remote_port == remote_port);
        if let Some(entry) = connection {
            return match entry.value.core.state {
                State::Established => "ESTABLISHED",
                State::CloseWait => "CLOSE-WAIT",
                State::FinWait1 => "FIN-WAIT-1",
                State::FinWait2 { .. } => "FIN-WAIT-2",
                State::Closing => "CLOSING",
                State::LastAck => "LAST-ACK",
            };
        }
        let is = |tuple: &Tuple| tuple.remote_port == remote_port;
        let half_open = (0..self.half_open.end()).filter_map(|at| self.half_open.get(at));
        let time_wait = (0..self.time_wait.end()).filter_map(|at| self.time_wait.get(at));
        match (half_open.map(|entry| &entry.tuple).any(is), time_wait.map(|entry| &entry.tuple).any(is)) {
            (true, _) => "SYN-RECEIVED",
            (false, true) => "TIME-WAIT",
            (false, false) => "LISTEN",
        }
    }

    /// Counts, and looks at every connection; gives what does not hold.
    pub fn audit(&self) -> Result<Census, &'static str> {
        let (syn_received, connections, time_wait) = self.lengths();
        let mut census = Census { syn_received, time_wait, ..Census::default() };
        let limits = &self.shared.limits;
        let (mut waiting, mut buffered, mut sending) = (0_usize, 0_usize, 0_usize);
        for at in 0..self.connections.end() {
            let Some(entry) = self.connections.get(at) else { continue };
            let core = &entry.value.core;
            let send = &core.send;
            let (outstanding, queued) = (send.outstanding() as usize, send.queued());
            let fin_is_out = outstanding == queued.saturating_add(1);
            let (count, sound) = match core.state {
                State::Established => (&mut census.established, outstanding <= queued),
                State::CloseWait => (&mut census.close_wait, outstanding <= queued),
                State::FinWait1 => (&mut census.fin_wait_1, fin_is_out),
                State::FinWait2 { .. } => (&mut census.fin_wait_2, outstanding == 0 && queued == 0),
                State::Closing => (&mut census.closing, fin_is_out),
                State::LastAck => (&mut census.last_ack, fin_is_out),
            };
            *count = count.saturating_add(1);
            if !sound {
                return Err("what is sent, queued and outstanding does not fit the state");
            }
            if core.reset {
                return Err("a connection outlives its reset");
            }
            if core.waiting {
                waiting = waiting.saturating_add(1);
                if self.waiting.iter().filter(|other| *other == at).count() != 1 {
                    return Err("a connection that waits for the device is in the queue once");
                }
            }
            let timer = send.busy.as_ref().is_some_and(|busy| busy.timer != Timer::Off);
            let to_send = send.unsent() > 0 || (send.closing && core.state.sends());
            if (outstanding > 0 || to_send) && !timer && !core.waiting {
                return Err("a connection has something to send or to hear, and nothing wakes it");
            }
            if core.receive.window() > limits.receive {
                return Err("a receive window above its limit");
            }
            if core.receive.ready().len() > limits.receive as usize {
                return Err("more received bytes are kept than there may be");
            }
            buffered = buffered.saturating_add(core.receive.held());
            sending = sending.saturating_add(send.busy.as_ref().map_or(0, |busy| busy.held()));
        }
        if waiting != self.waiting.iter().count() {
            return Err("the queue for the device holds what does not wait");
        }
        if syn_received > limits.half_open || connections > limits.connections || time_wait > limits.time_wait
        {
            return Err("a table above its limit");
        }
        if buffered != self.shared.budget.used() || buffered > limits.receive_all {
            return Err("the budget of received bytes is not what the connections hold");
        }
        if sending != self.shared.pool.used() {
            return Err("the budget of bytes to send is not what the connections hold");
        }
        Ok(census)
    }
}
