//! Where copies of images lie: a place in a registry, for everything or for one source.
//!
//! ```text
//! [http://]host[:port][/path]            Location   quay.io/ns/a:v1 → host:port/path/ns/a:v1
//! [SOURCE=]LOCATION                      Mirror     of SOURCE quay.io/ns → host:port/path/a:v1
//! ```
//!
//! Below a location images keep their repositories and lose their registries: so `precache push` lays them out, and so a mirror
//! without a source finds them. `http://` says that the registry need not speak TLS, as `insecure = true` in registries.conf.

use std::fmt;
use std::str::FromStr;

use super::{Reference, ReferenceError};

/// A place below which images lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    name: String,
    insecure: bool,
}

/// A place to ask before an image's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// `registry[/path]` of the images that it has; none when it may have any.
    source: Option<String>,
    location: Location,
}

/// Why a text names no place in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no registry host[:port][/path]")]
pub struct LocationError {
    /// The text, without what stands before it.
    pub text: String,
}

impl Location {
    /// `host[:port][/path]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether plain HTTP and certificates of nobody will do.
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Whether an image's own place is below this one.
    pub fn holds(&self, image: &Reference) -> bool {
        below(&image.name(), &self.name).is_some()
    }

    /// Where an image of any registry lies here, with its tag and digest.
    ///
    /// # Errors
    /// The name would be too long.
    pub fn of(&self, image: &Reference) -> Result<Reference, ReferenceError> {
        image.relocated(&format!("{}/{}", self.name, image.repository()))
    }
}

impl Mirror {
    /// Where the mirror is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether it may have any image, and not those of one source only.
    pub fn is_general(&self) -> bool {
        self.source.is_none()
    }

    /// Where the mirror would have an image: nowhere when it is of another source, or of the mirror itself.
    pub fn place(&self, image: &Reference) -> Option<Reference> {
        if self.location.holds(image) {
            return None;
        }
        let Some(source) = &self.source else {
            return self.location.of(image).ok();
        };
        let place = format!("{}{}", self.location.name, below(&image.name(), source)?);
        // A registry without a path has no image of its own name.
        place.contains('/').then_some(())?;
        image.relocated(&place).ok()
    }
}

/// What of a name is behind a prefix of whole components: nothing, or a path with its slash.
fn below<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// `host[:port][/path]` without trailing slashes, as images below it have it.
fn place(text: &str) -> Result<String, LocationError> {
    let name = text.trim_end_matches('/');
    let host = name.split('/').next().unwrap_or(name);
    match format!("{name}/x").parse::<Reference>() {
        // `mirror/x` would be one of docker.io, and `index.docker.io` has another name.
        Ok(image) if image.registry() == host && image.tag().is_none() => Ok(name.to_owned()),
        _ => Err(LocationError {
            text: text.to_owned(),
        }),
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.strip_prefix("http://");
        Ok(Self {
            name: place(plain.unwrap_or(text))?,
            insecure: plain.is_some(),
        })
    }
}

impl FromStr for Mirror {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (source, location) = match text.split_once('=') {
            Some((source, location)) => (Some(place(source)?), location),
            None => (None, text),
        };
        Ok(Self {
            source,
            location: location.parse()?,
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.insecure { "http://" } else { "" };
        write!(f, "{scheme}{}", self.name)
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}=")?;
        }
        write!(f, "{}", self.location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_have_images_where_push_puts_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            (
                "lan:5000/ocp",
                "quay.io/ns/a:v1",
                Some("lan:5000/ocp/ns/a:v1"),
            ),
            ("http://lan:5000/", "quay.io/a:v1", Some("lan:5000/a:v1")),
            (
                "lan:5000/ocp",
                "busybox",
                Some("lan:5000/ocp/library/busybox"),
            ),
            (
                "quay.io/ns=lan:5000/x",
                "quay.io/ns/a:v1",
                Some("lan:5000/x/a:v1"),
            ),
            (
                "quay.io/ns/a=lan:5000/x",
                "quay.io/ns/a:v1",
                Some("lan:5000/x:v1"),
            ),
            ("quay.io/ns/a=lan:5000", "quay.io/ns/a:v1", None),
            (
                "quay.io=lan:5000",
                "quay.io/ns/a:v1",
                Some("lan:5000/ns/a:v1"),
            ),
            ("quay.io/ns=lan:5000/x", "quay.io/nsx/a:v1", None),
            ("quay.io/ns=lan:5000/x", "other.io/ns/a:v1", None),
            // It is there already.
            ("lan:5000/ocp", "lan:5000/ocp/ns/a:v1", None),
        ];
        for (mirror, image, expected) in cases {
            let mirror: Mirror = mirror.parse().unwrap();
            assert_eq!(mirror.to_string().parse(), Ok(mirror.clone()));
            for suffix in ["", &format!("@{digest}")] {
                let image: Reference = format!("{image}{suffix}").parse().unwrap();
                let place = mirror.place(&image).map(|place| place.to_string());
                let expected = expected.map(|name| format!("{name}{suffix}"));
                assert_eq!(place, expected, "{mirror} {image}");
                if mirror.source.is_none() && place.is_some() {
                    let pushed = mirror.location().of(&image).unwrap().to_string();
                    assert_eq!(place, Some(pushed));
                }
            }
        }
        for (text, insecure) in [("http://lan:5000", true), ("lan:5000", false)] {
            let mirror: Mirror = text.parse().unwrap();
            assert_eq!(mirror.location().is_insecure(), insecure);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "lan",
            "lan/x",
            "https://lan:5000",
            "http://",
            "lan:5000/a b",
            "lan:5000/Ocp",
            "lan:5000/ocp:v1",
            "lan:5000/ocp@sha256:0",
            "=lan:5000",
            "quay.io=",
            "quay=lan:5000",
            "a.b=c.d=e.f",
            "user:x@lan:5000",
        ] {
            assert!(text.parse::<Mirror>().is_err(), "{text}");
        }
    }
}
