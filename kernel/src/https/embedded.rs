//! The certificate and the key that the image was built with (`TLS_CERT=`, `TLS_KEY=`).

use crate::wipe;
use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, Ordering};
use xen::secret::Secret;

// Among the variables, so that they can be wiped; no page of those is ever granted.
global_asm!(
    ".pushsection .data.https, \"aw\", @progbits",
    "halfpage_certificate:",
    concat!(".incbin \"", env!("HALFPAGE_CERTIFICATE"), "\""),
    "halfpage_key:",
    concat!(".incbin \"", env!("HALFPAGE_KEY"), "\""),
    "halfpage_key_end:",
    ".globl halfpage_certificate, halfpage_key, halfpage_key_end",
    ".popsection",
);

unsafe extern "C" {
    static mut halfpage_certificate: u8;
    static mut halfpage_key: u8;
    static mut halfpage_key_end: u8;
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Moves both to the heap; `None` where the image was built without, and the second time.
pub fn take() -> Option<(Secret, Secret)> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    let [certificate, key, end] =
        [&raw mut halfpage_certificate, &raw mut halfpage_key, &raw mut halfpage_key_end];
    let moved = |start: *mut u8, end: *mut u8| {
        let length = end.addr().saturating_sub(start.addr());
        let mut secret = Secret::with_capacity(length, wipe::bytes);
        // SAFETY: the bytes between two labels of the section above, which the linker keeps side by side, initialized and
        // writable; this is the only place that knows them, once, and the slice is gone before they are written.
        unsafe {
            secret.push(core::slice::from_raw_parts(start, length));
            wipe::zero(start, length);
        }
        secret
    };
    let pair = (moved(certificate, key), moved(key, end));
    (!pair.0.is_empty()).then_some(pair)
}
