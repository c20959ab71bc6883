//! Everything that a live ISO, a change or its writing can refuse.

use std::io;
use std::path::PathBuf;

use crate::io::Category;

/// Why a live ISO was not read, changed or written.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// It cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// The ISO.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The path names a directory, a socket or the like.
    #[error("{0} is neither a file nor a block device")]
    NotAFile(PathBuf),
    /// A read failed.
    #[error("cannot read at byte {offset}")]
    Read {
        /// Where.
        offset: u64,
        /// The reason.
        source: io::Error,
    },
    /// Something on the medium points beyond it.
    #[error("{length} bytes at byte {offset} are not within the {size} bytes of the ISO")]
    OutOfBounds {
        /// Where.
        offset: u64,
        /// How many.
        length: u64,
        /// Bytes that there are.
        size: u64,
    },
    /// It is compressed as a whole.
    #[error("the ISO is compressed with {0}")]
    Compressed(&'static str),
    /// It is no ISO 9660 image, or a damaged one.
    #[error("not a sound ISO 9660 image: {reason} (byte {offset})")]
    NotIso {
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// It ends before its volume does.
    #[error("the ISO is incomplete: it has {found} bytes of {expected}")]
    Incomplete {
        /// Bytes of the volume.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The path is a directory, or a file in several extents.
    #[error("`{0}` in the ISO is not a plain file")]
    NotAPlainFile(String),
    /// The ISO has no such file.
    #[error("the ISO has no file `{0}`")]
    NoSuchFile(String),
    /// It has neither `coreos/igninfo.json` nor `images/ignition.img`.
    #[error(
        "not a CoreOS live ISO: it has neither coreos/igninfo.json nor images/ignition.img (volume `{0}`)"
    )]
    NotCoreOs(String),
    /// One of the JSON files in `/coreos` is wrong.
    #[error("{file} in the ISO is wrong: {reason}")]
    Description {
        /// Which.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// What is in the Ignition embed area cannot be read.
    #[error("the Ignition embed area (byte {offset}) holds something that is no initramfs")]
    Area {
        /// Where the area begins.
        offset: u64,
        /// The reason.
        source: InitrdError,
    },
    /// The contents of the embed area cannot be packed.
    #[error("cannot pack the contents of the Ignition embed area")]
    Pack {
        /// The reason.
        source: InitrdError,
    },
    /// The kargs areas do not hold the same kernel arguments.
    #[error(
        "the kernel arguments differ between the embed areas: `{first}`, but `{other}` at byte {offset}"
    )]
    KargsDiffer {
        /// What the first area has.
        first: String,
        /// Where another begins.
        offset: u64,
        /// What it has.
        other: String,
    },
    /// The ISO has no place for kernel arguments.
    #[error("the ISO has no kargs embed areas: it is older than RHCOS 4.7, or damaged")]
    NoKargs,
    /// The default kernel arguments are recorded nowhere.
    #[error("the ISO does not record its default kernel arguments")]
    NoDefaultKargs,
    /// The kernel arguments are too long.
    #[error("the kernel arguments are too long: {needed} bytes, the embed areas hold {capacity}")]
    KargsTooLong {
        /// With the end mark.
        needed: usize,
        /// Bytes of an area.
        capacity: usize,
    },
    /// A kernel argument would not reach the kernel as it is written.
    #[error("the kernel argument `{karg}` has {what}")]
    BadKarg {
        /// The argument.
        karg: String,
        /// Which character, and what would become of it.
        what: String,
    },
    /// `--replace` has another form.
    #[error("`{0}` is not of the form KEY=OLD=NEW")]
    BadReplace(String),
    /// There is an Ignition config already.
    #[error("the ISO has an embedded Ignition config already")]
    HasIgnition,
    /// There are keyfiles already.
    #[error("the ISO has embedded network settings already")]
    HasNetwork,
    /// There is any customisation already.
    #[error("the ISO is customised already: {0}")]
    Customised(String),
    /// There is no Ignition config.
    #[error("the ISO has no embedded Ignition config")]
    NoIgnition,
    /// There are no keyfiles.
    #[error("the ISO has no embedded network settings")]
    NoNetwork,
    /// The live system would not read keyfiles.
    #[error("this OS image does not read embedded network settings")]
    NetworkUnsupported,
    /// A keyfile that `NetworkManager` would not read.
    #[error("network keyfile `{name}`: {reason}")]
    BadKeyfile {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// An Ignition config that Ignition would not read.
    #[error("the Ignition config is wrong: {0}")]
    BadIgnition(String),
    /// The content does not fit, and there is no way to make it fit.
    #[error("the content is too large: {needed} bytes compressed, the embed area holds {capacity}")]
    TooLarge {
        /// Compressed bytes.
        needed: u64,
        /// Bytes of the area.
        capacity: u64,
    },
    /// The embed area of this ISO cannot be made larger.
    #[error(
        "the content is too large ({needed} bytes compressed, the embed area holds {capacity}), and the area cannot be moved: {reason}"
    )]
    CannotGrow {
        /// Compressed bytes.
        needed: u64,
        /// Bytes of the area.
        capacity: u64,
        /// Why not.
        reason: &'static str,
    },
    /// There is less room than the copy takes.
    #[error("no room for {path}: it takes {needed} bytes, {free} are free")]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// The output is there, and overwriting was not asked for.
    #[error("{0} exists already")]
    OutputExists(PathBuf),
    /// The directory of the output is missing.
    #[error("the directory {0} does not exist")]
    NoDirectory(PathBuf),
    /// The output is the input.
    #[error("{0} is the ISO itself")]
    OutputIsInput(PathBuf),
    /// A write failed.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process changes the ISO.
    #[error("another process is changing {0}")]
    Busy(PathBuf),
    /// What was read back is not what was written.
    #[error("{path}: the bytes read back at {offset} are not those that were written")]
    ReadBack {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
    /// The journal of an interrupted change belongs to other content.
    #[error(
        "{journal} is the journal of an interrupted change, but {iso} is not what it describes"
    )]
    Journal {
        /// The journal.
        journal: PathBuf,
        /// The ISO.
        iso: PathBuf,
    },
}

