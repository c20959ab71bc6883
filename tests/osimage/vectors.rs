//! The operator's own vectors.

use serde_json::{Value, json};
use snoforge::objects::{Finding, Severity};
use snoforge::osimage::Era;
use snoforge::osimage::build::job::{JobState, job_state};
use snoforge::osimage::containerfile::lint::lint;
use snoforge::osimage::predict::{OsImages, machine_os_build};

use crate::shared;

fn vectors(name: &str) -> Option<Value> {
    let path = shared(&format!("data/osimage/vectors/{name}.json"))?;
    Some(serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap())
}

#[test]
fn the_operators_lint() {
    let Some(vectors) = vectors("containerfile_lint_cases") else {
        return;
    };
    let cases = vectors["mco_parity"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let mut found = lint("C", case["in"].as_str().unwrap(), Era::V1);
        found.retain(|f| f.rule == "syntax");
        assert_eq!(found.is_empty(), case["ok"] == true, "{case}: {found:?}");
        if let Some(text) = case["err"].as_str() {
            assert!(
                found.iter().any(|f| f.message.contains(text)),
                "{case}: {found:?}"
            );
        }
    }
}

#[test]
fn the_stricter_lint() {
    let Some(vectors) = vectors("containerfile_lint_cases") else {
        return;
    };
    let cases = vectors["stricter_than_mco_we_should_add"]
        .as_array()
        .unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let text = match (case["in"].as_str(), case["in_len"].as_u64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(len)) => {
                let head = "FROM configs AS final\n#";
                format!(
                    "{head}{}",
                    "x".repeat(usize::try_from(len).unwrap() - head.len())
                )
            }
            (None, None) => seed_example(),
        };
        let found = lint("C", &text, Era::V1);
        let of = |severity: Severity| -> Vec<&str> {
            found
                .iter()
                .filter(|f| f.severity == severity)
                .map(|f| f.rule)
                .collect()
        };
        let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
        assert_eq!(errors.is_empty(), case["ok"] == true, "{case}: {found:?}");
        if let Some(rule) = case["rule"].as_str() {
            assert!(
                errors.iter().all(|r| rule.starts_with(r)),
                "{case}: {found:?}"
            );
        }
        let warned = case["warn"].as_str().unwrap_or_default();
        let times = if warned.ends_with(" x2") {
            2
        } else {
            usize::from(!warned.is_empty())
        };
        let rule = warned.split(' ').next().unwrap();
        assert_eq!(
            warnings.iter().filter(|r| **r == rule).count(),
            times,
            "{case}: {found:?}"
        );
        assert!(
            found
                .iter()
                .all(|f: &Finding| f.object.starts_with("C:") && !f.cure.is_empty())
        );
    }
}

/// The `layering` Dockerfile of seed document 004.
fn seed_example() -> String {
    let seed = fs_err::read_to_string(shared("seeds/004_f7dcb12d2da38396.txt").unwrap()).unwrap();
    let lines = seed
        .lines()
        .skip_while(|l| !l.contains("layering: |-"))
        .skip(1);
    let lines = lines.take_while(|l| !l.contains("```"));
    lines
        .map(|l| format!("{}\n", l.trim_start_matches("    ")))
        .collect()
}

#[test]
fn the_name_of_a_build() {
    let Some(vector) = vectors("mosb_name") else {
        return;
    };
    let inputs = &vector["inputs"];
    let urls = &inputs["osImageURLConfig"];
    let text = |key: &str| urls[key].as_str().unwrap().to_owned();
    let images = OsImages {
        base: text("BaseOSContainerImage"),
        extensions: text("BaseOSExtensionsContainerImage"),
        release: text("ReleaseVersion"),
    };
    let config = json!({"metadata": {"name": "worker"}, "spec": inputs["mosc.spec"]});
    let predicted =
        machine_os_build("v", &config, &inputs["pool.spec.configuration"], &images).unwrap();
    assert_eq!(
        predicted.machine_os_build.as_deref(),
        vector["expected_name"].as_str()
    );
    assert_eq!(
        Some(predicted.image.as_str()),
        vector["expected_tag"].as_str()
    );
}

#[test]
fn the_states_of_a_job() {
    let Some(vectors) = vectors("job_to_build_state") else {
        return;
    };
    let rows = vectors["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        // A range stands for all its numbers, what is left out for any.
        let numbers = |key: &str, any: &[u64]| -> Vec<u64> {
            match &row[key] {
                Value::Null => any.to_vec(),
                Value::Number(n) => vec![n.as_u64().unwrap()],
                Value::String(s) => match s.as_str() {
                    "<4" => vec![0, 1, 2, 3],
                    "0..3" => vec![1, 2, 3],
                    ">=4" => vec![4, 7],
                    ">=0" => vec![0, 1],
                    ">0" => vec![1],
                    other => panic!("{other}"),
                },
                other => panic!("{other}"),
            }
        };
        let condition = row["job_condition"].as_str().unwrap_or_default();
        let conditions = if condition.starts_with("Failed") {
            json!([{"type": "Failed", "status": "True"}])
        } else {
            json!([{"type": "Complete", "status": "True"}])
        };
        for active in numbers("active", &[0, 1]) {
            for failed in numbers("failed", &[0]) {
                for succeeded in numbers("succeeded", &[0]) {
                    let mut job = json!({"metadata": {}, "status": {"active": active, "failed": failed, "succeeded": succeeded}});
                    if row["deleting"] == true {
                        job["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                    }
                    if !condition.is_empty() {
                        job["status"]["conditions"] = conditions.clone();
                    }
                    let state = match job_state(&job) {
                        JobState::Prepared => "Prepared",
                        JobState::Building { attempt } => {
                            assert_eq!(attempt, failed + 1);
                            "Building"
                        }
                        JobState::Succeeded => "Succeeded",
                        JobState::Failed => "Failed",
                        JobState::Interrupted => "Interrupted",
                    };
                    assert_eq!(Some(state), row["state"].as_str(), "{row}: {job}");
                }
            }
        }
    }
}

/// Made with `reference/mosb_name.py`: blocks, a quoted number, sources, a line behind column 80 in a block.
#[test]
fn the_name_of_a_build_with_a_containerfile() {
    let digest = |n: u8| {
        format!(
            "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{}",
            n.to_string().repeat(64)
        )
    };
    let images = OsImages {
        base: digest(1),
        extensions: digest(2),
        release: "4.20.1".to_owned(),
    };
    let content = "# tools\nFROM configs AS final\n\nRUN rpm-ostree install tree && \\\n    ostree container commit && echo a very long line that goes on and on far behind column eighty: yes\n";
    let config = json!({"metadata": {"name": "master"}, "spec": {
        "machineConfigPool": {"name": "master"}, "imageBuilder": {"imageBuilderType": "Job"}, "baseImagePullSecret": {"name": "base"},
        "renderedImagePushSecret": {"name": "123"}, "renderedImagePushSpec": "quay.io/org/os:latest",
        "containerFile": [{"content": content}],
    }});
    let sources = ["00-master".to_owned(), "99-master-ssh".to_owned()];
    let pool = snoforge::osimage::predict::configuration("rendered-master-0f1e", &sources);
    let predicted = machine_os_build("v", &config, &pool, &images).unwrap();
    assert_eq!(
        predicted.image,
        "quay.io/org/os:master-ad2820bdb77bea99fdc4815a661047c1"
    );
}
