//! An image that checks what no host can: page tables, pages, the heap, and the functions of mem.rs. It says "ok" and
//! powers off, or it panics.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::Layout;
use core::hint::black_box;
use kernel::memory::{self, Page};
use kernel::pv::page_table::{Access, Entry, index};
use kernel::pv::{self, PAGE_SIZE, boot, hypercall, p2m};
use xen::Mfn;

kernel::entry!(check);

fn check(entry: boot::Entry) -> ! {
    kernel::boot::machine(entry);
    entries();
    module();
    rights();
    moves();
    fills_and_compares();
    heap();
    wiped();
    pages();
    log::info!("check-memory: ok");
    kernel::panic::poweroff()
}

/// Entries of page tables, bit by bit (Intel SDM volume 3, 4.5.5): present 0, writable 1, user 2, accessed 5, dirty 6,
/// execute-disable 63, the frame from bit 12.
fn entries() {
    let frame = Mfn(0x12_3456_789a);
    let golden = [
        (Entry::page(frame, Access::Execute), 0x0001_2345_6789_a061),
        (Entry::page(frame, Access::Read), 0x8001_2345_6789_a061),
        (Entry::page(frame, Access::Write), 0x8001_2345_6789_a063),
        (Entry::table(frame), 0x0001_2345_6789_a067),
        (Entry::ABSENT, 0),
    ];
    for (entry, bits) in golden {
        assert_eq!(entry.0, bits);
        assert_eq!(entry.frame(), (bits != 0).then_some(frame));
    }
    assert_eq!([4, 3, 2, 1].map(|level| index(0x0000_7f80_8060_5123, level)), [255, 2, 3, 5]);
}

/// Nothing is both written and executed, and every section has its own rights.
fn rights() {
    let rights = pv::audit::rights();
    log::info!("check-memory: {rights:?}");
    assert!(rights.is_some_and(|rights| rights.wrong == 0 && rights.absent == 1));
}

/// What lies behind the module in its last page is not there any more once its bytes can be had, nor is what is wiped; what
/// lies before and behind that still is.
fn module() {
    let addresses = pv::start_info().module();
    if addresses.is_empty() {
        return log::info!("check-memory: no module");
    }
    let end = addresses.end;
    // None where the domain builder counts whole pages, as Xen 4.14's does.
    let tail = end.next_multiple_of(PAGE_SIZE).wrapping_sub(end);
    let page = end.wrapping_sub(1) & !(PAGE_SIZE.wrapping_sub(1));
    let frame = p2m::machine_frame(page).map(|frame| Entry::page(frame, Access::Write));
    let behind: *mut u8 = core::ptr::with_exposed_provenance_mut(end);
    // SAFETY: the page stays mapped where it is, and the tail, to which nobody has a reference, can be written then.
    unsafe {
        assert!(frame.is_some_and(|entry| hypercall::update_va_mapping(page, entry.0).is_ok()));
        behind.write_bytes(0xa5, tail);
    }
    let taken = pv::module::take().unwrap_or_else(|error| kernel::panic::fail("module", &error));
    assert!(taken.is_some());
    let Some(mut module) = taken else { return };
    // SAFETY: as above; nobody writes there now.
    let left = unsafe { core::slice::from_raw_parts(behind, tail) };
    assert!(left.iter().all(|byte| *byte == 0), "the module's last page shows {left:x?}");
    assert!(pv::module::take().is_ok_and(|again| again.is_none()), "it was taken twice");

    let before = module.bytes().to_vec();
    let part = 100..before.len().min(3 * PAGE_SIZE).wrapping_sub(1);
    assert!(module.wipe(part.clone()).is_ok());
    for (at, (byte, was)) in module.bytes().iter().zip(&before).enumerate() {
        let wanted = if part.contains(&at) { 0 } else { *was };
        assert_eq!(*byte, wanted, "byte {at}");
    }
    log::info!("check-memory: module of {} bytes, {tail} behind it cleared, {part:?} wiped", before.len());
}

/// A byte that tells where it came from.
fn mark(number: usize) -> u8 {
    u8::try_from(black_box(number).wrapping_mul(37).wrapping_add(11) & 0xff).unwrap_or(0)
}

/// Copies of every length up to 300 bytes within 700, at every alignment, apart and overlapping both ways.
fn moves() {
    const SIZE: usize = 700;
    let mut block = [0_u8; SIZE];
    for length in 0..300 {
        for (from, to) in
            [(0_usize, 350), (350, 0), (3, 350), (40, 41), (41, 40), (40, 56), (57, 40), (40, 103), (9, 9)]
        {
            block.iter_mut().enumerate().for_each(|(number, byte)| *byte = mark(number));
            black_box(&mut block).copy_within(from..from.wrapping_add(length), to);
            let moved = to..to.wrapping_add(length);
            for (number, byte) in black_box(&block).iter().enumerate() {
                let source =
                    if moved.contains(&number) { number.wrapping_sub(to).wrapping_add(from) } else { number };
                assert_eq!(*byte, mark(source), "copy of {length} bytes from {from} to {to}, byte {number}");
            }
        }
    }
}

