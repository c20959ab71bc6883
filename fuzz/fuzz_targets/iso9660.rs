//! Live ISOs: the first bytes say which bytes of a sound ISO change. Whatever becomes of it is an answer or an error, and what is
//! planned for it stays within it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use snoforge::iso::{Change, Changes, LiveIso, Plan, Report};

static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| snoforge::demo::live_iso::bytes().expect("the sample is sound"));

fuzz_target!(|data: &[u8]| {
    let mut iso = SOUND.clone();
    let (edits, _) = data.as_chunks::<4>();
    for [high, middle, low, value] in edits {
        // Descriptors, directories and descriptions lie in the first 128 KiB; what is beyond is reached by the highest bit.
        let at = usize::from(high & 0x81) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        if let Some(byte) = iso.get_mut(at) {
            *byte = *value;
        }
    }
    for source in [iso.as_slice(), data] {
        let Ok(iso) = LiveIso::read(&source) else { continue };
        let _ = Report::new(&source, &iso);
        let _ = iso.volume.walk(&source);
        let changes = Changes {
            ignition: Change::Set(b"{}".to_vec()),
            ..Changes::reset()
        };
        if let Ok(plan) = Plan::new(&source, &iso, &changes) {
            assert!(plan.regions.iter().all(|region| region.end() <= plan.new_size));
        }
    }
});