/// Why bytes are no initramfs that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InitrdError {
    /// Neither a cpio archive nor a compression that we know.
    #[error("unknown format at byte {0}")]
    Unknown(usize),
    /// A compression that the kernel knows and we do not.
    #[error("{0} compression is not supported")]
    Unsupported(&'static str),
    /// It does not decompress.
    #[error("damaged {format} stream at byte {at}: {reason}")]
    Compressed {
        /// Which format.
        format: &'static str,
        /// Where it begins.
        at: usize,
        /// As the decoder says.
        reason: String,
    },
    /// A cpio header or name is wrong.
    #[error("wrong cpio archive: {reason} (byte {at})")]
    Cpio {
        /// Where, within its archive.
        at: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// It expands to more than anyone embeds.
    #[error("more than {0} bytes when decompressed")]
    TooLarge(usize),
    /// The compressor failed.
    #[error("cannot compress: {0}")]
    Encode(String),
}

impl IsoError {
    /// The category.
    pub fn category(&self) -> Category {
        match self {
            Self::Open { .. } | Self::Busy(_) => Category::Environment,
            Self::Read { .. } | Self::Write { .. } | Self::NoSpace { .. } | Self::Pack { .. } => {
                Category::Io
            }
            Self::NotAFile(_)
            | Self::Compressed(_)
            | Self::NotIso { .. }
            | Self::Incomplete { .. }
            | Self::NotCoreOs(_)
            | Self::NoSuchFile(_)
            | Self::NotAPlainFile(_)
            | Self::KargsTooLong { .. }
            | Self::BadKarg { .. }
            | Self::BadReplace(_)
            | Self::HasIgnition
            | Self::HasNetwork
            | Self::Customised(_)
            | Self::NoIgnition
            | Self::NoNetwork
            | Self::BadKeyfile { .. }
            | Self::BadIgnition(_)
            | Self::OutputExists(_)
            | Self::NoDirectory(_)
            | Self::OutputIsInput(_)
            | Self::TooLarge { .. } => Category::Usage,
            Self::NoKargs
            | Self::NoDefaultKargs
            | Self::NetworkUnsupported
            | Self::CannotGrow { .. } => Category::Unsupported,
            Self::OutOfBounds { .. }
            | Self::Description { .. }
            | Self::Area { .. }
            | Self::KargsDiffer { .. }
            | Self::ReadBack { .. }
            | Self::Journal { .. } => Category::Verification,
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::ResourceBusy => {
                "the device is mounted or in use: unmount it first"
            }
            Self::Compressed(format) => {
                return Some(format!(
                    "decompress it first: {}",
                    match *format {
                        "gzip" => "gunzip FILE",
                        "xz" => "unxz FILE",
                        "zstd" => "unzstd FILE",
                        _ => "bunzip2 FILE",
                    }
                ));
            }
            Self::Incomplete { .. } => "download the ISO again",
            Self::NotCoreOs(_) | Self::NotIso { .. } => {
                "take the live ISO of the release: `rhcos-…-live.x86_64.iso` or `…-live-iso.x86_64.iso`"
            }
            Self::Area { .. } | Self::KargsDiffer { .. } => {
                "an interrupted or foreign change left this; `snoforge iso reset` puts the defaults back"
            }
            Self::NoDefaultKargs => "start again from the downloaded ISO",
            Self::KargsTooLong { .. } => "use network keyfiles instead of `ip=` arguments",
            Self::HasIgnition | Self::HasNetwork | Self::Customised(_) => {
                "add --force to replace it"
            }
            Self::NetworkUnsupported => {
                "keyfiles need RHCOS 4.10 or newer; use `ip=` kernel arguments"
            }
            Self::OutputExists(_) => "add --force to replace it, or choose another name",
            Self::NoDirectory(_) => "make it, or choose another place",
            Self::BadReplace(_) => "write key, old and new value, as in console=tty0=ttyS0",
            Self::BadKarg { .. } => {
                "both boot loaders get the same bytes, so nothing can be escaped: leave it away"
            }
            Self::TooLarge { .. } => "without --exact it is made smaller, or the area larger",
            Self::NoSpace { .. } => "free some, or write to another filesystem",
            Self::OutputIsInput(_) => "leave -o away to change the ISO in place",
            Self::Busy(_) => "wait until the other snoforge is done",
            Self::ReadBack { .. } => {
                "the medium does not keep what is written to it: use another one"
            }
            Self::Journal { .. } => {
                "when the ISO was replaced since then, delete the journal and run again"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
