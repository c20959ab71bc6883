//! What a user wants of an ISO, and the regions that bring it about. Pure: nothing is written here, so that every limit is known
//! before a gigabyte is copied.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::error::IsoError;
use super::grow;
use super::image::LiveIso;
use super::initrd::{CONFIG, Initrd};
use super::kargs::{Edit, Warning};
use super::region::Region;
use super::source::{ReadAt, read};
use crate::ignition::{self, Config, fit::Step};

/// What happens to one kind of embedded content.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Remove,
    /// It is replaced.
    Set(T),
}

impl<T> std::fmt::Debug for Change<T> {
    /// Contents are secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
            Self::Set(_) => "Set(…)",
        })
    }
}

/// What happens to the kernel arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KargsChange {
    /// They stay.
    #[default]
    Keep,
    /// The defaults come back.
    Reset,
    /// The present ones are edited.
    Edit(Edit),
    /// The defaults are edited.
    EditDefault(Edit),
}

/// Network keyfiles by name.
pub type Keyfiles = BTreeMap<String, Vec<u8>>;

/// One change of an ISO: any number of contents, one compression, one pass over the file.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Forget whatever is in the embed area, readable or not.
    pub clear: bool,
    /// `config.ign`.
    pub ignition: Change<Vec<u8>>,
    /// Keyfiles.
    pub network: Change<Keyfiles>,
    /// Kernel arguments.
    pub kargs: KargsChange,
    /// Whether the embed area may be moved to the end of the ISO to make it larger.
    pub may_grow: bool,
}

impl Changes {
    /// Everything as the ISO was made.
    pub fn reset() -> Self {
        Self {
            clear: true,
            kargs: KargsChange::Reset,
            ..Self::default()
        }
    }
}

/// Regions to write, and what they mean.
#[derive(Debug, Clone)]
pub struct Plan {
    /// By place, without overlap; only bytes that change.
    pub regions: Vec<Region>,
    /// Bytes of the ISO before.
    pub old_size: u64,
    /// Bytes of the ISO after.
    pub new_size: u64,
    /// Bytes of the embed area in use.
    pub used: u64,
    /// Bytes of the embed area.
    pub capacity: u64,
    /// Whether the embed area moves to the end.
    pub grows: bool,
    /// The kernel arguments, when they change.
    pub kargs: Option<String>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// Plans a change.
    ///
    /// # Errors
    /// Something does not fit, or the ISO cannot do it.
    pub fn new(source: &dyn ReadAt, iso: &LiveIso, changes: &Changes) -> Result<Self, IsoError> {
        let packed = pack(iso, changes)?;
        Self::with(source, iso, changes, packed)
    }

    /// Plans a change that embeds `config`: as it is (`bytes`) when it fits, else in the smallest form of the fit ladder, else in a larger
    /// area. Also returns the steps that were tried.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn fitted(
        source: &dyn ReadAt,
        iso: &LiveIso,
        (config, bytes): (&Config, &[u8]),
        changes: &Changes,
    ) -> Result<(Self, Vec<Step>), IsoError> {
        let with = |bytes: &[u8]| Changes {
            ignition: Change::Set(bytes.to_vec()),
            ..changes.clone()
        };
        // No form is packed twice: packing is what takes time.
        let done = RefCell::new(BTreeMap::new());
        let packed_size = |bytes: &[u8]| {
            let mut done = done.borrow_mut();
            let packed = done
                .entry(<[u8; 32]>::from(Sha256::digest(bytes)))
                .or_insert_with(|| pack(iso, &with(bytes)).ok().flatten());
            packed.as_ref().map_or(usize::MAX, Vec::len)
        };
        let area = usize::try_from(iso.area.length).unwrap_or(usize::MAX);
        let fitted = ignition::fit::fit(bytes, config, area, &packed_size);
        // Where the area has to grow anyway, nothing is won by another form.
        let chosen = if fitted.fits { &fitted.bytes } else { bytes };
        let changes = with(chosen);
        let key = <[u8; 32]>::from(Sha256::digest(chosen));
        let plan = match done.into_inner().remove(&key).flatten() {
            Some(packed) => Self::with(source, iso, &changes, Some(packed))?,
            // It says why it cannot be packed.
            None => Self::new(source, iso, &changes)?,
        };
        Ok((plan, fitted.steps))
    }

    /// Plans a change whose embed area is `packed`; none when it stays.
    fn with(
        source: &dyn ReadAt,
        iso: &LiveIso,
        changes: &Changes,
        packed: Option<Vec<u8>>,
    ) -> Result<Self, IsoError> {
        let (kargs, warnings) = changed_kargs(iso, &changes.kargs)?;
        let old_size = grow::image_end(source, iso)?;
        let mut plan = Self {
            regions: Vec::new(),
            old_size,
            new_size: old_size,
            used: packed.as_ref().map_or(0, |p| p.len() as u64),
            capacity: iso.area.length,
            grows: false,
            kargs: None,
            warnings,
        };
        let mut wanted = match kargs {
            Some(kargs) => {
                let regions = iso.kargs()?.regions(&kargs)?;
                plan.kargs = Some(kargs);
                regions
            }
            None => Vec::new(),
        };
        match packed {
            Some(packed) if plan.used > plan.capacity => {
                grow::check(iso, plan.used, changes.may_grow)?;
                wanted.extend(plan.grow(source, iso, packed)?);
            }
            Some(packed) => wanted.extend(plan.fill(source, iso, packed)?),
            None => {}
        }
        plan.keep_what_changes(source, wanted)?;
        if keyfiles_replace_ip(iso, changes, plan.kargs.as_deref()) {
            plan.warnings.push(Warning::Replaced);
        }
        Ok(plan)
    }

    /// The embed area with `packed` in it; an emptied area that had been moved goes back to where it was.
    fn fill(
        &mut self,
        source: &dyn ReadAt,
        iso: &LiveIso,
        mut packed: Vec<u8>,
    ) -> Result<Vec<Region>, IsoError> {
        if packed.is_empty()
            && let Some(undo) = grow::undo(source, iso)?
        {
            self.new_size = undo.size;
            self.capacity = undo.capacity;
            let left_behind = grow::left_behind(source, iso);
            return Ok(undo.regions.into_iter().chain(left_behind).collect());
        }
        packed.resize(usize::try_from(iso.area.length).unwrap_or(usize::MAX), 0);
        Ok(vec![Region {
            offset: iso.area.offset,
            contents: packed,
        }])
    }

    fn grow(
        &mut self,
        source: &dyn ReadAt,
        iso: &LiveIso,
        packed: Vec<u8>,
    ) -> Result<Vec<Region>, IsoError> {
        let growth = grow::plan(source, iso, packed)?;
        self.grows = true;
        self.new_size = growth.size;
        self.capacity = growth.capacity;
        Ok(growth.regions)
    }

    fn keep_what_changes(
        &mut self,
        source: &dyn ReadAt,
        wanted: Vec<Region>,
    ) -> Result<(), IsoError> {
        for region in wanted {
            if region.end() > self.old_size {
                self.regions.push(region);
                continue;
            }
            let old = read(source, region.offset, region.contents.len() as u64)?;
            self.regions.extend(region.changed(&old));
        }
        self.regions.sort_by_key(|region| region.offset);
        Ok(())
    }

    /// Whether the ISO stays as it is.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty() && self.old_size == self.new_size
    }

    /// Bytes that are written.
    pub fn bytes(&self) -> u64 {
        self.regions.iter().map(|r| r.contents.len() as u64).sum()
    }
}

