//! Event channels and sleep: the loop waits in `SCHEDOP_poll` until a port is pending or a time has come.
//!
//! Every port stays masked (see [`xen::evtchn`]): nothing interrupts the guest, and a port's event is taken by
//! [`Events::take`] before the ring that it speaks for is read.

use crate::pv::{Errno, hypercall, shared_info};
use core::num::NonZeroU64;
use xen::evtchn::EventChannels;
use xen::{DomId, Port};
use xen_sys::{EVTCHNOP_alloc_unbound, EVTCHNOP_close, evtchn_alloc_unbound, evtchn_close};

/// `VCPUOP_stop_periodic_timer` (vcpu.h).
const VCPUOP_STOP_PERIODIC_TIMER: u32 = 7;

fn stop_periodic_timer() {
    // SAFETY: this operation reads no argument.
    let stopped = unsafe { hypercall::vcpu_op(VCPUOP_STOP_PERIODIC_TIMER, &mut ()) };
    if let Err(error) = stopped {
        // It costs a hundred wakes a second, no more.
        log::warn!("events: the periodic timer does not stop: {error}");
    }
}

/// The domain's event channels. The shared page stays mapped where it is, but for a suspend, in which nothing asks them.
#[derive(Clone, Copy)]
pub struct Events {
    channels: EventChannels<'static>,
}

impl Events {
    /// The channels, and no event of the timer that Xen starts for each vCPU at 100 Hz.
    /// `Err` before shared_info is mapped.
    pub fn open() -> Result<Self, Errno> {
        let channels = EventChannels::new(shared_info().ok_or(Errno::INVALID)?);
        stop_periodic_timer();
        Ok(Self { channels })
    }

    /// After a restore: the new vCPU has the timer too. Ports, all masked, are other ones now.
    pub fn resume(self) {
        stop_periodic_timer();
    }

    /// A port that `peer` can bind (`EVTCHNOP_alloc_unbound`).
    pub fn alloc_unbound(self, peer: DomId) -> Result<Port, Errno> {
        let mut argument = evtchn_alloc_unbound { dom: DomId::SELF.0, remote_dom: peer.0, port: 0 };
        // SAFETY: the struct that event_channel.h gives for this operation; it points to nothing.
        unsafe { hypercall::event_channel_op(EVTCHNOP_alloc_unbound, &mut argument) }?;
        let port = Port(argument.port);
        // The number may have been another channel's, whose last event nobody took.
        self.channels.clear_pending(port);
        Ok(port)
    }

    /// Gives a port up (`EVTCHNOP_close`).
    pub fn close(self, port: Port) {
        let mut argument = evtchn_close { port: port.0 };
        // SAFETY: the struct that event_channel.h gives for this operation; it points to nothing.
        let closed = unsafe { hypercall::event_channel_op(EVTCHNOP_close, &mut argument) };
        if let Err(error) = closed {
            log::warn!("events: port {port} does not close: {error}");
        }
        self.channels.clear_pending(port);
    }

    /// Takes a port's event; true where one had come. What it speaks for is read afterwards.
    pub fn take(self, port: Port) -> bool {
        self.channels.clear_pending(port)
    }

    /// Sleeps until one of the ports (at most 128) is pending or system time, in nanoseconds, is `until`; without
    /// `until` for ever. Returns at once where a port is pending already. It may return early.
    pub fn wait(self, ports: &[Port], until: Option<NonZeroU64>) -> Result<(), Errno> {
        hypercall::poll(ports, until.map_or(0, NonZeroU64::get))
    }
}
