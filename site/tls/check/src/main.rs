//! `tls-check CERTIFICATES KEY`: says why a guest would not take them, with status 2. It reads them as the guest does.

use std::process::ExitCode;
use std::time::SystemTime;
use std::{env, fs};
use tls::rustls::pki_types::UnixTime;
use tls::{Identity, Random};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [certificate, key] = arguments.as_slice() else {
        eprintln!("tls-check CERTIFICATES KEY");
        return ExitCode::from(2);
    };
    match check(certificate, key) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}

fn check(certificate: &str, key: &str) -> Result<(), String> {
    let read = |name: &str| fs::read(name).map_err(|error| format!("{name}: {error}"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(now);
    Identity::from_pem(&read(certificate)?, &read(key)?, Some(now), Random::leak())
        .map(drop)
        .map_err(|error| format!("TLS_CERT={certificate} TLS_KEY={key}: {error}"))
}
