//! Critical sections, for crates that fill a table on first use: there is one processor and one thread, and nothing is
//! ever re-entered, so each moment is one.

use critical_section::{Impl, RawRestoreState};

struct SingleThread;

critical_section::set_impl!(SingleThread);

// SAFETY: the guest has one vCPU and one thread, and takes no interrupts: event upcalls are masked for good. An exception
// ends the domain, and its report enters no critical section. So what is between the two calls never runs twice at once.
unsafe impl Impl for SingleThread {
    unsafe fn acquire() -> RawRestoreState {}

    unsafe fn release(_: RawRestoreState) {}
}
