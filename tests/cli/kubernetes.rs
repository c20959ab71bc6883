//! `templates/kubernetes`: what the API server and the SCC restricted-v2 take, and command lines that the program takes.

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::run;

fn file(name: &str) -> Value {
    let path = format!("{}/templates/kubernetes/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_saphyr::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// Reads a manifest as its kind; a field that the kind does not have is lost on the way and found missing.
fn strict<T: DeserializeOwned + Serialize>(name: &str, kind: [&str; 2]) -> T {
    let document = file(name);
    let read: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), document, "{name}");
    assert_eq!([&document["apiVersion"], &document["kind"]], kind, "{name}");
    read
}

fn jobs() -> [JobSpec; 2] {
    let job: Job = strict("job.yaml", ["batch/v1", "Job"]);
    let cron: CronJob = strict("cronjob.yaml", ["batch/v1", "CronJob"]);
    let cron = cron.spec.unwrap();
    assert_eq!(cron.concurrency_policy.as_deref(), Some("Forbid"));
    [job.spec.unwrap(), cron.job_template.spec.unwrap()]
}

fn container(pod: &mut PodSpec) -> Container {
    assert_eq!(pod.containers.len(), 1);
    pod.containers.remove(0)
}

#[test]
fn jobs_are_objects_that_name_what_is_there() {
    let claim: PersistentVolumeClaim = strict("volume.yaml", ["v1", "PersistentVolumeClaim"]);
    for job in jobs() {
        let mut pod = job.template.spec.unwrap();
        assert_eq!(pod.restart_policy.as_deref(), Some("OnFailure"));
        let container = container(&mut pod);
        let volumes = pod.volumes.unwrap();
        let claimed = volumes
            .iter()
            .find_map(|v| v.persistent_volume_claim.as_ref());
        assert_eq!(
            Some(&claimed.unwrap().claim_name),
            claim.metadata.name.as_ref()
        );
        let mounts = container.volume_mounts.unwrap();
        let mounted: Vec<_> = mounts.iter().map(|mount| &mount.name).collect();
        let there: Vec<_> = volumes.iter().map(|volume| &volume.name).collect();
        assert_eq!(mounted, there);
        let auth = &container.env.unwrap()[0];
        let secret = volumes.iter().find(|v| v.secret.is_some()).unwrap();
        let at = mounts.iter().find(|m| m.name == secret.name).unwrap();
        let key = format!("{}/.dockerconfigjson", at.mount_path);
        assert_eq!(
            (auth.name.as_str(), auth.value.as_ref()),
            ("REGISTRY_AUTH_FILE", Some(&key))
        );
    }
    let list = file("kustomization.yaml");
    for resource in list["resources"].as_array().unwrap() {
        file(resource.as_str().unwrap());
    }
    let image = format!(
        "{}:{}",
        list["images"][0]["name"].as_str().unwrap(),
        env!("CARGO_PKG_VERSION")
    );
    for job in jobs() {
        let container = container(&mut job.template.spec.unwrap());
        assert_eq!(container.image.as_ref(), Some(&image));
    }
    assert_eq!(list["images"][0]["newTag"], env!("CARGO_PKG_VERSION"));
}

/// The profile `restricted` of the Pod Security Standards, which is what the SCC restricted-v2 asks for too.
#[test]
fn jobs_need_no_right() {
    for job in jobs() {
        let mut pod = job.template.spec.unwrap();
        let container = container(&mut pod);
        assert_eq!(pod.automount_service_account_token, Some(false));
        let allowed = |v: &k8s_openapi::api::core::v1::Volume| {
            v.persistent_volume_claim.is_some() || v.empty_dir.is_some() || v.secret.is_some()
        };
        assert!(pod.volumes.iter().flatten().all(allowed));
        let of_pod = pod.security_context.unwrap();
        assert_eq!(of_pod.run_as_non_root, Some(true));
        // The SCC gives them out of the namespace's range and refuses others.
        assert_eq!((of_pod.run_as_user, of_pod.fs_group), (None, None));
        assert_eq!(of_pod.seccomp_profile.unwrap().type_, "RuntimeDefault");
        let own = container.security_context.unwrap();
        assert_eq!(own.allow_privilege_escalation, Some(false));
        assert_eq!(own.read_only_root_filesystem, Some(true));
        let capabilities = own.capabilities.unwrap();
        assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(
            (capabilities.add, own.privileged, own.run_as_user),
            (None, None, None)
        );
    }
}

#[test]
fn the_program_takes_their_command_lines() {
    let home = tempfile::tempdir().unwrap();
    let [mut once, mut nightly] = jobs();
    for job in [&mut once, &mut nightly] {
        let args = container(job.template.spec.as_mut().unwrap()).args.unwrap();
        assert!(args.contains(&"--folder=/data".to_owned()), "{args:?}");
        let here = |arg: &String| arg.replace("/data", "data");
        let mut args: Vec<String> = args.iter().map(here).collect();
        args.push("--generate-imageset".to_owned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(home.path(), &args).expect(0);
        assert!(home.path().join("data/imageset.yaml").is_file());
    }
}
