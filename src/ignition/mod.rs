//! Ignition configs: read, inspect, patch, certificates.
