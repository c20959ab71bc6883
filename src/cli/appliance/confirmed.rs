//! The disk that a person confirmed, before each step: the path of a stick that was pulled may be another one's by then.

use uuid::Uuid;

use crate::appliance::Layout;
use crate::disk::{self, Contents, Device, DiskError, Partition, Selector, System};

/// What is known of it.
#[derive(Debug)]
pub(super) struct Confirmed<'a> {
    /// As the plan has it.
    pub(super) device: &'a Device,
    /// Label of the data partition.
    pub(super) label: &'a str,
}

impl Confirmed<'_> {
    /// The disk as it is now.
    ///
    /// # Errors
    /// [`DiskError::Changed`] when another one has its path; it is gone.
    pub(super) fn disk(&self) -> Result<Device, DiskError> {
        let planned = self.device;
        let now = disk::find(&System::host(), &Selector::Path(planned.path.clone()))?;
        let is = |device: &Device| (device.size_bytes, device.serial.clone(), device.wwn.clone());
        if is(&now) == is(planned) {
            return Ok(now);
        }
        Err(DiskError::Changed(now.path))
    }

    /// The disk as it is now, with the data partition of this GUID and nobody else's partitions.
    ///
    /// # Errors
    /// As [`Confirmed::disk`]; the partition is not there, or a foreign one is.
    pub(super) fn with(&self, data: Option<Uuid>) -> Result<(Device, Contents), DiskError> {
        let device = self.disk()?;
        let contents = disk::read(&device)?;
        let is_data = |there: &Partition| there.guid == data && there.label == self.label;
        if contents.partitions().iter().any(is_data) && Layout::is_ours(&contents, self.label) {
            return Ok((device, contents));
        }
        Err(DiskError::Changed(device.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Filesystem, MIB, Populate, Request};
    use crate::progress::Silent;

    #[test]
    fn another_disk_at_the_same_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk.img");
        let made = |number, label: &str| {
            let device = disk::find(&System::host(), &Selector::Path(path.clone())).unwrap();
            let request = Request {
                size_mib: 64,
                number,
                label: label.parse().unwrap(),
                filesystem: Filesystem::Vfat,
                wipe: number == 3,
            };
            let plan = disk::plan(&device, &disk::read(&device).unwrap(), &request).unwrap();
            let applied = disk::apply(&plan, Populate::Empty, &Silent).unwrap();
            (device, applied.partition.map(|made| made.guid))
        };
        let blank = || {
            let file = fs_err::File::create(&path).unwrap();
            file.set_len(200 * MIB).unwrap();
        };
        blank();
        let (device, guid) = made(3, "data");
        let label = "data";
        let confirmed = |device: &Device| Confirmed { device, label }.with(guid);
        let changed = |device: &Device| {
            let refused = confirmed(device).unwrap_err();
            assert!(matches!(refused, DiskError::Changed(_)), "{refused}");
        };
        confirmed(&device).unwrap();
        let mut other = device.clone();
        other.serial = Some("S1".to_owned());
        changed(&other);
        let mut other = device.clone();
        other.size_bytes += MIB;
        changed(&other);
        // Somebody else's partition beside it; no partition; one of the same name on another stick.
        made(4, "mine");
        changed(&device);
        blank();
        changed(&device);
        made(3, "data");
        changed(&device);
    }
}
