//! The boot of the guest, in order.
#![no_std]
#![no_main]

use kernel::pv::boot::Entry;
use kernel::{boot, panic};

kernel::entry!(main);

fn main(entry: Entry) -> ! {
    boot::machine(&entry);
    log::info!("nothing to serve yet");
    panic::poweroff()
}
