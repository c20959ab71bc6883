//! Read access to the parts of a config: thin views over the JSON, each of which knows its JSON pointer.
//!
//! The shape was checked when the config was read, so that a missing or null key is the only way for a getter to have nothing.

use serde_json::Value;

use super::data_url;

/// A node of the config: its JSON and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

impl<'a> Node<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.value.get(key)?.as_str()
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.value.get(key)?.as_bool()
    }

    fn child(&self, key: &str) -> Option<Node<'a>> {
        let value = self.value.get(key)?;
        value.is_object().then(|| Node {
            value,
            pointer: format!("{}/{key}", self.pointer),
        })
    }

    /// The elements of the array `key`.
    pub(super) fn items(&self, key: &str) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let pointer = format!("{}/{key}", self.pointer);
        let items = self.value.get(key).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .enumerate()
            .map(move |(index, value)| Node {
                value,
                pointer: format!("{pointer}/{index}"),
            })
    }
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name<'a>(pub(super) Node<'a>);

        impl<'a> $name<'a> {
            /// JSON pointer (RFC 6901) of this entry.
            pub fn pointer(&self) -> &str {
                &self.0.pointer
            }

            /// The entry as it stands in the config, unknown keys included. It may hold secrets.
            pub fn json(&self) -> &'a Value {
                self.0.value
            }
        }

        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.pointer)
            }
        }
    };
}

view!(
    /// An entry of `storage.files`.
    File
);
view!(
    /// An entry of `storage.directories`.
    Directory
);
view!(
    /// An entry of `storage.links`.
    Link
);
view!(
    /// Something with a `source`.
    Resource
);
view!(
    /// An entry of `passwd.users`.
    User
);
view!(
    /// An entry of `systemd.units`.
    Unit
);
view!(
    /// A drop-in of a unit.
    Dropin
);

/// A user or a group, by name or by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The name.
    pub name: Option<String>,
    /// The number.
    pub id: Option<i64>,
}

impl<'a> File<'a> {
    /// The path; empty when it is missing.
    pub fn path(&self) -> &'a str {
        self.0.text("path").unwrap_or_default()
    }

    /// The mode as a number (420 is 0644); anything an `i64` holds, lint checks the range.
    pub fn mode(&self) -> Option<i64> {
        self.0.value.get("mode")?.as_i64()
    }

    /// Whether a file that is already there is replaced.
    pub fn overwrite(&self) -> Option<bool> {
        self.0.flag("overwrite")
    }

    /// The owner.
    pub fn user(&self) -> Option<Owner> {
        owner(&self.0, "user")
    }

    /// The group.
    pub fn group(&self) -> Option<Owner> {
        owner(&self.0, "group")
    }

    /// What the file holds. Spec 2 with `append: true`: what is appended.
    pub fn contents(&self) -> Option<Resource<'a>> {
        self.0.child("contents").map(Resource)
    }

    /// What is appended (spec 3), in order.
    pub fn append(&self) -> impl Iterator<Item = Resource<'a>> + use<'a> {
        self.0.items("append").map(Resource)
    }

    /// The decoded contents (not what is appended); nothing when the file has none.
    ///
    /// # Errors
    /// The source does not decode.
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, data_url::Error> {
        match self.contents() {
            Some(resource) if resource.source().is_some() => resource.decode().map(Some),
            _ => Ok(None),
        }
    }
}

impl<'a> Directory<'a> {
    /// The path; empty when it is missing.
    pub fn path(&self) -> &'a str {
        self.0.text("path").unwrap_or_default()
    }

    /// The mode as a number.
    pub fn mode(&self) -> Option<i64> {
        self.0.value.get("mode")?.as_i64()
    }
}

impl<'a> Link<'a> {
    /// The path; empty when it is missing.
    pub fn path(&self) -> &'a str {
        self.0.text("path").unwrap_or_default()
    }

    /// Where it points to; empty when it is missing.
    pub fn target(&self) -> &'a str {
        self.0.text("target").unwrap_or_default()
    }

    /// Whether it is a hard link.
    pub fn hard(&self) -> bool {
        self.0.flag("hard").unwrap_or(false)
    }
}

impl<'a> Resource<'a> {
    /// The URL.
    pub fn source(&self) -> Option<&'a str> {
        self.0.text("source")
    }

    /// `gzip`, or nothing; empty counts as nothing.
    pub fn compression(&self) -> Option<&'a str> {
        self.0.text("compression").filter(|c| !c.is_empty())
    }

    /// `verification.hash`: `sha256-…` or `sha512-…` over the decoded, inflated bytes.
    pub fn hash(&self) -> Option<&'a str> {
        self.0.value.get("verification")?.get("hash")?.as_str()
    }

    /// The decoded and inflated bytes, at most [`data_url::CAP`]; none when there is no source.
    ///
    /// # Errors
    /// The source is remote, malformed or too large.
    pub fn decode(&self) -> Result<Vec<u8>, data_url::Error> {
        match self.source() {
            None | Some("") => Ok(Vec::new()),
            Some(source) => data_url::decode(source, self.compression(), data_url::CAP),
        }
    }
}

impl<'a> User<'a> {
    /// The name; empty when it is missing.
    pub fn name(&self) -> &'a str {
        self.0.text("name").unwrap_or_default()
    }

    /// Whether a password hash is set.
    pub fn has_password(&self) -> bool {
        self.0
            .text("passwordHash")
            .is_some_and(|hash| !hash.is_empty())
    }

    /// The authorised SSH keys, in `authorized_keys` form.
    pub fn ssh_keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let keys = self
            .0
            .value
            .get("sshAuthorizedKeys")
            .and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Value::as_str)
    }
}

impl<'a> Unit<'a> {
    /// The name; empty when it is missing.
    pub fn name(&self) -> &'a str {
        self.0.text("name").unwrap_or_default()
    }

    /// Whether it is enabled (true), disabled (false) or left to presets.
    pub fn enabled(&self) -> Option<bool> {
        // Spec 2 has the older `enable` besides.
        self.0
            .flag("enabled")
            .or_else(|| self.0.flag("enable").filter(|on| *on))
    }

    /// Whether it is masked.
    pub fn masked(&self) -> bool {
        self.0.flag("mask").unwrap_or(false)
    }

    /// The unit file.
    pub fn contents(&self) -> Option<&'a str> {
        self.0.text("contents")
    }

    /// The drop-ins, in order.
    pub fn dropins(&self) -> impl Iterator<Item = Dropin<'a>> + use<'a> {
        self.0.items("dropins").map(Dropin)
    }

    /// The drop-in of this name.
    pub fn dropin(&self, name: &str) -> Option<Dropin<'a>> {
        self.dropins().find(|dropin| dropin.name() == name)
    }
}

impl<'a> Dropin<'a> {
    /// The name, `10-x.conf`; empty when it is missing.
    pub fn name(&self) -> &'a str {
        self.0.text("name").unwrap_or_default()
    }

    /// The text.
    pub fn contents(&self) -> Option<&'a str> {
        self.0.text("contents")
    }
}

fn owner(node: &Node<'_>, key: &str) -> Option<Owner> {
    let child = node.child(key)?;
    Some(Owner {
        name: child.text("name").map(str::to_owned),
        id: child.value.get("id").and_then(Value::as_i64),
    })
}
