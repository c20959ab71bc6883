//! Single files.
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::remote::Client;
use std::path::Path;
use tokio_util::sync::CancellationToken;

pub(super) async fn download(
    _c: &Context,
    _cl: &Client,
    _u: (&url::Url, &Path),
    _t: &CancellationToken,
) -> Result<(), Failure> {
    Ok(())
}
