//! `WWW-Authenticate` (RFC 9110 §11.6.1): what a registry wants to see.

use std::collections::BTreeMap;

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::Url;

/// How a registry wants to be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: Scheme,
    /// The scope that the registry names for what was asked.
    pub(super) scope: Option<String>,
    /// `error="insufficient_scope"`: the token is good, but for something else.
    pub(super) insufficient_scope: bool,
}

impl Challenge {
    /// The first challenge of a scheme that is known here.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(parse)
            .find_map(|(scheme, parameters)| Self::from_parts(&scheme, parameters))
    }

    fn from_parts(scheme: &str, mut parameters: BTreeMap<String, String>) -> Option<Self> {
        let scheme = match scheme {
            "basic" => Scheme::Basic,
            "bearer" => Scheme::Bearer {
                realm: parameters.get("realm")?.parse().ok()?,
                service: parameters.remove("service").filter(|s| !s.is_empty()),
            },
            _ => return None,
        };
        Some(Self {
            scheme,
            scope: parameters.remove("scope").filter(|s| !s.is_empty()),
            insufficient_scope: parameters.get("error").map(String::as_str)
                == Some("insufficient_scope"),
        })
    }
}

/// Splits `Scheme a="b", c=d, Scheme2 …`; names in lower case. What is not of this form ends the reading.
fn parse(value: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut challenges: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | ','))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return challenges;
        }
        let word = word.to_ascii_lowercase();
        if let Some(quoted) = after.trim_start().strip_prefix('=') {
            let (text, behind) = parameter(quoted.trim_start());
            if let Some((_, parameters)) = challenges.last_mut() {
                parameters.insert(word, text);
            }
            rest = behind;
        } else {
            challenges.push((word, BTreeMap::new()));
            rest = after;
        }
    }
}

/// A quoted string or token, and what is behind it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| c.is_whitespace() || c == ',')
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        return (word.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(value: &str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, value.parse().unwrap());
        Challenge::of(&headers)
    }

    #[test]
    fn headers_of_real_registries() {
        let quay = challenge(r#"Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:a/b:pull""#).unwrap();
        assert_eq!(quay.scope.as_deref(), Some("repository:a/b:pull"));
        assert!(
            matches!(quay.scheme, Scheme::Bearer { ref realm, .. } if realm.as_str() == "https://quay.io/v2/auth")
        );
        let narrow = challenge(
            r#"bearer realm="https://a/t", error="insufficient_scope", scope="x:y:pull,push" "#,
        )
        .unwrap();
        assert!(narrow.insufficient_scope);
        assert_eq!(narrow.scope.as_deref(), Some("x:y:pull,push"));
        assert_eq!(
            challenge(r#"BASIC realm="a \"quoted\" realm""#)
                .unwrap()
                .scheme,
            Scheme::Basic
        );
        let second =
            challenge(r#"Negotiate, Basic realm="x", Bearer realm="https://a/t""#).unwrap();
        assert_eq!(second.scheme, Scheme::Basic);
        for bad in [
            "",
            "Negotiate abc==",
            "Bearer",
            r#"Bearer realm="no url""#,
            r#"="","#,
            r#"Bearer realm="https://a"#,
        ] {
            assert!(challenge(bad).is_none_or(|c| c.scope.is_none()), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_to_its_end(value in "[ -~]{0,200}") {
            let _ = challenge(&value);
            let _ = parse(&value);
        }
    }
}
