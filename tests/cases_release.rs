//! The release case file of `../shared/data/imagesets/cases` against the update graph operations.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says what it skipped"
)]

use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use snoforge::config::model::Product;
use snoforge::inventory::graph::{
    ChannelRange, Graph, GraphError, GraphRequest, Graphs, Node, Path, bad_status, calculate,
    channel_names, channel_releases, cross_channel_releases, find_release,
};
use snoforge::inventory::version::blang::{self, Range};
use snoforge::inventory::version::{Version, VersionError};

/// The client's id in upstream's tests.
const ID: &str = "01234567-0123-0123-0123-0123456789ab";

/// The graphs of one set: by channel, or by channel and architecture.
struct Saved<'a> {
    set: &'a Value,
    queries: Mutex<Vec<String>>,
}

#[async_trait]
impl Graphs for Saved<'_> {
    async fn graph(&self, request: &GraphRequest) -> Result<Arc<Graph>, String> {
        let mut queries = self.queries.lock().expect("no panic while locked");
        queries.push(request.query(ID));
        let by_arch = format!("{}/{}", request.channel, request.arch);
        let found = self
            .set
            .get(&by_arch)
            .or_else(|| self.set.get(&request.channel));
        let found = found.ok_or_else(|| bad_status("404 Not Found"))?;
        let graph = Graph::parse(found.to_string().as_bytes()).map_err(|e| e.to_string())?;
        Ok(Arc::new(graph))
    }
}

fn field(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn version(input: &Value, key: &str) -> Result<Version, VersionError> {
    blang::parse(&field(input, key))
}

fn channels(input: &Value) -> Vec<ChannelRange> {
    let all = input.get("channels").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .map(|c| ChannelRange {
            name: field(c, "name"),
            product: if field(c, "type") == "okd" {
                Product::Okd
            } else {
                Product::Ocp
            },
            min: field(c, "minVersion"),
            max: field(c, "maxVersion"),
            shortest_path: c
                .get("shortestPath")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        })
        .collect()
}

fn architectures(input: &Value) -> Vec<String> {
    let all = input.get("architectures").and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_str);
    all.map(str::to_owned).collect()
}

fn node(node: &Node, outcome: &mut Value) {
    let version = node.version.to_string();
    *outcome =
        serde_json::json!({"version": version, "payload": node.payload, "metadata": node.metadata});
}

fn path(path: &Path) -> Value {
    let way: Vec<_> = path.path.iter().map(|n| n.payload.clone()).collect();
    serde_json::json!({"current": path.current.payload, "requested": path.requested.payload, "path": way})
}

fn payloads(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|n| n.payload.clone()).collect()
}

