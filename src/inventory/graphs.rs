//! Update graphs as a resolve gets them: from the service, once per question, or from a saved file for every question.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::documents::Documents;
use super::graph::{Graph, GraphRequest, Graphs, bad_status};
use super::inputs::GraphSource;

/// [`Graphs`] over a [`GraphSource`].
///
/// The `id` that oc-mirror sends (a random number that tells runs apart) is left out: the service does not need it.
#[derive(Debug)]
pub struct SourcedGraphs<'a> {
    source: &'a GraphSource,
    documents: &'a dyn Documents,
    /// Answers by URL; failures too, so that a dead service is waited for once.
    answers: Mutex<BTreeMap<String, Result<Arc<Graph>, String>>>,
}

impl<'a> SourcedGraphs<'a> {
    /// Graphs from `source`, fetched through `documents` where that is the service.
    pub fn new(source: &'a GraphSource, documents: &'a dyn Documents) -> Self {
        Self {
            source,
            documents,
            answers: Mutex::new(BTreeMap::new()),
        }
    }

    async fn fetch(&self, url: &str) -> Result<Arc<Graph>, String> {
        let body = self.documents.get(url, "application/json").await;
        let body = body
            .map_err(|error| error.detail)?
            .ok_or_else(|| bad_status("404 Not Found"))?;
        parse(&body)
    }
}

fn parse(bytes: &[u8]) -> Result<Arc<Graph>, String> {
    let graph = Graph::parse(bytes).map_err(|error| error.to_string())?;
    Ok(Arc::new(graph))
}

#[async_trait]
impl Graphs for SourcedGraphs<'_> {
    async fn graph(&self, request: &GraphRequest) -> Result<Arc<Graph>, String> {
        let (key, base) = match self.source {
            GraphSource::None => return Err("no update graph is used".to_owned()),
            GraphSource::File { name, .. } => (name.clone(), None),
            GraphSource::Service(base) => {
                let base = base.as_deref().unwrap_or(request.service());
                let query = request.query("");
                let url = if query.is_empty() {
                    base.to_owned()
                } else {
                    format!("{base}?{query}")
                };
                (url.clone(), Some(url))
            }
        };
        let mut answers = self.answers.lock().await;
        if let Some(answer) = answers.get(&key) {
            return answer.clone();
        }
        let answer = match (self.source, base) {
            (GraphSource::File { name, bytes }, _) => {
                parse(bytes).map_err(|error| format!("{name}: {error}"))
            }
            (_, Some(url)) => self.fetch(&url).await,
            (_, None) => Err("no update graph is used".to_owned()),
        };
        answers.insert(key, answer.clone());
        answer
    }
}
