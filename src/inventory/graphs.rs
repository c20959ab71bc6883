//! Update graphs as a resolve gets them: from the service, once per question, or from a saved file for every question.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::InventoryError;
use super::documents::Documents;
use super::graph::{Graph, GraphRequest, Graphs, bad_status};
use super::inputs::GraphSource;

/// For the hint; requests ask [`GraphRequest::service`].
const SERVICE: &str = "https://api.openshift.com/api/upgrades_info/v1/graph";

/// [`Graphs`] over a [`GraphSource`].
///
/// The `id` that oc-mirror sends (a random number that tells runs apart) is left out: the service does not need it.
#[derive(Debug)]
pub struct SourcedGraphs<'a> {
    place: Place<'a>,
    documents: &'a dyn Documents,
    /// Answers by URL; failures too, so that a dead service is waited for once.
    answers: Mutex<BTreeMap<String, Result<Arc<Graph>, String>>>,
}

#[derive(Debug)]
enum Place<'a> {
    Service(Option<&'a str>),
    File(Arc<Graph>),
    Nowhere,
}

impl<'a> SourcedGraphs<'a> {
    /// Graphs from `source`, fetched through `documents` where that is the service.
    ///
    /// # Errors
    /// A saved file that is no graph.
    pub fn new(
        source: &'a GraphSource,
        documents: &'a dyn Documents,
    ) -> Result<Self, InventoryError> {
        let place = match source {
            GraphSource::Service(base) => Place::Service(base.as_deref()),
            GraphSource::None => Place::Nowhere,
            GraphSource::File { name, bytes } => {
                let graph = Graph::parse(bytes).map_err(|error| InventoryError::Request {
                    detail: format!("{name}: {error}"),
                    at: None,
                    hint: Some(format!(
                        "save one with `curl -H 'Accept: application/json' '{SERVICE}?arch=amd64&channel=stable-4.13'`"
                    )),
                })?;
                Place::File(Arc::new(graph))
            }
        };
        Ok(Self {
            place,
            documents,
            answers: Mutex::new(BTreeMap::new()),
        })
    }

    async fn fetch(&self, url: &str) -> Result<Arc<Graph>, String> {
        let body = self.documents.get(url, "application/json").await;
        let body = body
            .map_err(|error| error.detail)?
            .ok_or_else(|| bad_status("404 Not Found"))?;
        let graph = Graph::parse(&body).map_err(|error| error.to_string())?;
        Ok(Arc::new(graph))
    }
}

#[async_trait]
impl Graphs for SourcedGraphs<'_> {
    async fn graph(&self, request: &GraphRequest) -> Result<Arc<Graph>, String> {
        let base = match &self.place {
            Place::Nowhere => return Err("no update graph is used".to_owned()),
            Place::File(graph) => return Ok(Arc::clone(graph)),
            Place::Service(base) => base.unwrap_or(request.service()),
        };
        let query = request.query("");
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{base}{separator}{query}");
        let mut answers = self.answers.lock().await;
        if let Some(answer) = answers.get(&url) {
            return answer.clone();
        }
        let answer = self.fetch(&url).await;
        answers.insert(url, answer.clone());
        answer
    }
}
