//! The X.509 certificates in a config: where they are, until when they live, and how to make them live longer.
//!
//! `openshift-install` puts about sixty PEM files into a bootstrap-in-place config, and the same certificates again into bundles,
//! kubeconfigs, Secrets and config maps. The chain that the bootstrap needs lives 24 hours (`seed-image.md` section 8.3; seed 003,
//! "Your boot certificate has expired"). [`survey()`] finds every certificate, whatever it is wrapped in; [`extend()`] signs those
//! that would expire too soon again, with the keys in the file.
//!
//! What [`extend()`] changes in a certificate is its not-after and its signature, nothing else: key, serial number, names, key
//! identifiers and all extensions stay byte for byte, so that what it has signed stays valid and an authority key identifier
//! with issuer and serial number still points at it. Issuers come first, and no certificate outlives its issuer. Every copy of
//! a certificate is replaced, in the wrapping that it has. A certificate whose issuer's key is not in the file stays.
//!
//! RSA signatures are deterministic, so equal inputs give equal bytes; ECDSA signatures are not.
//!
//! Not done here: certificates that are fetched from elsewhere, keys with a passphrase, revocation. Keys are never shown.

mod der;
mod extend;
mod key;
mod layout;
mod scan;
mod survey;
mod walk;
mod x509;

pub use extend::{Error, Extended, Extension, Left, extend};
pub use scan::Place;
pub use survey::{Found, Survey, Unreadable, survey};
