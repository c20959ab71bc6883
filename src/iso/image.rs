//! A live ISO, opened: what it is, and what is embedded in it.

use super::error::{InitrdError, IsoError};
use super::initrd::{CONFIG, Initrd};
use super::iso9660::Volume;
use super::kargs::Kargs;
use super::layout::{self, Features, IgnitionArea};
use super::source::{ReadAt, read};

/// A live ISO. Its embed area may hold garbage and its kargs areas may differ: then only what needs them fails.
#[derive(Debug)]
pub struct LiveIso {
    /// The volume.
    pub volume: Volume,
    /// The Ignition embed area.
    pub area: IgnitionArea,
    /// Where kernel arguments are, if anywhere.
    pub kargs: Option<Kargs>,
    /// What the live system can do.
    pub features: Features,
    /// Whether a minimal ISO could be made of it.
    pub has_miniso: bool,
    initrd: Result<Initrd, InitrdError>,
}

impl LiveIso {
    /// Reads everything that describes it.
    ///
    /// # Errors
    /// It is no CoreOS live ISO, or its descriptions are wrong.
    pub fn read(source: &dyn ReadAt) -> Result<Self, IsoError> {
        let volume = Volume::open(source)?;
        let area = layout::ignition_area(source, &volume)?;
        let bytes = read(source, area.offset, area.length)?;
        Ok(Self {
            kargs: Kargs::find(source, &volume)?,
            features: layout::features(source, &volume)?,
            has_miniso: layout::has_miniso(source, &volume)?,
            area,
            initrd: Initrd::read(&bytes),
            volume,
        })
    }

    /// What is embedded.
    ///
    /// # Errors
    /// [`IsoError::Area`]
    pub fn initrd(&self) -> Result<&Initrd, IsoError> {
        self.initrd.as_ref().map_err(|source| IsoError::Area {
            offset: self.area.offset,
            source: source.clone(),
        })
    }

    /// The embedded Ignition config.
    ///
    /// # Errors
    /// [`IsoError::NoIgnition`]; the area is damaged.
    pub fn ignition(&self) -> Result<&[u8], IsoError> {
        self.initrd()?.get(CONFIG).ok_or(IsoError::NoIgnition)
    }

    /// The kargs areas.
    ///
    /// # Errors
    /// [`IsoError::NoKargs`]
    pub fn kargs(&self) -> Result<&Kargs, IsoError> {
        self.kargs.as_ref().ok_or(IsoError::NoKargs)
    }

    /// What was changed since the ISO was made, in words; none for a pristine one.
    pub fn customisation(&self) -> Option<String> {
        let mut found = Vec::new();
        match &self.initrd {
            Err(_) => found.push("an unreadable embed area"),
            Ok(initrd) => {
                let (config, keyfiles) = (initrd.get(CONFIG).is_some(), initrd.keyfiles().len());
                let others = initrd.members().count() > usize::from(config) + keyfiles;
                found.extend(config.then_some("an Ignition config"));
                found.extend((keyfiles > 0).then_some("network keyfiles"));
                found.extend(others.then_some("other files"));
            }
        }
        // Where the defaults are not recorded, arguments cannot be told from them.
        let changed = |kargs: &Kargs| kargs.default.is_some() && kargs.is_modified();
        found.extend(
            self.kargs
                .as_ref()
                .is_some_and(changed)
                .then_some("kernel arguments"),
        );
        (!found.is_empty()).then(|| found.join(", "))
    }
}
