//! The site: the ramdisk's, where there is a sound one, else the embedded one. Either is a tar in pages that hold nothing
//! else, since they are granted to the backend.

use crate::grants::Grants;
use crate::memory;
use crate::panic::fail;
use crate::pv::module::{Module, ModuleError};
use crate::pv::{PAGE_SIZE, layout, start_info};
use core::arch::global_asm;
use core::fmt;
use site::{Site, SiteError};
use xen::ramdisk;

global_asm!(
    ".pushsection .site, \"a\", @progbits",
    ".p2align 12",
    concat!(".incbin \"", env!("HALFPAGE_SITE_TAR"), "\""),
    ".popsection",
);

/// Bytes that are to be free beside a ramdisk's site: with less, a guest serves a few connections at best.
const LEAST_FREE: usize = 1 << 20;

/// What is served.
pub struct Chosen {
    /// The site.
    pub site: Site,
    /// Its tar.
    pub tar: &'static [u8],
    /// Where it came from.
    pub source: Source,
}

/// Where a site comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The ramdisk.
    Ramdisk,
    /// The image; there is no ramdisk.
    Image,
    /// The image, since the ramdisk is of no use.
    Instead(Refusal),
}

/// Why a ramdisk's site is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its bytes cannot be had.
    Module(ModuleError),
    /// It is packed, by this program.
    Packed(&'static str),
    /// It is no site.
    Site(SiteError),
    /// Too little memory is left beside it.
    Memory {
        /// MiB that the domain would have to have.
        wanted: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramdisk => f.write_str("ramdisk"),
            Self::Image => f.write_str("image"),
            Self::Instead(refusal) => write!(f, "image, the ramdisk is refused: {refusal}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(error) => error.fmt(f),
            Self::Packed(program) => write!(f, "it is packed by {program}, and is to be the plain tar"),
            Self::Site(error) => error.fmt(f),
            Self::Memory { wanted } => {
                write!(f, "it leaves too little memory: the domain is to have memory={wanted} at least")
            }
        }
    }
}

/// Makes the files of the ramdisk's `.tls` zero: an image without HTTPS has no use for them, and the pages where they lie
/// are granted. Where that is refused, the ramdisk is of no use any more.
#[cfg(not(feature = "tls"))]
pub fn wipe_secrets(module: &mut Result<Option<Module>, ModuleError>) {
    let Ok(Some(found)) = module else { return };
    let parts = match site::secrets(found.bytes()) {
        Ok(files) => files.into_iter().map(|file| file.bytes).collect(),
        Err(parts) => parts,
    };
    if !parts.is_empty() {
        log::warn!(
            "site: .tls of the ramdisk is of no use to this image, which is built without HTTPS (TLS=1)"
        );
    }
    if let Err(error) = parts.into_iter().try_for_each(|part| found.wipe(part)) {
        *module = Err(error);
    }
}

/// Opens the site that is to be served, and says on the console which that is.
pub fn open(module: Result<Option<Module>, ModuleError>) -> Chosen {
    let source = match ramdisk(module) {
        Ok(Some((site, tar))) => return Chosen { site, tar, source: Source::Ramdisk }.said(),
        Ok(None) => Source::Image,
        Err(refusal) => {
            log::error!("ramdisk: {refusal}; the site of the image is served instead");
            Source::Instead(refusal)
        }
    };
    let tar = embedded();
    let site = Site::open(tar).unwrap_or_else(|error| fail("site", &error));
    Chosen { site, tar, source }.said()
}

impl Chosen {
    fn said(self) -> Self {
        let from = match self.source {
            Source::Ramdisk => "the ramdisk",
            Source::Image | Source::Instead(_) => "the image",
        };
        log::info!("site: {} pages, {} KiB, from {from}", self.site.pages(), self.tar.len() / 1024);
        let (complaints, all) = self.site.complaints();
        complaints.iter().for_each(|complaint| log::warn!("site: {complaint}; the line is left out"));
        if all > complaints.len() {
            log::warn!("site: {all} lines are left out in all");
        }
        self
    }
}

/// The ramdisk's site; `None` where there is no ramdisk.
fn ramdisk(module: Result<Option<Module>, ModuleError>) -> Result<Option<(Site, &'static [u8])>, Refusal> {
    let Some(tar) = module.map_err(Refusal::Module)?.map(Module::into_bytes) else { return Ok(None) };
    if let Some(program) = ramdisk::packed_by(tar) {
        return Err(Refusal::Packed(program));
    }
    let missing = |bytes: usize| {
        let free = memory::free_pages().saturating_mul(PAGE_SIZE);
        bytes.saturating_add(Grants::tables(tar)).saturating_add(LEAST_FREE).checked_sub(free)
    };
    let site = match Site::open(tar) {
        Err(SiteError::Memory(bytes)) => return Err(lacks(missing(bytes).unwrap_or(bytes))),
        opened => opened.map_err(Refusal::Site)?,
    };
    match missing(site.to_come()) {
        Some(bytes) if bytes > 0 => Err(lacks(bytes)),
        _ => Ok(Some((site, tar))),
    }
}

/// The refusal where so many bytes are missing.
fn lacks(bytes: usize) -> Refusal {
    let pages = start_info().pages().saturating_add(bytes.div_ceil(PAGE_SIZE));
    Refusal::Memory { wanted: pages.saturating_mul(PAGE_SIZE).div_ceil(1 << 20) }
}

/// The embedded tar, as site/build.rs packed it. It begins a page.
fn embedded() -> &'static [u8] {
    let bytes = layout::site();
    // SAFETY: the linker's section of read-only, initialized bytes, mapped for ever, which nothing writes.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(bytes.start), bytes.len()) }
}
