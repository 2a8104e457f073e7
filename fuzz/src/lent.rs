//! Bytes lent as if for ever: the site wants a tar that stays, an input does not.
#![expect(unsafe_code, reason = "the one place where an input is made to outlive itself")]

/// Calls `with` with a copy of `bytes`, and takes the copy back.
pub fn lent(bytes: &[u8], with: impl FnOnce(&'static [u8])) {
    let copy: *mut [u8] = Box::into_raw(bytes.to_vec().into_boxed_slice());
    // SAFETY: the allocation is live until it is freed below. What `with` makes of the bytes must not be used after it
    // returns, and it takes no way out: a `Site` is dropped with it. The pages that a site leaks still point here, but
    // only that site could reach them.
    with(unsafe { &*copy });
    // SAFETY: `copy` is from `Box::into_raw`, and this is the only time that it is made a box again.
    drop(unsafe { Box::from_raw(copy) });
}
