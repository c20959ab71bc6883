//! What our API server refuses and shows is what the CRDs say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snoforge::cluster::{Got, Reason};

use crate::apiserver::ApiServer;
use crate::schema::Schemas;
use crate::{GENERATOR, GENERATORS, block_on, client, client_for, crd, generator, reason};

/// The project's shared data, where they are.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// Every rule of a kind that we write is written out; a CRD that comes with a new one fails here.
#[test]
fn no_rule_of_a_kind_that_we_write_is_left_out() {
    let check = |schemas: &Schemas, kind: &str, least: usize| {
        let (count, unknown) = schemas.rules(kind);
        assert_eq!(unknown, Vec::<String>::new(), "{kind}");
        assert!(count >= least, "{kind} has {count} rules");
    };
    let mut schemas = Schemas::default();
    schemas.add_dir(&crd(""));
    schemas.add_dir(&crd("v1alpha1"));
    check(&schemas, "SeedGenerator", 4);
    check(&schemas, "ImageBasedUpgrade", 6);
    if let Some(dir) = shared("seed-image/crds") {
        for release in fs_err::read_dir(dir).unwrap().flatten() {
            let mut schemas = Schemas::default();
            schemas.add_dir(&release.path());
            for kind in [
                "SeedGenerator",
                "ImageBasedUpgrade",
                "MachineConfig",
                "Subscription",
            ] {
                check(&schemas, kind, 0);
            }
        }
    }
    if let Some(dir) = shared("osimage/crds") {
        let mut schemas = Schemas::default();
        schemas.add_dir(&dir);
        for (kind, least) in [
            ("MachineOSConfig", 12),
            ("MachineOSBuild", 20),
            ("MachineConfigPool", 8),
            ("MachineConfig", 0),
        ] {
            check(&schemas, kind, least);
        }
    }
}

#[test]
fn a_machine_os_config_is_refused_as_its_crd_says() {
    let Some(dir) = shared("osimage") else { return };
    let server = ApiServer::mutual_tls();
    let collection = "/apis/machineconfiguration.openshift.io/v1/machineosconfigs";
    server.crd(&dir.join("crds/0000_80_machine-config_01_machineosconfigs.crd.yaml"));
    let name = json!("infra");
    let good = json!({"apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineOSConfig",
        "metadata": {"name": name}, "spec": {
            "machineConfigPool": {"name": name},
            "imageBuilder": {"imageBuilderType": "Job"},
            "renderedImagePushSecret": {"name": "push"},
            "renderedImagePushSpec": "registry.example.com:5000/a/b:latest",
            "containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final"}]}});
    let client = client(&server);
    let with = |pointer: &str, value: Value| {
        let mut object = good.clone();
        *object.pointer_mut(pointer).unwrap() = value;
        object
    };
    block_on(async {
        for (object, words) in [
            (
                with("/metadata/name", "other".into()),
                "MachineOSConfig name must match the referenced MachineConfigPool name",
            ),
            (
                with("/spec/renderedImagePushSpec", "https://a/b".into()),
                ".spec.renderedImagePushSpec: the OCI Image name should follow",
            ),
            (
                with("/spec/renderedImagePushSecret/name", "A_b".into()),
                ".spec.renderedImagePushSecret.name: a lowercase RFC 1123 subdomain",
            ),
        ] {
            let said = reason(client.create(collection, &object).await);
            assert!(
                matches!(&said, Reason::Invalid(text) if text.contains(words)),
                "{said}"
            );
        }
        for spec in [
            "registry.example.com:5000/a/b:latest",
            "image-registry.openshift-image-registry.svc:5000/ns/os:v1",
        ] {
            let object = with("/spec/renderedImagePushSpec", spec.into());
            let path = format!("{collection}/{}", name.as_str().unwrap());
            client.create(collection, &object).await.unwrap();
            assert!(client.delete(&path, None).await.unwrap());
        }
    });
}

/// Every step of an imaging, as the operator's code writes it, is taken, and shown as `oc get` shows it.
#[test]
fn the_columns_of_every_step_are_those_of_the_field() {
    let Some(file) = shared("seed-image/golden/status/seedgen-transitions.derived.json") else {
        return;
    };
    let steps: Value = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
    let server = ApiServer::start("t", BTreeMap::new(), &[]);
    server.crd(&crd("lca.openshift.io_seedgenerators.yaml"));
    let client = client_for(&server.kubeconfig(), 60).unwrap();
    let table = |path: &str| -> Value {
        let url = format!("http://{}{path}", server.address);
        block_on(async {
            let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
            let request = reqwest::Client::new().get(url).bearer_auth("t");
            let answer = request.header("accept", accept).send().await.unwrap();
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        })
    };
    let steps = steps["steps"].as_array().unwrap();
    assert!(steps.len() > 8);
    for step in steps {
        let mut object = generator("quay.io/a:1");
        object["status"] = json!({"conditions": step["conditions"]});
        let put = server.put(GENERATOR, &object);
        assert_eq!(block_on(client.get(GENERATOR)).unwrap(), Got::Object(put));
        for path in [GENERATOR, GENERATORS] {
            let shown = table(path);
            let names: Vec<&str> = shown["columnDefinitions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, ["Name", "Age", "State", "Details"]);
            let cells = &shown["rows"][0]["cells"];
            assert_eq!(cells[0], "seedimage");
            let said = |index: usize| cells[index].as_str().unwrap_or_default();
            assert_eq!(said(2), step["print_columns"]["STATE"]);
            assert_eq!(said(3), step["print_columns"]["DETAILS"]);
        }
    }
}
