//! The catalogue of pages: from a path to its page in a few steps, however many there are.

use crate::etag::{self, Hash};
use crate::http::target::Path;
use crate::page::{INDEX, Page, stated_tag};
use crate::representation::Coding;
use crate::resolve::Rules;
use crate::rules::{Complaint, Headers, Redirects, headers, redirects};
use crate::tar::{BLOCK, Kind, Member, Name, TarError, TarFault};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

/// A site: a tar, and a hash table over its files. 24 to 48 bytes a file, and some 500 more once it has been asked for.
pub struct Site {
    tar: &'static [u8],
    /// Open addressing, linear probing; a power of two, at most two thirds full.
    ///
    /// The keys are the site's, which its owner chose, so the longest probe is a property of the site:
    /// no request can make it longer, and the hash needs no secret.
    slots: Box<[Slot]>,
    pages: usize,
    /// Heads of responses that may have to be made: one for each file that is served, and one more for each whose entity
    /// tag takes a while.
    heads: usize,
    /// Slots of pages that lack an entity tag, and how far it is for the first of them.
    untagged: VecDeque<usize>,
    hash: Hash,
    pub(crate) rules: Rules,
}

/// Bytes of memory that a file comes to once its page has been asked for, with names and fields of the usual length.
const FILE_BYTES: usize = 704;

#[derive(Clone, Copy)]
struct Slot {
    /// Half of the name's hash.
    tag: u32,
    /// The member's first header, in blocks from the start of the tar.
    block: u32,
    page: Option<&'static Page>,
}

impl Slot {
    /// No member is there: a tar of so many blocks is refused.
    const FREE: u32 = u32::MAX;
    const EMPTY: Self = Self { tag: 0, block: Self::FREE, page: None };
}

/// Why a tar is no site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SiteError {
    /// It is no sound tar.
    Tar(TarError),
    /// It has no `index.html`.
    NoIndex,
    /// It has more than 2^32 - 1 blocks.
    TooLarge,
    /// So many bytes of memory for the catalogue were not to be had.
    Memory(usize),
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tar(error) => error.fmt(f),
            Self::NoIndex => f.write_str("there is no index.html"),
            Self::TooLarge => f.write_str("the tar is too large"),
            Self::Memory(bytes) => write!(f, "no memory for a catalogue of {bytes} bytes"),
        }
    }
}

/// Files that the list of them has room for from the start.
const FILES_AT_FIRST: usize = 64;

