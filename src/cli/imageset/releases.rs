//! `imageset releases`
