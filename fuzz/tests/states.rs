//! The corpus of conversations goes everywhere: every state of a server's connection, and what is counted on the way.

use halfpage_fuzz::corpus;
use halfpage_fuzz::targets::conversation::converse;

#[test]
fn every_state_is_reached() {
    let mut reached = [0; 8];
    for input in corpus::read("conversation").unwrap() {
        let seen = converse(&input);
        let seen = [
            seen.syn_received,
            seen.established,
            seen.fin_wait_1,
            seen.fin_wait_2,
            seen.close_wait,
            seen.closing,
            seen.last_ack,
            seen.time_wait,
        ];
        for (reached, seen) in reached.iter_mut().zip(seen) {
            *reached += usize::from(seen > 0);
        }
    }
    // SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT.
    println!("inputs that reach each state: {reached:?}");
    assert!(reached.iter().all(|inputs| *inputs >= 5), "{reached:?}");
}
