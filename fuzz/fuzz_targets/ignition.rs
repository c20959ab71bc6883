//! Any bytes: read as a config, and when it is one, checked, shown, compared and made to fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snoforge::ignition::{Config, diff, fit, inspect, lint};

fuzz_target!(|data: &[u8]| {
    let Ok(config) = Config::parse(data) else {
        return;
    };
    let _ = lint::lint(&config, None);
    let _ = inspect::inspect(&config);
    let again = Config::parse(&config.render()).expect("what was read can be read again");
    assert_eq!(diff::diff(&config, &again), []);
    let fitted = fit::fit(data, &config, 0, &<[u8]>::len);
    let small = Config::parse(&fitted.bytes).expect("what is made small is a config");
    assert_eq!(diff::diff(&config, &small), []);
});
