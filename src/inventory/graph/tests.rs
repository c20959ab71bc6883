use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::config::model::{Located, PlatformSet, ReleaseChannel};

const GRAPH: &str = r#"{"nodes":[
 {"version":"4.13.0","payload":"reg/release@sha256:00"},{"version":"4.13.2","payload":"reg/release@sha256:02"},
 {"version":"4.13.1","payload":"reg/release@sha256:01"},{"version":"4.12.18","payload":"reg/release@sha256:18","metadata":null}],
 "edges":[[3,0],[3,2],[0,2],[0,1],[2,1]],"conditionalEdges":[{"edges":[]}]}"#;

struct Fake(Mutex<Vec<GraphRequest>>);

#[async_trait]
impl Graphs for Fake {
    async fn graph(&self, request: &GraphRequest) -> Result<Arc<Graph>, String> {
        self.0.lock().unwrap().push(request.clone());
        if request.channel == "stable-4.99" {
            return Err(bad_status("404 Not Found"));
        }
        Ok(Arc::new(Graph::parse(GRAPH.as_bytes()).unwrap()))
    }
}

fn channel(name: &str, min: &str, max: &str) -> ReleaseChannel {
    let bound = |text: &str, line| {
        let at = At { line, column: 1 };
        (!text.is_empty()).then(|| Located {
            value: text.to_owned(),
            at,
        })
    };
    ReleaseChannel {
        name: name.into(),
        min_version: bound(min, 7),
        max_version: bound(max, 8),
        ..ReleaseChannel::default()
    }
}

async fn found(channels: Vec<ReleaseChannel>) -> Result<Vec<String>, Vec<GraphError>> {
    let platform = PlatformSet {
        channels,
        ..PlatformSet::default()
    };
    let graphs = Fake(Mutex::default());
    let found = select_releases(&platform, "amd64", &graphs).await?;
    Ok(found.releases.into_iter().map(|r| r.version).collect())
}

#[tokio::test]
async fn bounds_come_from_the_configuration_or_the_channel() {
    let full = |min, max| ReleaseChannel {
        full: true,
        ..channel("stable-4.13", min, max)
    };
    let shortest = ReleaseChannel {
        shortest_path: true,
        ..channel("stable-4.13", "4.12.18", "4.13.2")
    };
    let rows = [
        (channel("stable-4.13", "4.13.1", "4.13.1"), vec!["4.13.1"]),
        (channel("stable-4.13", "", ""), vec!["4.13.2"]),
        (
            channel("stable-4.13", "4.13.0", ""),
            vec!["4.13.0", "4.13.1", "4.13.2"],
        ),
        (
            channel("stable-4.13", "", "4.13.0"),
            vec!["4.12.18", "4.13.0"],
        ),
        (full("", ""), vec!["4.12.18", "4.13.0", "4.13.1", "4.13.2"]),
        (shortest, vec!["4.12.18", "4.13.1", "4.13.2"]),
    ];
    for (channel, versions) in rows {
        assert_eq!(
            found(vec![channel.clone()]).await.unwrap(),
            versions,
            "{channel:?}"
        );
    }
}

#[tokio::test]
async fn a_pin_that_does_not_exist_is_an_error_with_the_nearest() {
    let errors = found(vec![channel("stable-4.13", "4.13.7", "4.13.7")])
        .await
        .unwrap_err();
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(
        error.to_string(),
        "no release images found: channel \"stable-4.13\" has no release from 4.13.7 to 4.13.7 for amd64"
    );
    assert_eq!(error.place().map(|at| at.line), Some(8));
    assert_eq!(
        error.hint().unwrap(),
        "nearest versions: 4.12.18, 4.13.0, 4.13.1, 4.13.2"
    );
    let shortest = ReleaseChannel {
        shortest_path: true,
        ..channel("stable-4.13", "4.12.9", "4.13.2")
    };
    let errors = found(vec![shortest]).await.unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "VersionNotFound: current version 4.12.9 not found in the \"stable-4.13\" channel"
    );
    assert!(errors[0].hint().is_some());
}

#[tokio::test]
async fn a_bound_without_release_is_told() {
    let platform = PlatformSet {
        channels: vec![channel("stable-4.13", "4.13.1", "4.13.9")],
        ..PlatformSet::default()
    };
    let found = select_releases(&platform, "amd64", &Fake(Mutex::default()))
        .await
        .unwrap();
    assert_eq!(found.releases.len(), 2);
    assert_eq!(found.releases[0].channels, ["stable-4.13"]);
    assert!(
        found.warnings[0].contains("no release 4.13.9") && found.warnings[0].contains("line 8")
    );
}

