//! The CoreOS live ISO: ISO 9660, embed areas, kernel arguments.
