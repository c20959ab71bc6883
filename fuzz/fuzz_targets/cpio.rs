//! Embed areas: what reads is written as something that reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snoforge::iso::initrd::Initrd;

fuzz_target!(|data: &[u8]| {
    let Ok(initrd) = Initrd::read(data) else { return };
    let written = initrd.write().expect("memory takes it");
    // Names with `..`, empty parts or a directory in the place of a file are kept, and found again under the same path.
    let again = Initrd::read(&written).expect("our own bytes read");
    for (path, member) in initrd.members() {
        assert_eq!(again.get(path), Some(member.data.as_slice()), "{path}");
    }
});
