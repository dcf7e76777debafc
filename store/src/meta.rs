//! What is known of each publisher, and what did not arrive: a small database beside the log.