/// Fills and comparisons of every length up to 200 bytes.
fn fills_and_compares() {
    let mut block = [0_u8; 300];
    for length in 0..200_usize {
        let start = length % 17;
        let filled = start..start.wrapping_add(length);
        block.iter_mut().enumerate().for_each(|(number, byte)| *byte = mark(number));
        let Some(part) = block.get_mut(filled.clone()) else { continue };
        black_box(part).fill(black_box(0xa5));
        for (number, byte) in black_box(&block).iter().enumerate() {
            let expected = if filled.contains(&number) { 0xa5 } else { mark(number) };
            assert_eq!(*byte, expected, "fill of {length} bytes, byte {number}");
        }
        let mut other = block;
        let (Some(one), Some(two)) = (block.get(..length), other.get(..length)) else { continue };
        assert!(black_box(one) == black_box(two) && one.cmp(two).is_eq(), "comparison of {length} bytes");
        for different in 0..length {
            if let Some(byte) = other.get_mut(different) {
                *byte = byte.wrapping_add(1);
            }
            let (Some(one), Some(two)) = (block.get(..length), other.get(..length)) else { continue };
            let (first, second) = (block.get(different), other.get(different));
            assert!(black_box(one) != black_box(two), "comparison of {length} bytes, byte {different}");
            assert_eq!(one.cmp(two), first.cmp(&second), "order of {length} bytes, byte {different}");
            other = block;
        }
    }
}

/// Blocks of all sizes keep their bytes while others come and go, and all of it comes back.
fn heap() {
    let before = memory::heap_usage().in_use;
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(256);
    let mut random = 12345_usize;
    for step in 0..20_000_usize {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let choice = random >> 33;
        if blocks.len() < 200 && !choice.is_multiple_of(3) {
            let size = if choice.is_multiple_of(50) { choice % 20_000 } else { choice % 3000 };
            blocks.push(Vec::from_iter((0..size).map(|number| mark(number.wrapping_add(size)))));
        } else if !blocks.is_empty() {
            let mut block = blocks.swap_remove(choice.checked_rem(blocks.len()).unwrap_or(0));
            let size = block.len();
            block.reserve(step % 500);
            assert!(block.iter().enumerate().all(|(number, byte)| *byte == mark(number.wrapping_add(size))));
        }
    }
    drop(blocks);
    assert_eq!(memory::heap_usage().in_use, before, "bytes of the heap are missing");
}

/// A small block that comes back is wiped, but for the link in front.
fn wiped() {
    for size in (16..=2048).step_by(16) {
        let Ok(layout) = Layout::from_size_align(size, 16) else { continue };
        // SAFETY: the layout is not empty, the block is written and read within it, and is freed as it was allocated.
        unsafe {
            let block = alloc::alloc::alloc(layout);
            black_box(block).write_bytes(0xaa, size);
            black_box(block);
            alloc::alloc::dealloc(block, layout);
            let again = alloc::alloc::alloc(layout);
            assert_eq!(block, again, "the list gives what came last");
            assert!(
                (8..size).all(|at| again.wrapping_add(at).read_volatile() == 0),
                "{size} bytes keep what they held"
            );
            alloc::alloc::dealloc(again, layout);
        }
    }
}

/// Every page can be had, is zero, differs from every other, has a frame, and comes back.
fn pages() {
    let before = memory::free_pages();
    let mut held: Vec<Page> = Vec::with_capacity(before);
    let room = memory::free_pages();
    while let Some(mut page) = Page::zeroed() {
        assert!(page.bytes().iter().all(|byte| *byte == 0));
        let number = u64::try_from(held.len()).unwrap_or(0);
        page.bytes_mut().chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&number.to_le_bytes()));
        held.push(page);
    }
    assert_eq!((held.len(), memory::free_pages()), (room, 0));
    for (number, page) in (0_u64..).zip(&held) {
        assert!(page.bytes().chunks_exact(8).all(|word| word == number.to_le_bytes()));
        assert_eq!(p2m::address_of_frame(page.machine_frame()), Some(page.address().addr().get()));
    }
    assert!(Vec::<u8>::new().try_reserve(100 * PAGE_SIZE).is_err());
    drop(held);
    assert_eq!(memory::free_pages(), room);
}
