//! `NetworkManager` keyfiles, as far as their place in the live system asks for.

use super::error::IsoError;

/// Checks what the live system would do with a keyfile: it goes to `/run/NetworkManager/system-connections`, where only names that
/// end in `.nmconnection` and do not begin with a dot are read.
///
/// # Errors
/// [`IsoError::BadKeyfile`]
pub fn check_keyfile(name: &str, data: &[u8]) -> Result<(), IsoError> {
    let stem = name.strip_suffix(".nmconnection");
    let reason = match (stem, std::str::from_utf8(data)) {
        (None | Some(""), _) => "NetworkManager reads only names that end in `.nmconnection`",
        (Some(stem), _) if stem.starts_with('.') => "NetworkManager skips hidden files",
        (_, Err(_)) => "it is not UTF-8",
        (_, Ok(text)) if !text.lines().any(|line| line.trim() == "[connection]") => {
            "it has no section [connection]"
        }
        _ => return Ok(()),
    };
    Err(IsoError::BadKeyfile {
        name: name.to_owned(),
        reason,
    })
}
