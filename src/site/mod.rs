//! One machine's identity and network.
