//! Pull specs: whatever is accepted prints as something that reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snoforge::oci::{Digest, Reference};

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
});