#[tokio::test]
async fn all_channels_are_looked_at_before_giving_up() {
    let channels = vec![
        channel("stable-4.99", "4.99.1", "4.99.1"),
        channel("stable-4.13", "4.13", "4.13.1"),
    ];
    let errors = found(channels).await.unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "APIRequestError: channel \"stable-4.99\": ResponseFailed: unexpected HTTP status: 404 Not Found"
    );
    assert!(errors[0].is_unavailable() && !errors[1].is_unavailable());
    assert_eq!(errors[1].to_string(), "No Major.Minor.Patch elements found");
}

#[tokio::test]
async fn ways_end_where_the_target_lies_behind_or_no_graph_is() {
    let graphs = Fake(Mutex::default());
    let (low, high) = (
        blang::parse("4.12.18").unwrap(),
        blang::parse("4.13.2").unwrap(),
    );
    let mut warnings = Vec::new();
    let back = calculate(
        &graphs,
        "amd64",
        ("stable-4.13", &low),
        ("stable-4.12", &high),
        &mut warnings,
    );
    assert!(matches!(back.await, Err(GraphError::Backwards { .. })));
    let way = calculate(
        &graphs,
        "amd64",
        ("eus-4.12", &low),
        ("eus-4.14", &high),
        &mut warnings,
    );
    assert_eq!(way.await.unwrap().requested.version, high);
    let asked = graphs.0.into_inner().unwrap();
    assert!(
        asked.iter().all(|r| r.channel != "eus-4.13"),
        "EUS goes by two"
    );
    let graphs = Fake(Mutex::default());
    let gone = calculate(
        &graphs,
        "amd64",
        ("stable-4.98", &low),
        ("stable-4.99", &high),
        &mut warnings,
    )
    .await;
    assert!(gone.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn channels_with_the_same_bound_are_told() {
    let range = |name: &str, max: &str| ChannelRange {
        name: name.to_owned(),
        min: "4.12.18".to_owned(),
        max: max.to_owned(),
        ..ChannelRange::default()
    };
    let channels = [range("stable-4.13", "4.13.2"), range("fast-4.13", "4.13.1")];
    let mut warnings = Vec::new();
    let graphs = Fake(Mutex::default());
    let nodes = cross_channel_releases(&graphs, "amd64", &channels, &mut warnings).await;
    assert!(!nodes.unwrap().is_empty());
    assert_eq!(
        warnings,
        ["the way between channels starts with 4.12.18 in fast-4.13; stable-4.13 would do as well"]
    );
}

#[test]
fn requests_are_worded_for_the_service() {
    let request = GraphRequest::new(Product::Ocp, "amd64", "stable 4.13")
        .starting_at(&blang::parse("4.13.1+a").unwrap());
    assert_eq!(
        request.query("i"),
        "arch=amd64&channel=stable+4.13&id=i&version=4.13.1%2Ba"
    );
    assert_eq!(
        GraphRequest::new(Product::Okd, "amd64", "stable-4").query("i"),
        ""
    );
}

#[test]
fn broken_graphs_are_refused() {
    let rows = [
        (
            "{",
            "ResponseInvalid: EOF while parsing an object at line 1 column 1",
        ),
        (
            r#"{"nodes":[],"edges":[[0]]}"#,
            "ResponseInvalid: expected 2 fields, found 1",
        ),
        (
            r#"{"nodes":[],"edges":[[0,-1]]}"#,
            "ResponseInvalid: edge [0,-1] leads out of the 0 nodes",
        ),
        (
            r#"{"nodes":[{"version":"v4.0.0"}]}"#,
            "Invalid character(s) found in major number \"v4\"",
        ),
    ];
    for (text, error) in rows {
        assert_eq!(
            Graph::parse(text.as_bytes()).unwrap_err().to_string(),
            error
        );
    }
    assert_eq!(Graph::parse(b"{}").unwrap(), Graph::default());
    let empty = Graph::default().highest("amd64", "c").unwrap_err();
    assert_eq!(
        empty.to_string(),
        "NoVersionsFound: no cluster versions found for \"amd64\" in the \"c\" channel"
    );
}

proptest! {
    #[test]
    fn hostile_graphs_do_not_panic(text in "[\\[\\]{}\":,0-9a-z.-]{0,80}", edges in proptest::collection::vec((0..4i64, 0..5i64), 0..12)) {
        let _ = Graph::parse(text.as_bytes());
        let edges: Vec<_> = edges.iter().map(|(a, b)| [*a, *b]).collect();
        let graph = GRAPH.replace("[[3,0],[3,2],[0,2],[0,1],[2,1]]", &serde_json::to_string(&edges).unwrap());
        if let Ok(graph) = Graph::parse(graph.as_bytes()) {
            let way = graph.shortest_path("c", &graph.nodes[3].version, &graph.nodes[1].version).unwrap();
            for step in way.path.windows(2) {
                let index = |n: &Node| graph.nodes.iter().position(|m| m == n).unwrap();
                prop_assert!(graph.edges.contains(&(index(&step[0]), index(&step[1]))));
            }
        }
    }
}
