//! What is brought to the guest and shown to nobody: certificates with their keys, and a seed of random numbers.
//!
//! In the ramdisk they are `.tls/cert.pem` and `.tls/key.pem`; further ones, for clients that name another server,
//! `.tls/NAME/cert.pem` and `.tls/NAME/key.pem`, whatever the names of the folders; and `.tls/seed`. They are moved to
//! the heap, where what is granted has pages of its own, and wiped where they lay before anything there is granted.

use super::embedded;
use crate::pv::module::{Module, ModuleError};
use crate::wipe;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use tls::rustls::pki_types::UnixTime;
use tls::{Identity, Random};
use xen::secret::Secret;

/// The longest file that is looked at.
const LONGEST: usize = 64 << 10;

const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";
const SEED: &str = "seed";

/// Bytes of a seed that is one.
pub const SEED_BYTES: usize = 32;

/// What was brought.
#[derive(Debug, Default)]
pub struct Secrets {
    files: Vec<(String, Secret)>,
    image: Option<(Secret, Secret)>,
}

impl Secrets {
    /// Takes what the image and the module have. Where a part of the module cannot be wiped, the module is of no use any
    /// more.
    pub fn take(module: &mut Result<Option<Module>, ModuleError>) -> Self {
        let mut secrets = Self { files: Vec::new(), image: embedded::take() };
        if let Ok(Some(found)) = module
            && let Err(error) = secrets.move_from(found)
        {
            secrets.files.clear();
            *module = Err(error);
        }
        secrets
    }

    fn move_from(&mut self, module: &mut Module) -> Result<(), ModuleError> {
        let found = match site::secrets(module.bytes()) {
            Ok(files) => files,
            Err(all) => {
                log::warn!("https: .tls of the ramdisk has {} files, more than {}", all.len(), site::SECRETS);
                return all.into_iter().try_for_each(|bytes| module.wipe(bytes));
            }
        };
        for file in found {
            match module.bytes().get(file.bytes.clone()) {
                Some(bytes) if bytes.len() <= LONGEST => {
                    let mut secret = Secret::with_capacity(bytes.len(), wipe::bytes);
                    secret.push(bytes);
                    self.files.push((file.name, secret));
                }
                _ => log::warn!(
                    "https: .tls/{} has {} bytes, more than {LONGEST}",
                    file.name,
                    file.bytes.len()
                ),
            }
            module.wipe(file.bytes)?;
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Option<&Secret> {
        // Of two members of one name the later one counts, as in the site.
        self.files.iter().rev().find(|(own, _)| own == name).map(|(_, secret)| secret)
    }

    /// The seed, where there is one that is long enough.
    pub fn seed(&self) -> Option<&[u8]> {
        self.file(SEED).map(|seed| &**seed).filter(|seed| seed.len() >= SEED_BYTES)
    }

    /// Those that are sound: the ramdisk's, or where it brings none the image's; the one in `.tls` itself first. What is
    /// wrong with the others goes to `complain`.
    pub fn identities(
        &self,
        now: UnixTime,
        random: &'static Random,
        mut complain: impl FnMut(String),
    ) -> Vec<Identity> {
        let mut folders: Vec<&str> =
            self.files.iter().filter_map(|(name, _)| name.strip_suffix(CERTIFICATE)).collect();
        folders.retain(|folder| folder.is_empty() || folder.ends_with('/'));
        folders.sort_by_key(|folder| !folder.is_empty());
        folders.dedup();
        let mut sound = Vec::new();
        for folder in folders {
            let pair = (self.file(&format!("{folder}{CERTIFICATE}")), self.file(&format!("{folder}{KEY}")));
            let (Some(certificate), Some(key)) = pair else {
                complain(format!(".tls/{folder}{KEY} is not there"));
                continue;
            };
            match Identity::from_pem(certificate, key, Some(now), random) {
                Ok(identity) => sound.push(identity),
                Err(error) => complain(format!(".tls/{folder}{CERTIFICATE}: {error}")),
            }
        }
        if let (true, Some((certificate, key))) = (sound.is_empty(), &self.image) {
            match Identity::from_pem(certificate, key, Some(now), random) {
                Ok(identity) => sound.push(identity),
                Err(error) => complain(format!("the image's certificate: {error}")),
            }
        }
        sound
    }
}
