//! Typed edits. A patch is a list of them; applying the same list twice changes nothing the second time.
//!
//! An edit touches the keys it is about and leaves every other key of the entry, its place in the list included.

use std::fmt;

/// A file as a patch wants it.
#[derive(Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Absolute path.
    pub path: String,
    /// Permission bits, such as `0o755`.
    pub mode: u32,
    /// Everything the file holds.
    pub contents: Vec<u8>,
}

impl fmt::Debug for NewFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NewFile({}, {:04o}, {} bytes)",
            self.path,
            self.mode,
            self.contents.len()
        )
    }
}

/// A unit as a patch wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUnit {
    /// The name, suffix included.
    pub name: String,
    /// Enabled, disabled, or as it is (and left to presets when the unit is new).
    pub enabled: Option<bool>,
    /// The unit file; none leaves it as it is.
    pub contents: Option<String>,
}

/// One change to a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The file exists with exactly these contents and this mode, owned by root, overwriting what the image has. Replaces an entry of
    /// the same path where it stands (its owner is kept), else is added at the end.
    SetFile(NewFile),
    /// An existing file gets other contents; its mode, owner and form of encoding stay, a verification hash follows.
    SetContents {
        /// The path.
        path: String,
        /// The new contents.
        contents: Secret,
    },
    /// An existing file gets another mode.
    SetMode {
        /// The path.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// The text is appended to the file (Ignition's `append`), unless it is already.
    Append {
        /// The path.
        path: String,
        /// What is appended.
        contents: Vec<u8>,
    },
    /// The file is not in the config.
    RemoveFile {
        /// The path.
        path: String,
    },
    /// The unit exists so; drop-ins and other keys of an existing entry stay.
    SetUnit(NewUnit),
    /// The unit has this drop-in; a unit that the config does not have gets an entry of its own.
    SetDropin {
        /// The unit.
        unit: String,
        /// The drop-in, `10-x.conf`.
        name: String,
        /// Its text.
        contents: String,
    },
    /// The unit is not in the config, nor are its drop-ins.
    RemoveUnit {
        /// The name.
        name: String,
    },
    /// The unit does not have this drop-in; an entry that held only drop-ins goes with its last one.
    RemoveDropin {
        /// The unit.
        unit: String,
        /// The drop-in.
        name: String,
    },
}

/// Bytes that never show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There was nothing, now there is.
    Added,
    /// It was different.
    Replaced,
    /// It was there.
    Removed,
    /// It was so already.
    Unchanged,
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetFile(file) => write!(
                f,
                "file {} mode {:04o}, {} bytes",
                file.path,
                file.mode,
                file.contents.len()
            ),
            Self::SetContents { path, contents } => {
                write!(f, "contents of {path}, {} bytes", contents.0.len())
            }
            Self::SetMode { path, mode } => write!(f, "mode {mode:04o} of {path}"),
            Self::Append { path, contents } => {
                write!(f, "append {} bytes to {path}", contents.len())
            }
            Self::RemoveFile { path } => write!(f, "no file {path}"),
            Self::SetUnit(unit) => write!(f, "unit {}", unit.name),
            Self::SetDropin { unit, name, .. } => write!(f, "drop-in {unit}.d/{name}"),
            Self::RemoveUnit { name } => write!(f, "no unit {name}"),
            Self::RemoveDropin { unit, name } => write!(f, "no drop-in {unit}.d/{name}"),
        }
    }
}
