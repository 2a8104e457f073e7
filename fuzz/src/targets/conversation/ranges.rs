//! Parts of a stream, from offset 0 on.

/// Disjoint ranges in order, each from its start to just before its end.
#[derive(Clone, Default, Debug)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Adds one. Offsets above 2^31 are before the stream: that part is left out.
    pub fn add(&mut self, start: u32, length: u32) {
        let end = start.wrapping_add(length);
        let (mut start, mut end) = match (start >> 31, end >> 31) {
            (0, 0) => (start, end),
            (1, 0) => (0, end),
            _ => return,
        };
        if start == end {
            return;
        }
        self.0.retain(|range| {
            let joins = range.0 <= end && start <= range.1;
            if joins {
                (start, end) = (start.min(range.0), end.max(range.1));
            }
            !joins
        });
        let at = self.0.partition_point(|range| range.0 < start);
        self.0.insert(at, (start, end));
    }

    /// How far it reaches from `start` without a hole.
    pub fn reach(&self, start: u32) -> u32 {
        self.0.iter().find(|range| range.0 <= start && start <= range.1).map_or(start, |range| range.1)
    }

    /// What lies beyond the first hole after `start`.
    pub fn beyond(&self, start: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied().filter(move |range| range.0 > start)
    }
}
