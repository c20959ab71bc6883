//! What holds for any JSON and any data URL.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::file;
use crate::ignition::{Config, data_url};

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z/~ ]{0,8}", inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn unknown_keys_come_back_as_they_were(extra in any_json(), in_file in any_json()) {
        let value = json!({"x-first": extra, "ignition": {"version": "3.1.0", "x-y": extra},
            "storage": {"x-s": in_file, "files": [{"path": "/a", "x-f": in_file}]}});
        let text = value.to_string();
        let config = Config::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(config.render(), text.as_bytes());
        let again = Config::parse(&config.render()).unwrap();
        prop_assert_eq!(again, config);
    }

    #[test]
    fn data_urls_come_back(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,100}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let source = data_url::encode(bytes);
            prop_assert_eq!(&data_url::decode(&source, None, 1 << 20).unwrap(), bytes);
            for head in ["data:,", "data:;base64,", "data:text/plain;charset=utf-8;base64,"] {
                let source = data_url::DataUrl::parse(head).unwrap().with_bytes(bytes);
                prop_assert_eq!(&data_url::decode(&source, None, 1 << 20).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn hostile_sources_never_panic(source in "(data:)?[a-z/;=]{0,8}(;base64)?,?\\PC{0,40}", gzip in any::<bool>()) {
        let _ = data_url::decode(&source, gzip.then_some("gzip"), 1000);
    }

    #[test]
    fn hostile_json_never_panics(text in "\\PC{0,80}", value in any_json()) {
        let _ = Config::parse(text.as_bytes());
        // Any JSON in every place that is read.
        for key in ["ignition", "passwd", "storage", "systemd", "kernelArguments"] {
            for inner in ["files", "users", "units", "links", "shouldExist", "config"] {
                let mut root = json!({"ignition": {"version": "3.3.0"}});
                root[key][inner] = value.clone();
                if let Ok(mut config) = Config::parse(root.to_string().as_bytes()) {
                    let _ = crate::ignition::lint::lint(&config, Some(1000));
                    let _ = crate::ignition::inspect::inspect(&config);
                    let bare = Config::parse(br#"{"ignition":{"version":"3.3.0"}}"#).unwrap();
                    let _ = crate::ignition::diff::diff(&config, &bare);
                    let _ = config.apply(&file("/a", 0o644, b""));
                }
            }
        }
    }
}