/// Runs an operation; the result has the members that cases may expect.
#[expect(
    clippy::too_many_lines,
    reason = "one arm per operation of the case file"
)]
async fn run(operation: &str, input: &Value, graphs: &Saved<'_>) -> Result<Value, GraphError> {
    let (arch, channel) = (field(input, "arch"), field(input, "channel"));
    let request = GraphRequest::new(Product::Ocp, &arch, &channel);
    let graph = async |request: &GraphRequest| {
        graphs
            .graph(request)
            .await
            .map_err(|detail| GraphError::Request {
                context: format!("channel {channel:?}"),
                detail,
            })
    };
    Ok(match operation {
        "shortest_path" => {
            let (from, to) = (version(input, "from")?, version(input, "to")?);
            let ends = (channel.as_str(), &from);
            let mut warnings = Vec::new();
            path(&calculate(graphs, &arch, ends, (channel.as_str(), &to), &mut warnings).await?)
        }
        "channel_min" => {
            let found = graph(&request).await?.lowest(&arch, &channel)?;
            serde_json::json!({"version": found.to_string()})
        }
        "channel_max" => {
            let found = graph(&request).await?.highest(&arch, &channel)?;
            serde_json::json!({"version": found.to_string()})
        }
        "channel_versions" => {
            let found = graph(&request).await?.versions(&channel)?;
            let found: Vec<_> = found.iter().map(Version::to_string).collect();
            serde_json::json!({"versions": found})
        }
        "updates_in_range" | "range" | "versions_in_range" => {
            let range = Range::parse(&field(input, "range"))?;
            let found = graph(&request).await?;
            let inside = found.nodes.iter().filter(|n| range.contains(&n.version));
            let inside: Vec<_> = inside.map(|n| n.payload.clone()).collect();
            serde_json::json!({"payloads": inside, "path": inside})
        }
        "calculate_upgrades" => {
            let (source, target) = (
                field(input, "source_channel"),
                field(input, "target_channel"),
            );
            let (from, to) = (version(input, "from")?, version(input, "to")?);
            let mut warnings = Vec::new();
            let ends = ((source.as_str(), &from), (target.as_str(), &to));
            path(&calculate(graphs, &arch, ends.0, ends.1, &mut warnings).await?)
        }
        "start_version_blocked" => {
            let target = field(input, "target_channel");
            let found = graph(&GraphRequest::new(Product::Ocp, &arch, &target)).await?;
            serde_json::json!({"blocked": found.is_blocked(&version(input, "from")?)})
        }
        "parse_node" => {
            let mut outcome = Value::Null;
            node(
                &Node::parse(field(input, "node_json").as_bytes())?,
                &mut outcome,
            );
            outcome
        }
        "parse_channels" => {
            let (source, target) = (
                field(input, "source_channel"),
                field(input, "target_channel"),
            );
            let (source, target) = channel_names(&source, &target)?;
            let (from, to) = (source.version.to_string(), target.version.to_string());
            serde_json::json!({"source": from, "target": to, "prefix": source.prefix})
        }
        "channel_downloads" | "cross_channel_downloads" => {
            let mut all = BTreeSet::new();
            let channels = channels(input);
            let mut warnings = Vec::new();
            for arch in architectures(input) {
                if operation == "cross_channel_downloads" {
                    let found = cross_channel_releases(graphs, &arch, &channels, &mut warnings);
                    all.extend(payloads(&found.await?));
                    continue;
                }
                for channel in &channels {
                    all.extend(payloads(&channel_releases(graphs, &arch, channel).await?));
                }
            }
            serde_json::json!({"payloads": all})
        }
        "find_release" => {
            let lowest = input.get("min").and_then(Value::as_bool).unwrap_or(false);
            let (channel, version) = find_release(&channels(input), lowest)?;
            serde_json::json!({"channel": channel, "version": version.to_string()})
        }
        other => panic!("unknown operation {other}"),
    })
}

/// What differs from the expectation; members that the result does not have are not looked at.
fn differences(
    expect: &Value,
    outcome: &Result<Value, GraphError>,
    queries: &[String],
) -> Vec<String> {
    let mut wrong = Vec::new();
    match (field(expect, "result").as_str(), outcome) {
        ("ok", Ok(got)) => {
            let mut compared = 0;
            for (key, wanted) in expect.as_object().into_iter().flatten() {
                if let Some(got) = got.get(key) {
                    compared += 1;
                    if got != wanted {
                        wrong.push(format!("{key}: wanted {wanted}, got {got}"));
                    }
                }
            }
            if compared == 0 {
                wrong.push(format!("nothing compared: wanted {expect}, got {got}"));
            }
        }
        ("error", Err(error)) => {
            let wanted = field(expect, "error_equals");
            if error.to_string() != wanted {
                wrong.push(format!("wanted {wanted:?}, got {:?}", error.to_string()));
            }
        }
        (_, got) => wrong.push(format!("wanted {expect}, got {got:?}")),
    }
    if let Some(query) = expect.get("query").and_then(Value::as_str)
        && queries != [query]
    {
        wrong.push(format!("query: wanted {query}, got {queries:?}"));
    }
    wrong
}

#[tokio::test]
async fn release_cases() {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/imagesets/cases/release-cincinnati.examples.json");
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let file: Value = serde_json::from_slice(&text).expect("a case file is JSON");
    let cases = file.get("cases").and_then(Value::as_array).expect("cases");
    let mut failed = Vec::new();
    for case in cases {
        let set = field(case, "graph_set");
        let set = file
            .get("graphs")
            .and_then(|g| g.get(&set))
            .expect("a graph set");
        let graphs = Saved {
            set,
            queries: Mutex::default(),
        };
        let (expect, input) = (case.get("expect"), case.get("input"));
        let (expect, input) = (expect.expect("an expectation"), input.expect("an input"));
        let outcome = run(&field(case, "operation"), input, &graphs).await;
        let queries = graphs.queries.into_inner().expect("no panic while locked");
        let wrong = differences(expect, &outcome, &queries);
        if !wrong.is_empty() {
            failed.push(format!(
                "{}:\n    {}",
                field(case, "id"),
                wrong.join("\n    ")
            ));
        }
    }
    eprintln!("{} release cases ran", cases.len());
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(cases.len() >= 18, "too few cases");
}
