//! A target's corpus: a few hundred small inputs in one file, `corpora/NAME`, each behind its length in two bytes, the most
//! significant first. An engine wants a file for each: [`unpack`] and [`pack`] go between the two.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where a target's corpus is.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora").join(name)
}

/// The inputs of a target's corpus; none where there is no such file.
pub fn read(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let bytes = match fs::read(path(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes?,
    };
    let (mut rest, mut inputs) = (bytes.as_slice(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (input, after) = after.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        inputs.push(input.to_vec());
        rest = after;
    }
    Ok(inputs)
}

/// Writes a corpus into a folder, a file for each input.
pub fn unpack(name: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, input) in read(name)?.iter().enumerate() {
        fs::write(folder.join(format!("{number:05}")), input)?;
    }
    Ok(())
}

/// Makes a folder's files the corpus, the shortest first. Gives their number and the bytes of the corpus.
pub fn pack(name: &str, folder: &Path) -> io::Result<(usize, usize)> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|one, other| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    inputs.dedup();
    let mut packed = Vec::new();
    for input in &inputs {
        let length = u16::try_from(input.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        packed.extend(length.to_be_bytes());
        packed.extend(input);
    }
    fs::create_dir_all(path("").as_path())?;
    fs::write(path(name), &packed)?;
    Ok((inputs.len(), packed.len()))
}
