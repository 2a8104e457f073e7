//! A link with faults, made by hand: the kernels this is developed on have no `sch_netem`, and netem takes no seed that
//! two senders could share.

pub mod faults;
pub mod link;
mod random;
