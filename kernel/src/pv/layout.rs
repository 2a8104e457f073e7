//! Where the linker put the image's sections (link.ld).

use core::ops::Range;

unsafe extern "C" {
    static _text: u8;
    static _text_end: u8;
    static _rodata: u8;
    static _rodata_end: u8;
    static _site: u8;
    static _site_end: u8;
    static _data: u8;
    static _stack_guard: u8;
    static _stack: u8;
    static _stack_top: u8;
    static _end: u8;
}

macro_rules! section {
    ($(#[$meta:meta])* $name:ident, $start:ident, $end:ident) => {
        $(#[$meta])*
        pub fn $name() -> Range<usize> {
            (&raw const $start).addr()..(&raw const $end).addr()
        }
    };
}

section!(
    /// Code: read and executed.
    text, _text, _text_end
);
section!(
    /// Constants, the site among them: read.
    rodata, _rodata, _rodata_end
);
section!(
    /// The embedded site, a tar, to the byte. It begins a page, and no other section shares its last.
    site, _site, _site_end
);
section!(
    /// Variables, the stack and its guard among them: read and written.
    data, _data, _end
);
section!(
    /// The page under the stack: nothing.
    stack_guard, _stack_guard, _stack
);
section!(
    /// The stack: read and written.
    stack, _stack, _stack_top
);
section!(
    /// All of the image.
    image, _text, _end
);

/// Names the part of the address space that an address lies in, for a report.
pub fn name(address: usize) -> &'static str {
    if address < super::VIRT_BASE {
        if address < super::PAGE_SIZE { "page 0" } else { "below the image" }
    } else if text().contains(&address) {
        "text"
    } else if site().contains(&address) {
        "site"
    } else if rodata().contains(&address) {
        "rodata"
    } else if stack_guard().contains(&address) {
        "stack guard"
    } else if stack().contains(&address) {
        "stack"
    } else if data().contains(&address) {
        "data"
    } else if super::module::contains(address) {
        "ramdisk"
    } else if super::direct_map::contains(address) {
        "direct map"
    } else {
        "unmapped"
    }
}