/// What a path names.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// A page.
    Page(&'static Page),
    /// A folder, asked for without its `/`: its index.
    Folder(&'static Page),
    /// Nothing.
    Nothing,
}

impl Site {
    /// Checks the whole structure of `tar` and indexes its files. Of two members of one name the later one counts.
    pub fn open(tar: &'static [u8]) -> Result<Self, SiteError> {
        if tar.len() / BLOCK >= Slot::FREE as usize {
            return Err(SiteError::TooLarge);
        }
        let files = files(tar)?;
        let heads =
            files.iter().fold(files.len(), |heads, file| heads.saturating_add(usize::from(file.is_long)));
        let size = files.len().saturating_add(files.len() / 2).saturating_add(1).next_power_of_two();
        let mut slots = Vec::new();
        reserve(&mut slots, size)?;
        slots.resize(size, Slot::EMPTY);
        let (slots, rules) = (slots.into_boxed_slice(), Rules::default());
        let mut site =
            Self { tar, slots, pages: 0, heads, untagged: VecDeque::new(), hash: Hash::default(), rules };
        for file in files {
            site.insert(file);
        }
        site.read_rules();
        match site.page(&Path::of_name(INDEX)) {
            Some(_) => Ok(site),
            None => Err(SiteError::NoIndex),
        }
    }

    fn read_rules(&mut self) {
        let mut rules = Rules::default();
        let text = |name: &'static str| {
            let name = Name { prefix: &[], name: name.as_bytes() };
            self.member(name, b"").map_or(&[][..], |member| member.body)
        };
        let (redirects, headers) = (text(redirects::FILE), text(headers::FILE));
        let mut report = |complaint| rules.complain(complaint);
        let redirects = Redirects::parse(redirects, &mut report);
        let headers = Headers::parse(headers, &mut report);
        if !redirects.is_empty() {
            rules.redirects = Some(Box::leak(Box::new(redirects)));
        }
        rules.headers = headers;
        self.rules = rules;
    }

    /// The first lines of `_redirects` and `_headers` that are left out, and how many there are.
    pub fn complaints(&self) -> (&[Complaint], usize) {
        self.rules.complaints()
    }

    /// How many pages there are.
    #[inline(always)]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Bytes of memory that are to be left for pages, which are made as they are asked for.
    pub fn to_come(&self) -> usize {
        self.heads.saturating_mul(FILE_BYTES)
    }

    /// What a request's path names, as GitHub Pages has it: for a path that ends in `/`, the index of that folder; else
    /// the file of this name, or of this name and `.html`, or the folder.
    #[inline(always)]
    pub fn find(&mut self, path: &Path<'_>) -> Found {
        if path.is_folder() {
            return self.page(&path.with(INDEX)).map_or(Found::Nothing, Found::Page);
        }
        match self.page(path) {
            Some(page) => Found::Page(page),
            None => match self.page(&path.with(b".html")) {
                Some(page) => Found::Page(page),
                None => self.page(&path.with(b"/index.html")).map_or(Found::Nothing, Found::Folder),
            },
        }
    }

    /// The page of exactly this name.
    pub fn page(&mut self, path: &Path<'_>) -> Option<&'static Page> {
        let hash = match path.plain() {
            Some((name, suffix)) => hash(name.iter().chain(suffix).copied()),
            None => hash(path.bytes()),
        };
        let index = self.probe(hash, |name| path.names(name))?;
        let slot = self.slots.get(index).filter(|slot| slot.block != Slot::FREE)?;
        match slot.page {
            Some(page) => Some(page),
            None => self.make(index, slot.block),
        }
    }

    /// Makes the page of the member at this block, which the slot is for, unless the member is another's representation.
    #[cold]
    fn make(&mut self, index: usize, block: u32) -> Option<&'static Page> {
        let member = member(self.tar, block).filter(is_page)?;
        let encoded = Coding::ENCODED.iter().filter_map(|(coding, ending, _)| {
            let other = self.member(member.name, ending)?;
            coding.holds(&other, &member).then_some((*coding, other))
        });
        let page = Page::of_member(&member, encoded, &self.rules.headers);
        self.slots.get_mut(index)?.page = Some(page);
        if page.untagged().is_some() {
            self.untagged.push_back(index);
        }
        Some(page)
    }

    /// Goes on with the entity tags of long bodies, if one is wanted: by so much that a connection can wait for it.
    #[inline(always)]
    pub fn tag(&mut self) {
        if !self.untagged.is_empty() {
            self.tag_first();
        }
    }

    #[cold]
    fn tag_first(&mut self) {
        let slot = self.untagged.front().and_then(|index| self.slots.get_mut(*index));
        let Some(Slot { page: Some(page), .. }) = slot else { return };
        let Some(tag) = page.untagged().and_then(|untagged| self.hash.read(untagged.body)) else { return };
        *page = page.tagged(&tag);
        if page.untagged().is_none() {
            self.untagged.pop_front();
        }
        self.hash = Hash::default();
    }

    /// The member of this name with this ending.
    fn member(&self, name: Name<'static>, ending: &[u8]) -> Option<Member<'static>> {
        let bytes = || name.bytes().chain(ending.iter().copied());
        let slot = self.slots.get(self.probe(hash(bytes()), |other| other.bytes().eq(bytes()))?)?;
        member(self.tar, slot.block)
    }

    fn insert(&mut self, File { block, hash, is_page, .. }: File) {
        let tar = self.tar;
        let is_it = |name: Name<'_>| member(tar, block).is_some_and(|own| name.bytes().eq(own.name.bytes()));
        let Some(index) = self.probe(hash, is_it) else { return };
        if let Some(slot) = self.slots.get_mut(index) {
            let before = member(tar, slot.block).is_some_and(|before| self::is_page(&before));
            self.pages = self.pages.saturating_sub(usize::from(before)).saturating_add(usize::from(is_page));
            *slot = Slot { tag: tag(hash), block, page: None };
        }
    }

    /// The slot of the name that `is_it` knows, or the free one where it would be.
    fn probe(&self, hash: u64, is_it: impl Fn(Name<'static>) -> bool) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut index = hash as usize & mask;
        for _ in 0..self.slots.len() {
            let slot = self.slots.get(index)?;
            if slot.block == Slot::FREE {
                return Some(index);
            }
            if slot.tag == tag(hash) {
                let name = match slot.page {
                    Some(page) => page.name,
                    None => member(self.tar, slot.block)?.name,
                };
                if is_it(name) {
                    return Some(index);
                }
            }
            index = index.wrapping_add(1) & mask;
        }
        None
    }
}

/// The member whose first header is this block.
fn member(tar: &'static [u8], block: u32) -> Option<Member<'static>> {
    Member::read(tar, usize::try_from(block).ok()?.checked_mul(BLOCK)?).ok()?
}

/// What the index needs to know of a file.
struct File {
    /// Its first header.
    block: u32,
    /// The hash of its name.
    hash: u64,
    is_page: bool,
    /// Whether its entity tag takes more than one go.
    is_long: bool,
}

/// Whether a member has a URL of its own.
fn is_page(member: &Member<'_>) -> bool {
    let is = |name: &str| member.name.bytes().eq(name.bytes());
    let is_rules = is(redirects::FILE) || is(headers::FILE);
    member.encoding.is_none_or(|encoding| encoding == b"identity") && !is_rules
}

/// The files that are served.
fn files(tar: &'static [u8]) -> Result<Vec<File>, SiteError> {
    let mut files = Vec::new();
    let mut at = 0;
    while let Some(member) = Member::read(tar, at).map_err(SiteError::Tar)? {
        if member.kind == Kind::File {
            if !is_path(member.name) {
                return Err(SiteError::Tar(TarError { at, fault: TarFault::Name }));
            }
            if !is_hidden(member.name) {
                let block = u32::try_from(at / BLOCK).map_err(|_| SiteError::TooLarge)?;
                if files.len() == files.capacity() {
                    let more = files.len().max(FILES_AT_FIRST);
                    reserve(&mut files, more)?;
                }
                let is_long = stated_tag(&member).is_none() && member.body.len() > etag::SLICE;
                files.push(File {
                    block,
                    hash: hash(member.name.bytes()),
                    is_page: is_page(&member),
                    is_long,
                });
            }
        }
        at = member.next;
    }
    Ok(files)
}

/// Makes room for so many more elements.
fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), SiteError> {
    let bytes = list.len().saturating_add(more).saturating_mul(size_of::<T>());
    list.try_reserve_exact(more).map_err(|_| SiteError::Memory(bytes))
}

/// Whether every part is a name: not empty, not `.` or `..`, no NUL.
fn is_path(name: Name<'_>) -> bool {
    // What the parts since the last `/` are: nothing, one dot, two dots, or something else.
    let mut part = 0_u8;
    for byte in name.bytes() {
        part = match (byte, part) {
            (0, _) | (b'/', 0..=2) => return false,
            (b'/', _) => 0,
            (b'.', 0 | 1) => part.saturating_add(1),
            _ => 3,
        };
    }
    part == 3
}

/// Whether a part starts with a dot, but for `.well-known` (RFC 8615) as the first.
fn is_hidden(name: Name<'_>) -> bool {
    const WELL_KNOWN: &[u8] = b".well-known/";
    let first =
        if name.bytes().take(WELL_KNOWN.len()).eq(WELL_KNOWN.iter().copied()) { WELL_KNOWN.len() } else { 0 };
    name.bytes()
        .skip(first)
        .fold((true, false), |(start, hidden), byte| (byte == b'/', hidden || (start && byte == b'.')))
        .1
}

/// FNV-1a, folded so that the low bits depend on all.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^ (hash >> 29)
}

/// The half of the hash that does not choose the slot.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}
