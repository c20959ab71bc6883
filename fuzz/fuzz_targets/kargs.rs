//! Kernel arguments: an accepted edit never makes a second line, and deleting what was appended gives the base back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snoforge::iso::kargs::{Edit, check};

fuzz_target!(|parts: (&str, &str, &str, &str)| {
    let (base, append, delete, replace) = parts;
    let _ = check(base);
    if let Ok(edit) = Edit::new(&[append], &[delete], &[replace]) {
        let line = edit.apply("rw quiet");
        assert!(line.is_ascii() && !line.contains(['\n', '\r', '\0', ';', '$']), "{line:?}");
    }
    let words: Vec<&str> = append.split_whitespace().collect();
    let ours = words.iter().all(|word| !"rw quiet".split(' ').any(|own| own == *word));
    if let ([_], Ok(add), true) = (words.as_slice(), Edit::new(&[append], &[], &[]), ours) {
        let remove = Edit::new(&[], &[append], &[]).expect("deleting is always allowed");
        assert_eq!(remove.apply(&add.apply("rw quiet")), "rw quiet");
    }
});
