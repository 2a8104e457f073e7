//! Files of a tar that are for the server and for nobody else: those in its folder `.tls`.

use crate::tar::{Kind, Member};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// The folder.
const FOLDER: &str = ".tls/";

/// Files that are looked at.
pub const SECRETS: usize = 64;

/// A file in the folder `.tls`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretFile {
    /// Its path below the folder.
    pub name: String,
    /// Where its bytes lie in the tar.
    pub bytes: Range<usize>,
}

/// The files in the folder `.tls` of a tar, in its order, up to the first that is broken. None is ever served, since the
/// folder's name starts with a dot; but whoever grants the tar's pages has to wipe these bytes before.
///
/// More than [`SECRETS`] are none: `Err` has all of their bytes, to be wiped.
pub fn secrets(tar: &[u8]) -> Result<Vec<SecretFile>, Vec<Range<usize>>> {
    let mut files = Vec::new();
    let mut at = 0;
    while let Ok(Some(member)) = Member::read(tar, at) {
        at = member.next;
        if member.kind != Kind::File || !member.name.bytes().take(FOLDER.len()).eq(FOLDER.bytes()) {
            continue;
        }
        let name: Vec<u8> = member.name.bytes().skip(FOLDER.len()).collect();
        let start = member.body.as_ptr().addr().saturating_sub(tar.as_ptr().addr());
        let bytes = start..start.saturating_add(member.body.len());
        files.push(SecretFile { name: String::from_utf8_lossy(&name).into_owned(), bytes });
    }
    if files.len() <= SECRETS { Ok(files) } else { Err(files.into_iter().map(|file| file.bytes).collect()) }
}
