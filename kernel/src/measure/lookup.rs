//! An image that measures look-ups in the site of its ramdisk, in ticks of the time stamp counter: where instructions are
//! counted, a tick is one. It powers off, or it panics. scripts/site-scale makes the sites and reads what it says.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use kernel::pv::{boot, module};
use kernel::site::{Chosen, Source};
use kernel::{memory, uptime};
use site::http::target::Path;
use site::{Found, Site};

kernel::entry!(measure);

/// Look-ups in a round.
const LOOKUPS: usize = 1000;
/// Rounds in which every page has been asked for before.
const ROUNDS: usize = 8;
/// Pages from one to the next: a prime, so that they are spread over the site.
const STRIDE: usize = 7919;

fn measure(entry: boot::Entry) -> ! {
    kernel::boot::machine(entry);
    let (start, heap) = (uptime::ticks(), memory::heap_usage().in_use);
    let Chosen { mut site, source, .. } = kernel::site::open(module::take());
    let opened = uptime::ticks().wrapping_sub(start);
    assert_eq!(source, Source::Ramdisk);
    let grown = memory::heap_usage().in_use.wrapping_sub(heap);
    log::info!("measure-lookup: pages={} open_ticks={opened} heap_bytes={grown}", site.pages());

    let pages = site.pages();
    let names: Vec<_> =
        (0..LOOKUPS).map(|number| name(number.wrapping_mul(STRIDE).checked_rem(pages))).collect();
    let paths: Vec<_> = names.iter().filter_map(|name| Path::parse(name).ok()).collect();
    assert_eq!(paths.len(), LOOKUPS);
    let heap = memory::heap_usage().in_use;
    let first = round(&mut site, &paths);
    let grown = memory::heap_usage().in_use.wrapping_sub(heap);
    // Of several the one that no other domain came into.
    let again = (0..ROUNDS).map(|_| round(&mut site, &paths)).min().unwrap_or_default();
    log::info!(
        "measure-lookup: lookups={LOOKUPS} first_ticks={first} again_ticks={again} heap_bytes={grown}"
    );
    kernel::panic::poweroff()
}

/// Ticks of a look-up of each path.
fn round(site: &mut Site, paths: &[Path<'_>]) -> u64 {
    let start = uptime::ticks();
    for path in paths {
        assert!(matches!(black_box(site.find(black_box(path))), Found::Page(_)));
    }
    uptime::ticks().wrapping_sub(start)
}

/// The path of a page: all are of one length. The first is the index.
fn name(number: Option<usize>) -> [u8; 11] {
    let mut name = *b"/index.html";
    if let Some(number @ 1..) = number {
        name = *b"/p00000.htm";
        let mut rest = number;
        for digit in name.iter_mut().skip(2).take(5).rev() {
            *digit = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
        }
    }
    name
}
