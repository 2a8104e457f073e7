//! Answers to the challenges by which an ACME server makes sure of a name (RFC 8555, section 8.3).

use alloc::boxed::Box;
use alloc::vec::Vec;

/// What the path of a challenge begins with, below the root.
const FOLDER: &[u8] = b".well-known/acme-challenge/";

/// Challenges at once: one for each name of a certificate.
const MOST: usize = 16;
/// Bytes of a token. Servers use 43; 22 are the least that have 128 bits.
const TOKEN: usize = 128;
/// Bytes of the thumbprint of an account's key: SHA-256, in base64url.
const THUMBPRINT: usize = 43;

/// Tokens, each with its key authorization.
#[derive(Debug, Default)]
pub struct Challenges {
    entries: Vec<Challenge>,
}

#[derive(Debug)]
struct Challenge {
    token: Box<[u8]>,
    authorization: Box<[u8]>,
}

impl Challenges {
    /// Whether this is a token, and there is room for one more.
    pub fn is_room_for(&self, token: &str) -> bool {
        self.entries.len() < MOST && is_token(token.as_bytes())
    }

    /// Adds a token and its key authorization, `TOKEN.THUMBPRINT`; white space around that is left out. False where it is
    /// none, or there is no room.
    pub fn add(&mut self, token: &str, authorization: &[u8]) -> bool {
        let authorization = authorization.trim_ascii();
        let thumbprint =
            authorization.strip_prefix(token.as_bytes()).and_then(|rest| rest.strip_prefix(b"."));
        let is_sound = thumbprint.is_some_and(|print| print.len() == THUMBPRINT && is_base64url(print));
        let added = is_sound && self.is_room_for(token);
        if added {
            self.entries
                .push(Challenge { token: token.as_bytes().into(), authorization: authorization.into() });
        }
        added
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The key authorization that a path, below the root and as it came, asks for.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&[u8]> {
        if self.entries.is_empty() {
            return None;
        }
        let token = path.strip_prefix(FOLDER)?;
        self.entries.iter().find(|entry| *entry.token == *token).map(|entry| &*entry.authorization)
    }
}

fn is_token(token: &[u8]) -> bool {
    (1..=TOKEN).contains(&token.len()) && is_base64url(token)
}

/// RFC 4648, section 5, without padding.
fn is_base64url(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Challenges;
    use alloc::format;
    use alloc::string::String;

    const PRINT: &str = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

    fn added(token: &str, authorization: &str) -> bool {
        let mut challenges = Challenges::default();
        let added = challenges.add(token, authorization.as_bytes());
        assert_eq!(challenges.len(), usize::from(added));
        added
    }

    #[test]
    fn a_challenge_is_found_by_its_path() {
        let mut challenges = Challenges::default();
        // RFC 8555, section 8.3.
        let token = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
        assert!(challenges.add(token, format!("{token}.{PRINT}\n").as_bytes()));
        let path = format!(".well-known/acme-challenge/{token}");
        assert_eq!(challenges.find(path.as_bytes()), Some(format!("{token}.{PRINT}").as_bytes()));
        for other in [
            format!("{path}x"),
            format!("{path}/"),
            String::from(".well-known/acme-challenge/"),
            String::from(token),
            format!("x{path}"),
        ] {
            assert_eq!(challenges.find(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_token_or_no_authorization_is_not_added() {
        assert!(added("a-_Z9", &format!("a-_Z9.{PRINT}")));
        assert!(added(&"t".repeat(128), &format!("{}.{PRINT}", "t".repeat(128))));
        for token in ["", "a.b", "a/b", "a+b", "a=b", "a b", "ä", "%61", &"t".repeat(129)] {
            assert!(!added(token, &format!("{token}.{PRINT}")), "{token}");
        }
        let wrong = [
            String::from("tok"),
            format!("tok{PRINT}"),
            format!("other.{PRINT}"),
            format!("tok.{PRINT}x"),
            format!("tok.{}", &PRINT[1..]),
            format!("tok.{}", PRINT.replace('_', "/")),
            format!("tok.{}\r\n\r\n<p>", &PRINT[7..]),
        ];
        for authorization in wrong {
            assert!(!added("tok", &authorization), "{authorization}");
        }
    }

    #[test]
    fn there_are_sixteen_at_most() {
        let mut challenges = Challenges::default();
        for number in 0..16 {
            assert!(challenges.add(&format!("t{number}"), format!("t{number}.{PRINT}").as_bytes()));
        }
        assert!(!challenges.is_room_for("t16"));
        assert!(!challenges.add("t16", format!("t16.{PRINT}").as_bytes()));
        assert_eq!(challenges.len(), 16);
    }
}
