//! Image sets, filter files and factory files: a refusal always says why, and a rendered template always reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snoforge::config::factory::Factory;
use snoforge::config::filter::ImageFilter;
use snoforge::config::imageset;

fuzz_target!(|text: &str| {
    match imageset::parse("fuzz", text) {
        Ok(parsed) => drop(imageset::selection_errors("fuzz", &parsed.imageset)),
        Err(findings) => assert!(!findings.is_empty()),
    }
    if let Err(findings) = Factory::parse("fuzz", text) {
        assert!(!findings.is_empty());
    }
    match ImageFilter::parse("fuzz", text) {
        Ok(filter) => drop(filter.matches(text, text)),
        Err(findings) => assert!(!findings.is_empty()),
    }
});
