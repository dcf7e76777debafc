//! The log: records as frames in segment files, in the order in which they came in.
