//! Where everything lies, worked out before anything is written.

use serde::Serialize;
use uuid::{Uuid, uuid};

use super::error::ApplianceError;
use super::live::Live;
use super::{boot, esp};
use crate::disk::{
    CODE, Content, Contents, Device, DeviceKind, Front, FrontPartition, MIB, Table, human,
};

/// EFI system partition.
const ESP_TYPE: Uuid = uuid!("C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
/// Linux filesystem data: nothing mounts it by itself.
const LIVE_TYPE: Uuid = uuid!("0FC63DAF-8483-4772-8E79-3D69D8477DE4");
const ESP_NAME: &str = "snoforge-efi";
const LIVE_NAME: &str = "snoforge-live";
/// The number of the data partition; 1 and 2 boot.
pub const DATA_NUMBER: u32 = 3;
/// Before the first and after the last partition: the tables.
const MARGIN: u64 = MIB;

/// The places of what boots. All numbers are bytes, and multiples of 1 MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    /// Where the EFI system partition begins.
    pub esp_start_bytes: u64,
    /// Its size.
    pub esp_size_bytes: u64,
    /// Where the ISO begins.
    pub live_start_bytes: u64,
    /// The size of its partition.
    pub live_size_bytes: u64,
}

impl Layout {
    /// For an ISO.
    pub fn of(live: &Live) -> Self {
        let esp_size_bytes = esp::size(&live.efi);
        Self {
            esp_start_bytes: MARGIN,
            esp_size_bytes,
            live_start_bytes: MARGIN + esp_size_bytes,
            live_size_bytes: live.size_bytes.next_multiple_of(MIB),
        }
    }

    /// Where the data partition may begin.
    pub fn end_bytes(&self) -> u64 {
        self.live_start_bytes + self.live_size_bytes
    }

    /// The size of a disk with a data partition of `data_bytes`.
    pub fn disk_bytes(&self, data_bytes: u64) -> u64 {
        self.end_bytes() + data_bytes + MARGIN
    }

    /// Refuses a disk on which nothing of this would work.
    ///
    /// # Errors
    /// [`ApplianceError::TooSmall`], [`ApplianceError::Sectors`]
    pub fn check(&self, device: &Device, data_bytes: u64) -> Result<(), ApplianceError> {
        // isofs refuses blocks above 2048 bytes, and 4096 is what other sectors are.
        if device.sector_bytes != 512 && device.kind != DeviceKind::Image {
            return Err(ApplianceError::Sectors {
                path: device.path.clone(),
                sector_bytes: device.sector_bytes,
            });
        }
        let needed_bytes = self.disk_bytes(data_bytes);
        if device.size_bytes >= needed_bytes {
            return Ok(());
        }
        let (esp, live) = (human(self.esp_size_bytes), human(self.live_size_bytes));
        Err(ApplianceError::TooSmall {
            path: device.path.clone(),
            size_bytes: device.size_bytes,
            needed_bytes,
            parts: format!(
                "{esp} to boot, {live} the ISO, {} the data",
                human(data_bytes)
            ),
        })
    }

    /// Refuses a data partition that begins at `data_start_bytes`, where it leaves no room for what boots.
    ///
    /// # Errors
    /// [`ApplianceError::NoRoomBefore`]
    pub fn check_before(
        &self,
        device: &Device,
        data_start_bytes: u64,
    ) -> Result<(), ApplianceError> {
        if data_start_bytes >= self.end_bytes() {
            return Ok(());
        }
        Err(ApplianceError::NoRoomBefore {
            path: device.path.clone(),
            free_bytes: data_start_bytes,
            needed_bytes: self.end_bytes(),
        })
    }

    /// What will be written in front of the data partition, which is there.
    ///
    /// # Errors
    /// The disk has other partitions; the EFI system partition cannot be made.
    pub fn front(
        &self,
        live: &Live,
        device: &Device,
        contents: &Contents,
    ) -> Result<Front, ApplianceError> {
        let esp = esp::make(&live.efi)?;
        let partitions = vec![
            FrontPartition {
                number: 1,
                name: ESP_NAME,
                kind: ESP_TYPE,
                start_bytes: self.esp_start_bytes,
                size_bytes: self.esp_size_bytes,
                content: Content::Bytes(esp.into()),
            },
            FrontPartition {
                number: 2,
                name: LIVE_NAME,
                kind: LIVE_TYPE,
                start_bytes: self.live_start_bytes,
                size_bytes: self.live_size_bytes,
                content: Content::File {
                    path: live.path.clone(),
                    length_bytes: live.size_bytes,
                },
            },
        ];
        let code = live.isolinux.map_or([0; CODE], |isolinux| {
            boot::code(self.live_start_bytes, isolinux)
        });
        Ok(Front::new(device, contents, partitions, code)?)
    }

    /// Whether every partition of a disk is one of an appliance with the data partition `label`: then it is brought up to date.
    pub fn is_ours(contents: &Contents, label: &str) -> bool {
        let ours = [(1, ESP_NAME), (2, LIVE_NAME), (DATA_NUMBER, label)];
        let Table::Gpt(gpt) = &contents.table else {
            return false;
        };
        let known = |number: u32, name: &str| ours.contains(&(number, name));
        let mut all = gpt.partitions.iter();
        all.all(|p| known(p.number, &p.label) || p.is_unfinished())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_touch() {
        let layout = Layout {
            esp_start_bytes: MIB,
            esp_size_bytes: 64 * MIB,
            live_start_bytes: 65 * MIB,
            live_size_bytes: 1200 * MIB,
        };
        assert_eq!(layout.end_bytes(), 1265 * MIB);
        assert_eq!(layout.disk_bytes(1024 * MIB), 2290 * MIB);
        let mut device = Device {
            path: "/dev/sdz".into(),
            kind: DeviceKind::Disk,
            size_bytes: 2290 * MIB,
            sector_bytes: 512,
            physical_sector_bytes: 512,
            model: None,
            serial: None,
            wwn: None,
            transport: None,
            removable: true,
            read_only: false,
            uses: Vec::new(),
        };
        layout.check(&device, 1024 * MIB).unwrap();
        device.size_bytes -= 1;
        let refused = layout.check(&device, 1024 * MIB).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "/dev/sdz has 2.2 GiB, 2.2 GiB are needed: 64.0 MiB to boot, 1.1 GiB the ISO, 1.0 GiB the data"
        );
        layout.check_before(&device, 1265 * MIB).unwrap();
        let refused = layout.check_before(&device, 1264 * MIB).unwrap_err();
        assert!(matches!(refused, ApplianceError::NoRoomBefore { .. }));
        device.sector_bytes = 4096;
        let refused = layout.check(&device, 0).unwrap_err();
        assert!(matches!(refused, ApplianceError::Sectors { .. }));
    }
}
