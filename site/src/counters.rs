//! What the server counts.

use crate::http::request::Rejection;
use crate::http::response::Status;

netstack::counters! {
    /// Requests, responses, and each way in which a connection did not go well.
    pub struct Counters {
        /// Connections accepted.
        http_connections,
        /// Requests whose head was sound.
        http_requests,
        /// Responses of the class 2xx.
        http_responses_2xx,
        /// Responses of the class 3xx.
        http_responses_3xx,
        /// Responses of the class 4xx.
        http_responses_4xx,
        /// Responses of the class 5xx.
        http_responses_5xx,
        /// A request line that is none.
        http_bad_request_line,
        /// A target of no form, with a byte that it must not hold, or with a broken percent-encoding.
        http_bad_target,
        /// A target that is too long.
        http_bad_target_length,
        /// An HTTP version that is not 1.x.
        http_bad_version,
        /// A malformed field line.
        http_bad_field,
        /// A head that is too long.
        http_bad_head_length,
        /// No Host, several, or one that is none.
        http_bad_host,
        /// A Content-Length that is repeated or no number.
        http_bad_content_length,
        /// A Transfer-Encoding that must not be where it is, or is malformed.
        http_bad_transfer_encoding,
        /// A transfer coding that we do not know.
        http_bad_coding,
        /// An expectation that we do not know.
        http_bad_expectation,
        /// A stream that ended within a head.
        http_bad_incomplete,
        /// A body that is malformed or too long, behind a request that was answered.
        http_bad_body,
        /// A connection ended since no request came.
        http_idle_timeout,
        /// A connection ended since its request's head was too slow.
        http_head_timeout,
        /// A connection ended since its request's body was too slow.
        http_body_timeout,
        /// A connection reset since its peer took no byte of a response.
        http_send_timeout,
        /// A connection reset since its peer did not end it.
        http_linger_timeout,
        /// A connection reset since the stream did not take a whole response.
        http_send_refused,
        /// A response without a line in the access log, which took no more.
        http_unlogged,
    }
}

impl Counters {
    pub(crate) fn response(&mut self, status: Status) {
        let class = match status.code().as_bytes().first() {
            Some(b'2') => &mut self.http_responses_2xx,
            Some(b'3') => &mut self.http_responses_3xx,
            Some(b'4') => &mut self.http_responses_4xx,
            _ => &mut self.http_responses_5xx,
        };
        class.count();
    }

    pub(crate) fn rejection(&mut self, rejection: Rejection) {
        let reason = match rejection {
            Rejection::RequestLine => &mut self.http_bad_request_line,
            Rejection::Target => &mut self.http_bad_target,
            Rejection::TargetLength => &mut self.http_bad_target_length,
            Rejection::Version => &mut self.http_bad_version,
            Rejection::Field => &mut self.http_bad_field,
            Rejection::HeadLength => &mut self.http_bad_head_length,
            Rejection::Host => &mut self.http_bad_host,
            Rejection::ContentLength => &mut self.http_bad_content_length,
            Rejection::TransferEncoding => &mut self.http_bad_transfer_encoding,
            Rejection::Coding => &mut self.http_bad_coding,
            Rejection::Expectation => &mut self.http_bad_expectation,
            Rejection::Incomplete => &mut self.http_bad_incomplete,
        };
        reason.count();
    }
}