/// The contents of the embed area, without its padding; none when it stays as it is.
fn pack(iso: &LiveIso, changes: &Changes) -> Result<Option<Vec<u8>>, IsoError> {
    let initrd = changed_initrd(iso, changes)?;
    let packed = initrd.as_ref().map(Initrd::write).transpose();
    packed.map_err(|source| IsoError::Pack { source })
}

/// None when the embed area stays as it is.
fn changed_initrd(iso: &LiveIso, changes: &Changes) -> Result<Option<Initrd>, IsoError> {
    let untouched = matches!(changes.ignition, Change::Keep)
        && matches!(changes.network, Change::Keep)
        && !changes.clear;
    if untouched {
        return Ok(None);
    }
    let mut initrd = if changes.clear {
        Initrd::default()
    } else {
        iso.initrd()?.clone()
    };
    match &changes.ignition {
        Change::Keep => {}
        Change::Remove => initrd.remove(CONFIG),
        Change::Set(config) => initrd.set(CONFIG, config.clone()),
    }
    match &changes.network {
        Change::Keep => {}
        Change::Remove => initrd.set_keyfiles([]),
        Change::Set(files) => {
            if !iso.features.live_initrd_network {
                return Err(IsoError::NetworkUnsupported);
            }
            initrd.set_keyfiles(
                files
                    .iter()
                    .map(|(name, data)| (name.as_str(), data.as_slice())),
            );
        }
    }
    // Removing what is not there must not repack what another tool packed.
    let nothing_set =
        !matches!(changes.ignition, Change::Set(_)) && !matches!(changes.network, Change::Set(_));
    let same = !changes.clear && nothing_set && initrd == *iso.initrd()?;
    Ok((!same).then_some(initrd))
}

/// Whether a change brings keyfiles and `ip=` together; keyfiles win (`live-iso.md` section 3).
fn keyfiles_replace_ip(iso: &LiveIso, changes: &Changes, kargs: Option<&str>) -> bool {
    let keyfiles = match &changes.network {
        Change::Set(files) => !files.is_empty(),
        Change::Keep if !changes.clear => iso.initrd().is_ok_and(|i| !i.keyfiles().is_empty()),
        Change::Keep | Change::Remove => false,
    };
    let now = || iso.kargs.as_ref().and_then(|k| k.current().ok());
    let ip = |kargs: &str| kargs.split_whitespace().any(|k| k.starts_with("ip="));
    let touched = matches!(changes.network, Change::Set(_)) || kargs.is_some();
    touched && keyfiles && kargs.or_else(now).is_some_and(ip)
}

fn changed_kargs(
    iso: &LiveIso,
    change: &KargsChange,
) -> Result<(Option<String>, Vec<Warning>), IsoError> {
    Ok(match change {
        KargsChange::Keep => (None, Vec::new()),
        // An ISO without kargs areas has nothing to be reset.
        KargsChange::Reset => match &iso.kargs {
            Some(kargs) if kargs.default.is_some() => {
                (Some(kargs.default()?.to_owned()), Vec::new())
            }
            _ => (None, Vec::new()),
        },
        KargsChange::Edit(edit) => {
            let kargs = edit.apply(iso.kargs()?.current()?);
            (Some(kargs), edit.warnings().to_vec())
        }
        KargsChange::EditDefault(edit) => {
            let kargs = iso.kargs()?;
            let base = kargs
                .default
                .as_deref()
                .map_or_else(|| kargs.current(), Ok)?;
            (Some(edit.apply(base)), edit.warnings().to_vec())
        }
    })
}
