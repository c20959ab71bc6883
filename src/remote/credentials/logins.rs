//! What is in the credential files, for people: never a password.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{Content, Credential, CredentialSource, Credentials};
use crate::remote::Error;
use crate::remote::client::Client;

/// One entry of a credential file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// File and key.
    pub source: CredentialSource,
    /// Whose it is.
    pub account: Account,
    /// Seconds since 1970 at which the password ends, when it is a JSON Web Token that says so.
    pub expires: Option<i64>,
}

/// Whose an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A user with a password.
    User(String),
    /// An OAuth 2 refresh token.
    Token,
    /// A program is asked: `docker-credential-NAME`.
    Helper(String),
    /// Nothing, or no `user:password`: podman takes it as no entry.
    Empty,
}

impl Client {
    /// Every entry of every credential file, files in the order in which they are asked, keys sorted; a file that cannot be read is
    /// an error in its place.
    pub fn logins(&self) -> Vec<Result<Login, Error>> {
        self.inner.credentials.logins()
    }
}

impl Credentials {
    fn logins(&self) -> Vec<Result<Login, Error>> {
        let mut all = Vec::new();
        for file in &self.files {
            match &file.content {
                Err(reason) => all.push(Err(file.error(reason))),
                Ok(content) => {
                    let found = content.entries().into_iter();
                    all.extend(found.map(|(key, account, expires)| {
                        let file = file.path.clone();
                        let source = CredentialSource { file, key };
                        Ok(Login {
                            source,
                            account,
                            expires,
                        })
                    }));
                }
            }
        }
        all
    }
}

impl Content {
    fn entries(&self) -> Vec<(String, Account, Option<i64>)> {
        let helpers = self.helpers.iter().map(|(host, name)| {
            let key = format!("credHelpers.{host}");
            (key, Account::Helper(name.clone()), None)
        });
        let logins = self.logins.iter().map(|(key, login)| match login {
            Credential::Login { user, password } => {
                let expires = expiry(password.expose());
                (key.clone(), Account::User(user.clone()), expires)
            }
            Credential::IdentityToken(token) => {
                (key.clone(), Account::Token, expiry(token.expose()))
            }
        });
        let empty = self.empty.iter();
        let empty = empty.map(|key| (key.clone(), Account::Empty, None));
        let mut all: Vec<_> = helpers.chain(logins).chain(empty).collect();
        all.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        all
    }
}

/// The `exp` claim of a JSON Web Token (RFC 7519 section 4.1.4).
fn expiry(secret: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<i64>,
    }
    let mut parts = secret.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok()?.exp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_expire() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(expiry(&token(r#"{"exp":1795000000}"#)), Some(1_795_000_000));
        assert_eq!(expiry(&token(r#"{"sub":"x"}"#)), None);
        assert_eq!(expiry("a.b.c"), None);
        assert_eq!(expiry("hunter2"), None);
    }
}
