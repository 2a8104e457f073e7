"""Reading Xen's trace."""

import unittest

from benches import trace

# Each record: a head (event, number of words, top bit: with a time stamp), the time stamp, words; little-endian.
BEGINS = "03f0011000000000"  # of processor 0; no time stamp
TO_DOMAIN_3 = "0a8002c0" + "0700000000000000" + "00000000" + "00000000" + "03000000" + "00000000"
TO_DOMAIN_0 = "0a8002c0" + "0800000000000000" + "03000000" + "00000000" + "00000000" + "00000000"
# __HYPERVISOR_sched_op (29) with a mask of arguments above it, and one argument.
SCHED_OP = "0d1020a0" + "0900000000000000" + "1d001000" + "01000000"
EVENT_CHANNEL_OP = "0d102090" + "0900000000000000" + "20000000"
EXIT = "02140890" + "0900000000000000" + "72000000"


class Trace(unittest.TestCase):
    """What a domain did between the switches to it and away from it."""

    def test_a_domain_is_told_from_the_others(self):
        data = bytes.fromhex(
            BEGINS + EVENT_CHANNEL_OP + TO_DOMAIN_3 + SCHED_OP + EVENT_CHANNEL_OP + TO_DOMAIN_0 + SCHED_OP
        )
        self.assertEqual(trace.read(data, 3), {"wake": 1, "sched_op": 1, "event_channel_op": 1})
        self.assertEqual(trace.read(data, 0), {"wake": 1, "sched_op": 1})

    def test_exits_of_a_guest_with_pages_of_its_own(self):
        data = bytes.fromhex(TO_DOMAIN_3 + EXIT + EXIT + TO_DOMAIN_0)
        self.assertEqual(trace.read(data, 3), {"wake": 1, "exit": 2})
